package attest

import (
	"math"

	"github.com/meshsec/meshsec/attest/ethereum"
)

// Beacon is a home chain that is an Ethereum beacon chain, or follows the same
// specification, as the network agreed on it. Its slots are its heights, those without a
// block too.
type Beacon struct {
	ethereum.Chain
	FirstSlot uint64 // height 1 of the home chain
}

// HeightOf is the home chain's height of a slot. It is not ok for slots before the
// first one, and where no height is that large.
func (b *Beacon) HeightOf(slot uint64) (height uint64, ok bool) {
	if slot < b.FirstSlot || slot-b.FirstSlot >= math.MaxInt64 {
		return 0, false
	}
	return slot - b.FirstSlot + 1, true
}

// HeightOfEpoch is [Beacon.HeightOf] of the first slot of an epoch of the beacon chain.
func (b *Beacon) HeightOfEpoch(epoch uint64) (height uint64, ok bool) {
	slot, ok := b.StartOf(epoch)
	if !ok {
		return 0, false
	}
	return b.HeightOf(slot)
}

// Beacon implements [Law]: a bare network says nothing of any chain.
func (n Network) Beacon(string) *Beacon { return nil }
