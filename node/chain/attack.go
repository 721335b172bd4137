package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// ErrOutOfReach: no proof leads from the certificate to the height of the attack.
var ErrOutOfReach = errors.New("the attack can't be proven")

// AttackEvidence asks a chain for what it has itself from the last block of a certified
// epoch back to the height of an attack, whose block is l. Nothing of it is trusted: the
// certificate names the last block, and each block the one before. Errors are those of c,
// and [ErrOutOfReach].
func AttackEvidence(ctx context.Context, c Chain, cert *attest.Certificate, l *comet.LightBlock) (attest.AttackEvidence, error) {
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
func trail(ctx context.Context, c Chain, cert *attest.Certificate, height uint64) (headers []*comet.Header, last *comet.LightBlock, err error) {
	from := cert.Checkpoint.Height
	if height == 0 || height > from || from-height > attest.MaxTrail {
		return nil, nil, fmt.Errorf("%w: height %d is not one of the last %d of epoch %d, which ends at %d", ErrOutOfReach, height, attest.MaxTrail, cert.Checkpoint.Epoch, from)
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
func homeSet(validators []Validator) *comet.Set {
	members := make([]comet.Validator, len(validators))
	for i, v := range validators {
		if v.KeyType != KeyEd25519 {
			return nil
		}
		members[i] = comet.Validator{Key: comet.Key{Type: comet.Ed25519, Bytes: v.ConsensusKey}, Power: int64(v.Power), Address: v.Address[:]}
	}
	return comet.NewSet(members)
}
