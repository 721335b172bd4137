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
	a, b comet.Vote
	// What the evidence says of itself, signed by nobody.
	total, power int64
	time         time.Time
	from         cometCarrier
}

// cometCarrier is what the evidence was found in.
type cometCarrier struct {
	chainID string
	block   *cometBlock
	keys    []comet.Key
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
	return comet.Message(nil).Embed(1, d.a.Proto()).Embed(2, d.b.Proto()).
		Int(3, d.total).Int(4, d.power).Embed(5, comet.Timestamp(d.time))
}

func (d *cometDoubleVote) kind() attest.FaultKind { return attest.FaultConsensusEquivocation }

// examine is what can be said without a key: form, chain, block, contradiction.
func (d *cometDoubleVote) examine(known *cometKnown) (*reportWriter, error) {
	chainID, wrongChain, err := known.chain(d.from.chainID)
	if err != nil {
		return nil, err
	}
	r := newCometReport(d.kind().String(), chainID, d.a.Height)
	for _, side := range d.sides() {
		if err := side.vote.Check(); err != nil {
			r.step("form", fmt.Errorf("%s: %w", side.name, err), "")
			return r, nil
		}
	}
	_ = r.step("form", nil, "two %ss of round %d", voteName(d.a.Type), d.a.Round) &&
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
	key, err := known.key(d.a.Address, d.from)
	if missing := (*Missing)(nil); errors.As(err, &missing) {
		return nil, err
	}
	if !r.step("key", err, "%s %x", key.Type, key.Bytes) {
		return r, nil
	}
	power, total, err := d.powers(known)
	if !r.step("power", err, "%s", d.powerSource(known, power, total)) {
		return r, nil
	}
	scheme := comet.NewScheme(&known.forms)
	for _, side := range d.sides() {
		failed := fmt.Errorf("the signature of %s is not that of %X for chain %s", side.name, d.a.Address, r.Chain)
		if !r.must("signature of "+side.name, key.Verify(side.vote.SignBytes(r.Chain), side.vote.Signature, scheme), failed, "valid over %s", &side.vote.Block) {
			return r, nil
		}
	}
	r.convict(map[string]int64{string(d.a.Address): power}, total)
	return r, nil
}

type cometSide struct {
	name string
	vote *comet.Vote
}

func (d *cometDoubleVote) sides() []cometSide { return []cometSide{{"vote_a", &d.a}, {"vote_b", &d.b}} }

// contradicts checks that one validator may not sign both.
func (d *cometDoubleVote) contradicts(r *reportWriter) bool {
	a, b := &d.a, &d.b
	order := "in the order that CometBFT wants"
	if !a.Block.Precedes(&b.Block) {
		order = "not in the order that CometBFT wants: it would refuse the file as it is"
	}
	return r.must("validator", bytes.Equal(a.Address, b.Address) && a.Index == b.Index,
		fmt.Errorf("the votes are of two validators, %X at index %d and %X at index %d", a.Address, a.Index, b.Address, b.Index),
		"%X at index %d", a.Address, a.Index) &&
		r.must("height", a.Height == b.Height, fmt.Errorf("the votes are of two heights, %d and %d", a.Height, b.Height), "%d", a.Height) &&
		r.must("round", a.Round == b.Round, fmt.Errorf("the votes are of two rounds, %d and %d", a.Round, b.Round), "%d", a.Round) &&
		r.must("type", a.Type == b.Type, fmt.Errorf("the votes are of two types, a %s and a %s", voteName(a.Type), voteName(b.Type)), "%s", voteName(a.Type)) &&
		r.must("blocks", !a.Block.Equal(&b.Block), fmt.Errorf("both votes are for the same block, %s", &a.Block), "%s and %s, %s", a.Block.Short(), b.Block.Short(), order)
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
	v, ok := known.set.Find(d.a.Address)
	if !ok {
		return 0, 0, fmt.Errorf("%X is not in the validator set that was given", d.a.Address)
	}
	return v.Power, known.set.Total(), nil
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

func voteName(kind int64) string {
	if kind == comet.Prevote {
		return "prevote"
	}
	return "precommit"
}
