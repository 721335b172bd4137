package attest_test

import (
	"bytes"
	"testing"

	"github.com/meshsec/meshsec/attest"
)

func TestCertificateNeedsMoreThanTwoThirds(t *testing.T) {
	c := newCast(t, 100, 100, 100) // two of three are exactly 2/3
	cp := checkpoint(1, "a")
	_, err := attest.VerifyCertificate(testNet, c.set, c.certificate(t, cp, 0, 1))
	wantRule(t, err, attest.RuleQuorum)
	must[attest.VerifiedAggregate](t)(attest.VerifyAggregate(testNet, c.set, c.certificate(t, cp, 0, 1)))
	v := c.certified(t, cp, 0, 1, 2)
	if v.Root() != cp.Root() || v.Epoch() != 1 || v.ChainID() != testChain || v.Signers().Count() != 3 || v.Checkpoint().Root() != cp.Root() {
		t.Errorf("the certificate says something else: %+v", v)
	}
	if v.IsZero() || v.Aggregate().IsZero() || !(attest.VerifiedCertificate{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestCertificateWithTheWrongBitfieldIsRefused(t *testing.T) {
	c := equalCast(t, 8)
	good := c.certificate(t, checkpoint(1, "a"), everybody(8)...)
	for name, signers := range map[string][]byte{
		"nil":           nil,
		"nobody":        attest.NewBits(8),
		"no end":        {0xff, 0x00},
		"one bit less":  {0xff},
		"one bit more":  {0xff, 0x02},
		"one byte more": {0xff, 0x00, 0x01},
	} {
		t.Run(name, func(t *testing.T) {
			bad := *good
			bad.Signers = signers
			_, err := attest.VerifyCertificate(testNet, c.set, &bad)
			wantRule(t, err, attest.RuleBitfield)
		})
	}
}

func TestCertificateNamesExactlyItsSigners(t *testing.T) {
	c := equalCast(t, 4)
	cp := checkpoint(1, "a")
	fewer, more := c.certificate(t, cp, 0, 1, 2, 3), c.certificate(t, cp, 0, 1, 2)
	fewer.Signers, more.Signers = more.Signers, fewer.Signers
	for _, bad := range []*attest.Certificate{fewer, more} {
		_, err := attest.VerifyCertificate(testNet, c.set, bad)
		wantRule(t, err, attest.RuleSignature)
	}
}

// mutants calls try with the encoding changed in one byte, for every byte.
func mutants(data []byte, try func(at int, mutant []byte)) {
	for at := range data {
		mutant := bytes.Clone(data)
		mutant[at] ^= 1 << (at % 8)
		try(at, mutant)
	}
}

func TestNoChangedCertificateVerifies(t *testing.T) {
	c := equalCast(t, 4)
	data := must[[]byte](t)(attest.EncodeCertificate(c.certificate(t, checkpoint(1, "a"), 0, 1, 3)))
	mutants(data, func(at int, mutant []byte) {
		changed, err := attest.DecodeCertificate(mutant)
		if err != nil {
			return
		}
		if _, err := attest.VerifyCertificate(testNet, c.set, changed); err == nil {
			t.Errorf("byte %d changed to %#x, and it verifies", at, mutant[at])
		}
	})
}

func TestNoChangedCrossCertificateVerifies(t *testing.T) {
	c := equalCast(t, 4)
	data := must[[]byte](t)(attest.EncodeCrossCertificate(c.crossCertificate(t, claim(1, "a"), 0, 1, 3)))
	mutants(data, func(at int, mutant []byte) {
		changed, err := attest.DecodeCrossCertificate(mutant)
		if err != nil {
			return
		}
		if _, err := attest.VerifyCrossCertificate(testNet, c.set, changed); err == nil {
			t.Errorf("byte %d changed to %#x, and it verifies", at, mutant[at])
		}
	})
}

func TestNoChangedFaultProofConvicts(t *testing.T) {
	c := equalCast(t, 4)
	proof := c.doubleVote(t, c.certificate(t, checkpoint(1, "a"), 0, 1), c.certificate(t, checkpoint(1, "b"), 1, 2))
	data := must[[]byte](t)(attest.EncodeFaultProof(proof))
	mutants(data, func(at int, mutant []byte) {
		changed, err := attest.DecodeFaultProof(mutant)
		if err != nil {
			return
		}
		if _, err := attest.VerifyFault(testNet, c.set, changed); err == nil {
			t.Errorf("byte %d changed to %#x, and it convicts", at, mutant[at])
		}
	})
}
