package attest_test

import (
	"fmt"
	"testing"

	"github.com/meshsec/meshsec/attest"
)

func everybody(n int) []int {
	who := make([]int, n)
	for i := range who {
		who[i] = i
	}
	return who
}

func BenchmarkVerifyCertificate(b *testing.B) {
	for _, n := range []int{4, 128} {
		b.Run(fmt.Sprintf("signers=%d", n), func(b *testing.B) {
			c := equalCast(b, n)
			certificate := c.certificate(b, checkpoint(1, "a"), everybody(n)...)
			for b.Loop() {
				if _, err := attest.VerifyCertificate(testNet, c.set, certificate); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyAttestations(b *testing.B) {
	for _, n := range []int{4, 128} {
		b.Run(fmt.Sprintf("votes=%d", n), func(b *testing.B) {
			c := equalCast(b, n)
			votes := make([]*attest.Attestation, n)
			for i := range votes {
				votes[i] = c.attestation(b, i, checkpoint(1, "a"))
			}
			for b.Loop() {
				if _, errs := attest.VerifyAttestations(testNet, c.set, votes); errs[0] != nil {
					b.Fatal(errs[0])
				}
			}
		})
	}
}
