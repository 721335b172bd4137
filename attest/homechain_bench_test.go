package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// largest is a chain of so many validators with an epoch of so many blocks, of which the
// first is its last but trail.
func largest(b *testing.B, validators, trail int) (*homeChain, []*comet.Header) {
	b.Helper()
	c := newHomeChain(b, validators)
	for h := int64(testEpochBlocks + 1); h <= int64(trail)+testEpochBlocks; h++ {
		c.headers = append(c.headers, c.next(h))
	}
	return c, c.back(testEpochBlocks)
}

// cost reports how long a proof takes per 10 KiB, of which 100 ms are allowed.
func cost(b *testing.B, set *attest.Set, proof *attest.FaultProof) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := attest.VerifyFault(testNet, set, proof); err != nil {
			b.Fatal(err)
		}
	}
	size := len(proof.Body) + 5
	b.ReportMetric(float64(size)/1024, "KiB")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000/(float64(size)/10240), "ms/10KiB")
}

// BenchmarkVerifyLightClientAttack judges the largest proofs of each form that fit: 512
// validators signed, and the trail is as long as the size allows.
func BenchmarkVerifyLightClientAttack(b *testing.B) {
	for _, k := range []struct {
		name  string
		trail int
		build func(*homeChain) (*comet.Header, bool)
	}{
		{"lunatic", attest.MaxTrail, func(c *homeChain) (*comet.Header, bool) {
			return c.other(testEpochBlocks, followsFromParent["app"]), false
		}},
		{"equivocation", 410, func(c *homeChain) (*comet.Header, bool) { return c.other(testEpochBlocks, mayDiffer["time"]), true }},
		{"fork", attest.MaxTrail, func(c *homeChain) (*comet.Header, bool) {
			return c.other(testEpochBlocks, mayDiffer["time"]), false
		}},
		{"smallest", 0, func(c *homeChain) (*comet.Header, bool) {
			return c.other(testEpochBlocks, followsFromParent["app"]), false
		}},
	} {
		b.Run(k.name, func(b *testing.B) {
			validators := attest.MaxValidators
			if k.name == "smallest" {
				validators = 1
			}
			c, headers := largest(b, validators, k.trail)
			forged, own := k.build(c)
			e := attest.AttackEvidence{
				Certificate: c.epoch(b, nil), Headers: headers, Validators: c.validators,
				Conflicting: forged, ConflictingCommit: signedByAll(c, forged, 2),
			}
			if own {
				e.Commit = signedByAll(c, headers[len(headers)-1], 2)
			}
			proof, err := attest.BuildLightClientAttack(c.set, e)
			if err != nil {
				b.Fatal(err)
			}
			cost(b, c.set, proof)
		})
	}
}

// signedByAll is c.commit by everybody, for many.
func signedByAll(c *homeChain, h *comet.Header, round int64) *comet.Commit {
	out := &comet.Commit{Height: h.Height, Round: round, Block: blockID(h), Signatures: make([]comet.CommitSig, len(c.validators.Members))}
	for i, v := range c.validators.Members {
		out.Signatures[i] = comet.CommitSig{Flag: comet.FlagCommit, Address: v.Address, Time: h.Time.Add(time.Duration(i))}
		out.Signatures[i].Signature = ed25519.Sign(consensusKey(i), out.SignBytes(testChain, i))
	}
	return out
}

// BenchmarkVerifyInvalidOperations judges the largest proof: a block of more
// transactions and operations than are looked at, the longest trail, and a large
// operation that was left out.
func BenchmarkVerifyInvalidOperations(b *testing.B) {
	for _, validators := range []int{1, attest.MaxValidators} {
		b.Run(fmt.Sprintf("validators=%d", validators), func(b *testing.B) {
			c := newHomeChain(b, validators)
			var block [][]byte
			large := bytes.Repeat([]byte{7}, 144<<10)
			for i := range attest.MaxBlockTransactions {
				switch {
				case i == attest.MaxBlockOperations-1:
					block = append(block, attest.RawTransaction(large))
				case i < attest.MaxBlockOperations:
					block = append(block, attest.KeyValueTransaction(fmt.Append(nil, i)))
				default:
					block = append(block, fmt.Appendf(nil, "foreign %d", i))
				}
			}
			e := order(c, map[int64][][]byte{testEpochBlocks: block})
			for h := int64(testEpochBlocks + 1); h <= attest.MaxTrail+testEpochBlocks; h++ {
				e.headers = append(e.headers, e.next(h))
			}
			for _, s := range e.steps[len(e.steps)-3:] {
				s.Height, s.Time = attest.MaxTrail+testEpochBlocks, 0
			}
			i := slices.IndexFunc(e.steps, func(s *attest.Step) bool { return s.Operation == sha256.Sum256(large) })
			steps := slices.Delete(slices.Clone(e.steps), i, i+1)
			proof, err := attest.BuildInvalidOperations(c.set, e.evidence(e.certified(b, steps), steps, testEpochBlocks))
			if err != nil {
				b.Fatal(err)
			}
			cost(b, c.set, proof)
		})
	}
}
