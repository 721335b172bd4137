package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// What a store's directory holds.
const (
	databaseName = "db" // Badger's own directory
	headName     = "head"
	headTmpName  = "head.tmp"
	newName      = "new" // is there from before the database until the first head
)

// folder is the directory of an open store, locked.
type folder struct {
	path    string
	lock    *os.File // the directory itself; its flock ends with the process
	reserve uint64
}

// openFolder creates a directory with its parents where needed, makes sure that it is
// a store's or empty, and locks it. Errors: [ErrForeign], [ErrLocked].
func openFolder(dir string) (*folder, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeDurable(path); err != nil {
		return nil, err
	}
	if err := inspect(path); err != nil {
		return nil, err
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	return &folder{path, lock, reserve}, nil
}

// lockDir takes the flock of a directory, or returns [ErrLocked].
func lockDir(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f, nil
}

// inspect returns [ErrForeign] for a directory that has something in it and nothing of
// a store.
func inspect(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	foreign := ""
	for _, e := range entries {
		switch e.Name() {
		case databaseName, headName, headTmpName, newName:
			return nil
		case "lost+found":
		default:
			foreign = e.Name()
		}
	}
	if foreign != "" {
		return fmt.Errorf("%s, which contains %q: %w", path, foreign, ErrForeign)
	}
	return nil
}

// makeDurable creates a directory and makes the entry in its parent durable, for its
// missing parents too.
func makeDurable(path string) error {
	info, err := os.Stat(path)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is a file: %w", path, ErrForeign)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := makeDurable(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir makes durable what happened to the names in a directory.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// database is the path of Badger's directory.
func (f *folder) database() string { return filepath.Join(f.path, databaseName) }

// readHead returns the head file, nil if there is none.
func (f *folder) readHead() ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(f.path, headName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && b == nil {
		b = []byte{}
	}
	return b, err
}

// writeHead replaces the head file, durably.
func (f *folder) writeHead(b []byte) error {
	tmp := filepath.Join(f.path, headTmpName)
	w, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(f.path, headName)); err != nil {
		return err
	}
	return syncDir(f.path)
}

// clear makes a folder without a head ready to begin in. Badger can't open what a crash
// left of a database in the making; nothing in it was acknowledged, as the mark tells that
// is set here before there is one. Without the mark a database is never touched.
func (f *folder) clear() error {
	mark := filepath.Join(f.path, newName)
	_, err := os.Stat(mark)
	if err == nil {
		return errors.Join(os.RemoveAll(f.database()), syncDir(f.path))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(f.database()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := os.OpenFile(mark, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(w.Close(), syncDir(f.path))
}

// begun removes the mark, once there is a head.
func (f *folder) begun() error {
	err := os.Remove(filepath.Join(f.path, newName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(f.path))
}

// accessible returns an error if a file of the database can't be opened at all, which
// is a matter of permissions or limits and not of damage. Badger hides the difference.
func (f *folder) accessible() error {
	entries, err := os.ReadDir(f.database())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range slices.DeleteFunc(entries, fs.DirEntry.IsDir) {
		file, openErr := os.OpenFile(filepath.Join(f.database(), e.Name()), os.O_RDWR, 0)
		if openErr == nil {
			openErr = file.Close()
		}
		err = errors.Join(err, openErr)
	}
	return err
}

// reserve is what must stay free on the disk. Badger writes through mapped memory, and a
// process that does so on a full disk is ended by the kernel (SIGBUS).
const reserve = 128 << 20

// checkRoom returns [ErrDiskFull] if so many bytes more would touch the reserve.
func (f *folder) checkRoom(bytes int64) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(f.path, &fs); err != nil {
		return fmt.Errorf("statfs %s: %w", f.path, err)
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize)
	if free < f.reserve+uint64(bytes) {
		return fmt.Errorf("%w (%s has %d MiB left)", ErrDiskFull, f.path, free>>20)
	}
	return nil
}

func (f *folder) close() error { return f.lock.Close() }
