package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/store"
)

// damagedStore makes a directory as a crash leaves it: tables of several sizes, and a
// write-ahead log that was not flushed. It returns what a fingerprint of it is.
func damagedStore(t *testing.T, dir string) (print string) {
	t.Helper()
	w := newWorld()
	live := filepath.Join(t.TempDir(), "live")
	for range 2 {
		s := w.opened(t, live, store.Options{KeepVersions: crashKeep})
		w.fill(t, s, 4)
		must(t, s.Close())
	}
	s := w.opened(t, live, store.Options{KeepVersions: crashKeep})
	w.fill(t, s, 3)
	copyDir(t, live, dir)
	print, err := fingerprint(s)
	must(t, err)
	return print
}

// damage is one thing that a disk, or somebody, can do to a file.
type damage struct {
	name string
	do   func(path string, rng *rand.Rand) error
}

var damages = []damage{
	{"deleted", func(path string, _ *rand.Rand) error { return os.Remove(path) }},
	{"emptied", func(path string, _ *rand.Rand) error { return os.Truncate(path, 0) }},
	{"short by 5", func(path string, _ *rand.Rand) error { return cut(path, func(n int64) int64 { return n - 5 }) }},
	{"half", func(path string, _ *rand.Rand) error { return cut(path, func(n int64) int64 { return n / 2 }) }},
	{"cut", func(path string, rng *rand.Rand) error {
		return cut(path, func(n int64) int64 { return rng.Int64N(n + 1) })
	}},
	{"flipped", func(path string, rng *rand.Rand) error { return flip(path, rng, 1) }},
	{"flipped", func(path string, rng *rand.Rand) error { return flip(path, rng, 1) }},
	{"flipped in many places", func(path string, rng *rand.Rand) error { return flip(path, rng, 20) }},
	{"garbage in the end", func(path string, rng *rand.Rand) error { return flipIn(path, rng, 8, 24) }},
	{"a page of zeros", zeroPage},
}

// cut makes the written part of a file shorter. What Badger allocates ahead counts as
// not written.
func cut(path string, size func(int64) int64) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	n := int64(len(bytes.TrimRight(b, "\x00")))
	return os.Truncate(path, max(0, size(n)))
}

// flip changes n bits in the written part of a file.
func flip(path string, rng *rand.Rand, n int) error { return flipIn(path, rng, n, 1<<40) }

// flipIn changes n bits in the last bytes of the written part of a file.
func flipIn(path string, rng *rand.Rand, n, last int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	size := len(bytes.TrimRight(b, "\x00"))
	if size == 0 {
		return nil
	}
	for range n {
		b[size-1-rng.IntN(min(size, last))] ^= 1 << rng.IntN(8)
	}
	return rewrite(path, b)
}

func zeroPage(path string, rng *rand.Rand) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	size := len(bytes.TrimRight(b, "\x00"))
	from := rng.IntN(size/4096+1) * 4096
	clear(b[from:min(size, from+4096)])
	return rewrite(path, b)
}

func rewrite(path string, b []byte) error {
	n := len(bytes.TrimRight(b, "\x00"))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(b[:n])
	return errors.Join(err, f.Truncate(int64(len(b))), f.Close())
}

// Whatever happens to the files: the store is corrupt and says so, or it has all of its
// data. Two damages, drawn anew each time, are done to each file; with
// MESHSEC_DAMAGE_ROUNDS every damage that often.
func TestDamagedStoreIsCorruptOrComplete(t *testing.T) {
	rounds, drawn := 1, 2
	if s := os.Getenv("MESHSEC_DAMAGE_ROUNDS"); s != "" {
		var err error
		rounds, err = strconv.Atoi(s)
		must(t, err)
		drawn = len(damages)
	}
	base := filepath.Join(t.TempDir(), "base")
	want := damagedStore(t, base)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	outcomes := map[string]int{}
	undamaged := filepath.Join(t.TempDir(), "undamaged")
	copyDir(t, base, undamaged)
	if got := openInChild(t, undamaged, "undamaged"); got != "fingerprint: "+want {
		t.Fatalf("undamaged: %s", got)
	}
	for _, file := range files(t, base) {
		for _, i := range rng.Perm(len(damages))[:drawn] {
			d := damages[i]
			for range rounds {
				name := fmt.Sprintf("%s %s", file, d.name)
				dir := filepath.Join(t.TempDir(), "copy")
				copyDir(t, base, dir)
				must(t, d.do(filepath.Join(dir, file), rng))
				got := openInChild(t, dir, name)
				word, rest, _ := strings.Cut(got, ": ")
				if word == "fingerprint" && rest != want {
					t.Errorf("%s: data is missing in silence", name)
				}
				outcomes[filepath.Base(file)+" "+d.name+" "+word]++
				must(t, os.RemoveAll(dir))
			}
		}
	}
	for outcome, n := range outcomes {
		t.Log(outcome, n)
	}
}

// openInChild opens a store in a process of its own and returns what it prints.
func openInChild(t *testing.T, dir, name string) string {
	t.Helper()
	cmd := child("open", dir)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		text := stderr.String()
		t.Errorf("%s: the process ended with %v: %.700s", name, err, text)
	}
	return strings.TrimSpace(out.String())
}

// files are all files below a directory, relative to it.
func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "LOCK" {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	}))
	return names
}

// copyDir copies a directory. Badger's files are mostly holes, and stay so.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	must(t, filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		return copyFile(path, filepath.Join(to, name))
	}))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	var offset int64
	for err == nil {
		var n int
		n, err = io.ReadFull(in, buf)
		if chunk := buf[:n]; len(bytes.TrimRight(chunk, "\x00")) > 0 {
			if _, err := out.WriteAt(chunk, offset); err != nil {
				return errors.Join(err, out.Close())
			}
		}
		offset += int64(n)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return errors.Join(err, out.Truncate(offset), out.Close())
}
