package devchain

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"
)

var (
	// ErrMismatch: the directory holds a chain other than the one asked for.
	// Use another directory, or ask for what is there.
	ErrMismatch = errors.New("the directory holds another chain")
	// ErrNoChain: Init has not been called for the directory.
	ErrNoChain = errors.New("the directory holds no chain, initialise it first")
)

// maxBlockBytes bounds a block, and with it what a validator holds in memory:
// seven operations of the largest size.
const maxBlockBytes = 4 << 20

// Genesis describes a chain to create.
type Genesis struct {
	ChainID string
	// Validators is their number, at least 1. All have the same power.
	Validators int
	// ConsensusKeys of the validators, in order; nil generates them.
	ConsensusKeys []ed25519.PrivateKey
	// Time of the first block. When it lies ahead, Start waits for it.
	Time time.Time
}

// Init creates the chain in dir. It is idempotent: what exists stays as it is,
// also after a crash halfway. It returns ErrMismatch when dir holds a chain of
// another name, another number of validators, or, if keys are given, other
// keys; the time of an existing chain is not compared.
func Init(dir string, g Genesis) error {
	if err := g.check(); err != nil {
		return err
	}
	existing, err := readGenesis(dir)
	if err == nil {
		return g.matches(dir, existing)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the chain's directory: %w", err)
	}

	params := types.DefaultConsensusParams()
	params.Block.MaxBytes = maxBlockBytes
	doc := types.GenesisDoc{ChainID: g.ChainID, GenesisTime: g.Time, InitialHeight: 1, ConsensusParams: params}
	for i := range g.Validators {
		var want ed25519.PrivateKey
		if g.ConsensusKeys != nil {
			want = g.ConsensusKeys[i]
		}
		key, err := homeOf(dir, i).create(want)
		if err != nil {
			return err
		}
		doc.Validators = append(doc.Validators, types.GenesisValidator{PubKey: cmted25519.PubKey(key), Power: 1})
	}
	if err := doc.ValidateAndComplete(); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	return writeJSON(genesisFile(dir), doc)
}

// ConsensusKeys returns the private consensus keys of the chain's validators,
// in the order of their homes. The chain may be running or not.
func ConsensusKeys(dir string) ([]ed25519.PrivateKey, error) {
	genesis, err := openGenesis(dir)
	if err != nil {
		return nil, err
	}
	keys := make([]ed25519.PrivateKey, len(genesis.Validators))
	for i := range keys {
		if keys[i], err = homeOf(dir, i).consensusKey(); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func openGenesis(dir string) (*types.GenesisDoc, error) {
	genesis, err := readGenesis(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoChain, dir)
	}
	return genesis, err
}

func (g Genesis) check() error {
	switch {
	case g.ChainID == "" || len(g.ChainID) > types.MaxChainIDLen:
		return fmt.Errorf("chain id %q: 1 to %d bytes are allowed", g.ChainID, types.MaxChainIDLen)
	case g.Validators < 1:
		return fmt.Errorf("a chain needs at least 1 validator, not %d", g.Validators)
	case g.ConsensusKeys != nil && len(g.ConsensusKeys) != g.Validators:
		return fmt.Errorf("%d consensus keys for %d validators", len(g.ConsensusKeys), g.Validators)
	case g.Time.IsZero():
		return errors.New("the genesis time is missing")
	}
	for i, key := range g.ConsensusKeys {
		if len(key) != ed25519.PrivateKeySize {
			return fmt.Errorf("consensus key %d has %d bytes, an ed25519 key has %d", i, len(key), ed25519.PrivateKeySize)
		}
		for j, earlier := range g.ConsensusKeys[:i] {
			if key.Equal(earlier) {
				return fmt.Errorf("validators %d and %d have the same consensus key", j, i)
			}
		}
	}
	return nil
}

func (g Genesis) matches(dir string, existing *types.GenesisDoc) error {
	if existing.ChainID != g.ChainID || len(existing.Validators) != g.Validators {
		return fmt.Errorf("%w: %s is %q with %d validators, asked for %q with %d", ErrMismatch, dir,
			existing.ChainID, len(existing.Validators), g.ChainID, g.Validators)
	}
	for i, key := range g.ConsensusKeys {
		if !key.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(existing.Validators[i].PubKey.Bytes())) {
			return fmt.Errorf("%w: validator %d of %s has another consensus key", ErrMismatch, i, dir)
		}
	}
	return nil
}
