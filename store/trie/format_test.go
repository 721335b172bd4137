package trie_test

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/trie"
	"pgregory.net/rapid"
)

var updateGolden = flag.Bool("update", false, "write the golden files")

// TestFormatIsStable pins every byte that others store, sign or verify.
func TestFormatIsStable(t *testing.T) {
	var out strings.Builder
	store := trie.NewStore()
	tree := trie.New(store, trie.Ref{})
	for _, r := range []string{"alpha", "beta", "gamma", "delta"} {
		must(t, tree.Set([]byte(r), []byte("value of "+r)))
		fmt.Fprintf(&out, "root with %s %v\n", r, tree.Root())
	}
	commit := func(version uint64) {
		ref, changes, err := tree.Commit(version)
		must(t, err)
		store.Apply(changes)
		fmt.Fprintf(&out, "\nversion %d ref %x\n", version, ref.Bytes())
		for _, n := range changes.Put {
			fmt.Fprintf(&out, "put %x %x\n", n.Key.Bytes(), n.Bytes)
		}
		for _, k := range changes.Stale {
			fmt.Fprintf(&out, "stale %x\n", k.Bytes())
		}
	}
	commit(1)
	must(t, tree.Delete([]byte("beta")))
	must(t, tree.Set([]byte("gamma"), []byte("another")))
	commit(2)
	fmt.Fprintln(&out)
	for _, k := range []string{"alpha", "beta", "epsilon", "zeta", "eta"} {
		p, err := tree.Prove([]byte(k))
		must(t, err)
		b, err := p.MarshalBinary()
		must(t, err)
		fmt.Fprintf(&out, "proof of %s %x\n", k, b)
	}
	w, err := tree.Record(func(t *trie.Tree) error { return t.Delete([]byte("gamma")) })
	must(t, err)
	b, err := w.MarshalBinary()
	must(t, err)
	fmt.Fprintf(&out, "witness of a delete %x\n", b)

	golden := filepath.Join("testdata", "format.golden")
	if *updateGolden {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(golden, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if out.String() != string(want) {
		t.Fatalf("the format has changed; if that is meant, run with -update:\n%s", out.String())
	}
}

func TestNodeKeysSortAsTheirFieldsDo(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) trie.NodeKey {
		k := trie.NodeKey{
			Version: rapid.Uint64().Draw(t, "version"),
			Depth:   rapid.Uint16Range(0, 256).Draw(t, "depth"),
		}
		for i := range int(k.Depth) {
			if rapid.Bool().Draw(t, "bit") {
				k.Path[i/8] |= 0x80 >> (i % 8)
			}
		}
		return k
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		if rapid.Bool().Draw(t, "same version") {
			b.Version = a.Version
		}
		want := cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Depth, b.Depth), bytes.Compare(a.Path[:], b.Path[:]))
		if got := bytes.Compare(a.Bytes(), b.Bytes()); got != want {
			t.Fatalf("%v and %v compare %d, want %d", a, b, got, want)
		}
		if again, err := trie.ParseNodeKey(a.Bytes()); err != nil || again != a {
			t.Fatalf("%v is %v, %v", a, again, err)
		}
	})
}

func TestMalformedKeysAreRefused(t *testing.T) {
	good := trie.NodeKey{Version: 1, Depth: 9, Path: trie.Hash{0xff, 0x80}}
	stray := good.Bytes()
	stray[len(stray)-1] |= 1
	for name, b := range map[string][]byte{
		"nothing": {}, "cut": good.Bytes()[:11], "longer": append(good.Bytes(), 0), "stray bit": stray,
		"too deep": slices.Concat(make([]byte, 8), []byte{1, 1}, make([]byte, 33)),
	} {
		if _, err := trie.ParseNodeKey(b); !errors.Is(err, trie.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if k := (trie.NodeKey{Depth: 9, Path: trie.Hash{0xff, 0xff, 0xff}}); !bytes.Equal(k.Bytes()[8:], []byte{0, 9, 0xff, 0x80}) {
		t.Errorf("the path is not masked: %x", k.Bytes())
	}
	empty := trie.Ref{Version: 3}.Bytes()
	for name, b := range map[string][]byte{"nothing": {}, "empty tree with a version": empty, "longer": append(make([]byte, 40), 0)} {
		if _, err := trie.ParseRef(b); !errors.Is(err, trie.ErrMalformed) {
			t.Errorf("ref %s: %v", name, err)
		}
	}
}
