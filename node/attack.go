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
	e, err := attackEvidence(ctx, c, cert, l)
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

// attackEvidence asks the home chain for what it has itself from the last block of the
// epoch back to the height of an attack. Nothing of it is trusted: the certificate
// names the last block, and each block the one before.
func attackEvidence(ctx context.Context, c chain.Chain, cert *attest.Certificate, l *comet.LightBlock) (attest.AttackEvidence, error) {
	e := attest.AttackEvidence{Certificate: cert, Conflicting: l.Header, ConflictingCommit: l.Commit}
	headers, own, err := trail(ctx, c, cert, uint64(l.Header.Height))
	if err != nil {
		return e, err
	}
	e.Headers, e.Commit = headers, own.Commit
	validators, err := c.Validators(ctx, uint64(l.Header.Height))
	if err != nil {
		return e, err
	}
	e.Validators = homeSet(validators)
	return e, nil
}

// trail are the headers from the last block of a certified epoch back to a height of it,
// and the last of them with its commit.
func trail(ctx context.Context, c chain.Chain, cert *attest.Certificate, height uint64) (headers []*comet.Header, last *comet.LightBlock, err error) {
	from := cert.Checkpoint.Height
	if height == 0 || height > from || from-height > attest.MaxTrail {
		return nil, nil, fmt.Errorf("height %d is not one of the last %d of epoch %d, which ends at %d", height, attest.MaxTrail, cert.Checkpoint.Epoch, from)
	}
	for at := from; at >= height; at-- {
		if last, err = c.SignedHeader(ctx, at); err != nil {
			return nil, nil, err
		}
		headers = append(headers, last.Header)
	}
	return headers, last, nil
}

// homeSet are the validators whose keys the mesh can name: none if there is another one,
// since then their hash can't be shown.
func homeSet(validators []chain.Validator) *comet.Set {
	members := make([]comet.Validator, len(validators))
	for i, v := range validators {
		if v.KeyType != chain.KeyEd25519 {
			return nil
		}
		members[i] = comet.Validator{Key: comet.Key{Type: comet.Ed25519, Bytes: v.ConsensusKey}, Power: int64(v.Power), Address: v.Address[:]}
	}
	return comet.NewSet(members)
}
