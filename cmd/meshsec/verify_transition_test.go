package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// A wrong epoch is judged offline by the rules of its network, and so is who vouched for it.
func TestInvalidTransitionsAreVerifiedOffline(t *testing.T) {
	m, err := ledgertest.Play(ledgertest.New(2, 3, nil))
	ok(t, err)
	_, err = m.Epoch("alpha")
	ok(t, err)
	lie, err := m.Lie("beta", ledgertest.WrongRoot)
	ok(t, err)
	dir := t.TempDir()
	manifest, err := m.Manifest.Encode()
	ok(t, err)
	verify := func(proof *attest.FaultProof, chain string) result {
		encoded, err := attest.EncodeFaultProof(proof)
		ok(t, err)
		set, err := attest.EncodeValidatorSet(m.Set(chain, 1).ValidatorSet())
		ok(t, err)
		return meshsec(t, "fault", "verify", write(t, dir, "proof", hex.EncodeToString(encoded)), "--kind", "invalid_transition",
			"--manifest", write(t, dir, "manifest.toml", string(manifest)), "--validators", write(t, dir, "set", hex.EncodeToString(set)))
	}
	if r := verify(lie.Proof, "beta"); r.code != 0 || strings.Count(r.out, "offender") != 3 || !strings.Contains(r.out, "can't follow the one before it: outcome of a step, at step ") {
		t.Errorf("%+v", r)
	}
	body, err := attest.DecodeTransition(lie.Proof.Body)
	ok(t, err)
	cp := &lie.Certificate.Checkpoint
	claim := &attest.CrossClaim{ChainID: []byte("alpha"), Epoch: 1, Peer: []byte("beta"), ToEpoch: 1, ToRoot: cp.Root()}
	cross, err := m.Attests(claim, m.Chains[0].Validators[1].ID)
	ok(t, err)
	vouched, err := body.Covering(m.Set("alpha", 1), cross, nil)
	ok(t, err)
	if r := verify(vouched, "alpha"); r.code != 0 || strings.Count(r.out, "offender") != 1 || !strings.Contains(r.out, "the claim to have executed beta from epoch 0 to 1") {
		t.Errorf("%+v", r)
	}
	honest, err := m.Certify(lie.Honest.Checkpoint)
	ok(t, err)
	innocent, err := attest.BuildTransition(lie.Previous, honest, body.Evidence)
	ok(t, err)
	if r := verify(innocent, "beta"); r.code != 1 || !strings.Contains(r.err, "is not valid") || strings.Contains(r.out, "offender") {
		t.Errorf("%+v", r)
	}
	forged := *lie.Certificate
	forged.Signature = honest.Signature
	unsigned, err := attest.BuildTransition(lie.Previous, &forged, body.Evidence)
	ok(t, err)
	if r := verify(unsigned, "beta"); r.code != 1 || !strings.Contains(r.err, "signature") {
		t.Errorf("%+v", r)
	}
}
