package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SetAside renames the directory of a store that is [ErrCorrupt], so that [Open] makes
// a new one in its place and what is left stays as evidence. It returns the new path, the
// old one with a suffix. The error is [ErrLocked] if the store is open, [ErrForeign]
// if it is none.
func SetAside(dir string) (newPath string, err error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := inspect(path); err != nil {
		return "", fmt.Errorf("set store aside: %w", err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return "", fmt.Errorf("set store aside: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	for n := 1; ; n++ {
		newPath = fmt.Sprintf("%s.aside-%d", path, n)
		if _, err := os.Lstat(newPath); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := os.Rename(path, newPath); err != nil {
			return "", fmt.Errorf("set store aside: %w", err)
		}
		return newPath, syncDir(filepath.Dir(path))
	}
}
