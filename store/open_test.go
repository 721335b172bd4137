package store_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

func TestReopenedStoreIsTheSame(t *testing.T) {
	w := newWorld()
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := w.opened(t, dir, store.Options{})
	for range 3 {
		w.fill(t, s, 4)
		want, err := fingerprint(s)
		must(t, err)
		must(t, s.Close())
		s = w.opened(t, dir, store.Options{})
		got, err := fingerprint(s)
		must(t, err)
		if got != want {
			t.Fatal("it is another store")
		}
	}
}

func TestStoreIsLockedWhileItIsOpen(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{})
	if _, err := w.open(dir, store.Options{}); !errors.Is(err, store.ErrLocked) || errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("open: %v", err)
	}
	if _, err := store.SetAside(dir); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("set aside: %v", err)
	}
	must(t, s.Close())
	w.opened(t, dir, store.Options{})
}

func TestStoreOfAnotherNetworkIsNotTouched(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{})
	w.commit(t, s, 1)
	must(t, s.Close())
	before := listing(t, dir)
	other := newWorld()
	other.manifest.Name = "another"
	_, err := other.open(dir, store.Options{})
	var network *store.NetworkError
	if !errors.Is(err, store.ErrWrongNetwork) || !errors.As(err, &network) || network.Have != w.manifest.ID() {
		t.Fatalf("got %v", err)
	}
	if after := listing(t, dir); after != before {
		t.Fatalf("the directory changed from\n%s to\n%s", before, after)
	}
	w.opened(t, dir, store.Options{})
}

func TestDirectoryOfSomethingElseIsNotTouched(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "holiday.jpg"), []byte("!"), 0o600))
	before := listing(t, dir)
	if _, err := w.open(dir, store.Options{}); !errors.Is(err, store.ErrForeign) {
		t.Fatalf("open: %v", err)
	}
	if _, err := store.SetAside(dir); !errors.Is(err, store.ErrForeign) {
		t.Fatalf("set aside: %v", err)
	}
	if _, err := w.open(filepath.Join(dir, "holiday.jpg"), store.Options{}); !errors.Is(err, store.ErrForeign) {
		t.Fatalf("open a file: %v", err)
	}
	if after := listing(t, dir); after != before {
		t.Fatalf("the directory changed from\n%s to\n%s", before, after)
	}
}

func TestGenesisThatFailsLeavesAStoreThatCanBegin(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	sick := errors.New("sick")
	_, err := store.OpenWith(dir, w.manifest, store.Options{}, func(string) (*ledger.Result, error) { return nil, sick })
	if !errors.Is(err, sick) {
		t.Fatalf("got %v", err)
	}
	w.commit(t, w.opened(t, dir, store.Options{}), 1)
}

// The head file is written after the database: a crash in between leaves it one step
// behind, and nothing else can.
func TestHeadFileMayBeOneStepBehind(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	head := filepath.Join(dir, "head")
	s := w.opened(t, dir, store.Options{})
	var files [][]byte // after each step
	for range 4 {
		b, err := os.ReadFile(head)
		must(t, err)
		files = append(files, b)
		r, err := w.nextOf(s, "alpha")
		must(t, err)
		must(t, s.Commit("alpha", r))
	}
	want, err := fingerprint(s)
	must(t, err)
	must(t, s.Close())
	now, err := os.ReadFile(head)
	must(t, err)

	must(t, os.WriteFile(head, files[3], 0o600))
	s = w.opened(t, dir, store.Options{})
	if got, _ := fingerprint(s); got != want {
		t.Fatal("it is another store")
	}
	must(t, s.Close())
	if b, _ := os.ReadFile(head); !bytes.Equal(b, now) {
		t.Fatal("the head file was not brought up to date")
	}

	flipped := bytes.Clone(files[3])
	flipped[bytes.Index(flipped, []byte(`"checkpoint":"`))+20] ^= 1
	for name, b := range map[string][]byte{
		"missing": nil, "empty": {}, "two steps behind": files[2], "cut": now[:len(now)-1],
		"one step behind and changed": flipped, "another text": []byte("{}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.Remove(head))
			if b != nil {
				must(t, os.WriteFile(head, b, 0o600))
			}
			_, err := w.open(dir, store.Options{})
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("got %v", err)
			}
			must(t, os.WriteFile(head, now, 0o600))
		})
	}
	w.opened(t, dir, store.Options{})
}

func TestCorruptStoreIsSetAsideAndBegunAnew(t *testing.T) {
	w := newWorld()
	dir := filepath.Join(t.TempDir(), "store")
	for n := range 2 {
		s := w.opened(t, dir, store.Options{})
		w.commit(t, s, 2)
		must(t, s.Close())
		must(t, os.Remove(filepath.Join(dir, "head")))
		if _, err := w.open(dir, store.Options{}); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("got %v", err)
		}
		aside, err := store.SetAside(dir)
		must(t, err)
		if want := dir + []string{".aside-1", ".aside-2"}[n]; aside != want {
			t.Fatalf("set aside to %s, want %s", aside, want)
		}
		if _, err := os.Stat(filepath.Join(aside, "db")); err != nil {
			t.Fatal("the evidence is lost", err)
		}
	}
	if h := w.opened(t, dir, store.Options{}).Head("alpha"); h.Epoch != 0 {
		t.Fatalf("not a new store: epoch %d", h.Epoch)
	}
}

func TestFailedWriteBreaksTheStoreUntilItIsOpenedAnew(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	var log bytes.Buffer
	s := w.opened(t, dir, store.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w.commit(t, s, 2)
	want, err := fingerprint(s)
	must(t, err)
	r, err := w.nextOf(s, "alpha")
	must(t, err)
	blocker := filepath.Join(dir, "head.tmp") // a directory in the place of a file
	must(t, os.Mkdir(blocker, 0o700))
	var broken *store.BrokenError
	if err := s.Commit("alpha", r); !errors.Is(err, store.ErrBroken) || !errors.As(err, &broken) {
		t.Fatalf("got %v", err)
	}
	must(t, os.Remove(blocker))
	if err := s.Commit("alpha", r); !errors.Is(err, store.ErrBroken) {
		t.Fatalf("a broken store takes writes: %v", err)
	}
	if got, err := fingerprint(s); got != want {
		t.Fatalf("what was not acknowledged can be read: %v", err)
	}
	must(t, s.Close())
	if !strings.Contains(log.String(), "refuses writes") {
		t.Fatalf("the log says nothing: %s", log.String())
	}
	// It reached the database, though: a crash between the two.
	s = w.opened(t, dir, store.Options{})
	if h := s.Head("alpha"); h.Root != r.Checkpoint.Root() {
		t.Fatalf("head is epoch %d", h.Epoch)
	}
}

func TestNearlyFullDiskIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	w := newWorld()
	s := w.opened(t, t.TempDir(), store.Options{})
	w.commit(t, s, 1)
	r, err := w.nextOf(s, "alpha")
	must(t, err)
	reserve := s.Reserve(1 << 62)
	if err := s.Commit("alpha", r); !errors.Is(err, store.ErrDiskFull) {
		t.Fatalf("got %v", err)
	}
	s.Reserve(reserve)
	must(t, s.Commit("alpha", r))
}

func TestClosedStoreSaysSo(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", memory)
	w.commit(t, s, 1)
	r, err := w.nextOf(s, "alpha")
	must(t, err)
	c := w.certificate(t, s, s.Head("alpha").Checkpoint, 0, 1, 2, 3)
	tree, err := s.Tree("alpha")
	must(t, err)
	must(t, s.Close())
	_, journal := s.Journal("alpha", 1)
	_, put := s.PutCertificate(c)
	_, _, read := tree.Get([]byte("k"))
	for name, err := range map[string]error{
		"commit": s.Commit("alpha", r), "journal": journal, "certificate": put, "tree": read,
		"prune": s.PruneAll(), "close": s.Close(),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.Head("alpha").Epoch != 1 {
		t.Error("the head is gone")
	}
}

// listing is all files below a directory with their contents.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		b.WriteString(path + " " + string(bytes.TrimRight(data, "\x00")) + "\n")
		return err
	}))
	return b.String()
}

// What is wrong with a damaged store is told once, by the error.
func TestWhyAStoreDoesNotOpenIsToldOnce(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{})
	must(t, s.Close())
	must(t, os.Truncate(filepath.Join(dir, "db", "KEYREGISTRY"), 3))
	var log bytes.Buffer
	_, err := w.open(dir, store.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !errors.Is(err, store.ErrCorrupt) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error = %v", err)
	}
	if log.Len() > 0 {
		t.Errorf("it also said:\n%s", log.String())
	}
}
