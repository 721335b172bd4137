package ledger

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// roomUpTo is attest.EpochRoom, in numbers that have no bound.
func roomUpTo(n, blocks uint64) *big.Int {
	room := new(big.Int).Mul(big.NewInt(64<<20), new(big.Int).SetUint64(n))
	return room.Div(room, new(big.Int).SetUint64(blocks))
}

// Who orders, who takes an input from elsewhere, and who judges the steps agree on what
// has room: whatever the blocks hold, the input made of them is one that is taken, and of
// any input each operation is judged as a step.
func TestAllAgreeOnWhatHasRoom(t *testing.T) {
	sizes := []int{1, 64<<10 - 512, 128<<10 - 512, 512<<10 - 512, attest.MaxOperation} // some fill shares to the last byte
	data := make([]byte, attest.MaxOperation)
	rapid.Check(t, func(t *rapid.T) {
		spec := &ChainSpec{ID: "alpha", EpochBlocks: rapid.SampledFrom([]uint64{1, 2, 2, 3, 4, 100, MaxEpochBlocks}).Draw(t, "blocks")}
		n, epoch := spec.EpochBlocks, rapid.SampledFrom([]uint64{0, 1, 2, 1 << 32}).Draw(t, "epochs before")
		parent := &attest.Checkpoint{ChainID: []byte(spec.ID), Epoch: epoch, Height: epoch * n, Time: 5}
		in := &EpochInput{ChainID: []byte(spec.ID), Epoch: epoch + 1}
		taken, want := new(big.Int), []Block(nil)
		for i := uint64(1); i <= n; i++ {
			b := Block{Height: parent.Height + i, Time: 5 + i}
			if i <= 3 || i == n || i%100 == 0 {
				many := rapid.SampledFrom([]int{0, 1, 2, attest.MaxBlockOperations, attest.MaxBlockOperations}).Draw(t, "operations")
				size := rapid.SampledFrom(sizes).Draw(t, "size")
				for range many {
					b.Operations = append(b.Operations, &Bytes{Data: data[:size]})
				}
			}
			counts := Block{Height: b.Height, Time: b.Time}
			for _, op := range b.Operations {
				if taken.Cmp(roomUpTo(i, n)) < 0 {
					taken.Add(taken, big.NewInt(512+int64(len(op.Data))))
					counts.Operations = append(counts.Operations, op)
				}
			}
			if in.Append(spec, b); len(counts.Operations) > 0 || i == n {
				want = append(want, counts)
			}
		}
		same := func(got *Block, want Block) bool {
			return got.Height == want.Height && got.Time == want.Time && slices.Equal(got.Operations, want.Operations)
		}
		if !slices.EqualFunc(in.Blocks, want, same) {
			t.Fatalf("%d blocks with operations, should be %d", len(in.Blocks), len(want))
		}
		if err := in.Check(spec, parent); err != nil {
			t.Fatal(err)
		}
		// Somebody else's input has more in it, or what is in it earlier.
		switch b := in.Blocks[rapid.IntRange(0, len(in.Blocks)-1).Draw(t, "block")]; {
		case rapid.Bool().Draw(t, "more"):
			b.Operations = append(b.Operations, &Bytes{Data: data[:1]})
		case b.Height < parent.Height+n:
			b.Height -= min(b.Height-parent.Height-1, rapid.Uint64Range(0, 99).Draw(t, "earlier"))
		}
		c := &course{spec: spec, previous: parent, next: &attest.Checkpoint{Height: parent.Height + n, Time: 5 + n}}
		var before *Step
		var wrong error
		for i, b := range in.Blocks {
			if i > 0 && b.Height <= in.Blocks[i-1].Height {
				return
			}
			for _, op := range b.Operations {
				step := &Step{Kind: StepOperation, Height: b.Height, Time: b.Time}
				if before != nil {
					step.Spent = before.Spent
				}
				step.Spent.Ordered += attest.OrderedSize(len(op.Data))
				if err := c.follows(before, step); err != nil && wrong == nil {
					wrong = err
				}
				before = step
			}
		}
		if err := in.Check(spec, parent); (err == nil) != (wrong == nil) {
			t.Fatalf("the input: %v; the steps: %v", err, wrong)
		}
	})
}
