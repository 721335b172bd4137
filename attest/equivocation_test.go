package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// consensusVote signs a vote with a validator's consensus key, as its CometBFT node
// would: for the block of that name, or for none.
func consensusVote(key ed25519.PrivateKey, chain string, kind uint8, height uint64, round uint32, block string, at time.Time) attest.ConsensusVote {
	v := attest.ConsensusVote{Seconds: uint64(at.Unix()), Nanos: uint32(at.Nanosecond())}
	var id comet.BlockID
	if block != "" {
		v.BlockHash, v.PartsTotal, v.PartsHash = sha256.Sum256([]byte(block)), 1, sha256.Sum256([]byte("parts of "+block))
		id = comet.BlockID{Hash: v.BlockHash[:], PartsTotal: 1, PartsHash: v.PartsHash[:]}
	}
	v.Signature = ed25519.Sign(key, comet.SignBytes(chain, int64(kind), int64(height), int64(round), &id, at))
	return v
}

// equivocated are two precommits of validator who in epoch 5.
func equivocated(who int) attest.Equivocation {
	key, at := consensusKey(who), time.Unix(1_700_000_000, 123_456_789)
	return attest.Equivocation{
		ChainID: []byte(testChain), Epoch: 5, Height: 47, Round: 1, Type: comet.Precommit,
		Key:    attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: key.Public().(ed25519.PublicKey)},
		First:  consensusVote(key, testChain, comet.Precommit, 47, 1, "a", at),
		Second: consensusVote(key, testChain, comet.Precommit, 47, 1, "b", at.Add(time.Second)),
	}
}

func (c *cast) equivocation(t tb, who int) *attest.FaultProof {
	t.Helper()
	proof, err := attest.BuildEquivocation(c.set, equivocated(who))
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// signedBoth says whether the sides of e are those of equivocated(1), in whatever epoch.
func signedBoth(e *attest.Equivocation) bool {
	want := equivocated(1)
	blocks := func(e *attest.Equivocation) [][32]byte {
		b := [][32]byte{e.First.BlockHash, e.Second.BlockHash}
		slices.SortFunc(b, func(x, y [32]byte) int { return bytes.Compare(x[:], y[:]) })
		return b
	}
	return string(e.ChainID) == testChain && e.Height == want.Height && e.Round == want.Round && e.Type == want.Type &&
		bytes.Equal(e.Key.Bytes, want.Key.Bytes) && slices.Equal(blocks(e), blocks(&want))
}

func TestEquivocationConvictsTheOwnerOfTheKey(t *testing.T) {
	c := newCast(t, 10, 20, 30, 40)
	e := equivocated(2)
	proof := c.equivocation(t, 2)
	e.First, e.Second = e.Second, e.First
	if swapped := must[*attest.FaultProof](t)(attest.BuildEquivocation(c.set, e)); swapped.ID() != proof.ID() {
		t.Fatal("the proof depends on the order of its sides")
	}
	accusation := must[attest.Accusation](t)(attest.Peek(proof))
	if accusation.Kind != attest.FaultConsensusEquivocation || accusation.ChainID != testChain || accusation.Epoch != 5 || accusation.Height != 47 ||
		accusation.ValidatorsRoot != c.set.Root() || !slices.Equal(slices.Collect(accusation.Accused.Ones()), []int{2}) {
		t.Fatalf("peek: %+v", accusation)
	}
	v := must[attest.VerifiedFault](t)(attest.VerifyFault(testNet, c.set, proof))
	offenders := v.Offenders()
	if v.Kind() != attest.FaultConsensusEquivocation || v.ChainID() != testChain || v.Epoch() != 5 || len(offenders) != 1 ||
		offenders[0].Account != c.set.At(2).Account || !offenders[0].Power.Eq(c.set.Power(2)) || !offenders[0].Total.Eq(c.set.Total()) {
		t.Fatalf("fault: %+v", offenders)
	}
}

// Nil votes, both types, and any time that can be signed: what the offender writes
// into its votes lets none of them go.
func TestNothingSignedLetsAnEquivocationGo(t *testing.T) {
	c := equalCast(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]uint8{comet.Prevote, comet.Precommit}).Draw(t, "type")
		height, round := rapid.Uint64Range(1, math.MaxInt64).Draw(t, "height"), rapid.Uint32Max(math.MaxInt32).Draw(t, "round")
		at := func(label string) time.Time {
			return time.Unix(rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(t, label), rapid.Int64Range(0, 999_999_999).Draw(t, label)).UTC()
		}
		who := rapid.IntRange(0, 3).Draw(t, "who")
		key := consensusKey(who)
		e := equivocated(who)
		e.Height, e.Round, e.Type = height, round, kind
		e.First = consensusVote(key, testChain, kind, height, round, rapid.SampledFrom([]string{"", "a"}).Draw(t, "block"), at("first"))
		e.Second = consensusVote(key, testChain, kind, height, round, "b", at("second"))
		proof, err := attest.BuildEquivocation(c.set, e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := attest.VerifyFault(testNet, c.set, proof); err != nil {
			t.Fatal(err)
		}
	})
}

// An honest validator signs one vote per height, round and type, at whatever time and
// on whatever chains it has the key. No two of them convict it, however they are
// written into one proof.
func TestHonestVotesConvictNobody(t *testing.T) {
	c := equalCast(t, 4)
	type step struct {
		chain  string
		kind   uint8
		height uint64
		round  uint32
	}
	rapid.Check(t, func(t *rapid.T) {
		blocks := map[step]string{}
		draw := func(label string) (step, attest.ConsensusVote) {
			s := step{
				rapid.SampledFrom([]string{testChain, "other"}).Draw(t, label),
				rapid.Uint8Range(1, 2).Draw(t, label),
				rapid.Uint64Range(1, 2).Draw(t, label),
				rapid.Uint32Max(1).Draw(t, label),
			}
			if _, voted := blocks[s]; !voted {
				blocks[s] = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, label)
			}
			at := time.Unix(1_700_000_000, rapid.Int64Range(0, 3).Draw(t, label)) // signed again after a restart
			return s, consensusVote(consensusKey(1), s.chain, s.kind, s.height, s.round, blocks[s], at)
		}
		first, a := draw("first")
		_, b := draw("second")
		e := equivocated(1)
		e.ChainID, e.Height, e.Round, e.Type, e.First, e.Second = []byte(first.chain), first.height, first.round, first.kind, a, b
		proof, err := attest.BuildEquivocation(c.set, e)
		if err != nil {
			wantRule(t, err, attest.RuleContradiction)
			return
		}
		_, err = attest.VerifyFault(testNet, c.set, proof)
		wantRule(t, err, attest.RuleSignature)
	})
}

func TestBuildEquivocationRefusesWhatIsNone(t *testing.T) {
	c := equalCast(t, 4)
	for _, k := range []struct {
		name   string
		change func(*attest.Equivocation)
		rule   attest.Rule
	}{
		{"key of nobody", func(e *attest.Equivocation) { e.Key.Bytes = make([]byte, 32) }, attest.RuleOffender},
		{"same block at two times", func(e *attest.Equivocation) {
			e.Second = consensusVote(consensusKey(1), testChain, e.Type, e.Height, e.Round, "a", time.Unix(9, 0))
		}, attest.RuleContradiction},
		{"strange chain", func(e *attest.Equivocation) { e.ChainID = []byte("a/b") }, attest.RuleChainID},
		{"genesis", func(e *attest.Equivocation) { e.Epoch = 0 }, attest.RuleEpoch},
		{"a proposal", func(e *attest.Equivocation) { e.Type = 32 }, attest.RuleConsensusVote},
		{"no height", func(e *attest.Equivocation) { e.Height = 0 }, attest.RuleConsensusVote},
		{"negative height", func(e *attest.Equivocation) { e.Height = 1 << 63 }, attest.RuleConsensusVote},
		{"negative round", func(e *attest.Equivocation) { e.Round = 1 << 31 }, attest.RuleConsensusVote},
		{"half a block", func(e *attest.Equivocation) { e.First.PartsTotal = 0 }, attest.RuleConsensusVote},
		{"too many nanoseconds", func(e *attest.Equivocation) { e.First.Nanos = 1_000_000_000 }, attest.RuleConsensusVote},
		{"year 10000", func(e *attest.Equivocation) { e.First.Seconds = 253_402_300_800 }, attest.RuleConsensusVote},
		{"year 0", func(e *attest.Equivocation) { s := int64(-62_135_596_801); e.First.Seconds = uint64(s) }, attest.RuleConsensusVote},
		{"time that overflows", func(e *attest.Equivocation) { e.First.Seconds = math.MaxInt64 }, attest.RuleConsensusVote},
		{"no signature", func(e *attest.Equivocation) { e.First.Signature = nil }, attest.RuleSignature},
		{"long signature", func(e *attest.Equivocation) { e.First.Signature = make([]byte, 97) }, attest.RuleSignature},
	} {
		t.Run(k.name, func(t *testing.T) {
			e := equivocated(1)
			k.change(&e)
			_, err := attest.BuildEquivocation(c.set, e)
			wantRule(t, err, k.rule)
		})
	}
}

// TestEveryFieldOfAnEquivocationCounts changes one field at a time in a valid proof.
// The epoch alone is not signed by the offender: it is checked by who knows the
// epochs of the chain, and the set by its root.
func TestEveryFieldOfAnEquivocationCounts(t *testing.T) {
	c := equalCast(t, 4)
	good := c.equivocation(t, 1)
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b }
	for _, k := range []struct {
		name   string
		change func(*attest.Equivocation)
		rule   attest.Rule
	}{
		{"chain", func(e *attest.Equivocation) { e.ChainID = []byte("beta") }, attest.RuleSignature},
		{"set", func(e *attest.Equivocation) { e.ValidatorsRoot[0]++ }, attest.RuleWrongSet},
		{"an innocent", func(e *attest.Equivocation) { e.Accused = attest.NewBits(4); attest.Bits(e.Accused).Set(0) }, attest.RuleOffender},
		{"an innocent too", func(e *attest.Equivocation) { attest.Bits(e.Accused).Set(0) }, attest.RuleBitfield},
		{"nobody", func(e *attest.Equivocation) { e.Accused = attest.NewBits(4) }, attest.RuleBitfield},
		{"another set's bits", func(e *attest.Equivocation) { e.Accused = attest.NewBits(5); attest.Bits(e.Accused).Set(1) }, attest.RuleBitfield},
		{"key", func(e *attest.Equivocation) { e.Key.Bytes = flip(e.Key.Bytes) }, attest.RuleOffender},
		{"key type", func(e *attest.Equivocation) { e.Key.Type = 9 }, attest.RuleOffender},
		{"no key", func(e *attest.Equivocation) { e.Key = attest.ConsensusKey{} }, attest.RuleConsensusKey},
		{"height", func(e *attest.Equivocation) { e.Height++ }, attest.RuleSignature},
		{"round", func(e *attest.Equivocation) { e.Round++ }, attest.RuleSignature},
		{"type", func(e *attest.Equivocation) { e.Type = comet.Prevote }, attest.RuleSignature},
		{"block", func(e *attest.Equivocation) { e.Second.BlockHash[31]++ }, attest.RuleSignature},
		{"parts", func(e *attest.Equivocation) { e.Second.PartsTotal++ }, attest.RuleSignature},
		{"hash of the parts", func(e *attest.Equivocation) { e.First.PartsHash[0]++ }, attest.RuleSignature},
		{"seconds", func(e *attest.Equivocation) { e.First.Seconds++ }, attest.RuleSignature},
		{"nanoseconds", func(e *attest.Equivocation) { e.First.Nanos++ }, attest.RuleSignature},
		{"signature", func(e *attest.Equivocation) { e.First.Signature = flip(e.First.Signature) }, attest.RuleSignature},
		{"signature cut", func(e *attest.Equivocation) { e.First.Signature = e.First.Signature[:63] }, attest.RuleSignature},
		{"signatures swapped", func(e *attest.Equivocation) {
			e.First.Signature, e.Second.Signature = e.Second.Signature, e.First.Signature
		}, attest.RuleSignature},
		{"sides swapped", func(e *attest.Equivocation) { e.First, e.Second = e.Second, e.First }, attest.RuleOrder},
		{"twice the same", func(e *attest.Equivocation) { e.Second = e.First }, attest.RuleContradiction},
	} {
		t.Run(k.name, func(t *testing.T) {
			e := must[*attest.Equivocation](t)(attest.DecodeEquivocation(good.Body))
			k.change(e)
			// Not by way of the encoder, which refuses.
			proof := &attest.FaultProof{Kind: good.Kind, Body: must[[]byte](t)(e.MarshalSSZ())}
			v, err := attest.VerifyFault(testNet, c.set, proof)
			wantRule(t, err, k.rule)
			if !v.IsZero() {
				t.Error("a refused proof convicts")
			}
		})
	}
	_, err := attest.VerifyFault(testNet, newCast(t, 1, 2, 3, 4).set, good)
	wantRule(t, err, attest.RuleWrongSet)
	_, err = attest.VerifyFault(testNet, c.set, &attest.FaultProof{Kind: good.Kind, Body: append(bytes.Clone(good.Body), 0)})
	wantRule(t, err, attest.RuleSignature) // a signature comes last: the byte is part of it
	_, err = attest.VerifyFault(testNet, c.set, &attest.FaultProof{Kind: uint8(attest.FaultDoubleVote), Body: good.Body})
	wantRule(t, err, attest.RuleEncoding)
}

// A kind of key that this version can't judge is nobody's fault.
func TestEquivocationWithAnotherKindOfKeyIsNotJudged(t *testing.T) {
	v := equalCast(t, 4).set.ValidatorSet()
	v.Validators[1].ConsensusKey = attest.ConsensusKey{Type: 9, Bytes: make([]byte, 33)}
	set := must[*attest.Set](t)(attest.NewSet(v))
	e := equivocated(1)
	e.Key = v.Validators[1].ConsensusKey
	proof := must[*attest.FaultProof](t)(attest.BuildEquivocation(set, e))
	_, err := attest.VerifyFault(testNet, set, proof)
	wantRule(t, err, attest.RuleUnsupported)
}

func BenchmarkVerifyEquivocation(b *testing.B) {
	for _, n := range []int{4, attest.MaxValidators} {
		b.Run(fmt.Sprintf("validators=%d", n), func(b *testing.B) {
			c := equalCast(b, n)
			proof := c.equivocation(b, 1)
			for b.Loop() {
				if _, err := attest.VerifyFault(testNet, c.set, proof); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
