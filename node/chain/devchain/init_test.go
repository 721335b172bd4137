package devchain_test

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/meshsec/meshsec/node/chain/devchain"
)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed))
}

// contents maps every file below dir to what is in it.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestInitNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	genesis := devchain.Genesis{ChainID: "dev-1", Validators: 3, Time: time.Unix(1_700_000_000, 0)}
	if err := devchain.Init(dir, genesis); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	genesis.Time = time.Unix(1_800_000_000, 0)
	if err := devchain.Init(dir, genesis); err != nil {
		t.Fatal(err)
	}
	for _, other := range []devchain.Genesis{
		{ChainID: "dev-2", Validators: 3, Time: genesis.Time},
		{ChainID: "dev-1", Validators: 4, Time: genesis.Time},
		{ChainID: "dev-1", Validators: 3, ConsensusKeys: []ed25519.PrivateKey{key(1), key(2), key(3)}, Time: genesis.Time},
	} {
		if err := devchain.Init(dir, other); !errors.Is(err, devchain.ErrMismatch) {
			t.Errorf("%q with %d validators: %v", other.ChainID, other.Validators, err)
		}
	}
	if !reflect.DeepEqual(contents(t, dir), before) {
		t.Error("files have changed")
	}
}

func TestInitFinishesWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	genesis := devchain.Genesis{ChainID: "dev-1", Validators: 2, Time: time.Unix(1_700_000_000, 0)}
	if err := devchain.Init(dir, genesis); err != nil {
		t.Fatal(err)
	}
	want := contents(t, dir)
	for _, lost := range []string{"genesis.json", "validator-01/data/priv_validator_state.json"} {
		if err := os.Remove(filepath.Join(dir, lost)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := devchain.ConsensusKeys(dir); !errors.Is(err, devchain.ErrNoChain) {
		t.Errorf("keys of half a chain: %v", err)
	}
	if err := devchain.Init(dir, genesis); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(contents(t, dir), want) {
		t.Error("the second attempt gives another chain")
	}
}

func TestInitTakesKeys(t *testing.T) {
	dir := t.TempDir()
	keys := []ed25519.PrivateKey{key(1), key(2)}
	genesis := devchain.Genesis{ChainID: "dev-1", Validators: 2, ConsensusKeys: keys, Time: time.Unix(1_700_000_000, 0)}
	for range 2 {
		if err := devchain.Init(dir, genesis); err != nil {
			t.Fatal(err)
		}
	}
	got, err := devchain.ConsensusKeys(dir)
	if err != nil || !reflect.DeepEqual(got, keys) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestInitRefusesNonsense(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, g := range map[string]devchain.Genesis{
		"no chain id":   {Validators: 1, Time: now},
		"no validators": {ChainID: "dev-1", Time: now},
		"no time":       {ChainID: "dev-1", Validators: 1},
		"missing keys":  {ChainID: "dev-1", Validators: 2, ConsensusKeys: []ed25519.PrivateKey{key(1)}, Time: now},
		"short key":     {ChainID: "dev-1", Validators: 1, ConsensusKeys: []ed25519.PrivateKey{{1, 2, 3}}, Time: now},
		"same key":      {ChainID: "dev-1", Validators: 2, ConsensusKeys: []ed25519.PrivateKey{key(1), key(1)}, Time: now},
	} {
		dir := t.TempDir()
		if err := devchain.Init(dir, g); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Without the record of the last signature a validator could sign twice: it
// must not be invented once the chain exists.
func TestStartNeedsTheLastSignature(t *testing.T) {
	dir := t.TempDir()
	initialise(t, dir, 1)
	if err := os.Remove(filepath.Join(dir, "validator-00/data/priv_validator_state.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := devchain.Start(bounded(t), dir, devchain.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("started with %v", err)
	}
}
