package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/meshsec/meshsec/store"
)

// crashRounds is how often the child is killed; MESHSEC_CRASH_ROUNDS sets it.
func crashRounds(t *testing.T) int {
	s := os.Getenv("MESHSEC_CRASH_ROUNDS")
	if s == "" {
		return 10
	}
	n, err := strconv.Atoi(s)
	must(t, err)
	return n
}

// A child commits epochs and says when each is acknowledged; it is killed at a random
// moment; what it said must be there, the journal unbroken and the tree readable. Each
// round goes on in the same store.
func TestNothingAcknowledgedIsLostWhenKilled(t *testing.T) {
	w := crashWorld()
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	twin := w.opened(t, "", store.Options{InMemory: true, KeepVersions: crashKeep})
	var total uint64
	for round := range crashRounds(t) {
		said := killed(t, "commit", dir, time.Duration(rng.IntN(400))*time.Millisecond)
		begun, acknowledged, certified := said["begin"], said["epoch"], said["certificate"]
		s, err := w.open(dir, store.Options{KeepVersions: crashKeep})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, chain := range chains {
			head := s.Head(chain).Epoch
			if head < acknowledged[chain] || head > max(begun[chain], acknowledged[chain]) && begun[chain] != 0 {
				t.Fatalf("round %d: %s is at epoch %d, acknowledged was %d, begun %d", round, chain, head, acknowledged[chain], begun[chain])
			}
			if got := s.Certified(chain); got < certified[chain] {
				t.Fatalf("round %d: %s has certificates up to %d, acknowledged was %d", round, chain, got, certified[chain])
			}
			if err := s.Verify(context.Background(), chain); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			for twin.Head(chain).Epoch < head {
				r, err := w.nextOf(twin, chain)
				must(t, err)
				must(t, twin.Commit(chain, r))
			}
			if a, b := s.Head(chain), twin.Head(chain); a.Root != b.Root || a.Journal != b.Journal {
				t.Fatalf("round %d: %s epoch %d is another than without crashes", round, chain, head)
			}
			// A crash may come between an epoch and its certificate, which a node gets again.
			for e := s.Certified(chain) + 1; e <= head; e++ {
				entry, err := s.Journal(chain, e)
				must(t, err)
				_, err = s.PutCertificate(w.certificate(t, s, entry.Checkpoint, 0, 1, 2, 3))
				must(t, err)
			}
		}
		total = s.Head("alpha").Epoch
		must(t, s.Close())
	}
	t.Logf("%d epochs", total)
}

// A store that was killed while it was made can be opened, and begins.
func TestKilledWhileBeginning(t *testing.T) {
	w := crashWorld()
	for round := range 5 {
		dir := t.TempDir()
		cmd := child("commit", dir)
		must(t, cmd.Start())
		time.AfterFunc(time.Duration(20*(round+1))*time.Millisecond, func() { cmd.Process.Kill() })
		if cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatal("the child ended by itself")
		}
		s := w.opened(t, dir, store.Options{KeepVersions: crashKeep})
		w.commit(t, s, 1)
		must(t, s.Verify(context.Background(), "alpha"))
	}
}

// What Badger can't open is begun again if nothing can be in it, and only then.
func TestAHalfMadeDatabaseIsBegunAgain(t *testing.T) {
	w := crashWorld()
	half := func(t *testing.T, marked bool) string {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "db", "000001.vlog"), nil, 0o600))
		if marked {
			must(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600))
		}
		return dir
	}
	dir := half(t, true)
	s := w.opened(t, dir, store.Options{KeepVersions: crashKeep})
	w.commit(t, s, 1)
	must(t, s.Close())
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark is still there: %v", err)
	}
	s = w.opened(t, dir, store.Options{KeepVersions: crashKeep})
	if s.Head("alpha").Epoch != 1 {
		t.Errorf("epoch %d", s.Head("alpha").Epoch)
	}
	must(t, s.Close())

	dir = half(t, false)
	if _, err := store.Open(dir, w.manifest, store.Options{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "db", "000001.vlog")); err != nil {
		t.Errorf("it was touched: %v", err)
	}
}

// killed starts a child, kills it when it has worked for a while, and returns what it
// said last of each chain.
func killed(t *testing.T, task, dir string, after time.Duration) map[string]map[string]uint64 {
	t.Helper()
	cmd := child(task, dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said := map[string]map[string]uint64{"begin": {}, "epoch": {}, "certificate": {}}
	var timer *time.Timer
	err = lines(bufio.NewScanner(out), func(word, chain string, epoch uint64) {
		if timer == nil {
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		said[word][chain] = epoch
	})
	must(t, err)
	waited := cmd.Wait()
	if timer == nil || cmd.ProcessState.Exited() {
		t.Fatal(fmt.Errorf("the child ended by itself: %w: %s", waited, stderr.String()))
	}
	return said
}
