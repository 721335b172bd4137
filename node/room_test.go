package node_test

import (
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/ledger"
)

// Whatever a home chain orders, the other chains can follow it: the largest journal entry
// of an epoch can be sent.
func TestTheLargestEpochTravels(t *testing.T) {
	const waited, rest = 2 << 14, 1 << 20 // both queues, full; the rest of an epoch's end, and checkpoint
	step := uint64(new(attest.Step).SizeSSZ())
	receipt := uint64((&ledger.Receipt{Reason: make([]byte, 256)}).SizeSSZ())
	each := step + receipt + 4 + 2*4 // their lengths in the entry, and where it is in the block
	if each > attest.OrderedSize(0) {
		t.Fatalf("an operation takes %d bytes beside its own, %d are counted", each, attest.OrderedSize(0))
	}
	block := uint64(new(ledger.Block).SizeSSZ()) + 4
	most := attest.EpochRoom(1, 1) + attest.OrderedSize(attest.MaxOperation) + waited*each +
		ledger.MaxLimitSlashes*step + ledger.MaxEpochBlocks*block + rest
	if most > p2p.MaxEpochBytes {
		t.Fatalf("the entry of an epoch can have %d bytes, %d can be sent", most, p2p.MaxEpochBytes)
	}
}
