package evidence_test

import (
	"fmt"
	"testing"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/bls"
)

// BenchmarkEthereumAttesterSlashing judges the largest slashings: of a committee
// before Electra, what fits into a fault proof, and of all committees of a slot. No
// signer is in both votes but one, so that no key serves twice; every key is new to
// the process where there are more than its cache holds. It reports the time for
// 10 KiB of SSZ, and for 10 KiB of SSZ and keys together.
func BenchmarkEthereumAttesterSlashing(b *testing.B) {
	for _, n := range []uint64{ethereum.MaxAttestersPhase0, 10000, ethereum.MaxAttestersElectra} {
		b.Run(fmt.Sprintf("attesters=%d", n), func(b *testing.B) {
			e, keys := ethLargest(b, n)
			encoded, err := e.Attester.MarshalSSZ()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				decoded, err := ethereum.DecodeAttesterSlashingElectra(encoded)
				if err != nil {
					b.Fatal(err)
				}
				if r := (&evidence.Ethereum{Attester: decoded}).Verify(ethMainnet(), keys); len(r.Offenders) != 1 {
					b.Fatalf("%d offenders, %s", len(r.Offenders), r.Failed)
				}
			}
			perSize := func(size int) float64 {
				return float64(b.Elapsed().Microseconds()) / 1000 / float64(b.N) * 10240 / float64(size)
			}
			b.ReportMetric(perSize(len(encoded)), "ms/10KiB")
			b.ReportMetric(perSize(len(encoded)+48*len(keys)), "ms/10KiB-with-keys")
		})
	}
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

// ethLargest has n attesters in each vote, the last of the first being the first of
// the second. The keys are sums of two, which is quicker than to make them; and so
// are the signatures.
func ethLargest(b *testing.B, n uint64) (*evidence.Ethereum, evidence.EthereumKeys) {
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
		a.AttestingIndices = ethRange(n, uint64(v)*(n-1))
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
