package attest_test

import (
	"testing"

	"github.com/meshsec/meshsec/attest"
)

func TestRegistrationBindsAllOfIt(t *testing.T) {
	c := equalCast(t, 3)
	r := c.registration(1)
	possession := must[[96]byte](t)(attest.ProveRegistration(c.keys[1], testNet, r))
	consensus := must[[]byte](t)(attest.SignRegistration(consensusKey(1), testNet, r))
	v := must[attest.VerifiedRegistration](t)(attest.VerifyRegistration(testNet, r, possession, consensus))
	if v.IsZero() || v.Registration().Root() != r.Root() {
		t.Error("the registration says something else")
	}

	cases := []struct {
		name   string
		net    attest.Network
		change func(*attest.Registration)
		rule   attest.Rule
	}{
		{"network", attest.Network{1}, func(*attest.Registration) {}, attest.RuleConsensusSignature},
		{"chain", testNet, func(r *attest.Registration) { r.ChainID = []byte("alpha-2") }, attest.RuleConsensusSignature},
		{"account", testNet, func(r *attest.Registration) { r.Account[0]++ }, attest.RuleConsensusSignature},
		{"key", testNet, func(r *attest.Registration) { r.Key = c.set.At(2).Key }, attest.RuleConsensusSignature},
		{"consensus key", testNet, func(r *attest.Registration) { r.ConsensusKey = c.set.At(2).ConsensusKey }, attest.RuleConsensusSignature},
		{"no point", testNet, func(r *attest.Registration) { r.Key[1]++ }, attest.RuleKey},
		{"bad chain", testNet, func(r *attest.Registration) { r.ChainID = nil }, attest.RuleChainID},
		{"short consensus key", testNet, func(r *attest.Registration) {
			r.ConsensusKey.Bytes = r.ConsensusKey.Bytes[:31]
		}, attest.RuleConsensusKey},
		{"unknown type", testNet, func(r *attest.Registration) { r.ConsensusKey.Type = 2 }, attest.RuleUnsupported},
		{"no consensus key", testNet, func(r *attest.Registration) { r.ConsensusKey = attest.ConsensusKey{} }, attest.RuleUnsupported},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			changed := v.Registration()
			k.change(changed)
			_, err := attest.VerifyRegistration(k.net, changed, possession, consensus)
			wantRule(t, err, k.rule)
		})
	}
}

// Whoever holds the consensus key alone cannot register somebody else's BLS key, nor
// the other way round.
func TestRegistrationNeedsBothKeys(t *testing.T) {
	c := equalCast(t, 3)
	r := c.registration(1)
	possession := must[[96]byte](t)(attest.ProveRegistration(c.keys[1], testNet, r))
	consensus := must[[]byte](t)(attest.SignRegistration(consensusKey(1), testNet, r))

	stranger := *r
	stranger.Account[0]++
	resigned := must[[]byte](t)(attest.SignRegistration(consensusKey(1), testNet, &stranger))
	_, err := attest.VerifyRegistration(testNet, &stranger, possession, resigned)
	wantRule(t, err, attest.RulePossession)

	// A plain signature over the signing root is no proof of possession.
	message := r.SigningRoot(testNet)
	_, err = attest.VerifyRegistration(testNet, r, c.keys[1].Sign(message[:]).Bytes(), consensus)
	wantRule(t, err, attest.RulePossession)
	_, err = attest.VerifyRegistration(testNet, r, [96]byte{}, consensus)
	wantRule(t, err, attest.RulePossession)
	_, err = attest.VerifyRegistration(testNet, r, possession, nil)
	wantRule(t, err, attest.RuleConsensusSignature)

	_, err = attest.ProveRegistration(c.keys[0], testNet, r)
	wantRule(t, err, attest.RulePossession)
	_, err = attest.SignRegistration(consensusKey(0), testNet, r)
	wantRule(t, err, attest.RuleConsensusSignature)
}
