package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store"
)

// The tests that kill a store, or open one that Badger may not survive, do it in a
// process of its own: this test binary, told by the environment what to do.
const (
	childEnv = "MESHSEC_STORE_CHILD"
	dirEnv   = "MESHSEC_STORE_DIR"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "open":
		err = childOpen(os.Getenv(dirEnv))
	case "commit":
		err = childCommit(os.Getenv(dirEnv))
	case "bank":
		err = childBank(os.Getenv(dirEnv))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(task, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+task, dirEnv+"="+dir)
	return cmd
}

// childOpen opens a store and prints its fingerprint, or that it is corrupt.
func childOpen(dir string) error {
	s, err := crashWorld().open(dir, store.Options{KeepVersions: crashKeep})
	if errors.Is(err, store.ErrCorrupt) {
		fmt.Println("corrupt:", err)
		return nil
	}
	if err != nil {
		return err
	}
	print, err := fingerprint(s)
	if err != nil {
		return fmt.Errorf("it opened, but: %w", err)
	}
	fmt.Println("fingerprint:", print)
	return s.Close()
}

// crashKeep is how many versions the stores of these tests keep.
const crashKeep = 6

// crashWorld has an epoch that is larger than a transaction now and then.
func crashWorld() *world {
	w := newWorld()
	w.size = func(chain string, epoch uint64) int {
		if chain == "alpha" && epoch%8 == 3 {
			return 12_000
		}
		return 60
	}
	return w
}

// childCommit commits epoch after epoch until it is killed, and says so after each. It
// puts certificates in between, which it also says.
func childCommit(dir string) error {
	w := crashWorld()
	s, err := w.open(dir, store.Options{KeepVersions: crashKeep})
	if err != nil {
		return err
	}
	t := &panicker{}
	for {
		for _, chain := range chains {
			r, err := w.nextOf(s, chain)
			if err != nil {
				return err
			}
			fmt.Println("begin", chain, r.Checkpoint.Epoch)
			if err := s.Commit(chain, r); err != nil {
				return err
			}
			fmt.Println("epoch", chain, r.Checkpoint.Epoch)
			if _, err := s.PutCertificate(w.certificate(t, s, r.Checkpoint, 0, 1, 2, 3)); err != nil {
				return err
			}
			fmt.Println("certificate", chain, r.Checkpoint.Epoch)
		}
	}
}

// panicker is a testing.TB for a process that has no test.
type panicker struct{ testing.TB }

func (panicker) Helper()        {}
func (panicker) Fatal(v ...any) { panic(fmt.Sprint(v...)) }

// lines calls fn for each line that a child prints.
func lines(r *bufio.Scanner, fn func(word, chain string, epoch uint64)) error {
	for r.Scan() {
		f := strings.Fields(r.Text())
		if len(f) != 3 {
			return fmt.Errorf("line %q", r.Text())
		}
		epoch, err := strconv.ParseUint(f[2], 10, 64)
		if err != nil {
			return err
		}
		fn(f[0], f[1], epoch)
	}
	return r.Err()
}
