package attest_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// successor is a checkpoint that continues another one.
func successor(cp *attest.Checkpoint) *attest.Checkpoint {
	next := *cp
	next.Epoch, next.Parent, next.Height = cp.Epoch+1, cp.Root(), cp.Height+10
	return &next
}

func drawTransition(t *rapid.T) *attest.Transition {
	previous := drawCheckpoint(t)
	previous.Epoch = rapid.Uint64Max(1<<40).Draw(t, "before")
	next := successor(previous)
	tr := &attest.Transition{
		Previous: *previous, Checkpoint: *next, ValidatorsRoot: previous.ValidatorsRoot, Signers: drawSigners(t), Signature: drawArray96(t),
		Claim: []*attest.CrossClaim{}, Later: []*attest.Checkpoint{},
		Evidence: rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "evidence"),
	}
	if rapid.Bool().Draw(t, "claim") {
		tr.ValidatorsRoot = drawArray32(t)
		last := next
		for range rapid.IntRange(0, 3).Draw(t, "later") {
			last = successor(last)
			tr.Later = append(tr.Later, last)
		}
		by := append(bytes.Clone(previous.ChainID[1:]), '-', 'x')
		if len(by) > attest.MaxChainID {
			by = by[1:]
		}
		tr.Claim = append(tr.Claim, &attest.CrossClaim{
			ChainID: by, Epoch: rapid.Uint64Min(1).Draw(t, "epoch"), Peer: previous.ChainID,
			FromEpoch: rapid.Uint64Max(previous.Epoch).Draw(t, "from"), FromRoot: drawArray32(t), ToEpoch: last.Epoch, ToRoot: last.Root(),
		})
	}
	return tr
}

// largestTransition fills the limit with evidence.
func largestTransition(chain []byte) *attest.Transition {
	full := attest.NewBits(attest.MaxValidators)
	full.Set(0)
	previous := checkpoint(1, "")
	previous.ChainID = chain
	tr := &attest.Transition{Previous: *previous, Checkpoint: *successor(previous), ValidatorsRoot: previous.ValidatorsRoot, Signers: full}
	empty, err := tr.MarshalSSZ()
	if err != nil {
		panic(err)
	}
	tr.Evidence = make([]byte, attest.MaxTransitionSize-len(empty))
	return tr
}

// partial is a law that knows one piece of evidence.
type partial struct {
	attest.Law
	evidence string
}

func (p partial) JudgeTransition(_, _ *attest.Checkpoint, evidence []byte) error {
	if string(evidence) != p.evidence {
		return attest.NotShown("it is %q", evidence)
	}
	return nil
}

// transition is the proof that some of the cast certified what can't follow an epoch.
func (c *cast) transition(t tb, evidence string, who ...int) *attest.FaultProof {
	previous := checkpoint(6, "before")
	previous.ValidatorsRoot = c.set.Root()
	proof, err := attest.BuildTransition(previous, c.certificate(t, successor(previous), who...), []byte(evidence))
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func TestTransitionNeedsSignaturesAndEvidence(t *testing.T) {
	c := equalCast(t, 4)
	law := partial{testNet, "shown"}
	good := c.transition(t, "shown", 1, 2, 3)
	change := func(f func(*attest.Transition)) *attest.FaultProof {
		tr := must[*attest.Transition](t)(attest.DecodeTransition(good.Body))
		f(tr)
		return &attest.FaultProof{Kind: good.Kind, Body: must[[]byte](t)(tr.MarshalSSZ())}
	}
	v := must[attest.VerifiedFault](t)(attest.VerifyFault(law, c.set, good))
	if v.Kind() != attest.FaultInvalidTransition || v.Epoch() != 7 || len(v.Offenders()) != 3 || v.Refutes().Epoch != 7 {
		t.Errorf("%+v", v)
	}
	for _, k := range []struct {
		name  string
		law   attest.Law
		proof *attest.FaultProof
		rule  attest.Rule
	}{
		{"no rules known", testNet, good, attest.RuleUnsupported},
		{"other network", partial{attest.Network{1}, "shown"}, good, attest.RuleSignature},
		{"no quorum", law, c.transition(t, "shown", 2, 3), attest.RuleQuorum},
		{"other evidence", law, c.transition(t, "made up", 1, 2, 3), attest.RuleTransition},
		{"innocent added", law, change(func(tr *attest.Transition) { attest.Bits(tr.Signers).Set(0) }), attest.RuleSignature},
		{"longer bitfield", law, change(func(tr *attest.Transition) { tr.Signers = []byte{0x3e} }), attest.RuleBitfield},
		{"nobody", law, change(func(tr *attest.Transition) { tr.Signers = attest.NewBits(4) }), attest.RuleBitfield},
		{"another epoch before", law, change(func(tr *attest.Transition) { tr.Previous.Height++ }), attest.RuleTransition},
		{"an epoch between", law, change(func(tr *attest.Transition) { tr.Checkpoint.Epoch++ }), attest.RuleTransition},
		{"another chain", law, change(func(tr *attest.Transition) { tr.Checkpoint.ChainID = []byte("other") }), attest.RuleTransition},
		{"another set", law, change(func(tr *attest.Transition) { tr.ValidatorsRoot[0] ^= 1 }), attest.RuleTransition},
		{"a checkpoint too much", law, change(func(tr *attest.Transition) { tr.Later = append(tr.Later, successor(&tr.Checkpoint)) }), attest.RuleTransition},
		{"more evidence", law, &attest.FaultProof{Kind: 2, Body: append(bytes.Clone(good.Body), 0)}, attest.RuleTransition},
		{"an offset moved", law, &attest.FaultProof{Kind: 2, Body: append([]byte{good.Body[0] + 1}, good.Body[1:]...)}, attest.RuleEncoding},
	} {
		t.Run(k.name, func(t *testing.T) {
			v, err := attest.VerifyFault(k.law, c.set, k.proof)
			wantRule(t, err, k.rule)
			if !v.IsZero() {
				t.Error("a refused proof convicts")
			}
		})
	}
}
