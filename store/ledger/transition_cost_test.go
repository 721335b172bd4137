package ledger_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/trie"
)

// costs are proofs that are as dear as their kind can be, valid or not.
func costs(t testing.TB) map[string]func() ([]byte, error) {
	m := play(t, 2, 4, nil)
	round(t, m)
	law := m.Manifest.Law()
	judge := func(l *ledgertest.Lie, b *ledger.Breach) func() ([]byte, error) {
		body := opened(t, l.Proof)
		if b != nil {
			body.Evidence = encodeBreach(t, b)
		}
		encoded, err := body.MarshalSSZ()
		must(t, err)
		if len(encoded) > attest.MaxTransitionSize {
			t.Fatalf("a proof of %d bytes", len(encoded))
		}
		proof := &attest.FaultProof{Kind: uint8(attest.FaultInvalidTransition), Body: encoded}
		return func() ([]byte, error) {
			_, err := attest.VerifyFault(law, m.Set("beta", 2), proof)
			return encoded, err
		}
	}
	small := lie(t, m, "beta")
	wide := &ledger.Operation{Kind: uint8(ledger.KindSubmitFault), Body: make([]byte, 500<<10)}
	large, err := m.Lie("beta", func(t *ledger.Transcript, _ *attest.Checkpoint) { t.Steps[0].Receipt[0] ^= 1 }, wide)
	must(t, err)
	hostile := func(nodes []byte) *ledger.Breach {
		b := decodeBreach(t, opened(t, small.Proof).Evidence)
		b.Nodes = nodes
		return b
	}
	return map[string]func() ([]byte, error){
		"the last step":           judge(small, nil),
		"an operation of 500 KiB": judge(large, nil),
		"long paths":              judge(small, hostile(longPaths(1000))),
		"many records":            judge(small, hostile(manyRecords(t, 29_000))),
		"nodes of rubbish":        judge(small, hostile(bytes.Repeat([]byte{1}, 500<<10))),
	}
}

// longPaths is a witness with as many nodes as its size can have: paths to the bottom of
// the tree, each to one hidden place.
func longPaths(n int) []byte {
	var path, tree func(depth, of int) []byte
	path = func(depth, _ int) []byte {
		b := bytes.Repeat([]byte{1, 2}, 240-depth)
		b = append(b, 3)
		return append(b, bytes.Repeat([]byte{7}, 32)...)
	}
	tree = func(depth, of int) []byte {
		if of == 1 {
			return path(depth, of)
		}
		return append(append([]byte{1}, tree(depth+1, of/2)...), tree(depth+1, of-of/2)...)
	}
	return tree(0, n)
}

// manyRecords is a witness of many small records, all shown.
func manyRecords(t testing.TB, n int) []byte {
	tree := trie.New(trie.NewStore(), trie.Ref{})
	var keys [][]byte
	for i := range n {
		keys = append(keys, []byte(fmt.Sprintf("%07d", i)))
		must(t, tree.Set(keys[i], []byte{1}))
	}
	w, err := tree.Record(func(t *trie.Tree) error {
		for _, k := range keys {
			if _, _, err := t.Get(k); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	b, err := w.MarshalBinary()
	must(t, err)
	return b
}

// TestNoProofTakesMuchMemory: 16 MiB at most, valid or not.
func TestNoProofTakesMuchMemory(t *testing.T) {
	for name, judge := range costs(t) {
		_, _ = judge() // what is computed once
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		encoded, err := judge()
		runtime.ReadMemStats(&after)
		used := after.TotalAlloc - before.TotalAlloc
		t.Logf("%-24s %6d bytes, %8d allocated, %v", name, len(encoded), used, err)
		if used > 16<<20 {
			t.Errorf("%s: %d bytes allocated for a proof of %d", name, used, len(encoded))
		}
	}
}

// BenchmarkJudge is what it takes to judge proofs of invalid transitions, against the
// signature alone, which each of them has.
func BenchmarkJudge(b *testing.B) {
	for name, judge := range costs(b) {
		encoded, _ := judge()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = judge()
			}
			perUnit := float64(b.Elapsed().Milliseconds()) / float64(b.N) / (float64(len(encoded)) / (10 << 10))
			b.ReportMetric(perUnit, "ms/10KiB")
		})
	}
}
