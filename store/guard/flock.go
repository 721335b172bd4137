package guard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const lockName = "lock"

// lock is a held lock.
type lock struct {
	dir, file *os.File
}

// Close gives the lock back.
func (l *lock) Close() error { return errors.Join(l.file.Close(), l.dir.Close()) }

// lockFolder takes the flock of the directory and that of the lock file in it,
// without waiting, and writes the pid of this process into the file. The first
// holds even if somebody deletes the file, the second can reach further on file
// systems of a network. The kernel gives both back when the process ends, however
// it ends; the file stays. A second lock in the same process is refused too.
func lockFolder(root *os.Root) (_ io.Closer, err error) {
	var l lock
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	if l.dir, err = root.Open("."); err != nil {
		return nil, err
	}
	if l.file, err = root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	for _, f := range []*os.File{l.dir, l.file} {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{PID: readPID(l.file)}
		}
		if err != nil {
			return nil, fmt.Errorf("flock %s: %w", f.Name(), err)
		}
	}
	if err := l.file.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, err
	}
	return &l, nil
}

// release closes what was opened of a lock that was not taken; it was only read,
// so that there is nothing in an error of Close.
func (l *lock) release() {
	for _, f := range []*os.File{l.dir, l.file} {
		if f != nil {
			f.Close()
		}
	}
}

// readPID returns 0 for what is not a pid: the holder may be about to write it.
func readPID(f *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
