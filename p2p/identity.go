package p2p

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// LoadOrCreateIdentity reads the node's libp2p key from a file, and makes a new
// Ed25519 key where there is no file. The file holds one line: the key in libp2p's
// protobuf form, in base64; only its owner may read it. A file that exists but holds
// no key is an error and is left alone: peers know this node by its key.
func LoadOrCreateIdentity(path string) (crypto.PrivKey, error) {
	key, err := loadIdentity(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, _, err = crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("p2p: make an identity: %w", err)
	}
	raw, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("p2p: make an identity: %w", err)
	}
	err = createOnce(path, base64.StdEncoding.EncodeToString(raw)+"\n")
	if errors.Is(err, fs.ErrExist) { // another process was faster: its key it is
		return loadIdentity(path)
	}
	if err != nil {
		return nil, fmt.Errorf("p2p: save the identity %s: %w", path, err)
	}
	return key, nil
}

func loadIdentity(path string) (crypto.PrivKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("p2p: read the identity: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err == nil {
		var key crypto.PrivKey
		if key, err = crypto.UnmarshalPrivateKey(raw); err == nil {
			err = whole(key)
		}
		if err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("p2p: the identity %s is damaged: restore it, or delete it to get a new peer id: %w", path, err)
}

// whole is an error unless the halves of the key belong together, which the library
// does not look at: no peer would believe who signs with one key and shows another.
func whole(key crypto.PrivKey) error {
	message := []byte("is it the same key?")
	signature, err := key.Sign(message)
	if err != nil {
		return err
	}
	switch same, err := key.GetPublic().Verify(message, signature); {
	case err != nil:
		return err
	case !same:
		return errors.New("its public half is that of another key")
	}
	return nil
}

// createOnce writes a file that is complete or absent, whatever happens meanwhile,
// and never replaces one (fs.ErrExist).
func createOnce(path, content string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".identity-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.WriteString(content); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	return os.Link(tmp.Name(), path)
}
