package attest_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
)

func TestRegistrationBindsAllOfIt(t *testing.T) {
	c := equalCast(t, 3)
	r := c.registration(1)
	possession := must[[96]byte](t)(attest.ProveRegistration(c.keys[1], testNet, r))
	consensus := must[[]byte](t)(attest.SignRegistration(attest.Ed25519(consensusKey(1)), testNet, r))
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
		{"unknown type", testNet, func(r *attest.Registration) { r.ConsensusKey.Type = 9 }, attest.RuleUnsupported},
		{"another type's length", testNet, func(r *attest.Registration) { r.ConsensusKey.Type = attest.KeyEthereum }, attest.RuleConsensusKey},
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
	consensus := must[[]byte](t)(attest.SignRegistration(attest.Ed25519(consensusKey(1)), testNet, r))

	stranger := *r
	stranger.Account[0]++
	resigned := must[[]byte](t)(attest.SignRegistration(attest.Ed25519(consensusKey(1)), testNet, &stranger))
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
	_, err = attest.SignRegistration(attest.Ed25519(consensusKey(0)), testNet, r)
	wantRule(t, err, attest.RuleConsensusSignature)
}

// A beacon chain's key proves that somebody holds it, for this registration alone. No
// signature that it makes on its own chain does, nor a plain one over the signing root,
// and what it signed here is none for its chain.
func TestAnEthereumKeyProvesItsPossession(t *testing.T) {
	c := equalCast(t, 3)
	r := c.registration(1)
	owner := ethereumKey(t, 1)
	r.ConsensusKey = attest.Ethereum(owner).Public()
	possession := must[[96]byte](t)(attest.ProveRegistration(c.keys[1], testNet, r))
	consensus := must[[]byte](t)(attest.SignRegistration(attest.Ethereum(owner), testNet, r))
	v := must[attest.VerifiedRegistration](t)(attest.VerifyRegistration(testNet, r, possession, consensus))
	if got := v.Registration().ConsensusKey; got.Type != attest.KeyEthereum || len(got.Bytes) != 48 {
		t.Fatalf("bound %+v", got)
	}
	message := r.SigningRoot(testNet)
	plain := owner.Sign(message[:]).Bytes()
	proof := must[bls.Signature](t)(bls.ParseSignature(consensus))
	if bls.Verify(owner.PublicKey(), message[:], proof) {
		t.Error("a proof of possession is a signature over the signing root")
	}
	other := bls.ProvePossession(ethereumKey(t, 2), message).Bytes()
	elsewhere := must[[]byte](t)(attest.SignRegistration(attest.Ethereum(owner), attest.Network{1}, r))
	infinity := append([]byte{0xc0}, make([]byte, 95)...)
	for name, signature := range map[string][]byte{
		"plain": plain[:], "another key's": other[:], "another network's": elsewhere, "the mesh key's": possession[:],
		"infinity": infinity, "cut": consensus[:95], "longer": append(bytes.Clone(consensus), 0), "none": nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := attest.VerifyRegistration(testNet, r, possession, signature)
			wantRule(t, err, attest.RuleConsensusSignature)
		})
	}
	for name, key := range map[string][]byte{"infinity": append([]byte{0xc0}, make([]byte, 47)...), "no point": make([]byte, 48)} {
		bad := *r
		bad.ConsensusKey.Bytes = key
		_, err := attest.VerifyRegistration(testNet, &bad, must[[96]byte](t)(attest.ProveRegistration(c.keys[1], testNet, &bad)), infinity)
		if !errors.Is(err, attest.RuleConsensusSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := attest.SignRegistration(attest.Ethereum(ethereumKey(t, 2)), testNet, r)
	wantRule(t, err, attest.RuleConsensusSignature)
}

// A key made from another's cancels it out of every aggregate, so nobody must be able
// to bind one: he cannot prove to hold it, whatever the other has signed.
func TestARogueEthereumKeyIsNotBound(t *testing.T) {
	c := equalCast(t, 2)
	victim, own := ethereumKey(t, 1).PublicKey(), ethereumKey(t, 2)
	rogue := rogueKey(t, own.PublicKey(), victim)
	if sum := must[bls.PublicKey](t)(bls.AggregatePublicKeys([]bls.PublicKey{rogue, victim})); !sum.Equal(own.PublicKey()) {
		t.Fatal("it is not rogue")
	}
	r := c.registration(0)
	b := rogue.Bytes()
	r.ConsensusKey = attest.ConsensusKey{Type: attest.KeyEthereum, Bytes: b[:]}
	possession := must[[96]byte](t)(attest.ProveRegistration(c.keys[0], testNet, r))
	proof := bls.ProvePossession(own, r.SigningRoot(testNet)).Bytes()
	_, err := attest.VerifyRegistration(testNet, r, possession, proof[:])
	wantRule(t, err, attest.RuleConsensusSignature)
}
