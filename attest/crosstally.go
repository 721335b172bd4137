package attest

// CrossTally collects the cross-attestations of one chain about one peer in one
// epoch, and makes a cross-certificate of them. Of every validator the first claim
// counts, all others are ignored; to sign two is useless but no fault. Like [Tally]
// it is a value machine, bounded by the size of the set, and not safe for concurrent
// use.
type CrossTally struct {
	net     Network
	set     *Set
	chainID string
	epoch   uint64
	peer    string

	heard   []*claimPile // by validator; nil: nothing yet
	piles   map[[32]byte]*claimPile
	decided *claimPile // the first with a quorum
}

type claimPile struct {
	*pile
	root  [32]byte
	claim *CrossClaim
}

// NewCrossTally is an empty tally of what the validators of set, which signs that
// epoch of chainID, claim about peer.
func NewCrossTally(net Network, set *Set, chainID string, epoch uint64, peer string) *CrossTally {
	return &CrossTally{
		net:     net,
		set:     set,
		chainID: chainID,
		epoch:   epoch,
		peer:    peer,
		heard:   make([]*claimPile, set.Len()),
		piles:   make(map[[32]byte]*claimPile),
	}
}

// Add takes a vote. The outcome is never [OutcomeDoubleVote].
func (t *CrossTally) Add(v VerifiedCrossVote) Outcome {
	if v.IsZero() || !t.concerns(v.candidate.net, v.candidate.set, v.candidate.claim) {
		return OutcomeForeign
	}
	switch p := t.heard[v.Index()]; {
	case p == nil:
		p = t.pileOf(v.candidate.claim, v.Root())
		t.heard[v.Index()] = p
		p.add(v.Index(), v.candidate.signature)
		t.decide(p)
		return OutcomeNew
	case p.root == v.Root():
		return OutcomeDuplicate
	}
	return OutcomeIgnored
}

// AddCertificate takes a cross-certificate, which is new when it gives a better one
// than what was known. The outcome is never [OutcomeDoubleVote].
func (t *CrossTally) AddCertificate(c VerifiedCrossCertificate) Outcome {
	if c.IsZero() || !t.concerns(c.net, c.set, &c.certificate.Claim) {
		return OutcomeForeign
	}
	if t.decided != nil && t.decided.root != c.root {
		return OutcomeIgnored
	}
	p := t.pileOf(&c.certificate.Claim, c.root)
	if !p.addAggregate(c.certificate.Signers, c.signature) {
		return OutcomeDuplicate
	}
	t.decide(p)
	return OutcomeNew
}

// Certificate is the best cross-certificate so far, if there is a quorum. Like one
// from elsewhere it takes [VerifyCrossCertificate] to be believed.
func (t *CrossTally) Certificate() (*CrossCertificate, bool) {
	if t.decided == nil {
		return nil, false
	}
	best, ok := t.decided.certificate()
	if !ok {
		return nil, false
	}
	return &CrossCertificate{cloneClaim(t.decided.claim), best.signers.Clone(), best.signature.Bytes()}, true
}

func (t *CrossTally) concerns(net Network, set *Set, c *CrossClaim) bool {
	return net == t.net && set.root == t.set.root &&
		string(c.ChainID) == t.chainID && c.Epoch == t.epoch && string(c.Peer) == t.peer
}

func (t *CrossTally) pileOf(c *CrossClaim, root [32]byte) *claimPile {
	p := t.piles[root]
	if p == nil {
		p = &claimPile{newPile(t.set), root, c}
		t.piles[root] = p
	}
	return p
}

func (t *CrossTally) decide(p *claimPile) {
	if t.decided == nil && p.hasQuorum() {
		t.decided = p
	}
}
