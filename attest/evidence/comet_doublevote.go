package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// cometDoubleVote is DuplicateVoteEvidence: two votes of one validator in one round.
type cometDoubleVote struct {
	a, b cometVote
	// What the evidence says of itself, signed by nobody.
	total, power int64
	time         time.Time
	from         cometCarrier
}

// cometCarrier is what the evidence was found in.
type cometCarrier struct {
	chainID string
	block   *cometBlock
	keys    []cometKey
}

func readCometDoubleVote(f cometFields, from cometCarrier) *cometDoubleVote {
	return &cometDoubleVote{
		a:     readCometVote(f.open("votea")),
		b:     readCometVote(f.open("voteb")),
		total: f.number(64, "totalvotingpower"),
		power: f.number(64, "validatorpower"),
		time:  f.time("timestamp"),
		from:  from,
	}
}

// proto is tendermint.types.DuplicateVoteEvidence, a leaf of a block's evidence_hash.
func (d *cometDoubleVote) proto() comet.Message {
	return comet.Message(nil).Embed(1, d.a.proto()).Embed(2, d.b.proto()).
		Int(3, d.total).Int(4, d.power).Embed(5, comet.Timestamp(d.time))
}

func (d *cometDoubleVote) kind() attest.FaultKind { return attest.FaultConsensusEquivocation }

// examine is what can be said without a key: form, chain, block, contradiction.
func (d *cometDoubleVote) examine(known *cometKnown) (*reportWriter, error) {
	chainID, wrongChain, err := known.chain(d.from.chainID)
	if err != nil {
		return nil, err
	}
	r := newCometReport(d.kind().String(), chainID, d.a.height)
	for _, side := range d.sides() {
		if err := side.vote.check(); err != nil {
			r.step("form", fmt.Errorf("%s: %w", side.name, err), "")
			return r, nil
		}
	}
	_ = r.step("form", nil, "two %ss of round %d", voteName(d.a.kind), d.a.round) &&
		r.step("chain", wrongChain, "%s", chainID) &&
		(d.from.block == nil || d.from.block.judge(r)) &&
		d.contradicts(r)
	return r, nil
}

// judge goes from cheap to dear: what it is, key, signatures.
func (d *cometDoubleVote) judge(known *cometKnown) (*reportWriter, error) {
	r, err := d.examine(known)
	if err != nil || r.Failed != "" {
		return r, err
	}
	key, err := known.key(d.a.address, d.from)
	if missing := (*Missing)(nil); errors.As(err, &missing) {
		return nil, err
	}
	if !r.step("key", err, "%s %x", key.algorithm, key.encoded) {
		return r, nil
	}
	power, total, err := d.powers(known)
	if !r.step("power", err, "%s", d.powerSource(known, power, total)) {
		return r, nil
	}
	scheme := &cometScheme{forms: &known.forms}
	for _, side := range d.sides() {
		failed := fmt.Errorf("the signature of %s is not that of %X for chain %s", side.name, d.a.address, r.Chain)
		if !r.must("signature of "+side.name, key.verify(side.vote.signBytes(r.Chain), side.vote.signature, scheme), failed, "valid over %s", &side.vote.block) {
			return r, nil
		}
	}
	r.convict(map[string]int64{string(d.a.address): power}, total)
	return r, nil
}

type cometSide struct {
	name string
	vote *cometVote
}

func (d *cometDoubleVote) sides() []cometSide { return []cometSide{{"vote_a", &d.a}, {"vote_b", &d.b}} }

// contradicts checks that one validator may not sign both.
func (d *cometDoubleVote) contradicts(r *reportWriter) bool {
	a, b := &d.a, &d.b
	order := "in the order that CometBFT wants"
	if !a.block.precedes(&b.block) {
		order = "not in the order that CometBFT wants: it would refuse the file as it is"
	}
	return r.must("validator", bytes.Equal(a.address, b.address) && a.index == b.index,
		fmt.Errorf("the votes are of two validators, %X at index %d and %X at index %d", a.address, a.index, b.address, b.index),
		"%X at index %d", a.address, a.index) &&
		r.must("height", a.height == b.height, fmt.Errorf("the votes are of two heights, %d and %d", a.height, b.height), "%d", a.height) &&
		r.must("round", a.round == b.round, fmt.Errorf("the votes are of two rounds, %d and %d", a.round, b.round), "%d", a.round) &&
		r.must("type", a.kind == b.kind, fmt.Errorf("the votes are of two types, a %s and a %s", voteName(a.kind), voteName(b.kind)), "%s", voteName(a.kind)) &&
		r.must("blocks", !a.block.equal(&b.block), fmt.Errorf("both votes are for the same block, %s", &a.block), "%s and %s, %s", a.block.short(), b.block.short(), order)
}

// powers are those of the set that was given; else what the evidence claims, zero if
// it claims nothing.
func (d *cometDoubleVote) powers(known *cometKnown) (power, total int64, err error) {
	if known.set == nil {
		if d.power < 0 || d.total < d.power {
			return 0, 0, fmt.Errorf("the evidence claims a power of %d in a total of %d", d.power, d.total)
		}
		return d.power, d.total, nil
	}
	v, ok := known.set.find(d.a.address)
	if !ok {
		return 0, 0, fmt.Errorf("%X is not in the validator set that was given", d.a.address)
	}
	return v.power, known.set.total(), nil
}

func (d *cometDoubleVote) powerSource(known *cometKnown, power, total int64) string {
	switch {
	case known.set == nil && d.total == 0:
		return "unknown: give the validators of that height to see it"
	case known.set == nil:
		return fmt.Sprintf("%d of %d, as the evidence claims", power, total)
	case d.total != 0 && (d.power != power || d.total != total):
		return fmt.Sprintf("%d of %d in the set; the evidence claims %d of %d, for which CometBFT would refuse it", power, total, d.power, d.total)
	}
	return fmt.Sprintf("%d of %d", power, total)
}
