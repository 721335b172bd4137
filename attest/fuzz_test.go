package attest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/meshsec/meshsec/attest"
)

// fuzzCodec checks that whatever decodes has one encoding. The seeds are one object
// of every kind, so that the fuzzer also sees what belongs elsewhere.
func fuzzCodec(f *testing.F, name string) {
	for _, seed := range fuzzSeeds(f) {
		f.Add(seed)
	}
	for _, c := range append(codecs(), homeCodecs()...) {
		if c.name == name {
			f.Fuzz(func(t *testing.T, data []byte) { checkCanonical(t, c, data) })
			return
		}
	}
	f.Fatalf("no codec %q", name)
}

func fuzzSeeds(t tb) (seeds [][]byte) {
	c := equalCast(t, 4)
	cp := checkpoint(1, "a")
	add := func(data []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, data)
	}
	double := c.doubleVote(t, c.certificate(t, cp, 0, 1), c.certificate(t, checkpoint(1, "b"), 1, 2))
	add(attest.EncodeCheckpoint(cp))
	add(attest.EncodeValidatorSet(c.set.ValidatorSet()))
	add(attest.EncodeAttestation(c.attestation(t, 0, cp)))
	add(attest.EncodeCertificate(c.certificate(t, cp, 0, 1, 2)))
	add(attest.EncodeCrossClaim(claim(1, "")))
	add(attest.EncodeCrossAttestation(c.crossAttestation(t, 0, claim(1, ""))))
	add(attest.EncodeCrossCertificate(c.crossCertificate(t, claim(1, ""), 0, 1, 2)))
	add(attest.EncodeRegistration(c.registration(0)))
	add(attest.EncodeFaultProof(double))
	add(double.Body, nil)
	add(c.equivocation(t, 1).Body, nil)
	add(beaconCast(t, 4).slashing(t, slashedSurround(t)).Body, nil)
	add(c.transition(t, "shown", 0, 1, 2).Body, nil)
	for _, proof := range realProofs().all() {
		add(proof.Body, nil)
	}
	return seeds
}

func FuzzDecodeCheckpoint(f *testing.F)        { fuzzCodec(f, "checkpoint") }
func FuzzDecodeValidatorSet(f *testing.F)      { fuzzCodec(f, "validator set") }
func FuzzDecodeAttestation(f *testing.F)       { fuzzCodec(f, "attestation") }
func FuzzDecodeCertificate(f *testing.F)       { fuzzCodec(f, "certificate") }
func FuzzDecodeCrossClaim(f *testing.F)        { fuzzCodec(f, "claim") }
func FuzzDecodeCrossAttestation(f *testing.F)  { fuzzCodec(f, "cross-attestation") }
func FuzzDecodeCrossCertificate(f *testing.F)  { fuzzCodec(f, "cross-certificate") }
func FuzzDecodeRegistration(f *testing.F)      { fuzzCodec(f, "registration") }
func FuzzDecodeFaultProof(f *testing.F)        { fuzzCodec(f, "fault proof") }
func FuzzDecodeDoubleVote(f *testing.F)        { fuzzCodec(f, "double vote") }
func FuzzDecodeEquivocation(f *testing.F)      { fuzzCodec(f, "equivocation") }
func FuzzDecodeEthereumSlashing(f *testing.F)  { fuzzCodec(f, "ethereum slashing") }
func FuzzDecodeTransition(f *testing.F)        { fuzzCodec(f, "transition") }
func FuzzDecodeLightClientAttack(f *testing.F) { fuzzCodec(f, "light client attack") }
func FuzzDecodeInvalidOperations(f *testing.F) { fuzzCodec(f, "invalid operations") }

// FuzzVerifyFault feeds bodies that may be anything to what a stranger can reach.
// Nothing but what was signed may convict.
func FuzzVerifyFault(f *testing.F) {
	c := equalCast(f, 4)
	signed := c.doubleVote(f, c.certificate(f, checkpoint(1, "a"), 0, 1), c.certificate(f, checkpoint(1, "b"), 1, 2))
	equivocated := c.equivocation(f, 1)
	wrong := c.transition(f, "shown", 0, 1, 2)
	f.Add(wrong.Kind, wrong.Body)
	f.Add(signed.Kind, signed.Body)
	f.Add(equivocated.Kind, equivocated.Body)
	for _, seed := range fuzzSeeds(f) {
		f.Add(uint8(attest.FaultDoubleVote), seed)
		f.Add(uint8(attest.FaultConsensusEquivocation), seed)
		f.Add(uint8(attest.FaultInvalidTransition), seed)
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		verified, err := attest.VerifyFault(testNet, c.set, &attest.FaultProof{Kind: kind, Body: body})
		if err == nil && attest.FaultKind(kind) == attest.FaultInvalidTransition {
			t.Fatal("a law that knows no ledger has judged one")
		}
		if v, err := attest.VerifyFault(partial{testNet, "shown"}, c.set, &attest.FaultProof{Kind: kind, Body: body}); err == nil &&
			v.Kind() == attest.FaultInvalidTransition && v.ID() != wrong.ID() {
			t.Fatalf("a transition that nobody signed convicts %v", v.Offenders())
		}
		if err != nil || verified.ID() == signed.ID() || verified.ID() == equivocated.ID() || kind == uint8(attest.FaultLightClientAttack) || kind == uint8(attest.FaultInvalidOperations) {
			return // those kinds have targets of their own
		}
		// The epoch is not what the home chain's validator signed, and ZIP-215 has
		// points in more than one form: the offence is still the same.
		again, err := attest.DecodeEquivocation(body)
		if err != nil || !signedBoth(again) {
			t.Fatalf("a proof that nobody signed convicts %v", verified.Offenders())
		}
	})
}

// FuzzVerifyLightClientAttack: whatever was changed in a proof, it convicts nobody else
// than who signed.
func FuzzVerifyLightClientAttack(f *testing.F) {
	real := realProofs()
	for _, proof := range real.attacks {
		f.Add(proof.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := attest.VerifyFault(testNet, real.chain.set, &attest.FaultProof{Kind: uint8(attest.FaultLightClientAttack), Body: body})
		if err != nil {
			return
		}
		who := fmt.Sprint(offendersOf(v, real.chain.set))
		if !slices.Contains([]string{"[0 2]", "[0]", "[2]", "[1 2]", "[1]", "[]"}, who) || v.Forked() != (who == "[]") {
			t.Fatalf("a proof that nobody signed convicts %s", who)
		}
	})
}

// FuzzVerifyInvalidOperations: whatever was changed in a proof, what is proven wrong is
// what was.
func FuzzVerifyInvalidOperations(f *testing.F) {
	real := realProofs()
	wrong := map[[32]byte]bool{}
	for _, proof := range real.operations {
		f.Add(proof.Body)
		body := must[*attest.InvalidOperations](f)(attest.DecodeInvalidOperations(proof.Body))
		wrong[body.Certificate.Checkpoint.Root()] = true
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := attest.VerifyFault(testNet, real.chain.set, &attest.FaultProof{Kind: uint8(attest.FaultInvalidOperations), Body: data}); err != nil {
			return
		}
		body := must[*attest.InvalidOperations](t)(attest.DecodeInvalidOperations(data))
		if !wrong[body.Certificate.Checkpoint.Root()] {
			t.Fatal("a checkpoint is proven wrong that is not")
		}
	})
}
