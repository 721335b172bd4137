package attest

import "github.com/meshsec/meshsec/bls"

// Refuted names a checkpoint that is proven to be wrong. The zero value names none.
type Refuted struct {
	ChainID string
	Epoch   uint64
	Root    [32]byte // of the checkpoint
}

// JudgeTransition implements [Law]: a network's id alone does not say what a ledger's
// rules are.
func (n Network) JudgeTransition(_, next *Checkpoint, _ []byte) error {
	return refuse(RuleUnsupported, "whether epoch %d of %s is wrong takes the network's manifest", next.Epoch, next.ChainID)
}

// NotShown is the error of a [Law] for evidence that shows nothing.
func NotShown(format string, args ...any) error { return refuse(RuleTransition, format, args...) }

// BuildTransition makes the canonical proof that the signers of a certificate, of the
// set that previous committed to, certified what can't follow previous. It verifies
// neither signature nor evidence. The errors are those of a malformed input.
func BuildTransition(previous *Checkpoint, c *Certificate, evidence []byte) (*FaultProof, error) {
	return buildTransition(&Transition{
		Previous: *previous, Checkpoint: c.Checkpoint, ValidatorsRoot: previous.ValidatorsRoot,
		Signers: c.Signers, Signature: c.Signature, Evidence: evidence,
	})
}

// Covering is the proof that whoever signed a claim, of set, claims to have re-executed
// the checkpoint that t refutes. later are the checkpoints that lead from that to the
// one which the claim names, none if it is that one. It verifies neither signature nor
// evidence. The errors are those of a malformed input, and [RuleTransition] if the claim
// does not cover the checkpoint.
func (t *Transition) Covering(set *Set, c *CrossCertificate, later []*Checkpoint) (*FaultProof, error) {
	return buildTransition(&Transition{
		Previous: t.Previous, Checkpoint: t.Checkpoint, Claim: []*CrossClaim{&c.Claim}, Later: later,
		ValidatorsRoot: set.Root(), Signers: c.Signers, Signature: c.Signature, Evidence: t.Evidence,
	})
}

func buildTransition(t *Transition) (*FaultProof, error) {
	body, err := EncodeTransition(t)
	if err != nil {
		return nil, err
	}
	proof := &FaultProof{uint8(FaultInvalidTransition), body}
	return proof, proof.check()
}

// check is everything but the signature, that the bitfield fits the set, and what the
// evidence shows.
func (t *Transition) check() error {
	if err := t.Previous.check(); err != nil {
		return err
	}
	if err := t.Checkpoint.checkSignable(); err != nil {
		return err
	}
	if err := checkSigners(t.Signers); err != nil {
		return err
	}
	if err := leads(&t.Previous, &t.Checkpoint); err != nil {
		return err
	}
	if len(t.Claim) > 1 || len(t.Later) > MaxLater {
		return refuse(RuleTransition, "%d claims and %d checkpoints after it", len(t.Claim), len(t.Later))
	}
	if len(t.Claim) == 0 {
		switch {
		case len(t.Later) > 0:
			return refuse(RuleTransition, "%d checkpoints lead to no claim", len(t.Later))
		case t.ValidatorsRoot != t.Previous.ValidatorsRoot:
			return refuse(RuleTransition, "set %x signs the epoch, the proof names %x", t.Previous.ValidatorsRoot, t.ValidatorsRoot)
		}
		return nil
	}
	return t.checkClaim()
}

// checkClaim checks that the claim covers the checkpoint.
func (t *Transition) checkClaim() error {
	claim := t.Claim[0]
	if claim == nil {
		return refuse(RuleTransition, "the claim is nil")
	}
	if err := claim.check(); err != nil {
		return err
	}
	if string(claim.Peer) != string(t.Checkpoint.ChainID) || claim.FromEpoch >= t.Checkpoint.Epoch {
		return refuse(RuleTransition, "a claim about %s from epoch %d on does not cover epoch %d of %s", claim.Peer, claim.FromEpoch, t.Checkpoint.Epoch, t.Checkpoint.ChainID)
	}
	last := &t.Checkpoint
	for _, next := range t.Later {
		if next == nil {
			return refuse(RuleTransition, "a checkpoint is nil")
		}
		if err := next.check(); err != nil {
			return err
		}
		if err := leads(last, next); err != nil {
			return err
		}
		last = next
	}
	if root := last.Root(); last.Epoch != claim.ToEpoch || root != claim.ToRoot {
		return refuse(RuleTransition, "the checkpoints lead to epoch %d, %x, the claim to epoch %d, %x", last.Epoch, root, claim.ToEpoch, claim.ToRoot)
	}
	return nil
}

// leads checks that a checkpoint continues another one.
func leads(from, to *Checkpoint) error {
	if string(from.ChainID) != string(to.ChainID) || from.Epoch+1 != to.Epoch || from.Root() != to.Parent {
		return refuse(RuleTransition, "epoch %d of %s does not continue epoch %d of %s", to.Epoch, to.ChainID, from.Epoch, from.ChainID)
	}
	return nil
}

func (t *Transition) accusation() Accusation {
	a := Accusation{
		ChainID: string(t.Checkpoint.ChainID), Epoch: t.Checkpoint.Epoch, ValidatorsRoot: t.ValidatorsRoot, Accused: t.Signers,
		Refutes: Refuted{string(t.Checkpoint.ChainID), t.Checkpoint.Epoch, t.Checkpoint.Root()},
	}
	if len(t.Claim) > 0 {
		a.ChainID, a.Epoch = string(t.Claim[0].ChainID), t.Claim[0].Epoch
	}
	return a
}

// verify asks for more than 2/3 of the power behind a checkpoint: a wrong one without
// them harms nobody, and may come from a broken machine.
func (t *Transition) verify(law Law, set *Set) error {
	if set.root != t.ValidatorsRoot {
		return refuse(RuleWrongSet, "set %x, the proof names %x", set.root, t.ValidatorsRoot)
	}
	message := t.Checkpoint.SigningRoot(law.Network())
	if len(t.Claim) > 0 {
		message = t.Claim[0].SigningRoot(law.Network())
	} else if err := checkQuorum(set, t.Signers); err != nil {
		return err
	}
	if _, err := verifyAggregate(set, t.Signers, t.Signature, message); err != nil {
		return err
	}
	return law.JudgeTransition(&t.Previous, &t.Checkpoint, t.Evidence)
}

// TogetherCross adds up cross-attestations with the same claim, by members of set, into
// one aggregate, be it of a single one. It verifies no signature that is a valid point.
// Errors: [RuleSigner], [RuleSignature], [RuleClaim] if the claims differ, or there is
// none.
func TogetherCross(set *Set, votes []*CrossAttestation) (*CrossCertificate, error) {
	if len(votes) == 0 {
		return nil, refuse(RuleClaim, "there is none")
	}
	claim, signers := &votes[0].Claim, NewBits(set.Len())
	root := claim.Root()
	var signatures []bls.Signature
	for _, v := range votes {
		i, ok := set.Index(v.Signer)
		switch {
		case v.Claim.Root() != root:
			return nil, refuse(RuleClaim, "two claims of epoch %d", claim.Epoch)
		case !ok:
			return nil, refuse(RuleSigner, "%x", v.Signer)
		case signers.Get(i):
			continue
		}
		signature, err := bls.ParseSignature(v.Signature[:])
		if err != nil {
			return nil, refuse(RuleSignature, "%v", err)
		}
		signers.Set(i)
		signatures = append(signatures, signature)
	}
	sum, err := bls.Aggregate(signatures)
	if err != nil {
		return nil, refuse(RuleSignature, "%v", err)
	}
	return &CrossCertificate{cloneClaim(claim), signers, sum.Bytes()}, nil
}
