package attest

import (
	"iter"

	"github.com/meshsec/meshsec/bls"
)

// Outcome is what a tally did with what it was given.
type Outcome uint8

// The outcomes.
const (
	OutcomeForeign    Outcome = iota // the zero value, or of another network, chain, epoch or set; nothing changed
	OutcomeNew                       // counted
	OutcomeDuplicate                 // known already
	OutcomeDoubleVote                // contradicts what a validator said before: there is a proof
	OutcomeIgnored                   // by someone convicted already, or of no use any more
)

// String is the outcome's stable name.
func (o Outcome) String() string {
	switch o {
	case OutcomeForeign:
		return "foreign"
	case OutcomeNew:
		return "new"
	case OutcomeDuplicate:
		return "duplicate"
	case OutcomeDoubleVote:
		return "double_vote"
	case OutcomeIgnored:
		return "ignored"
	}
	return "unknown"
}

// Tally collects the votes of one epoch of one chain, makes certificates of them,
// and proofs of the double votes among them.
//
// Of every validator the first checkpoint counts, whether it came as a vote or in an
// aggregate. The second distinct one makes a proof; all further ones of that
// validator are ignored. So every validator is convicted once, and with it the
// memory is bounded by the size of the set. Which checkpoint of a double voter
// counts depends on the order of arrival; that there is a proof does not.
//
// It is a value machine: no clock, no goroutine, the result depends on the calls
// alone. It is not safe for concurrent use.
type Tally struct {
	net     Network
	set     *Set
	chainID string
	epoch   uint64

	heard   []heard
	piles   map[[32]byte]*checkpointPile
	decided *checkpointPile // the first with a quorum
	forked  bool
}

// heard is what a tally knows of one validator.
type heard struct {
	on        *checkpointPile   // nil: nothing yet
	aggregate VerifiedAggregate // from which it was first known; zero if from a vote
	vote      VerifiedVote      // zero if known from aggregates only
	convicted bool
}

type checkpointPile struct {
	*pile
	root       [32]byte
	checkpoint *Checkpoint
}

// NewTally is an empty tally of what the validators of set, which signs that epoch
// of that chain, say.
func NewTally(net Network, set *Set, chainID string, epoch uint64) *Tally {
	return &Tally{
		net:     net,
		set:     set,
		chainID: chainID,
		epoch:   epoch,
		heard:   make([]heard, set.Len()),
		piles:   make(map[[32]byte]*checkpointPile),
	}
}

// Add takes a vote. With [OutcomeDoubleVote], and only then, it returns the proof,
// which convicts the voter and nobody else.
func (t *Tally) Add(v VerifiedVote) (Outcome, *FaultProof) {
	if v.IsZero() || !t.concerns(v.candidate.net, v.candidate.set, v.candidate.checkpoint) {
		return OutcomeForeign, nil
	}
	h := &t.heard[v.Index()]
	switch {
	case h.convicted:
		return OutcomeIgnored, nil
	case h.on == nil:
		h.on = t.pileOf(v.candidate.checkpoint, v.Root())
	case h.on.root != v.Root():
		h.convicted = true
		return OutcomeDoubleVote, t.prove(h.evidence(), v.Aggregate())
	case !h.vote.IsZero():
		return OutcomeDuplicate, nil
	}
	h.vote = v
	h.on.add(v.Index(), v.candidate.signature)
	t.decide(h.on)
	return OutcomeNew, nil
}

// AddCertificate is [Tally.AddAggregate] for a certificate.
func (t *Tally) AddCertificate(c VerifiedCertificate) (Outcome, []*FaultProof) {
	return t.AddAggregate(c.aggregate)
}

// AddAggregate takes an aggregate. With [OutcomeDoubleVote], and only then, it
// returns proofs: against signers who said something else before. Each proof
// convicts at least one validator for the first time, and each such validator is
// new in one proof only; those already convicted can be in the bitfields again,
// since an aggregate cannot be taken apart.
func (t *Tally) AddAggregate(a VerifiedAggregate) (Outcome, []*FaultProof) {
	if a.IsZero() || !t.concerns(a.net, a.set, &a.certificate.Checkpoint) {
		return OutcomeForeign, nil
	}
	proofs := t.convict(a)
	p, news := t.piles[a.root], false
	for i := range Bits(a.certificate.Signers).Ones() {
		if h := &t.heard[i]; h.on == nil {
			p = t.pileOf(&a.certificate.Checkpoint, a.root)
			h.on, h.aggregate, news = p, a, true
		}
	}
	if p == nil && checkQuorum(t.set, a.certificate.Signers) == nil {
		// All its signers said something else before; still it is a certificate.
		if t.decided == nil {
			p = t.pileOf(&a.certificate.Checkpoint, a.root)
		} else {
			t.forked = true
		}
	}
	if p != nil {
		news = p.addAggregate(a.certificate.Signers, a.signature) || news
		t.decide(p)
	}
	switch {
	case len(proofs) > 0:
		return OutcomeDoubleVote, proofs
	case news:
		return OutcomeNew, nil
	case p != nil:
		return OutcomeDuplicate, nil
	}
	return OutcomeIgnored, nil
}

// Certificate is the best certificate so far, if there is a quorum. When there are
// several checkpoints with one, it is about the one that had it first. Like one from
// elsewhere it takes [VerifyCertificate] to be believed.
func (t *Tally) Certificate() (*Certificate, bool) {
	if t.decided == nil {
		return nil, false
	}
	best, ok := t.decided.certificate()
	if !ok {
		return nil, false
	}
	return &Certificate{cloneCheckpoint(t.decided.checkpoint), best.signers.Clone(), best.signature.Bytes()}, true
}

// Forked says whether more than one checkpoint has had a quorum: the chain has
// failed, and neither branch must be followed.
func (t *Tally) Forked() bool { return t.forked }

func (t *Tally) concerns(net Network, set *Set, c *Checkpoint) bool {
	return net == t.net && set.root == t.set.root && string(c.ChainID) == t.chainID && c.Epoch == t.epoch
}

func (t *Tally) pileOf(c *Checkpoint, root [32]byte) *checkpointPile {
	p := t.piles[root]
	if p == nil {
		p = &checkpointPile{newPile(t.set), root, c}
		t.piles[root] = p
	}
	return p
}

func (t *Tally) decide(p *checkpointPile) {
	switch {
	case p == t.decided || !p.hasQuorum():
	case t.decided == nil:
		t.decided = p
	default:
		t.forked = true
	}
}

// convict makes the proofs against signers of a that said something else before.
func (t *Tally) convict(a VerifiedAggregate) (proofs []*FaultProof) {
	// First those known from an aggregate: that proof convicts all who are in both.
	for h := range t.contradicting(a) {
		if h.vote.IsZero() {
			for j := range Bits(h.aggregate.certificate.Signers).And(a.certificate.Signers).Ones() {
				t.heard[j].convicted = true
			}
			proofs = append(proofs, t.prove(h.aggregate, a))
		}
	}
	// Then the others, one proof for all who voted for the same checkpoint.
	votes := make(map[[32]byte][]VerifiedVote)
	var order [][32]byte // in which the roots occur
	for h := range t.contradicting(a) {
		h.convicted = true
		if votes[h.on.root] == nil {
			order = append(order, h.on.root)
		}
		votes[h.on.root] = append(votes[h.on.root], h.vote)
	}
	for _, root := range order {
		for _, joined := range joinVotes(votes[root]) {
			proofs = append(proofs, t.prove(joined, a))
		}
	}
	return proofs
}

// contradicting are the signers of a, in the order of the set, that said something
// else before and are not convicted at the time when they are reached.
func (t *Tally) contradicting(a VerifiedAggregate) iter.Seq[*heard] {
	return func(yield func(*heard) bool) {
		for i := range Bits(a.certificate.Signers).Ones() {
			h := &t.heard[i]
			if h.on != nil && h.on.root != a.root && !h.convicted && !yield(h) {
				return
			}
		}
	}
}

// joinVotes adds up votes for one checkpoint, so that one proof holds them. The keys
// of accomplices can be chosen such that their sum is infinity, which no verifier
// accepts; then the last vote stands alone, and the others have a sum.
func joinVotes(votes []VerifiedVote) []VerifiedAggregate {
	if len(votes) == 1 {
		return []VerifiedAggregate{votes[0].Aggregate()}
	}
	first := votes[0].candidate
	signers := NewBits(first.set.Len())
	signatures := make([]bls.Signature, len(votes))
	for i, v := range votes {
		signers.Set(v.Index())
		signatures[i] = v.candidate.signature
	}
	sum, err := bls.Aggregate(signatures)
	if err != nil {
		last := len(votes) - 1
		return append(joinVotes(votes[:last]), votes[last].Aggregate())
	}
	return []VerifiedAggregate{newVerifiedAggregate(first.net, first.set, first.checkpoint, signers, sum)}
}

// evidence is what h said first, as small as known.
func (h *heard) evidence() VerifiedAggregate {
	if !h.vote.IsZero() {
		return h.vote.Aggregate()
	}
	return h.aggregate
}

func (t *Tally) prove(a, b VerifiedAggregate) *FaultProof {
	proof, err := BuildDoubleVote(t.set, a.certificate, b.certificate)
	if err != nil {
		panic("attest: two verified contradictions make no proof: " + err.Error())
	}
	return proof
}
