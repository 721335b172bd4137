package devchain

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/types"
)

// home is the directory of one validator.
type home struct{ dir string }

func homeOf(dir string, i int) home {
	return home{filepath.Join(dir, fmt.Sprintf("validator-%02d", i))}
}

func genesisFile(dir string) string { return filepath.Join(dir, "genesis.json") }
func (h home) keyFile() string      { return filepath.Join(h.dir, "config", "priv_validator_key.json") }
func (h home) nodeKeyFile() string  { return filepath.Join(h.dir, "config", "node_key.json") }
func (h home) lastSignedFile() string {
	return filepath.Join(h.dir, "data", "priv_validator_state.json")
}
func (h home) applicationFile() string { return filepath.Join(h.dir, "data", "application.state") }

// create makes what is missing of the home: folders, the consensus key (want,
// or a new one when nil), the record of the last signature, the node key. It
// returns the public consensus key. It fails when a key exists that is not the
// one wanted.
func (h home) create(want ed25519.PrivateKey) (ed25519.PublicKey, error) {
	for _, folder := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(h.dir, folder), 0o700); err != nil {
			return nil, fmt.Errorf("create the validator's home: %w", err)
		}
	}
	key, err := h.consensusKey()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if key = want; key == nil {
			if _, key, err = ed25519.GenerateKey(nil); err != nil {
				return nil, fmt.Errorf("generate a consensus key: %w", err)
			}
		}
		if err := writeKey(h.keyFile(), key); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case want != nil && !key.Equal(want):
		return nil, fmt.Errorf("%w: %s holds another consensus key than the one given", ErrMismatch, h.keyFile())
	}
	if _, err := os.Stat(h.lastSignedFile()); errors.Is(err, fs.ErrNotExist) {
		// The chain does not exist yet, so nothing has been signed for it.
		if err := writeJSON(h.lastSignedFile(), privval.FilePVLastSignState{}); err != nil {
			return nil, err
		}
	}
	if _, err := p2p.LoadOrGenNodeKey(h.nodeKeyFile()); err != nil {
		return nil, fmt.Errorf("node key of %s: %w", h.dir, err)
	}
	return key.Public().(ed25519.PublicKey), nil
}

// consensusKey reads the validator's key. The error is fs.ErrNotExist when
// there is none.
func (h home) consensusKey() (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(h.keyFile())
	if err != nil {
		return nil, fmt.Errorf("read the consensus key: %w", err)
	}
	var stored privval.FilePVKey
	if err := cmtjson.Unmarshal(data, &stored); err != nil {
		return nil, fmt.Errorf("read the consensus key %s: %w", h.keyFile(), err)
	}
	key, ok := stored.PrivKey.(cmted25519.PrivKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("the consensus key %s is not an ed25519 key", h.keyFile())
	}
	return ed25519.PrivateKey(key), nil
}

// signer opens the validator's key with the record of what it signed last.
// CometBFT's own loader ends the process when a file is missing.
func (h home) signer() (*privval.FilePV, error) {
	key, err := h.consensusKey()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(h.lastSignedFile())
	if err != nil {
		return nil, fmt.Errorf("read what the validator signed last (restore the file, without it the validator could sign twice): %w", err)
	}
	var last privval.FilePVLastSignState
	if err := cmtjson.Unmarshal(data, &last); err != nil {
		return nil, fmt.Errorf("read what the validator signed last, %s: %w", h.lastSignedFile(), err)
	}
	signer := privval.NewFilePV(cmted25519.PrivKey(key), h.keyFile(), h.lastSignedFile())
	state := &signer.LastSignState
	state.Height, state.Round, state.Step = last.Height, last.Round, last.Step
	state.Signature, state.SignBytes = last.Signature, last.SignBytes
	return signer, nil
}

func writeKey(path string, key ed25519.PrivateKey) error {
	public := cmted25519.PrivKey(key).PubKey()
	return writeJSON(path, privval.FilePVKey{Address: public.Address(), PubKey: public, PrivKey: cmted25519.PrivKey(key)})
}

// writeJSON creates path with the value in CometBFT's JSON, whole or not at
// all. It fails when path exists.
func writeJSON(path string, value any) error {
	data, err := cmtjson.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".draft-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(append(data, '\n'))
	if err == nil {
		err = draft.Sync()
	}
	if closed := draft.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Link(draft.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// readGenesis reads the genesis of the chain in dir; the error is
// fs.ErrNotExist when there is no chain.
func readGenesis(dir string) (*types.GenesisDoc, error) {
	data, err := os.ReadFile(genesisFile(dir))
	if err != nil {
		return nil, fmt.Errorf("read the genesis: %w", err)
	}
	if !json.Valid(data) {
		return nil, fmt.Errorf("the genesis %s is damaged", genesisFile(dir))
	}
	genesis, err := types.GenesisDocFromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("read the genesis %s: %w", genesisFile(dir), err)
	}
	return genesis, nil
}
