package attest

import "github.com/meshsec/meshsec/attest/ethereum"

// Beacon is a home chain that is an Ethereum beacon chain, or follows the same
// specification, as the network agreed on it. Its slots are its heights, those without a
// block too, and every epoch of the beacon chain lies in one of the ledger.
type Beacon struct {
	ethereum.Chain
	FirstSlot  uint64 // height 1 of the home chain
	EpochSlots uint64 // of an epoch of the ledger
}

// EpochOfSlot is the ledger's epoch that a slot lies in. It is not ok before the first.
func (b *Beacon) EpochOfSlot(slot uint64) (epoch uint64, ok bool) {
	if slot < b.FirstSlot {
		return 0, false
	}
	return (slot-b.FirstSlot)/b.EpochSlots + 1, true
}

// EpochOfTarget is the ledger's epoch that an epoch of the beacon chain lies in.
func (b *Beacon) EpochOfTarget(target uint64) (epoch uint64, ok bool) {
	slot, ok := b.StartOf(target)
	if !ok {
		return 0, false
	}
	return b.EpochOfSlot(slot)
}

// Beacon implements [Law]: a bare network says nothing of any chain.
func (n Network) Beacon(string) *Beacon { return nil }
