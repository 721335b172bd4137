package attest

import (
	"github.com/meshsec/meshsec/bls"
)

// pile gathers the signatures of one set over one statement. Everything put into it
// is verified, so whatever adds up disjoint parts of it is valid too.
//
// A certificate is made of at most one aggregate that came from elsewhere, the base,
// and of the single signatures of those who are not in it: overlapping aggregates
// cannot be taken apart.
type pile struct {
	set     *Set
	singles map[int]bls.Signature
	base    part
	made    part // the certificate made last; empty after a change
}

// part is a signature of several; its zero value is that of nobody.
type part struct {
	signers   Bits
	signature bls.Signature
}

func newPile(set *Set) *pile { return &pile{set: set, singles: make(map[int]bls.Signature)} }

func (p *pile) add(i int, signature bls.Signature) {
	p.singles[i] = signature
	p.made = part{}
}

// addAggregate makes the aggregate the base if that makes a better certificate: with
// a quorum instead of without, or with more signers. It says whether it did.
func (p *pile) addAggregate(signers Bits, signature bls.Signature) (better bool) {
	now, then := p.nameable(p.base.signers), p.nameable(signers)
	nowQuorum, thenQuorum := p.holdsQuorum(now), p.holdsQuorum(then)
	better = thenQuorum && !nowQuorum || thenQuorum == nowQuorum && then.Count() > now.Count()
	if better {
		p.base = part{signers, signature}
		p.made = part{}
	}
	return better
}

// nameable is who can be in one certificate with that base, which may be nil.
func (p *pile) nameable(base Bits) Bits {
	signers := base.Clone()
	if signers == nil {
		signers = NewBits(p.set.Len())
	}
	for i := range p.singles {
		signers.Set(i)
	}
	return signers
}

func (p *pile) holdsQuorum(signers Bits) bool { return checkQuorum(p.set, signers) == nil }

func (p *pile) hasQuorum() bool { return p.holdsQuorum(p.nameable(p.base.signers)) }

// certificate is the largest that can be made, if it has a quorum. It costs about
// 1.4 µs a signature after a change, and nothing otherwise.
func (p *pile) certificate() (part, bool) {
	if p.made.signers != nil {
		return p.made, true
	}
	signers := p.nameable(p.base.signers)
	if !p.holdsQuorum(signers) {
		return part{}, false
	}
	var signatures []bls.Signature
	if p.base.signers != nil {
		signatures = append(signatures, p.base.signature)
	}
	for i := range signers.Ones() {
		if single, ok := p.singles[i]; ok && !p.base.signers.Get(i) {
			signatures = append(signatures, single)
		}
	}
	sum, err := bls.Aggregate(signatures)
	if err != nil {
		// They cancel out: a quorum has chosen its keys such that together they
		// cannot sign. Then there is no certificate.
		return part{}, false
	}
	p.made = part{signers, sum}
	return p.made, true
}
