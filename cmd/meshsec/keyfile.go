package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshsec/meshsec/bls"
)

// Forms of key files, told apart by their names in a keys folder.
const (
	keystoreSuffix = ".json" // EIP-2335
	accountSuffix  = ".key"  // an ed25519 seed, 64 hex digits
)

// maxKeyFile bounds a file with a key or a password, in bytes.
const maxKeyFile = 1 << 16

// readAccountKey reads the ed25519 seed of an account or of an authority.
func readAccountKey(path string) (ed25519.PrivateKey, error) {
	text, err := secretFile(path)
	if err != nil {
		return nil, fmt.Errorf("account key: %w", err)
	}
	seed, err := hex.DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s is not an account key: it must hold 64 hex digits (\"meshsec keys new account\" makes one)", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// openKeystore decrypts a BLS key. flag is the one that names the file of the password.
func openKeystore(path, password, flag string) (bls.SecretKey, error) {
	data, err := readBounded(path, maxKeyFile)
	if err != nil {
		return bls.SecretKey{}, fmt.Errorf("keystore: %w", err)
	}
	key, err := bls.DecryptKeystore(data, password)
	switch {
	case errors.Is(err, bls.ErrWrongPassword):
		return key, fmt.Errorf("wrong password for keystore %s: give the right one with %s", path, flag)
	case err != nil:
		return key, fmt.Errorf("keystore %s: %w", path, err)
	}
	return key, nil
}

// keystoreKey is the public key that a keystore says it holds, which needs no
// password.
func keystoreKey(path string) (bls.PublicKey, error) {
	data, err := readBounded(path, maxKeyFile)
	if err != nil {
		return bls.PublicKey{}, fmt.Errorf("keystore: %w", err)
	}
	var file struct {
		Crypto json.RawMessage `json:"crypto"`
		PubKey string          `json:"pubkey"`
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Crypto) == 0 {
		return bls.PublicKey{}, fmt.Errorf("%s is not an EIP-2335 keystore (\"meshsec keys new bls\" makes one)", path)
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(file.PubKey, "0x"))
	if err == nil {
		var key bls.PublicKey
		if key, err = bls.ParsePublicKey(raw); err == nil {
			return key, nil
		}
	}
	return bls.PublicKey{}, fmt.Errorf("keystore %s does not say its public key: %w", path, err)
}

// isKeystore reports whether a file looks like an EIP-2335 keystore.
func isKeystore(path string) bool {
	data, err := readBounded(path, maxKeyFile)
	if err != nil {
		return false // whoever reads it says so
	}
	var file struct {
		Crypto json.RawMessage `json:"crypto"`
	}
	return json.Unmarshal(data, &file) == nil && len(file.Crypto) > 0
}

// readConsensusKey reads CometBFT's priv_validator_key.json, with an ed25519 key.
func readConsensusKey(path string) (ed25519.PrivateKey, error) {
	data, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("consensus key: %w", err)
	}
	type typed struct{ Type, Value string }
	var file struct {
		PubKey  typed `json:"pub_key"`
		PrivKey typed `json:"priv_key"`
	}
	err = json.Unmarshal(data, &file)
	switch {
	case err != nil || file.PrivKey == typed{}:
		return nil, fmt.Errorf("%s is neither a priv_validator_key.json of CometBFT nor an EIP-2335 keystore", path)
	case file.PrivKey.Type != "tendermint/PrivKeyEd25519":
		return nil, fmt.Errorf("consensus key %s is of type %q: of CometBFT's keys only ed25519 can be bound", path, file.PrivKey.Type)
	case file.PubKey == typed{}:
		return nil, fmt.Errorf("%s has no public key, as a node_key.json of CometBFT, which signs no blocks: give the priv_validator_key.json beside it", path)
	}
	private, err := base64.StdEncoding.DecodeString(file.PrivKey.Value)
	if err != nil || len(private) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("consensus key %s is damaged: restore it from the home chain's validator", path)
	}
	key := ed25519.NewKeyFromSeed(private[:ed25519.SeedSize])
	public, err := base64.StdEncoding.DecodeString(file.PubKey.Value)
	if err != nil || !bytes.Equal(public, key.Public().(ed25519.PublicKey)) || !bytes.Equal(private, key) {
		return nil, fmt.Errorf("consensus key %s contradicts itself: restore it from the home chain's validator", path)
	}
	return key, nil
}

// createFile writes a file that only its owner can read, complete or not at all.
// It never replaces one.
func createFile(path string, content []byte) error {
	return fillFile(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// fillFile is createFile for what is too large to be held.
func fillFile(path string, fill func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".draft-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	err = fill(draft)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = os.Link(draft.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and is left as it is: choose another name", path)
	}
	return err
}
