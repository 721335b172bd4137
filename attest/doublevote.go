package attest

import "bytes"

// BuildDoubleVote makes the canonical proof that whoever signed both a and b, each a
// single vote or an aggregate of one set, signed two checkpoints of one epoch. Their
// order does not matter. It verifies no signature. Errors: [RuleContradiction] if
// the checkpoints are the same, or of another chain or epoch, [RuleOffender] if
// nobody signed both, and those of a malformed input.
func BuildDoubleVote(set *Set, a, b *Certificate) (*FaultProof, error) {
	for _, side := range []*Certificate{a, b} {
		if err := side.check(); err != nil {
			return nil, err
		}
		if n := Bits(side.Signers).Len(); n != set.Len() {
			return nil, refuse(RuleBitfield, "%d bits for %d validators", n, set.Len())
		}
	}
	rootA, rootB := a.Checkpoint.Root(), b.Checkpoint.Root()
	if bytes.Compare(rootA[:], rootB[:]) > 0 {
		a, b = b, a
	}
	body, err := EncodeDoubleVote(&DoubleVote{set.Root(), *a, *b})
	if err != nil {
		return nil, err
	}
	return &FaultProof{uint8(FaultDoubleVote), body}, nil
}

// check is everything but the signatures and that the bitfields fit the set.
func (d *DoubleVote) check() error {
	if err := d.First.check(); err != nil {
		return err
	}
	if err := d.Second.check(); err != nil {
		return err
	}
	first, second := &d.First.Checkpoint, &d.Second.Checkpoint
	if !bytes.Equal(first.ChainID, second.ChainID) {
		return refuse(RuleContradiction, "chains %s and %s", first.ChainID, second.ChainID)
	}
	if first.Epoch != second.Epoch {
		return refuse(RuleContradiction, "epochs %d and %d", first.Epoch, second.Epoch)
	}
	rootFirst, rootSecond := first.Root(), second.Root()
	switch bytes.Compare(rootFirst[:], rootSecond[:]) {
	case 0:
		return refuse(RuleContradiction, "both sides are checkpoint %x", rootFirst)
	case 1:
		return refuse(RuleOrder, "%x before %x", rootFirst, rootSecond)
	}
	if a, b := Bits(d.First.Signers).Len(), Bits(d.Second.Signers).Len(); a != b {
		return refuse(RuleBitfield, "%d and %d bits", a, b)
	}
	if d.accused().Count() == 0 {
		return refuse(RuleOffender, "epoch %d of %s", first.Epoch, first.ChainID)
	}
	return nil
}

func (d *DoubleVote) accused() Bits { return Bits(d.First.Signers).And(d.Second.Signers) }

func (d *DoubleVote) accusation() Accusation {
	return Accusation{
		ChainID:        string(d.First.Checkpoint.ChainID),
		Epoch:          d.First.Checkpoint.Epoch,
		ValidatorsRoot: d.ValidatorsRoot,
		Accused:        d.accused(),
	}
}

func (d *DoubleVote) verify(law Law, set *Set) error {
	if set.root != d.ValidatorsRoot {
		return refuse(RuleWrongSet, "set %x, the proof names %x", set.root, d.ValidatorsRoot)
	}
	net := law.Network()
	for _, side := range []*Certificate{&d.First, &d.Second} {
		if _, err := verifyAggregate(set, side.Signers, side.Signature, side.Checkpoint.SigningRoot(net)); err != nil {
			return err
		}
	}
	return nil
}
