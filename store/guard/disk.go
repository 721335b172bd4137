package guard

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// disk is the guard's directory. It is an interface for one reason: a test cuts the
// power at each of its calls. Names have no path; a missing file is fs.ErrNotExist.
type disk interface {
	// List returns the names of all files.
	List() ([]string, error)
	// ReadFile returns the contents of a file.
	ReadFile(name string) ([]byte, error)
	// Create opens a file that is empty, existing or not.
	Create(name string) (file, error)
	// Append opens an existing file to write behind its end.
	Append(name string) (file, error)
	// Rename replaces newname by oldname, atomically.
	Rename(oldname, newname string) error
	// Remove deletes a file.
	Remove(name string) error
	// SyncDir makes durable what Create, Rename and Remove did to names.
	SyncDir() error
	// Lock takes the lock, until the closer is closed or the process ends. It
	// returns a *LockedError where another has it.
	Lock() (io.Closer, error)
	// Close gives the directory back; locks and files are closed on their own.
	Close() error
}

// file is written from its start to its end.
type file interface {
	io.WriteCloser
	// Sync makes the contents durable.
	Sync() error
}

// folder is a disk in the file system. Its root follows the directory itself, not
// its path: a directory moved away is not mistaken for the one now in its place.
type folder struct {
	root *os.Root
}

// openFolder opens a directory, or returns fs.ErrNotExist.
func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &folder{root}, nil
}

// makeFolder opens a directory, which it creates with its parents where needed.
func makeFolder(dir string) (*folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeDurable(dir); err != nil {
		return nil, err
	}
	return openFolder(dir)
}

// makeDurable creates a directory and makes the entry in its parent durable, for
// its missing parents too.
func makeDurable(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("is a file")}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDurable(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *folder) List() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

func (d *folder) ReadFile(name string) ([]byte, error) { return d.root.ReadFile(name) }

func (d *folder) Create(name string) (file, error) {
	return d.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
}

func (d *folder) Append(name string) (file, error) {
	return d.open(name, os.O_WRONLY|os.O_APPEND)
}

// open keeps a nil *os.File from becoming a file that is not nil.
func (d *folder) open(name string, flag int) (file, error) {
	f, err := d.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *folder) Rename(oldname, newname string) error { return d.root.Rename(oldname, newname) }

func (d *folder) Remove(name string) error { return d.root.Remove(name) }

func (d *folder) SyncDir() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *folder) Lock() (io.Closer, error) { return lockFolder(d.root) }

func (d *folder) Close() error { return d.root.Close() }
