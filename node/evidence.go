package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store"
)

// evidence makes proofs of what the home chain's own consensus has found and
// committed in a block (DESIGN §5): every node of the chain makes the same ones, and
// the council keeps, publishes and submits them as those that it finds itself. An
// error is our own store's, or that the node ends.
func (h *home) evidence(ctx context.Context, b chain.Block) error {
	for _, e := range b.Evidence {
		if e.Attack != nil {
			h.attacked(e.Attack)
			continue
		}
		if e.DoubleVote == nil {
			h.log.Warn("the home chain committed evidence of a kind that this version can't judge", "height", b.Height, "of", e.Height)
			continue
		}
		epoch := h.spec.EpochOf(e.Height)
		// The fault is before the block, and the set of the epoch under way is known
		// since the epoch before it was executed.
		set, err := h.execution.store.Set(h.spec.ID, epoch)
		if errors.Is(err, store.ErrPruned) {
			h.log.Info("the home chain committed evidence from before the snapshot that we began with", "epoch", epoch)
			continue
		}
		if err != nil {
			return fmt.Errorf("evidence in block %d of the home chain: %w", b.Height, err)
		}
		d := e.DoubleVote
		vote := evidence.DoubleVote{
			ChainID: h.spec.ID, Height: e.Height, Round: d.Round, Type: d.Type, Address: d.Address, First: d.First, Second: d.Second,
		}
		proof, _, err := vote.Prove(h.execution.manifest.Law(), epoch, set)
		if err != nil {
			h.log.Warn("the home chain committed evidence that convicts no validator of the mesh",
				"height", e.Height, "validator", fmt.Sprintf("%X", e.DoubleVote.Address), "reason", err)
			continue
		}
		err = tell(ctx, h.execution.loop, func(c *council, _ time.Time) { c.proofs(set, proof) })
		if err != nil {
			return err
		}
	}
	return h.prosecute(ctx)
}
