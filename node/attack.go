package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store"
)

// maxAttacks is how many blocks of attacks may wait for a certificate; the oldest are
// forgotten first. Other nodes of the chain have the same ones.
const maxAttacks = 64

// recallEpochs is how many epochs back they are looked for after a start.
const recallEpochs = 128

// recall finds the attacks again that a node was waiting with when it ended. They are not
// written down: as long as their epoch has no certificate, the block with the evidence, which
// is no earlier, is one of an epoch without one. What is further back, or what the chain's
// node has forgotten, is left to others. An error is that of the follower.
func (h *home) recall(ctx context.Context, c chain.Chain) error {
	head := h.execution.store.Head(h.spec.ID)
	from := max(h.execution.store.Certified(h.spec.ID), head.Epoch-min(head.Epoch, recallEpochs))
	if from >= head.Epoch {
		return nil
	}
	found := errors.New("that was the last one")
	f := chain.Follower{Next: from*h.spec.EpochBlocks + 1, Poll: h.poll, Trouble: h.trouble}
	err := f.Run(ctx, c, func(b chain.Block) error {
		for _, e := range b.Evidence {
			if e.Attack != nil {
				h.attacked(e.Attack)
			}
		}
		if b.Height == head.Checkpoint.Height {
			return found
		}
		return nil
	})
	if errors.Is(err, found) || errors.Is(err, chain.ErrPruned) {
		return nil
	}
	return err
}

// attacked remembers the block of an attack on light clients that the home chain has
// found. A proof of it takes the certificate of the epoch that the height belongs to,
// which may be long to come.
func (h *home) attacked(l *comet.LightBlock) {
	if len(h.attacks) == maxAttacks {
		h.attacks = h.attacks[1:]
	}
	h.attacks = append(h.attacks, l)
}

// prosecute makes proofs of the attacks whose epochs are certified by now. What fails
// because the home chain's node does not answer is tried again after the next block.
// An error is our own store's, or that the node ends.
func (h *home) prosecute(ctx context.Context) error {
	var waiting []*comet.LightBlock
	for _, l := range h.attacks {
		epoch := h.spec.EpochOf(uint64(l.Header.Height))
		cert, certified, err := h.execution.store.Certificate(h.spec.ID, epoch)
		if err != nil && !errors.Is(err, store.ErrPruned) {
			return err
		}
		if err == nil && !certified {
			waiting = append(waiting, l)
			continue
		}
		var set *attest.Set
		if err == nil {
			if set, err = h.execution.store.Set(h.spec.ID, epoch); err != nil && !errors.Is(err, store.ErrPruned) {
				return err
			}
		}
		if err == nil {
			err = h.accuse(ctx, cert, set, l)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, chain.ErrUnreachable), errors.Is(err, chain.ErrFailed):
			waiting = append(waiting, l)
		case err != nil:
			h.log.Warn("the home chain committed evidence of an attack that proves nothing to the mesh", "height", l.Header.Height, "block", fmt.Sprintf("%X", l.Header.Hash()), "reason", err)
		}
	}
	h.attacks = waiting
	return nil
}

// accuse makes the proof of one attack in a certified epoch, and hands it to the council.
func (h *home) accuse(ctx context.Context, cert *attest.Certificate, set *attest.Set, l *comet.LightBlock) error {
	c, err := h.connected()
	if err != nil {
		return err
	}
	e, err := chain.AttackEvidence(ctx, c, cert, l)
	if err != nil {
		return err
	}
	proof, err := attest.BuildLightClientAttack(set, e)
	if err == nil {
		_, err = attest.VerifyFault(h.execution.manifest.Law(), set, proof)
	}
	if err != nil {
		return err
	}
	return tell(ctx, h.execution.loop, func(c *council, _ time.Time) { c.proofs(set, proof) })
}
