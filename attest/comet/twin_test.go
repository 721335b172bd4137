package comet_test

import (
	"bytes"
	"testing"

	"github.com/cometbft/cometbft/types"
	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest/comet"
)

// CometBFT itself is the twin.
func TestTransactionsHashIsThatOfCometBFT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		transactions := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 40).Draw(t, "transactions")
		if got, want := comet.TransactionsHash(transactions), types.ToTxs(transactions).Hash(); !bytes.Equal(got, want) {
			t.Fatalf("got %X, want %X", got, want)
		}
	})
}
