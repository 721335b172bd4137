package comet_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest/comet"
)

// TestSignBytesAreThoseOfCometBFT: the vectors of its own TestVoteSignBytesTestVectors,
// whose votes have the zero time.
func TestSignBytesAreThoseOfCometBFT(t *testing.T) {
	const (
		zeroTime = "2a0b088092b8c398feffffff01"
		one      = "0100000000000000"
	)
	for _, k := range []struct {
		chain               string
		kind, height, round int64
		want                string
	}{
		{"", 0, 0, 0, "0d" + zeroTime},
		{"", comet.Precommit, 1, 1, "21" + "0802" + "11" + one + "19" + one + zeroTime},
		{"", comet.Prevote, 1, 1, "21" + "0801" + "11" + one + "19" + one + zeroTime},
		{"", 0, 1, 1, "1f" + "11" + one + "19" + one + zeroTime},
		{"test_chain_id", 0, 1, 1, "2e" + "11" + one + "19" + one + zeroTime + "320d" + hex.EncodeToString([]byte("test_chain_id"))},
	} {
		if got := hex.EncodeToString(comet.SignBytes(k.chain, k.kind, k.height, k.round, &comet.BlockID{}, time.Time{})); got != k.want {
			t.Errorf("%q type %d height %d: got %s, want %s", k.chain, k.kind, k.height, got, k.want)
		}
	}
}

func TestABlockIsInTheSignBytes(t *testing.T) {
	got := comet.SignBytes("c", comet.Precommit, 2, 0, &comet.BlockID{Hash: []byte{1}, PartsTotal: 1, PartsHash: []byte{2}}, time.Unix(3, 4))
	const want = "20" + "0802" + "110200000000000000" + "220a" + "0a0101" + "1205" + "0801" + "120102" + "2a0408031004" + "320163"
	if hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}
