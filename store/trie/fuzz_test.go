package trie_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/meshsec/meshsec/store/trie"
)

func FuzzParseNodeKey(f *testing.F) {
	f.Add(trie.NodeKey{}.Bytes())
	f.Add(trie.NodeKey{Version: 1 << 40, Depth: 9, Path: trie.Hash{0xab, 0x80}}.Bytes())
	f.Add(trie.NodeKey{Version: 3, Depth: 256, Path: trie.Hash{31: 1}}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := trie.ParseNodeKey(b)
		if err == nil && !bytes.Equal(k.Bytes(), b) {
			t.Fatalf("%x is %v is %x", b, k, k.Bytes())
		}
	})
}

func FuzzParseRef(f *testing.F) {
	f.Add(trie.Ref{}.Bytes())
	f.Add(trie.Ref{Version: 7, Hash: trie.Hash{1}}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := trie.ParseRef(b)
		if err == nil && !bytes.Equal(r.Bytes(), b) {
			t.Fatalf("%x is %v is %x", b, r, r.Bytes())
		}
	})
}

func FuzzUnmarshalProof(f *testing.F) {
	tree := build(f, records{"a": "1", "b": "2", "c": "3"})
	for _, key := range []string{"a", "d", "e", "f", "g"} {
		p, err := tree.Prove([]byte(key))
		must(f, err)
		b, err := p.MarshalBinary()
		must(f, err)
		f.Add(b)
	}
	f.Add([]byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := trie.UnmarshalProof(b)
		if err != nil {
			return
		}
		if again, err := p.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is %x, %v", b, again, err)
		}
		v, present, err := p.Verify(tree.Root(), []byte("a"))
		if err == nil && (!present || string(v) != "1") {
			t.Fatalf("%x proves a wrong answer", b)
		}
	})
}

func FuzzUnmarshalWitness(f *testing.F) {
	tree := build(f, records{"a": "1", "b": "2", "c": "3", "d": "4"})
	for _, steps := range [][]step{nil, {{"get", "a", ""}}, {{"delete", "b", ""}, {"set", "e", "5"}}} {
		w, err := tree.Record(func(t *trie.Tree) error {
			_, err := run(t, steps)
			return err
		})
		must(f, err)
		b, err := w.MarshalBinary()
		must(f, err)
		f.Add(b)
	}
	f.Add([]byte{2})
	steps := []step{{"get", "a", ""}, {"set", "e", "5"}, {"delete", "b", ""}, {"abandon", "c", ""}}
	want, err := run(tree.Snapshot(), steps)
	must(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := trie.UnmarshalWitness(b)
		if err != nil {
			return
		}
		if again, err := w.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x is %x, %v", b, again, err)
		}
		partial, err := w.Tree(tree.Root())
		if err != nil {
			return
		}
		if got, err := run(partial, steps); !errors.Is(err, trie.ErrNotInWitness) && got != want {
			t.Fatalf("%x answers %s, want %s", b, got, want)
		}
	})
}
