package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

func lie(t testing.TB, m *ledgertest.Mesh, chain string, ops ...*ledger.Operation) *ledgertest.Lie {
	t.Helper()
	l, err := m.Lie(chain, ledgertest.WrongRoot, ops...)
	must(t, err)
	return l
}

func opened(t testing.TB, proof *attest.FaultProof) *attest.Transition {
	t.Helper()
	body, err := attest.DecodeTransition(proof.Body)
	must(t, err)
	return body
}

func wantRule(t testing.TB, err error, rule attest.Rule) {
	t.Helper()
	if !errors.Is(err, rule) {
		t.Errorf("%v, want %v", err, rule)
	}
}

func TestWhoCertifiesAWrongEpochIsConvicted(t *testing.T) {
	m := play(t, 2, 4, nil)
	round(t, m)
	l := lie(t, m, "beta")
	law, set := m.Manifest.Law(), m.Set("beta", 2)
	accused, err := attest.Peek(l.Proof)
	must(t, err)
	refutes := attest.Refuted{ChainID: "beta", Epoch: 2, Root: l.Certificate.Checkpoint.Root()}
	if accused.ChainID != "beta" || accused.Epoch != 2 || accused.ValidatorsRoot != set.Root() || accused.Accused.Count() != 4 || accused.Refutes != refutes {
		t.Errorf("%+v", accused)
	}
	f, err := attest.VerifyFault(law, set, l.Proof)
	must(t, err)
	if f.Kind() != attest.FaultInvalidTransition || len(f.Offenders()) != 4 || f.Refutes() != refutes {
		t.Errorf("%+v", f)
	}
	_, err = attest.VerifyFault(m.ID, set, l.Proof)
	wantRule(t, err, attest.RuleUnsupported)
	_, err = attest.VerifyFault(law, m.Set("alpha", 2), l.Proof)
	wantRule(t, err, attest.RuleWrongSet)

	ids := m.Chains[1].Validators
	for away, want := range map[int]attest.Rule{1: 0, 2: attest.RuleQuorum} {
		var absent []ledger.AccountID
		for _, v := range ids[:away] {
			absent = append(absent, v.ID)
		}
		cert, err := m.CertifyWithout(&l.Certificate.Checkpoint, absent...)
		must(t, err)
		proof, err := attest.BuildTransition(l.Previous, cert, opened(t, l.Proof).Evidence)
		must(t, err)
		f, err := attest.VerifyFault(law, set, proof)
		switch {
		case want != 0:
			wantRule(t, err, want)
		case err != nil:
			t.Error(err)
		case len(f.Offenders()) != 4-away || slices.ContainsFunc(f.Offenders(), func(o attest.Offender) bool { return slices.Contains(absent, o.Account) }):
			t.Errorf("%d are away: %+v", away, f.Offenders())
		}
	}

	// The same evidence and another checkpoint, or the honest one.
	honest, err := m.Certify(l.Honest.Checkpoint)
	must(t, err)
	proof, err := attest.BuildTransition(l.Previous, honest, opened(t, l.Proof).Evidence)
	must(t, err)
	_, err = attest.VerifyFault(law, set, proof)
	wantRule(t, err, attest.RuleTransition)
	forged := *l.Certificate
	forged.Checkpoint.BlockHash[0] ^= 1
	proof, err = attest.BuildTransition(l.Previous, &forged, opened(t, l.Proof).Evidence)
	must(t, err)
	_, err = attest.VerifyFault(law, set, proof)
	wantRule(t, err, attest.RuleSignature)
	_, err = attest.BuildTransition(m.Head("alpha").Checkpoint, l.Certificate, nil)
	wantRule(t, err, attest.RuleTransition)
}

func TestWhoClaimsToHaveExecutedAWrongEpochIsConvicted(t *testing.T) {
	m := play(t, 2, 4, nil)
	round(t, m)
	l := lie(t, m, "beta")
	bad := &l.Certificate.Checkpoint
	law, set := m.Manifest.Law(), m.Set("alpha", 2)
	later := []*attest.Checkpoint{
		{ChainID: bad.ChainID, Epoch: 3, Parent: bad.Root(), Height: 1},
		{ChainID: bad.ChainID, Epoch: 4, Height: 2},
	}
	later[1].Parent = later[0].Root()
	claim := func(from, to uint64, root [32]byte) *attest.CrossClaim {
		return &attest.CrossClaim{ChainID: []byte("alpha"), Epoch: 2, Peer: []byte("beta"), FromEpoch: from, ToEpoch: to, ToRoot: root}
	}
	culprit := m.Chains[0].Validators[1].ID
	for name, c := range map[string]struct {
		claim *attest.CrossClaim
		later []*attest.Checkpoint
		rule  attest.Rule
	}{
		"up to it":              {claim(1, 2, bad.Root()), nil, 0},
		"from genesis":          {claim(0, 2, bad.Root()), nil, 0},
		"beyond it":             {claim(0, 4, later[1].Root()), later, 0},
		"from it on":            {claim(2, 4, later[1].Root()), later, attest.RuleTransition},
		"the other branch":      {claim(1, 2, l.Honest.Checkpoint.Root()), nil, attest.RuleTransition},
		"no link":               {claim(1, 4, later[1].Root()), later[1:], attest.RuleTransition},
		"too few links":         {claim(1, 4, later[1].Root()), later[:1], attest.RuleTransition},
		"more links":            {claim(1, 3, later[0].Root()), later, attest.RuleTransition},
		"another epoch, a root": {claim(1, 3, bad.Root()), nil, attest.RuleTransition},
	} {
		cross, err := m.Attests(c.claim, culprit)
		must(t, err)
		proof, err := opened(t, l.Proof).Covering(set, cross, c.later)
		if c.rule != 0 {
			if err == nil {
				t.Errorf("%s: it is covered", name)
			} else {
				wantRule(t, err, c.rule)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f, err := attest.VerifyFault(law, set, proof)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if o := f.Offenders(); f.ChainID() != "alpha" || f.Epoch() != 2 || len(o) != 1 || o[0].Account != culprit || f.Refutes().ChainID != "beta" {
			t.Errorf("%s: %s %d %+v", name, f.ChainID(), f.Epoch(), o)
		}
		body := opened(t, proof) // the same, by somebody else
		i, _ := set.Index(m.Chains[0].Validators[1].Key.PublicKey().Bytes())
		body.Signers = attest.NewBits(4)
		attest.Bits(body.Signers).Set((i + 1) % 4)
		encoded, err := attest.EncodeTransition(body)
		must(t, err)
		_, err = attest.VerifyFault(law, set, &attest.FaultProof{Kind: proof.Kind, Body: encoded})
		wantRule(t, err, attest.RuleSignature)
	}
	// Who claims that the honest epoch is right is none of it.
	cross, err := m.Attests(claim(1, 2, l.Honest.Checkpoint.Root()), culprit)
	must(t, err)
	body := opened(t, l.Proof)
	body.Checkpoint = *l.Honest.Checkpoint
	proof, err := body.Covering(set, cross, nil)
	must(t, err)
	_, err = attest.VerifyFault(law, set, proof)
	wantRule(t, err, attest.RuleTransition)
}

// A step can be the judgement of a proof, which is then run again with all in it. A proof
// about a proof about a proof is not taken, and what it would be about is still honest.
func TestAProofAboutAProof(t *testing.T) {
	m := play(t, 3, 4, nil)
	round(t, m)
	round(t, m)
	law := m.Manifest.Law()
	submitted := func(chain string, proof *attest.FaultProof) (ops []*ledger.Operation, change func(*ledger.Transcript, *attest.Checkpoint)) {
		ops, err := m.Relay(chain)
		must(t, err)
		op, err := m.SubmitFault(chain, proof, m.Chains[0].Validators[0].ID)
		must(t, err)
		return append(ops, op), func(t *ledger.Transcript, _ *attest.Checkpoint) { t.Steps[len(ops)-1].Receipt[0] ^= 1 }
	}
	first := lie(t, m, "gamma")
	ops, change := submitted("alpha", first.Proof)
	second, err := m.Lie("alpha", change, ops...)
	must(t, err)
	t.Logf("a proof of %d bytes about one of %d bytes", len(second.Proof.Body), len(first.Proof.Body))
	_, err = attest.VerifyFault(law, m.Set("alpha", 3), second.Proof)
	must(t, err)

	ops, change = submitted("beta", second.Proof)
	if _, err := m.Lie("beta", change, ops...); err == nil || !strings.Contains(err.Error(), "proof about a proof about a proof") {
		t.Errorf("the third: %v", err)
	}
	epoch(t, m, "beta", ops...)
	for _, chain := range []string{"alpha", "gamma"} {
		if n := len(peerOffenders(t, m, chain)); (n == 4) != (chain == "alpha") {
			t.Errorf("beta has convicted %d of %s", n, chain)
		}
	}
}

func peerOffenders(t testing.TB, m *ledgertest.Mesh, chain string) (out []ledger.AccountID) {
	t.Helper()
	faults, err := m.Reader("beta").Faults()
	must(t, err)
	for _, f := range faults {
		if f.Chain == chain {
			out = append(out, f.Offenders...)
		}
	}
	return out
}
