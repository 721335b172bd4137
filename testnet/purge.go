package testnet

import (
	"errors"
	"os"
	"path/filepath"
)

// purge removes everything that a testnet put into its home, and the home if
// nothing else is in it. testnet.toml goes last, so that an interrupted purge can
// be repeated.
func (t *Testnet) purge() error {
	for _, name := range []string{"chains", "nodes", "logs", "run", manifestFile, composeFile, buildingFile, lockFile, descriptionFile} {
		if err := os.RemoveAll(filepath.Join(t.home, name)); err != nil {
			return err
		}
	}
	left, err := os.ReadDir(t.home)
	if err != nil || len(left) > 0 {
		return err
	}
	if err := os.Remove(t.home); !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil // the folder above belongs to somebody else
}
