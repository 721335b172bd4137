package node

import (
	"slices"

	"github.com/meshsec/meshsec/attest"
)

// The council's part in cross-attestation (DESIGN §3.5): which claims our validator
// signs, and the tallies of those that the validators of all chains signed.

// crossSlot is what one validator claims once.
type crossSlot struct {
	epoch uint64
	peer  string
}

// crossBallot is the claims of one slot.
type crossBallot struct {
	tally *attest.CrossTally
	votes []*attest.CrossAttestation // that counted, for those who ask
}

// cross signs those claims whose peer has been executed here that far.
func (c *council) cross() {
	if c.key == nil || c.diverged != "" {
		return
	}
	home := c.chambers[c.self]
	if _, member := home.set.Index(*c.key); !member {
		return
	}
	home.claims = slices.DeleteFunc(home.claims, func(claim *attest.CrossClaim) bool {
		peer := c.chambers[string(claim.Peer)]
		if peer == nil || peer.head < claim.ToEpoch {
			return false
		}
		c.do(signClaim{claim})
		return true
	})
}

// crossVote takes a verified cross-attestation.
func (c *council) crossVote(v attest.VerifiedCrossVote, set *attest.Set) finding {
	claim := v.Claim()
	chain := string(claim.ChainID)
	if f := c.lookCross(chain, claim.Epoch); f != goOn {
		return f
	}
	ch := c.chambers[chain]
	slot := crossSlot{claim.Epoch, string(claim.Peer)}
	b := ch.cross[slot]
	if b == nil {
		b = &crossBallot{tally: attest.NewCrossTally(c.law.Network(), set, chain, claim.Epoch, string(claim.Peer))}
		ch.cross[slot] = b
	}
	t := b.tally
	before, _ := t.Certificate()
	switch t.Add(v) {
	case attest.OutcomeNew:
		b.votes = append(b.votes, v.CrossAttestation())
		c.vouched(slot.peer)
		if best, ok := t.Certificate(); ok && before == nil && chain == c.self {
			c.do(confirm{best}, wake{})
		}
		return taken
	case attest.OutcomeDuplicate:
		return known
	case attest.OutcomeForeign:
		return foreign
	}
	return useless
}

// lookCross judges a cross-attestation by its name: those of the epoch under way
// and the one before it are of use.
func (c *council) lookCross(chain string, epoch uint64) finding {
	ch := c.chambers[chain]
	switch {
	case ch == nil:
		return foreign
	case epoch > ch.head+1:
		return ahead
	case epoch < ch.head:
		return tooOld
	}
	return goOn
}

// crossed takes our own signed cross-attestation.
func (c *council) crossed(a *attest.CrossAttestation, set *attest.Set) error {
	v, err := attest.VerifyCrossAttestation(c.law.Network(), set, a)
	if err != nil {
		return err
	}
	c.crossVote(v, set)
	c.do(publishCross{a})
	return nil
}
