package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// homeOf makes the home of a node of alpha in a mesh's network, without a store.
func homeOf(t *testing.T, mesh *ledgertest.Mesh) (dir string) {
	t.Helper()
	dir = t.TempDir()
	m, err := mesh.Manifest.Encode()
	ok(t, err)
	write(t, dir, "manifest.toml", string(m))
	c := node.DefaultConfig()
	c.Chain, c.HomeChain.RPC = home, "http://127.0.0.1:1"
	b, err := c.Encode()
	ok(t, err)
	write(t, dir, configName, string(b))
	return dir
}

// storeOf opens the store in a home.
func storeOf(t *testing.T, dir string, mesh *ledgertest.Mesh) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "data", "store"), mesh.Manifest, store.Options{})
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() }) // a second time, mostly
	return s
}

// playInto plays epochs of all chains and commits them.
func playInto(t *testing.T, s *store.Store, mesh *ledgertest.Mesh, epochs int) {
	t.Helper()
	for range epochs {
		for _, c := range mesh.Chains {
			ops, err := mesh.Relay(c.ID)
			ok(t, err)
			r, err := mesh.Epoch(c.ID, ops...)
			ok(t, err)
			ok(t, s.Commit(c.ID, r))
		}
	}
}

func TestReplayOfAStoppedNode(t *testing.T) {
	mesh, err := ledgertest.Play(ledgertest.New(2, 2, nil))
	ok(t, err)
	dir := homeOf(t, mesh)
	fails(t, exitFailed, []string{"there is no store in", "that has run"}, "ledger", "replay", "--home", dir)
	s := storeOf(t, dir, mesh)
	playInto(t, s, mesh, 4)
	fails(t, exitFailed, []string{"store: locked", "needs the node to be stopped"}, "ledger", "replay", "--home", dir)
	ok(t, s.Close())

	golden(t, "ledger_replay.txt", done(t, "ledger", "replay", "--home", dir))
	one := decoded[[]replayed](t, done(t, "ledger", "replay", "--home", dir, "--chain", "beta", "--json"))
	if len(one) != 1 || one[0].Chain != "beta" || one[0].Epoch != 4 || !one[0].Same {
		t.Errorf("replayed %+v", one)
	}
	fails(t, exitUsage, []string{`--chain is "omega", the network has [alpha beta]`}, "ledger", "replay", "--home", dir, "--chain", "omega")

	// Another program's rules gave another root after a step of epoch 5.
	s = storeOf(t, dir, mesh)
	ops, err := mesh.Relay(home)
	ok(t, err)
	r, err := mesh.Epoch(home, ops...)
	ok(t, err)
	r.Transcript.Steps[1].Root[0] ^= 1
	r.Checkpoint.OpsRoot, err = r.Transcript.HashTreeRoot()
	ok(t, err)
	ok(t, s.Commit(home, r))
	ok(t, s.Close())
	f := fails(t, exitFailed, []string{"store: replay differs from the journal: alpha epoch 5 step 1: "}, "ledger", "replay", "--home", dir, "--json")
	both := decoded[[]replayed](t, f.out)
	if len(both) != 2 || both[0].Same || !strings.Contains(both[0].Difference, "alpha epoch 5 step 1") || !both[1].Same {
		t.Errorf("replayed %+v", both)
	}
}

func TestANewNodeBeginsWithASnapshot(t *testing.T) {
	mesh, err := ledgertest.Play(ledgertest.New(2, 2, nil))
	ok(t, err)
	old, fresh := homeOf(t, mesh), homeOf(t, mesh)
	s := storeOf(t, old, mesh)
	playInto(t, s, mesh, 4)
	for epoch := uint64(1); epoch <= 3; epoch++ {
		v, err := attest.VerifyCertificate(mesh.ID, mesh.Set("beta", epoch), mesh.Certificate("beta", epoch))
		ok(t, err)
		_, err = s.PutCertificate(v)
		ok(t, err)
	}
	ok(t, s.Close())

	file := filepath.Join(t.TempDir(), "beta.snapshot")
	export := []string{"ledger", "export", "--home", old, "--chain", "beta", "--out", file}
	r := decoded[snapshotReport](t, done(t, append(export, "--json")...))
	root := mesh.Past("beta", 3).Checkpoint.Root()
	if r.Epoch != 3 || r.Certificates != 1 || r.Records == 0 || string(r.Checkpoint) != string(root[:]) {
		t.Errorf("exported %+v", r)
	}
	fails(t, exitFailed, []string{"exists already"}, export...)
	fails(t, exitUsage, []string{"--chain and --out is missing"}, "ledger", "export", "--home", old)
	for _, epoch := range []string{"4", "999"} { // executed and not certified, and not even that
		fails(t, exitFailed, []string{"epoch " + epoch + " of beta is not certified in this store, the newest is 3"}, "ledger", "export", "--home", old, "--chain", "beta", "--epoch", epoch, "--out", file+"4")
	}
	fails(t, exitUsage, []string{"--from 3 is after --epoch 2"}, "ledger", "export", "--home", old, "--chain", "beta", "--epoch", "2", "--from", "3", "--out", file+"4")
	if _, err := os.Stat(file + "4"); err == nil {
		t.Error("half a file is left")
	}

	fails(t, exitFailed, []string{"not a valid snapshot", "--from-genesis"}, "ledger", "import", file, "--home", fresh)
	fails(t, exitUsage, []string{"no such file"}, "ledger", "import", file+"4", "--home", fresh)
	trust := fmt.Sprintf("beta:3:%x", root)
	if out := done(t, "ledger", "import", file, "--home", fresh, "--trust", trust); !strings.Contains(out, "of beta at the end of epoch 3 read from") || !strings.Contains(out, trust) {
		t.Errorf("imported: %s", out)
	}
	fails(t, exitFailed, []string{"beta is at epoch 3", "followed already"}, "ledger", "import", file, "--home", fresh, "--trust", trust)
	if s := storeOf(t, fresh, mesh); s.Head("beta").Root != root || s.Head("alpha").Epoch != 0 {
		t.Errorf("beta is at %+v", s.Head("beta"))
	} else {
		ok(t, s.Close())
	}
	again := decoded[[]replayed](t, done(t, "ledger", "replay", "--home", fresh, "--json"))
	if len(again) != 2 || !again[0].Same || !again[1].Same || again[1].Epoch != 3 {
		t.Errorf("replayed %+v", again)
	}
}
