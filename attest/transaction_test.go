package attest_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// Of a block no more is looked at than fits into a proof about it.
func TestABlockHasSoManyOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		foreign := rapid.IntRange(0, attest.MaxBlockTransactions+2).Draw(t, "foreign")
		ours := rapid.IntRange(0, attest.MaxBlockOperations+2).Draw(t, "ours")
		var block [][]byte
		for i := range foreign {
			block = append(block, fmt.Appendf(nil, "foreign %d", i))
		}
		for i := range ours {
			form := attest.RawTransaction
			if i%2 == 1 {
				form = attest.KeyValueTransaction
			}
			block = append(block, form(fmt.Append(nil, i)))
		}
		got := attest.OperationsIn(block)
		want := min(ours, attest.MaxBlockOperations, max(0, attest.MaxBlockTransactions-foreign))
		if len(got) != want {
			t.Fatalf("%d operations, want %d", len(got), want)
		}
		for i, op := range got {
			if string(op) != fmt.Sprint(i) {
				t.Fatalf("operation %d is %s", i, op)
			}
		}
	})
}
