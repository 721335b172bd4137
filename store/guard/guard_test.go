package guard_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/meshsec/meshsec/store/guard"
)

var update = flag.Bool("update", false, "write the golden files anew")

func checkpoint(epoch uint64) guard.Slot {
	return guard.Slot{Chain: "alpha", Kind: "checkpoint", Epoch: epoch}
}

func root(b byte) [32]byte { return [32]byte{b} }

// ok is a signer that succeeds.
func ok() ([]byte, error) { return []byte("signature"), nil }

func mustCreate(t testing.TB) (dir string, g *guard.Guard) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keys", "guard")
	if err := guard.Create(dir, testKey, testNetwork); err != nil {
		t.Fatal(err)
	}
	return dir, mustOpen(t, dir)
}

func mustOpen(t testing.TB, dir string) *guard.Guard {
	t.Helper()
	g, err := guard.Open(dir, testKey, testNetwork)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func mustSign(t testing.TB, g *guard.Guard, slot guard.Slot, root [32]byte) {
	t.Helper()
	if _, err := g.Sign(slot, root, ok); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t testing.TB, g *guard.Guard) {
	t.Helper()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

// refused fails if the signer is called, and returns the error.
func refused(t testing.TB, g *guard.Guard, slot guard.Slot, root [32]byte) error {
	t.Helper()
	_, err := g.Sign(slot, root, func() ([]byte, error) {
		t.Errorf("%s was signed", slot)
		return nil, nil
	})
	return err
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, not %v", err, want)
	}
}

func TestSignReturnsWhatTheSignerReturns(t *testing.T) {
	_, g := mustCreate(t)
	for range 2 { // the second time from the record
		sig, err := g.Sign(checkpoint(1), root(1), ok)
		if err != nil || string(sig) != "signature" {
			t.Fatalf("%q, %v", sig, err)
		}
	}
	if g.Len() != 1 {
		t.Errorf("%d records for one slot", g.Len())
	}
}

func TestFailingSignerLeavesTheRecord(t *testing.T) {
	_, g := mustCreate(t)
	cause := errors.New("no such key")
	_, err := g.Sign(checkpoint(1), root(1), func() ([]byte, error) { return nil, cause })
	wantError(t, err, cause)
	wantError(t, refused(t, g, checkpoint(1), root(2)), guard.ErrConflict)
	mustSign(t, g, checkpoint(1), root(1))
}

func TestConflictNamesBothRoots(t *testing.T) {
	_, g := mustCreate(t)
	mustSign(t, g, checkpoint(1), root(1))
	var conflict *guard.ConflictError
	if err := refused(t, g, checkpoint(1), root(2)); !errors.As(err, &conflict) {
		t.Fatal(err)
	}
	if want := (guard.ConflictError{Slot: checkpoint(1), Have: root(1), Want: root(2)}); *conflict != want {
		t.Errorf("%+v", conflict)
	}
}

func TestEveryFieldOfASlotCounts(t *testing.T) {
	_, g := mustCreate(t)
	for i, slot := range []guard.Slot{
		{Chain: "a", Kind: "cross", Epoch: 1, Subject: "c"},
		{Chain: "b", Kind: "cross", Epoch: 1, Subject: "c"},
		{Chain: "a", Kind: "checkpoint", Epoch: 1, Subject: "c"},
		{Chain: "a", Kind: "cross", Epoch: 2, Subject: "c"},
		{Chain: "a", Kind: "cross", Epoch: 1, Subject: ""},
		{Chain: "a/cross", Kind: "1", Epoch: 1},
		{Chain: "a", Kind: "cross/1", Epoch: 1},
		{Chain: "<\u2028>", Kind: "\"\x00\n", Epoch: math.MaxUint64 - 1, Subject: "ü"},
	} {
		mustSign(t, g, slot, root(byte(i)))
	}
}

func TestSlotsThatCannotBeWrittenAreRefused(t *testing.T) {
	_, g := mustCreate(t)
	long := strings.Repeat("x", 257)
	for _, slot := range []guard.Slot{
		{Kind: "checkpoint"},
		{Chain: "a"},
		{Chain: "a\xff", Kind: "checkpoint"},
		{Chain: "a", Kind: "\xc0"},
		{Chain: "a", Kind: "cross", Subject: "\xed\xa0\x80"},
		{Chain: long, Kind: "checkpoint"},
		{Chain: "a", Kind: long},
		{Chain: "a", Kind: "cross", Subject: long},
		{Chain: "a", Kind: "checkpoint", Epoch: math.MaxUint64},
	} {
		wantError(t, refused(t, g, slot, root(1)), guard.ErrSlot)
	}
	wantError(t, g.Prune("", "checkpoint", 1), guard.ErrSlot)
	wantError(t, guard.Create(t.TempDir(), testKey, ""), guard.ErrSlot)
	wantError(t, guard.Create(t.TempDir(), testKey, "\xff"), guard.ErrSlot)
	mustSign(t, g, checkpoint(1), root(1)) // none of it broke the guard
}

func TestPruneRefusesWhatItForgets(t *testing.T) {
	dir, g := mustCreate(t)
	cross := guard.Slot{Chain: "alpha", Kind: "cross", Epoch: 1, Subject: "beta"}
	mustSign(t, g, cross, root(9))
	for epoch := range uint64(5) {
		mustSign(t, g, checkpoint(epoch), root(1))
	}
	if err := g.Prune("alpha", "checkpoint", 3); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from disk
		if g.Len() != 3 || g.Watermark("alpha", "checkpoint") != 3 || g.Watermark("alpha", "cross") != 0 {
			t.Errorf("%d slots, watermark %d", g.Len(), g.Watermark("alpha", "checkpoint"))
		}
		var below *guard.WatermarkError
		if err := refused(t, g, checkpoint(2), root(1)); !errors.As(err, &below) || below.Below != 3 || below.Slot != checkpoint(2) {
			t.Errorf("below the watermark: %v", err)
		}
		wantError(t, refused(t, g, checkpoint(3), root(2)), guard.ErrConflict)
		wantError(t, refused(t, g, cross, root(2)), guard.ErrConflict)
		if err := g.Prune("alpha", "checkpoint", 1); err != nil { // lowers nothing
			t.Fatal(err)
		}
		mustClose(t, g)
		g = mustOpen(t, dir)
	}
}

func TestPruneShrinksTheLog(t *testing.T) {
	dir, g := mustCreate(t)
	var sizes []int64
	for epoch := range uint64(60) {
		mustSign(t, g, checkpoint(epoch), root(1))
		if epoch%20 == 19 {
			if err := g.Prune("alpha", "checkpoint", epoch); err != nil {
				t.Fatal(err)
			}
			logs, err := filepath.Glob(filepath.Join(dir, "log-*"))
			if err != nil || len(logs) != 1 {
				t.Fatalf("logs %v, %v", logs, err)
			}
			info, err := os.Stat(logs[0])
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, info.Size())
		}
	}
	if sizes[0] != sizes[1] || sizes[1] != sizes[2] {
		t.Errorf("the log with one slot left has %v bytes", sizes)
	}
}

func TestHighestNeverDecreases(t *testing.T) {
	_, g := mustCreate(t)
	highest := func(want uint64) {
		t.Helper()
		if epoch, ok := g.Highest("alpha", "checkpoint"); !ok || epoch != want {
			t.Errorf("highest is %d, %v, not %d", epoch, ok, want)
		}
	}
	if _, ok := g.Highest("alpha", "checkpoint"); ok {
		t.Error("a new guard has signed")
	}
	mustSign(t, g, checkpoint(0), root(1))
	highest(0)
	mustSign(t, g, checkpoint(7), root(1))
	mustSign(t, g, checkpoint(3), root(1)) // late votes count
	highest(7)
	for _, below := range []uint64{5, 8} {
		if err := g.Prune("alpha", "checkpoint", below); err != nil {
			t.Fatal(err)
		}
		highest(7)
	}
	if err := g.Prune("alpha", "checkpoint", 100); err != nil {
		t.Fatal(err)
	}
	highest(99)
	if _, ok := g.Highest("alpha", "cross"); ok {
		t.Error("a watermark reaches another kind")
	}
}

func TestOneRootWinsAmongConcurrentSigners(t *testing.T) {
	_, g := mustCreate(t)
	const epochs, signers = 8, 12
	var mu sync.Mutex
	signed := map[guard.Slot]map[[32]byte]int{}
	var all sync.WaitGroup
	for i := range signers {
		all.Go(func() {
			for n := range epochs {
				// Neighbours race for one slot while others wait for the disk.
				slot, r := checkpoint(uint64(n+i/2)%epochs), root(byte(i%3))
				_, err := g.Sign(slot, r, func() ([]byte, error) {
					g.Len() // deadlocks if the guard is locked while it signs
					mu.Lock()
					defer mu.Unlock()
					if signed[slot] == nil {
						signed[slot] = map[[32]byte]int{}
					}
					signed[slot][r]++
					return nil, nil
				})
				if err != nil && !errors.Is(err, guard.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if len(signed) != epochs {
		t.Errorf("%d of %d slots were signed", len(signed), epochs)
	}
	for slot, roots := range signed {
		for r, n := range roots {
			if len(roots) != 1 || n != signers/3 {
				t.Errorf("%s: %d roots, %x signed %d times", slot, len(roots), r[0], n)
			}
		}
	}
}

func TestCloseEndsSigning(t *testing.T) {
	_, g := mustCreate(t)
	mustClose(t, g)
	mustClose(t, g)
	wantError(t, refused(t, g, checkpoint(1), root(1)), guard.ErrClosed)
	wantError(t, g.Prune("alpha", "checkpoint", 1), guard.ErrClosed)
	wantError(t, g.Export(&bytes.Buffer{}), guard.ErrClosed)
	_, err := g.Import(bytes.NewReader(newDocument(nil, nil, nil)))
	wantError(t, err, guard.ErrClosed)
}

// TestFilesAreGolden keeps the formats: a guard must outlive the program that wrote it.
func TestFilesAreGolden(t *testing.T) {
	dir, g := mustCreate(t)
	mustSign(t, g, checkpoint(1), root(1))
	mustSign(t, g, checkpoint(2), root(2))
	if err := g.Prune("alpha", "checkpoint", 2); err != nil {
		t.Fatal(err)
	}
	mustSign(t, g, guard.Slot{Chain: "alpha", Kind: "cross", Epoch: 3, Subject: "beta"}, root(3))
	var export bytes.Buffer
	if err := g.Export(&export); err != nil {
		t.Fatal(err)
	}
	mustClose(t, g)
	golden(t, "export.json", export.Bytes())
	for _, name := range []string{"head.json", "log-0000000002.jsonl"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, data)
	}
}

func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is\n%s\nnot\n%s", name, have, want)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{guard.ErrMissing, "--new-guard"},
		{&guard.CorruptError{File: "log", Record: 3, Reason: "torn"}, "log at record 3: torn; keep the directory"},
		{&guard.LockedError{PID: 7}, "by process 7: stop it"},
		{&guard.LockedError{}, "by another process: stop it"},
		{&guard.BrokenError{Cause: errIO}, "input/output error; nothing is signed until"},
		{&guard.WatermarkError{Slot: checkpoint(1), Below: 3}, "alpha/checkpoint/1 is refused, the first epoch that may be signed is 3"},
		{&guard.ConflictError{Slot: guard.Slot{Chain: "a", Kind: "cross", Epoch: 2, Subject: "b"}}, "a/cross/2/b is on record"},
	} {
		if !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%q does not say %q", c.err, c.want)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	_, g := mustCreate(b)
	for epoch := uint64(0); b.Loop(); epoch++ {
		mustSign(b, g, checkpoint(epoch), root(1))
	}
}

func ExampleGuard_Sign() {
	dir, err := os.MkdirTemp("", "guard")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	var key [48]byte
	if err := guard.Create(dir, key, "example"); err != nil {
		panic(err)
	}
	g, err := guard.Open(dir, key, "example")
	if err != nil {
		panic(err)
	}
	defer g.Close()

	slot := guard.Slot{Chain: "alpha", Kind: "checkpoint", Epoch: 7}
	sig, err := g.Sign(slot, [32]byte{1}, func() ([]byte, error) { return []byte("signed"), nil })
	fmt.Println(string(sig), err)
	_, err = g.Sign(slot, [32]byte{2}, func() ([]byte, error) { return []byte("never"), nil })
	fmt.Println(errors.Is(err, guard.ErrConflict))
	// Output:
	// signed <nil>
	// true
}
