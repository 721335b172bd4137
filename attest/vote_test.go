package attest_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

func TestVoteVerifiesOnlyWhereItBelongs(t *testing.T) {
	c := equalCast(t, 4)
	cp := checkpoint(3, "a")
	good := func() *attest.Attestation { return c.attestation(t, 1, cp) }

	v := must[attest.VerifiedVote](t)(attest.VerifyAttestation(testNet, c.set, good()))
	if v.ChainID() != testChain || v.Epoch() != 3 || v.Index() != 1 || v.Root() != cp.Root() || v.Signer() != c.set.At(1).Key {
		t.Errorf("verified vote says something else: %+v", v)
	}
	again := must[attest.VerifiedVote](t)(attest.VerifyAttestation(testNet, c.set, v.Attestation()))
	if again.Root() != v.Root() || again.Attestation().Signature != good().Signature {
		t.Error("the vote does not survive a round trip")
	}
	must[attest.VerifiedAggregate](t)(attest.VerifyAggregate(testNet, c.set, v.Aggregate().Certificate()))

	cases := []struct {
		name   string
		net    attest.Network
		set    *attest.Set
		change func(*attest.Attestation)
		rule   attest.Rule
	}{
		{"other network", attest.Network{1}, c.set, func(*attest.Attestation) {}, attest.RuleSignature},
		{"other set", testNet, equalCast(t, 1).set, func(*attest.Attestation) {}, attest.RuleSigner},
		{"other chain", testNet, c.set, func(a *attest.Attestation) { a.Checkpoint.ChainID = []byte("alpha-2") }, attest.RuleSignature},
		{"bad chain id", testNet, c.set, func(a *attest.Attestation) { a.Checkpoint.ChainID = []byte("no chain") }, attest.RuleChainID},
		{"genesis", testNet, c.set, func(a *attest.Attestation) { a.Checkpoint.Epoch = 0 }, attest.RuleEpoch},
		{"other signer", testNet, c.set, func(a *attest.Attestation) { a.Signer = c.set.At(2).Key }, attest.RuleSignature},
		{"infinity", testNet, c.set, func(a *attest.Attestation) { a.Signature = [96]byte{0xc0} }, attest.RuleSignature},
		{"no point", testNet, c.set, func(a *attest.Attestation) { a.Signature[5] ^= 1 }, attest.RuleSignature},
		{"cross domain", testNet, c.set, func(a *attest.Attestation) {
			a.Signature = c.crossAttestation(t, 1, claim(3, "a")).Signature
		}, attest.RuleSignature},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			a := good()
			k.change(a)
			_, err := attest.VerifyAttestation(k.net, k.set, a)
			wantRule(t, err, k.rule)
		})
	}
}

func TestVerifiedVoteDoesNotChangeWithItsSource(t *testing.T) {
	c := equalCast(t, 1)
	a := c.attestation(t, 0, checkpoint(3, "a"))
	v := must[attest.VerifiedVote](t)(attest.VerifyAttestation(testNet, c.set, a))
	a.Checkpoint.ChainID[0] = 'X'
	v.Checkpoint().ChainID[0] = 'Y'
	v.Attestation().Checkpoint.ChainID[0] = 'Z'
	if v.ChainID() != testChain {
		t.Errorf("the vote is about %s now", v.ChainID())
	}
}

func TestSignersRefuseGenesis(t *testing.T) {
	c := equalCast(t, 1)
	_, err := attest.SignAttestation(c.keys[0], testNet, checkpoint(0, ""))
	wantRule(t, err, attest.RuleEpoch)
	cl := claim(1, "")
	cl.ToEpoch = cl.FromEpoch
	_, err = attest.SignCrossAttestation(c.keys[0], testNet, cl)
	wantRule(t, err, attest.RuleClaim)
}

// A batch must give every vote the verdict that it gets alone, whatever is wrong
// with the others.
func TestBatchAgreesWithOneByOne(t *testing.T) {
	c := equalCast(t, 5)
	checkpoints := []*attest.Checkpoint{checkpoint(1, "a"), checkpoint(1, "b"), checkpoint(2, "a")}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "votes")
		votes := make([]*attest.Attestation, n)
		for i := range votes {
			who := rapid.IntRange(0, 4).Draw(t, "signer")
			cp := rapid.SampledFrom(checkpoints).Draw(t, "checkpoint")
			votes[i] = c.vote(t, who, cp).Attestation()
			switch rapid.IntRange(0, 5).Draw(t, "defect") {
			case 0:
				votes[i].Signer = c.set.At((who + 1) % 5).Key
			case 1:
				votes[i].Signature = c.vote(t, (who+1)%5, cp).Attestation().Signature
			case 2:
				votes[i].Signer = [48]byte{}
			}
		}
		verified, errs := attest.VerifyAttestations(testNet, c.set, votes)
		if len(verified) != n || len(errs) != n {
			t.Fatalf("%d votes and %d errors for %d", len(verified), len(errs), n)
		}
		for i, a := range votes {
			_, alone := attest.VerifyAttestation(testNet, c.set, a)
			if (alone == nil) != (errs[i] == nil) || alone != nil && alone.Error() != errs[i].Error() {
				t.Fatalf("vote %d: %v in the batch, %v alone", i, errs[i], alone)
			}
			if verified[i].IsZero() != (errs[i] != nil) {
				t.Fatalf("vote %d: error %v, and zero is %v", i, errs[i], verified[i].IsZero())
			}
		}
	})
}

// Two wrong signatures whose errors cancel in the plain sum are both found.
func TestBatchFindsCancellingVotes(t *testing.T) {
	c := equalCast(t, 4)
	cp := checkpoint(1, "a")
	votes := make([]*attest.Attestation, 4)
	for i := range votes {
		votes[i] = c.attestation(t, i, cp)
	}
	votes[1].Signature, votes[2].Signature = votes[2].Signature, votes[1].Signature
	_, errs := attest.VerifyAttestations(testNet, c.set, votes)
	for i, err := range errs {
		if bad := i == 1 || i == 2; bad {
			wantRule(t, err, attest.RuleSignature)
		} else if err != nil {
			t.Errorf("vote %d is blamed: %v", i, err)
		}
	}
}
