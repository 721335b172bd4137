package trie_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/trie"
)

// rebuilt adds records in the order of a tree's walk.
func rebuilt(tree *trie.Tree, version uint64) (trie.Ref, map[trie.NodeKey][]byte, error) {
	nodes := make(map[trie.NodeKey][]byte)
	b := trie.NewBuilder(version, func(n trie.Node) error {
		if _, again := nodes[n.Key]; again {
			return fmt.Errorf("node %v is emitted twice", n.Key)
		}
		nodes[n.Key] = n.Bytes
		return nil
	})
	if err := tree.Walk(b.Add); err != nil {
		return trie.Ref{}, nil, err
	}
	ref, err := b.Finish()
	return ref, nodes, err
}

// The builder's dumb twin is a tree that all records were set in.
func TestBuiltTreesAreThoseOfASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := trie.New(trie.NewStore(), trie.Ref{})
		n := rapid.SampledFrom([]int{0, 1, 2, 3, 20, 300}).Draw(t, "records")
		for i := range n {
			key := fmt.Appendf(nil, "%d/%d", rapid.Uint16().Draw(t, "salt"), i)
			if err := tree.Set(key, rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "value")); err != nil {
				t.Fatal(err)
			}
		}
		ref, nodes, err := rebuilt(tree, 7)
		if err != nil {
			t.Fatal(err)
		}
		want, changes, err := tree.Commit(7)
		if err != nil || ref != want {
			t.Fatalf("root %v, want %v (%v)", ref, want, err)
		}
		all := make(map[trie.NodeKey][]byte)
		for _, x := range changes.Put {
			all[x.Key] = x.Bytes
		}
		if !maps.EqualFunc(nodes, all, bytes.Equal) {
			t.Fatalf("%d nodes, want %d", len(nodes), len(all))
		}
	})
}

func TestBuilderRefusesWhatIsOutOfOrder(t *testing.T) {
	tree := trie.New(trie.NewStore(), trie.Ref{})
	var keys [][]byte
	for i := range 5 {
		if err := tree.Set([]byte{byte(i)}, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Walk(func(key, _ []byte) error {
		keys = append(keys, slices.Clone(key))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	for name, tc := range map[string]struct {
		order []int
		emit  func(trie.Node) error
		want  error
	}{
		"ascending": {[]int{0, 1, 2, 3, 4}, nil, nil},
		"swapped":   {[]int{0, 2, 1}, nil, trie.ErrOrder},
		"twice":     {[]int{0, 1, 1}, nil, trie.ErrOrder},
		"full":      {[]int{0, 1, 2}, func(trie.Node) error { return full }, full},
	} {
		emit := tc.emit
		if emit == nil {
			emit = func(trie.Node) error { return nil }
		}
		b := trie.NewBuilder(1, emit)
		var err error
		for _, i := range tc.order {
			if err = b.Add(keys[i], []byte{1}); err != nil {
				break
			}
		}
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	b := trie.NewBuilder(1, nil)
	if err := b.Add(nil, []byte{1}); !errors.Is(err, trie.ErrKeySize) {
		t.Errorf("no key: %v", err)
	}
	if err := b.Add([]byte{1}, nil); !errors.Is(err, trie.ErrValueSize) {
		t.Errorf("no value: %v", err)
	}
}
