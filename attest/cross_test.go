package attest_test

import (
	"testing"

	"github.com/meshsec/meshsec/attest"
)

func TestCrossVoteVerifiesOnlyWhereItBelongs(t *testing.T) {
	c := equalCast(t, 4)
	cl := claim(3, "a")
	good := func() *attest.CrossAttestation { return c.crossAttestation(t, 1, cl) }

	v := must[attest.VerifiedCrossVote](t)(attest.VerifyCrossAttestation(testNet, c.set, good()))
	if v.Index() != 1 || v.Root() != cl.Root() || v.Signer() != c.set.At(1).Key || v.Claim().Root() != cl.Root() {
		t.Errorf("verified vote says something else: %+v", v)
	}
	must[attest.VerifiedCrossVote](t)(attest.VerifyCrossAttestation(testNet, c.set, v.CrossAttestation()))

	cases := []struct {
		name   string
		net    attest.Network
		set    *attest.Set
		change func(*attest.CrossAttestation)
		rule   attest.Rule
	}{
		{"other network", attest.Network{1}, c.set, func(*attest.CrossAttestation) {}, attest.RuleSignature},
		{"other set", testNet, equalCast(t, 1).set, func(*attest.CrossAttestation) {}, attest.RuleSigner},
		{"chains swapped", testNet, c.set, func(a *attest.CrossAttestation) {
			a.Claim.ChainID, a.Claim.Peer = a.Claim.Peer, a.Claim.ChainID
		}, attest.RuleSignature},
		{"further", testNet, c.set, func(a *attest.CrossAttestation) { a.Claim.ToEpoch++ }, attest.RuleSignature},
		{"nowhere", testNet, c.set, func(a *attest.CrossAttestation) { a.Claim.ToEpoch = a.Claim.FromEpoch }, attest.RuleClaim},
		{"epoch 0", testNet, c.set, func(a *attest.CrossAttestation) { a.Claim.Epoch = 0 }, attest.RuleEpoch},
		{"checkpoint domain", testNet, c.set, func(a *attest.CrossAttestation) {
			a.Signature = c.attestation(t, 1, checkpoint(3, "a")).Signature
		}, attest.RuleSignature},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			a := good()
			k.change(a)
			_, err := attest.VerifyCrossAttestation(k.net, k.set, a)
			wantRule(t, err, k.rule)
		})
	}
}

func TestCrossBatchBlamesTheBad(t *testing.T) {
	c := equalCast(t, 4)
	var candidates []attest.CandidateCrossVote
	for i := range 4 {
		a := c.crossAttestation(t, i, claim(1, "a"))
		if i == 2 {
			a.Signature = c.crossAttestation(t, i, claim(1, "b")).Signature
		}
		candidates = append(candidates, must[attest.CandidateCrossVote](t)(attest.CheckCrossAttestation(testNet, c.set, a)))
	}
	votes, errs := attest.VerifyCrossCandidates(candidates)
	for i, err := range errs {
		if i == 2 {
			wantRule(t, err, attest.RuleSignature)
		} else if err != nil {
			t.Errorf("vote %d is blamed: %v", i, err)
		}
		if votes[i].IsZero() != (i == 2) {
			t.Errorf("vote %d: zero is %v", i, votes[i].IsZero())
		}
	}
}

func TestCrossCertificateNeedsMoreThanTwoThirds(t *testing.T) {
	c := newCast(t, 100, 100, 100)
	cl := claim(1, "a")
	_, err := attest.VerifyCrossCertificate(testNet, c.set, c.crossCertificate(t, cl, 0, 1))
	wantRule(t, err, attest.RuleQuorum)
	v := must[attest.VerifiedCrossCertificate](t)(attest.VerifyCrossCertificate(testNet, c.set, c.crossCertificate(t, cl, 0, 1, 2)))
	if v.Root() != cl.Root() || v.Claim().Root() != cl.Root() || v.Signers().Count() != 3 {
		t.Errorf("the certificate says something else: %+v", v)
	}
	must[attest.VerifiedCrossCertificate](t)(attest.VerifyCrossCertificate(testNet, c.set, v.CrossCertificate()))
}

func TestCrossTallyCountsTheFirstClaimOfEach(t *testing.T) {
	c := equalCast(t, 4)
	right, wrong := claim(2, "a"), claim(2, "b")
	tally := attest.NewCrossTally(testNet, c.set, testChain, 2, testPeer)
	add := func(who int, cl *attest.CrossClaim, want attest.Outcome) {
		t.Helper()
		if got := tally.Add(c.crossVote(t, who, cl)); got != want {
			t.Errorf("validator %d: %s, want %s", who, got, want)
		}
	}
	quorum := func(want int) {
		t.Helper()
		got, ok := tally.Certificate()
		if ok != (want > 0) {
			t.Fatalf("certificate: %v", ok)
		}
		if !ok {
			return
		}
		v := must[attest.VerifiedCrossCertificate](t)(attest.VerifyCrossCertificate(testNet, c.set, got))
		if v.Root() != right.Root() || v.Signers().Count() != want {
			t.Errorf("%d signers on %x", v.Signers().Count(), v.Root())
		}
	}
	add(0, wrong, attest.OutcomeNew)
	add(0, right, attest.OutcomeIgnored)
	add(0, wrong, attest.OutcomeDuplicate)
	add(1, right, attest.OutcomeNew)
	add(2, right, attest.OutcomeNew)
	quorum(0)
	add(3, right, attest.OutcomeNew)
	quorum(3)
	certificate := func(cl *attest.CrossClaim, who ...int) attest.VerifiedCrossCertificate {
		return must[attest.VerifiedCrossCertificate](t)(attest.VerifyCrossCertificate(testNet, c.set, c.crossCertificate(t, cl, who...)))
	}
	for _, k := range []struct {
		certificate attest.VerifiedCrossCertificate
		want        attest.Outcome
		signers     int
	}{
		{certificate(right, 1, 2, 3), attest.OutcomeDuplicate, 3},
		{certificate(wrong, 0, 1, 2), attest.OutcomeIgnored, 3},
		{certificate(right, 0, 1, 2), attest.OutcomeNew, 4},
		{certificate(right, 0, 1, 2, 3), attest.OutcomeDuplicate, 4},
		{attest.VerifiedCrossCertificate{}, attest.OutcomeForeign, 4},
		{certificate(claim(3, "a"), 0, 1, 2), attest.OutcomeForeign, 4},
	} {
		if got := tally.AddCertificate(k.certificate); got != k.want {
			t.Errorf("%s, want %s", got, k.want)
		}
		quorum(k.signers)
	}
}

func TestCrossTallyRefusesWhatIsForeign(t *testing.T) {
	c := equalCast(t, 4)
	other := claim(2, "a")
	other.Peer = []byte("gamma")
	tally := attest.NewCrossTally(testNet, c.set, testChain, 2, testPeer)
	for _, v := range []attest.VerifiedCrossVote{
		{},
		c.crossVote(t, 0, claim(3, "a")),
		c.crossVote(t, 0, other),
		newCast(t, 1, 2, 3, 4).crossVote(t, 0, claim(2, "a")),
	} {
		if got := tally.Add(v); got != attest.OutcomeForeign {
			t.Errorf("%s", got)
		}
	}
}
