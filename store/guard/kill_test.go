package guard_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/meshsec/meshsec/store/guard"
)

// childDir is set in the environment of the child: it signs there until it is killed.
const childDir = "MESHSEC_GUARD_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, signForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// signForEver signs with several goroutines that compete for slots, prunes now and
// then, and prints each signature in the moment it is made, one write a line.
func signForEver(dir string) error {
	g, err := guard.Open(dir, testKey, testNetwork)
	if err != nil {
		return err
	}
	failed := make(chan error)
	var print sync.Mutex
	for worker := range 3 {
		go func() {
			next, _ := g.Highest("alpha", "checkpoint")
			for epoch := next; ; epoch++ {
				var r [32]byte
				binary.LittleEndian.PutUint64(r[:], rand.Uint64())
				_, err := g.Sign(checkpoint(epoch), r, func() ([]byte, error) {
					print.Lock()
					defer print.Unlock()
					_, err := fmt.Printf("%d %x\n", epoch, r)
					return nil, err
				})
				if err != nil && !errors.Is(err, guard.ErrConflict) && !errors.Is(err, guard.ErrBelowWatermark) {
					failed <- err
				}
				if worker == 0 && epoch%16 == 15 {
					if err := g.Prune("alpha", "checkpoint", epoch-10); err != nil {
						failed <- err
					}
				}
			}
		}()
	}
	return <-failed
}

// TestKilledProcessesSignNothingTwice kills a real process at random moments, again
// and again over one directory.
func TestKilledProcessesSignNothingTwice(t *testing.T) {
	dir, g := mustCreate(t)
	mustClose(t, g)
	released := map[uint64][32]byte{}
	for range 25 {
		for _, s := range killedRun(t, dir, 1+rand.IntN(40)) {
			if have, ok := released[s.slot.Epoch]; ok && have != s.root {
				t.Fatalf("%s was signed with %x and with %x", s.slot, have, s.root)
			}
			released[s.slot.Epoch] = s.root
		}
		g := mustOpen(t, dir)
		for epoch, r := range released {
			err := refused(t, g, checkpoint(epoch), [32]byte{31: 0xff})
			if !errors.Is(err, guard.ErrConflict) && !errors.Is(err, guard.ErrBelowWatermark) {
				t.Fatalf("epoch %d: %v", epoch, err)
			}
			var conflict *guard.ConflictError
			if errors.As(err, &conflict) && conflict.Have != r {
				t.Fatalf("epoch %d was signed with %x, on record is %x", epoch, r, conflict.Have)
			}
		}
		mustClose(t, g)
	}
	t.Logf("%d signatures in 25 processes", len(released))
}

// killedRun starts a child, kills it after so many signatures, and returns all that
// it released.
func killedRun(t *testing.T, dir string, signatures int) []statement {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var released []statement
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var epoch uint64
		var r []byte
		if _, err := fmt.Sscanf(lines.Text(), "%d %x", &epoch, &r); err != nil || len(r) != 32 {
			t.Fatalf("the child printed %q", lines.Text())
		}
		released = append(released, statement{checkpoint(epoch), [32]byte(r)})
		if len(released) != signatures {
			continue
		}
		var held *guard.LockedError
		if _, err := guard.Open(dir, testKey, testNetwork); !errors.As(err, &held) || held.PID != child.Process.Pid {
			t.Errorf("beside process %d: %v", child.Process.Pid, err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	return released
}
