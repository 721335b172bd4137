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

// BenchmarkAdmission admits votes over one checkpoint, from their encoded form on:
// together, and one by one, which is the yardstick. It reports the time for a vote.
func BenchmarkAdmission(b *testing.B) {
	c := equalCast(b, 256)
	votes := make([]*attest.Attestation, c.set.Len())
	for i := range votes {
		votes[i] = c.attestation(b, i, checkpoint(1, "a"))
	}
	for _, n := range []int{1, 16, 64, 256} {
		perVote := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/vote")
		}
		b.Run(fmt.Sprintf("batch/votes=%d", n), func(b *testing.B) {
			for b.Loop() {
				_, errs := attest.VerifyAttestations(testNet, c.set, votes[:n])
				for _, err := range errs {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			perVote(b)
		})
		b.Run(fmt.Sprintf("single/votes=%d", n), func(b *testing.B) {
			for b.Loop() {
				for _, vote := range votes[:n] {
					if _, err := attest.VerifyAttestation(testNet, c.set, vote); err != nil {
						b.Fatal(err)
					}
				}
			}
			perVote(b)
		})
	}
}
