package trie_test

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"

	"github.com/meshsec/meshsec/store/trie"
)

const recordSize = 150

func benchKey(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

// filled returns a committed tree of n records over its store.
func filled(b *testing.B, n int) *trie.Tree {
	b.Helper()
	store := trie.NewStore()
	tree := trie.New(store, trie.Ref{})
	for i := range n {
		must(b, tree.Set(benchKey(i), make([]byte, recordSize)))
	}
	ref, changes, err := tree.Commit(0)
	must(b, err)
	store.Apply(changes)
	return trie.New(store, ref)
}

// update sets k random ones of n records.
func update(t *trie.Tree, rng *rand.Rand, n, k int) error {
	value := make([]byte, recordSize)
	for range k {
		rng.Read(value)
		if err := t.Set(benchKey(rng.Intn(n)), value); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		for _, k := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("n=%d/k=%d", n, k), func(b *testing.B) {
				store := trie.NewStore()
				tree := trie.New(store, trie.Ref{})
				for i := range n {
					must(b, tree.Set(benchKey(i), make([]byte, recordSize)))
				}
				_, changes, err := tree.Commit(0)
				must(b, err)
				store.Apply(changes)
				rng := rand.New(rand.NewSource(1))
				nodes, version := 0, uint64(0)
				for b.Loop() {
					version++
					must(b, update(tree, rng, n, k))
					_, changes, err := tree.Commit(version)
					must(b, err)
					store.Apply(changes)
					store.Prune(version)
					nodes += len(changes.Put)
				}
				b.ReportMetric(float64(nodes)/float64(version), "nodes/op")
			})
		}
	}
}

func BenchmarkProof(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		for name, key := range map[string][]byte{"inclusion": benchKey(n / 2), "absence": benchKey(n)} {
			b.Run(fmt.Sprintf("n=%d/%s", n, name), func(b *testing.B) {
				tree := filled(b, n)
				root, size := tree.Root(), 0
				for b.Loop() {
					p, err := tree.Prove(key)
					must(b, err)
					_, _, err = p.Verify(root, key)
					must(b, err)
					enc, err := p.MarshalBinary()
					must(b, err)
					size = len(enc)
				}
				b.ReportMetric(float64(size), "proof-bytes")
			})
		}
	}
}
