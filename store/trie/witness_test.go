package trie_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/trie"
	"pgregory.net/rapid"
)

// step is something that a ledger might do: it reads, writes, deletes and gives up.
type step struct {
	Kind       string
	Key, Value string
}

func drawSteps(t *rapid.T) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			rapid.SampledFrom([]string{"get", "set", "delete", "abandon"}).Draw(t, "kind"),
			rapid.SampledFrom(crowd).Draw(t, "key"),
			rapid.StringN(1, 4, -1).Draw(t, "value"),
		}
	}), 0, 12).Draw(t, "steps")
}

// run carries the steps out and returns what was read and the root after them.
func run(tree *trie.Tree, steps []step) (string, error) {
	var log strings.Builder
	for _, s := range steps {
		var err error
		switch key := []byte(s.Key); s.Kind {
		case "get":
			var v []byte
			var ok bool
			v, ok, err = tree.Get(key)
			fmt.Fprintf(&log, "%s=%q,%v\n", s.Key, v, ok)
		case "set":
			err = tree.Set(key, []byte(s.Value))
		case "delete":
			err = tree.Delete(key)
		case "abandon":
			snapshot := tree.Snapshot()
			err = snapshot.Delete(key)
			fmt.Fprintf(&log, "%v\n", snapshot.Root())
		}
		if err != nil {
			return "", err
		}
	}
	fmt.Fprint(&log, tree.Root())
	return log.String(), nil
}

func TestWitnessIsEnoughToRunAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		noErr := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		// A tree partly stored and partly in memory only.
		store := trie.NewStore()
		tree := trie.New(store, trie.Ref{})
		for k, v := range drawRecords(t, "stored") {
			noErr(tree.Set([]byte(k), []byte(v)))
		}
		ref, changes, err := tree.Commit(1)
		noErr(err)
		store.Apply(changes)
		tree = trie.New(store, ref)
		for k, v := range drawRecords(t, "new") {
			noErr(tree.Set([]byte(k), []byte(v)))
		}
		before, steps := tree.Root(), drawSteps(t)

		var want string
		w, err := tree.Record(func(t *trie.Tree) (err error) {
			want, err = run(t, steps)
			return err
		})
		noErr(err)
		if tree.Root() != before {
			t.Fatal("recording changed the tree")
		}
		b, err := w.MarshalBinary()
		noErr(err)
		w, err = trie.UnmarshalWitness(b)
		noErr(err)

		for range 2 { // a witness can be used again
			partial, err := w.Tree(before)
			noErr(err)
			var got string
			again, err := partial.Record(func(t *trie.Tree) (err error) {
				got, err = run(t, steps)
				return err
			})
			noErr(err)
			if got != want {
				t.Fatalf("from the witness: %s\nwant %s", got, want)
			}
			if b2, err := again.MarshalBinary(); err != nil || !bytes.Equal(b, b2) {
				t.Fatalf("recorded again the witness is %x, %v, want %x", b2, err, b)
			}
		}

		// Whatever else is asked is answered rightly or not at all.
		other := drawSteps(t)
		full, err := run(tree.Snapshot(), other)
		noErr(err)
		partial, err := w.Tree(before)
		noErr(err)
		switch got, err := run(partial, other); {
		case errors.Is(err, trie.ErrNotInWitness):
		case err != nil || got != full:
			t.Fatalf("outside the witness: %v %s\nwant %s", err, got, full)
		}
	})
}

func TestWitnessOfAnotherRootIsRefused(t *testing.T) {
	tree := build(t, records{"a": "1", "b": "2"})
	w, err := tree.Record(func(t *trie.Tree) error { return t.Delete([]byte("a")) })
	must(t, err)
	root := tree.Root()
	if _, err := w.Tree(sha256.Sum256(root[:])); !errors.Is(err, trie.ErrWitnessRoot) {
		t.Fatalf("another root: %v", err)
	}
	partial, err := w.Tree(root)
	must(t, err)
	if _, _, err := partial.Commit(9); !errors.Is(err, trie.ErrNotInWitness) {
		t.Fatalf("commit of a witness: %v", err)
	}
	if _, err := (trie.Witness{}).Tree(trie.EmptyRoot); err != nil {
		t.Fatalf("the zero witness is not that of the empty tree: %v", err)
	}
}

// TestChangedWitnessHasAnotherRoot changes every byte: what still decodes is about
// another tree.
func TestChangedWitnessHasAnotherRoot(t *testing.T) {
	_, _, want := committed(t, 1)
	tree := build(t, want)
	w, err := tree.Record(func(t *trie.Tree) error { return t.Delete([]byte(crowd[0])) })
	must(t, err)
	good, err := w.MarshalBinary()
	must(t, err)
	for i := range good {
		for _, x := range []byte{0x01, 0x02, 0x80, 0xff} {
			bad := bytes.Clone(good)
			bad[i] ^= x
			w, err := trie.UnmarshalWitness(bad)
			if err != nil {
				continue
			}
			if _, err := w.Tree(tree.Root()); !errors.Is(err, trie.ErrWitnessRoot) {
				t.Fatalf("byte %d ^ %x: %v", i, x, err)
			}
		}
		if _, err := trie.UnmarshalWitness(good[:i]); !errors.Is(err, trie.ErrMalformed) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// TestRecordingsNest: an outer recording sees what inner ones look at, failed ones included.
func TestRecordingsNest(t *testing.T) {
	tree := build(t, records{"a": "1", "b": "2", "c": "3", "d": "4"})
	sorry := errors.New("sorry")
	nested := func(t *trie.Tree) error {
		_, err := t.Record(func(t *trie.Tree) error {
			if err := t.Delete([]byte("a")); err != nil {
				return err
			}
			return sorry
		})
		if !errors.Is(err, sorry) {
			return fmt.Errorf("inner recording: %w", err)
		}
		return nil
	}
	w, err := tree.Record(nested)
	must(t, err)
	partial, err := w.Tree(tree.Root())
	must(t, err)
	must(t, nested(partial))
}

// TestLeavesInWrongPlacesAreRefused swaps the two leaves of a tree: hashes that fit, of a
// tree that can't be.
func TestLeavesInWrongPlacesAreRefused(t *testing.T) {
	leaf := func(key string) []byte { return []byte{0, 0, 1, 0, 0, 0, 1, key[0], 'v'} }
	hash := func(key string) trie.Hash { return records{key: "v"}.root() }
	left, right := "b", "a" // SHA-256 of "b" begins with a 0 bit, that of "a" with a 1 bit
	pathL, pathR := sha256.Sum256([]byte(left)), sha256.Sum256([]byte(right))
	if pathL[0]>>7 != 0 || pathR[0]>>7 != 1 {
		t.Fatal("choose other keys")
	}
	if _, err := trie.UnmarshalWitness(slices.Concat([]byte{1}, leaf(left), leaf(right))); err != nil {
		t.Errorf("the tree as it should be: %v", err)
	}
	for name, b := range map[string][]byte{
		"swapped":       slices.Concat([]byte{1}, leaf(right), leaf(left)),
		"lone leaf":     slices.Concat([]byte{1}, leaf(left), []byte{2}),
		"lone on right": slices.Concat([]byte{1, 2}, leaf(right)),
		"nothing":       {1, 2, 2},
		"bottomless":    bytes.Repeat([]byte{1}, 1000),
		"hidden nobody": slices.Concat([]byte{3}, make([]byte, 32)),
		"unknown kind":  {4},
		"two trees":     {2, 2},
	} {
		if _, err := trie.UnmarshalWitness(b); !errors.Is(err, trie.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}

	l, r := hash(left), hash(right)
	root := sha256.Sum256(slices.Concat([]byte{1}, r[:], l[:]))
	store, ref := trie.NewStore(), trie.Ref{Version: 1, Hash: root}
	store.Apply(trie.Changes{Version: 1, Put: []trie.Node{
		{Key: ref.Key(), Bytes: slices.Concat([]byte{1}, trie.Ref{Version: 1, Hash: r}.Bytes(), trie.Ref{Version: 1, Hash: l}.Bytes())},
		{Key: trie.NodeKey{Version: 1, Depth: 1}, Bytes: leaf(right)},
		{Key: trie.NodeKey{Version: 1, Depth: 1, Path: trie.Hash{0x80}}, Bytes: leaf(left)},
	}})
	for _, key := range []string{left, right} {
		if _, _, err := trie.New(store, ref).Get([]byte(key)); !errors.Is(err, trie.ErrCorruptNode) {
			t.Errorf("stored %q in the wrong place: %v", key, err)
		}
	}
}

func TestRecordingReportsMissingNodes(t *testing.T) {
	_, ref, _ := committed(t, 1)
	tree := trie.New(trie.NewStore(), ref)
	_, err := tree.Record(func(t *trie.Tree) error { return t.Delete([]byte(crowd[0])) })
	if !errors.Is(err, trie.ErrMissingNode) {
		t.Fatal(err)
	}
}

func TestWitnessIsBounded(t *testing.T) {
	tree := newTree()
	for i := range 4 {
		must(t, tree.Set([]byte{byte(i)}, make([]byte, trie.MaxValue)))
	}
	w, err := tree.Record(func(t *trie.Tree) error { return t.Walk(func(_, _ []byte) error { return nil }) })
	must(t, err)
	if _, err := w.MarshalBinary(); !errors.Is(err, trie.ErrWitnessSize) {
		t.Errorf("encode: %v", err)
	}
	if _, err := trie.UnmarshalWitness(make([]byte, trie.MaxWitness+1)); !errors.Is(err, trie.ErrMalformed) {
		t.Errorf("decode: %v", err)
	}
	// Paths to the bottom of the tree, each to a hidden place: two bytes for a node.
	deep := func(paths int) []byte {
		b := bytes.Repeat([]byte{1}, paths-1) // each of these has one path to its left, and the rest
		for i := range paths {
			down := 250 - min(paths-i, paths-1)
			b = append(append(b, bytes.Repeat([]byte{1, 2}, down)...), 3)
			b = append(b, bytes.Repeat([]byte{7}, 32)...)
		}
		return b
	}
	w200, err := trie.UnmarshalWitness(deep(200)) // 30,000 inner nodes
	if err != nil {
		t.Fatal(err)
	}
	again, err := w200.MarshalBinary()
	if err != nil || !bytes.Equal(again, deep(200)) {
		t.Errorf("encode again: %v", err)
	}
	thrice := slices.Concat([]byte{1}, deep(200), []byte{1}, deep(200), deep(200))
	if _, err := trie.UnmarshalWitness(thrice); len(thrice) > trie.MaxWitness || !errors.Is(err, trie.ErrMalformed) {
		t.Errorf("%d bytes, more inner nodes than are taken: %v", len(thrice), err)
	}
}

func BenchmarkWitness(b *testing.B) {
	for _, k := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("n=100000/k=%d", k), func(b *testing.B) {
			tree := filled(b, 100_000)
			rng := rand.New(rand.NewSource(1))
			size := 0
			for b.Loop() {
				w, err := tree.Record(func(t *trie.Tree) error { return update(t, rng, 100_000, k) })
				must(b, err)
				enc, err := w.MarshalBinary()
				must(b, err)
				size = len(enc)
			}
			b.ReportMetric(float64(size), "witness-bytes")
		})
	}
}
