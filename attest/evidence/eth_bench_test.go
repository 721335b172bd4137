package evidence_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/bls"
)

// BenchmarkEthereumAttesterSlashing judges the largest slashings: of a committee
// before Electra, what fits into a fault proof, and of all committees of a slot. One
// signer is in both votes, so that no key serves twice, or all are, whose keys are
// parsed; every key is new to the process where there are more than its cache holds. It
// reports the processor's time for 10 KiB of SSZ, and for 10 KiB of SSZ and keys together.
func BenchmarkEthereumAttesterSlashing(b *testing.B) {
	for _, c := range []struct{ n, accused uint64 }{
		{ethereum.MaxAttestersPhase0, 1}, {10000, 1}, {ethereum.MaxAttestersElectra, 1}, {ethereum.MaxAttestersElectra, ethereum.MaxAttestersElectra},
	} {
		b.Run(fmt.Sprintf("attesters=%d/accused=%d", c.n, c.accused), func(b *testing.B) {
			e, keys := ethLargest(b, c.n, c.accused)
			encoded, err := e.Attester.MarshalSSZ()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime(b)
			for range b.N {
				decoded, err := ethereum.DecodeAttesterSlashingElectra(encoded)
				if err != nil {
					b.Fatal(err)
				}
				if r := (&evidence.Ethereum{Attester: decoded}).Verify(ethMainnet(), keys); len(r.Offenders) != int(c.accused) {
					b.Fatalf("%d offenders, %s", len(r.Offenders), r.Failed)
				}
			}
			spent := processorTime(b) - began
			perSize := func(size int) float64 {
				return float64(spent.Microseconds()) / 1000 / float64(b.N) * 10240 / float64(size)
			}
			b.ReportMetric(perSize(len(encoded)), "cpu-ms/10KiB")
			b.ReportMetric(perSize(len(encoded)+48*len(keys)), "cpu-ms/10KiB-with-keys")
		})
	}
}

// processorTime is what the process has used of the processors, which says more than the
// clock where others use them too.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkParseEthereum reads the largest file, without judging it.
func BenchmarkParseEthereum(b *testing.B) {
	e := &evidence.Ethereum{Attester: &ethereum.AttesterSlashingElectra{}}
	e.Attester.Attestation1.AttestingIndices = ethRange(ethereum.MaxAttestersElectra, 1_000_000)
	e.Attester.Attestation2.AttestingIndices = ethRange(ethereum.MaxAttestersElectra, 1_000_000)
	data := ethJSON(b, ethBeacon(e))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := evidence.ParseEthereum(data); err != nil {
			b.Fatal(err)
		}
	}
}

// ethLargest has n attesters in each vote, of whom the last accused of the first are the
// first of the second. The keys are sums of two, which is quicker than to make them; and so
// are the signatures.
func ethLargest(b *testing.B, n, accused uint64) (*evidence.Ethereum, evidence.EthereumKeys) {
	b.Helper()
	e := ethDouble(b)
	const base = 1024
	var secrets [base]bls.SecretKey
	var publics [base]bls.PublicKey
	for i := range secrets {
		secrets[i] = ethSecret(b, uint64(i))
		publics[i] = secrets[i].PublicKey()
	}
	// Key number i is a sum of two, a pair never twice: they are less than half of base apart.
	pair := func(i uint64) (int, int) {
		first := i % base
		return int(first), int((first + 1 + i/base) % base)
	}
	keys := make(evidence.EthereumKeys)
	for v, a := range []*ethereum.IndexedAttestationElectra{&e.Attester.Attestation1, &e.Attester.Attestation2} {
		a.AttestingIndices = ethRange(n, uint64(v)*(n-accused))
		message := ethSigned(ethMainnet(), 1, a.Data.Target.Epoch, ethDataRoot(&a.Data))
		var signed [base]bls.Signature
		for i := range signed {
			signed[i] = secrets[i].Sign(message[:])
		}
		sum := make([]bls.Signature, 0, 2*n)
		for _, index := range a.AttestingIndices {
			x, y := pair(index)
			sum = append(sum, signed[x], signed[y])
			key, err := bls.AggregatePublicKeys([]bls.PublicKey{publics[x], publics[y]})
			if err != nil {
				b.Fatal(err)
			}
			keys[index] = evidence.EthereumValidator{Key: key.Bytes(), EffectiveBalance: 32e9}
		}
		signature, err := bls.Aggregate(sum)
		if err != nil {
			b.Fatal(err)
		}
		a.Signature = signature.Bytes()
	}
	return e, keys
}
