package attest_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/bls"
)

func TestAnEthereumSlashingConvictsWhoSignedBoth(t *testing.T) {
	c := beaconCast(t, 4)
	for _, k := range []struct {
		name    string
		e       attest.EthereumSlashing
		epoch   uint64
		convict []int
	}{
		{"two votes for a target", slashedVotes(t), 2, []int{1, 2}},
		{"a vote around another, across a fork", slashedSurround(t), 6, []int{1}},
		{"two blocks for a slot", slashedBlocks(t), 2, []int{3}},
	} {
		t.Run(k.name, func(t *testing.T) {
			proof := c.slashing(t, k.e)
			k.e.First, k.e.Second = k.e.Second, k.e.First
			if swapped := c.slashing(t, k.e); swapped.ID() != proof.ID() {
				t.Fatal("the proof depends on the order of its sides")
			}
			a := must[attest.Accusation](t)(attest.Peek(proof))
			if a.Kind != attest.FaultEthereumSlashing || a.ChainID != testChain || a.Epoch != k.epoch || a.ValidatorsRoot != c.set.Root() ||
				!slices.Equal(slices.Collect(a.Accused.Ones()), k.convict) {
				t.Fatalf("peek: %+v", a)
			}
			v := must[attest.VerifiedFault](t)(attest.VerifyFault(testLaw(), c.set, proof))
			var accounts [][32]byte
			for _, o := range v.Offenders() {
				accounts = append(accounts, o.Account)
				if !o.Total.Eq(c.set.Total()) {
					t.Errorf("%+v", o)
				}
			}
			var want [][32]byte
			for _, i := range k.convict {
				want = append(want, c.set.At(i).Account)
			}
			if v.Kind() != attest.FaultEthereumSlashing || v.Epoch() != k.epoch || !slices.Equal(accounts, want) {
				t.Fatalf("convicts %x, want %x", accounts, want)
			}
			if size := len(proof.Body); size > attest.MaxEthereumSlashingSize {
				t.Errorf("%d bytes", size)
			}
		})
	}
}

// The law is held against the specification, written a second time: for any two votes,
// signers and epoch, who is convicted is who signed both, if they contradict each other
// and one of them is of that epoch.
func TestAnySlashingIsJudgedAsTheSpecificationSays(t *testing.T) {
	c := beaconCast(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (*ethereum.AttestationData, attest.EthereumSide) {
			target := rapid.Uint64Range(9, 22).Draw(t, label+" target")
			d := beaconVote(target-rapid.Uint64Range(0, 9).Draw(t, label+" back"), target, rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" block"))
			d.Slot = rapid.SampledFrom([]uint64{0, target * 8, math.MaxUint64}).Draw(t, label+" slot")
			who := rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 4, rapid.ID[int]).Draw(t, label+" signers")
			return d, voted(t, 4, d, who...)
		}
		a, first := draw("a")
		b, second := draw("b")
		epoch := rapid.Uint64Range(1, 8).Draw(t, "epoch")

		double := *a != *b && a.Target.Epoch == b.Target.Epoch
		surround := func(x, y *ethereum.AttestationData) bool {
			return x.Source.Epoch < y.Source.Epoch && y.Target.Epoch < x.Target.Epoch
		}
		of := func(d *ethereum.AttestationData) bool {
			return d.Target.Epoch >= 10 && (d.Target.Epoch-10)/2+1 == epoch
		}
		both := attest.Bits(first.Signers).And(second.Signers)
		guilty := (double || surround(a, b) || surround(b, a)) && both.Count() > 0 && (of(a) || of(b))

		proof, err := attest.BuildEthereumSlashing(c.set, attest.EthereumSlashing{ChainID: []byte(testChain), Epoch: epoch, First: first, Second: second})
		var v attest.VerifiedFault
		if err == nil {
			v, err = attest.VerifyFault(testLaw(), c.set, proof)
		}
		if (err == nil) != guilty {
			t.Fatalf("guilty: %v, but %v", guilty, err)
		}
		if guilty && len(v.Offenders()) != both.Count() {
			t.Fatalf("%d offenders, want %d", len(v.Offenders()), both.Count())
		}
	})
}

// An honest validator votes once for a target, never around another vote or inside of
// one, proposes once for a slot, and may sign all of it again. No two of its signatures
// convict it, whatever the proof calls them.
func TestHonestBeaconValidatorsAreNeverConvicted(t *testing.T) {
	c := beaconCast(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		var history []attest.EthereumSide
		source, target := uint64(10), uint64(10)
		for range rapid.IntRange(2, 6).Draw(t, "votes") {
			target += rapid.Uint64Range(1, 3).Draw(t, "next target")
			source = rapid.Uint64Range(source, target-1).Draw(t, "source")
			history = append(history, voted(t, 4, beaconVote(source, target, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "block")), 1))
			slot := target*8 + rapid.Uint64Range(0, 7).Draw(t, "slot")
			history = append(history, proposed(t, 4, beaconBlock(slot, 77, "a"), 1))
		}
		pick := func(label string) attest.EthereumSide { return rapid.SampledFrom(history).Draw(t, label) }
		a, b := pick("first"), pick("second")
		e := attest.EthereumSlashing{ChainID: []byte(testChain), Epoch: rapid.Uint64Range(1, 9).Draw(t, "epoch"), First: a, Second: b}
		_, err := attest.BuildEthereumSlashing(c.set, e)
		wantRule(t, err, attest.RuleContradiction)

		// Relabelled so that it would be a fault, the signature says otherwise.
		e.Second.Signed = bytes.Clone(a.Signed)
		e.Second.Signed[len(a.Signed)-1] ^= 1
		v, err := attest.VerifyFault(testLaw(), c.set, must[*attest.FaultProof](t)(attest.BuildEthereumSlashing(c.set, e)))
		if err == nil || !v.IsZero() {
			t.Fatal("an honest validator is convicted")
		}
	})
}

// TestEveryFieldOfASlashingCounts changes one field at a time in a valid proof.
func TestEveryFieldOfASlashingCounts(t *testing.T) {
	c := beaconCast(t, 4)
	infinity := [96]byte{0xc0}
	type change func(*attest.EthereumSlashing)
	flip := func(side func(*attest.EthereumSlashing) *attest.EthereumSide, at int) change {
		return func(e *attest.EthereumSlashing) { side(e).Signed[at] ^= 1 }
	}
	second := func(e *attest.EthereumSlashing) *attest.EthereumSide { return &e.Second }
	for _, k := range []struct {
		name   string
		of     func(tb) attest.EthereumSlashing
		change change
		rule   attest.Rule
	}{
		{"a chain that is no beacon chain", slashedVotes, func(e *attest.EthereumSlashing) { e.ChainID = []byte("beta") }, attest.RuleUnsupported},
		{"strange chain", slashedVotes, func(e *attest.EthereumSlashing) { e.ChainID = []byte("a/b") }, attest.RuleChainID},
		{"genesis", slashedVotes, func(e *attest.EthereumSlashing) { e.Epoch = 0 }, attest.RuleEpoch},
		{"the epoch before", slashedVotes, func(e *attest.EthereumSlashing) { e.Epoch-- }, attest.RuleContradiction},
		{"the epoch after", slashedBlocks, func(e *attest.EthereumSlashing) { e.Epoch++ }, attest.RuleContradiction},
		{"an epoch between", slashedSurround, func(e *attest.EthereumSlashing) { e.Epoch = 4 }, attest.RuleContradiction},
		{"set", slashedVotes, func(e *attest.EthereumSlashing) { e.ValidatorsRoot[0]++ }, attest.RuleWrongSet},
		{"an innocent", slashedVotes, func(e *attest.EthereumSlashing) { attest.Bits(e.First.Signers).Set(3) }, attest.RuleSignature},
		{"a signer less", slashedVotes, func(e *attest.EthereumSlashing) { e.First.Signers = bitsOf(4, 1, 2) }, attest.RuleSignature},
		{"nobody in both", slashedVotes, func(e *attest.EthereumSlashing) { e.First.Signers = bitsOf(4, 0) }, attest.RuleOffender},
		{"nobody at all", slashedVotes, func(e *attest.EthereumSlashing) { e.First.Signers = bitsOf(4) }, attest.RuleBitfield},
		{"another set's bits", slashedVotes, func(e *attest.EthereumSlashing) {
			e.First.Signers, e.Second.Signers = bitsOf(5, 1), bitsOf(5, 1)
		}, attest.RuleBitfield},
		{"two sets' bits", slashedVotes, func(e *attest.EthereumSlashing) { e.First.Signers = bitsOf(5, 1) }, attest.RuleBitfield},
		{"two proposers", slashedBlocks, func(e *attest.EthereumSlashing) { attest.Bits(e.First.Signers).Set(0) }, attest.RuleBitfield},
		{"another proposer", slashedBlocks, func(e *attest.EthereumSlashing) {
			e.First.Signers, e.Second.Signers = bitsOf(4, 0), bitsOf(4, 0)
		}, attest.RuleSignature},
		{"slot of a vote", slashedSurround, flip(second, 0), attest.RuleSignature},
		{"committee", slashedSurround, flip(second, 8), attest.RuleSignature},
		{"block", slashedSurround, flip(second, 16), attest.RuleSignature},
		{"source", slashedSurround, flip(second, 48), attest.RuleSignature},
		{"root of the source", slashedSurround, flip(second, 56), attest.RuleSignature},
		{"target", slashedSurround, flip(second, 88), attest.RuleSignature},
		{"root of the target", slashedSurround, flip(second, 127), attest.RuleSignature},
		{"target of one of two", slashedVotes, flip(second, 88), attest.RuleContradiction},
		{"slot of a block", slashedBlocks, flip(second, 0), attest.RuleContradiction},
		{"proposer of a block", slashedBlocks, flip(second, 8), attest.RuleContradiction},
		{"same block", slashedBlocks, func(e *attest.EthereumSlashing) { e.Second = e.First }, attest.RuleContradiction},
		{"same vote by others", slashedVotes, func(e *attest.EthereumSlashing) { e.Second.Signed = e.First.Signed }, attest.RuleContradiction},
		{"a block and a vote", slashedBlocks, func(e *attest.EthereumSlashing) {
			e.Second = voted(t, 4, beaconVote(11, 12, "a"), 3)
		}, attest.RuleContradiction},
		{"sides swapped", slashedVotes, func(e *attest.EthereumSlashing) { e.First, e.Second = e.Second, e.First }, attest.RuleOrder},
		{"the inner vote first", slashedSurround, func(e *attest.EthereumSlashing) { e.First, e.Second = e.Second, e.First }, attest.RuleOrder},
		{"signatures swapped", slashedVotes, func(e *attest.EthereumSlashing) {
			e.First.Signature, e.Second.Signature = e.Second.Signature, e.First.Signature
		}, attest.RuleSignature},
		{"one signature twice", slashedBlocks, func(e *attest.EthereumSlashing) { e.Second.Signature = e.First.Signature }, attest.RuleSignature},
		{"infinity", slashedVotes, func(e *attest.EthereumSlashing) { e.First.Signature = infinity }, attest.RuleSignature},
		{"no point", slashedVotes, func(e *attest.EthereumSlashing) { e.First.Signature = [96]byte{} }, attest.RuleSignature},
		{"cut", slashedVotes, func(e *attest.EthereumSlashing) { e.First.Signed = e.First.Signed[:127] }, attest.RuleEncoding},
		{"a header cut", slashedBlocks, func(e *attest.EthereumSlashing) { e.First.Signed = e.First.Signed[:111] }, attest.RuleEncoding},
		{"a header and more", slashedBlocks, func(e *attest.EthereumSlashing) { e.First.Signed = append(e.First.Signed, 0) }, attest.RuleEncoding},
		{"nothing signed", slashedBlocks, func(e *attest.EthereumSlashing) { e.First.Signed = nil }, attest.RuleEncoding},
	} {
		t.Run(k.name, func(t *testing.T) {
			good := c.slashing(t, k.of(t))
			must[attest.VerifiedFault](t)(attest.VerifyFault(testLaw(), c.set, good))
			e := must[*attest.EthereumSlashing](t)(attest.DecodeEthereumSlashing(good.Body))
			k.change(e)
			// Not by way of the encoder, which refuses.
			proof := &attest.FaultProof{Kind: good.Kind, Body: must[[]byte](t)(e.MarshalSSZ())}
			v, err := attest.VerifyFault(testLaw(), c.set, proof)
			wantRule(t, err, k.rule)
			if !v.IsZero() {
				t.Error("a refused proof convicts")
			}
		})
	}
	good := c.slashing(t, slashedVotes(t))
	for name, body := range map[string][]byte{
		"a byte more": append(bytes.Clone(good.Body), 0), "cut": good.Body[:len(good.Body)-1], "empty": {},
		"too long": make([]byte, attest.MaxEthereumSlashingSize+1),
	} {
		if v, err := attest.VerifyFault(testLaw(), c.set, &attest.FaultProof{Kind: good.Kind, Body: body}); err == nil || !v.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := attest.VerifyFault(testLaw(), beaconCast(t, 5).set, good)
	wantRule(t, err, attest.RuleWrongSet)
}

// Whatever byte is changed, a valid proof is refused, or convicts the same of the same:
// a surround may be called one of its other epoch.
func TestAMutatedSlashingConvictsNobodyElse(t *testing.T) {
	c := beaconCast(t, 4)
	var proofs []*attest.FaultProof
	for _, e := range []attest.EthereumSlashing{slashedVotes(t), slashedSurround(t), slashedBlocks(t)} {
		proofs = append(proofs, c.slashing(t, e))
	}
	rapid.Check(t, func(t *rapid.T) {
		good := rapid.SampledFrom(proofs).Draw(t, "proof")
		body := bytes.Clone(good.Body)
		body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] ^= rapid.ByteMin(1).Draw(t, "flip")
		v, err := attest.VerifyFault(testLaw(), c.set, &attest.FaultProof{Kind: good.Kind, Body: body})
		if err == nil {
			sameSlashing(t, c, good, v)
		}
	})
}

// sameSlashing fails unless v convicts those of good for what good convicts them of.
func sameSlashing(t interface{ Fatalf(string, ...any) }, c *cast, good *attest.FaultProof, v attest.VerifiedFault) {
	a, errA := attest.DecodeEthereumSlashing(good.Body)
	b, errB := attest.DecodeEthereumSlashing(v.Proof().Body)
	w, err := attest.VerifyFault(testLaw(), c.set, good)
	if errA != nil || errB != nil || err != nil || !bytes.Equal(a.First.Signed, b.First.Signed) || !bytes.Equal(a.Second.Signed, b.Second.Signed) ||
		!slices.Equal(v.Offenders(), w.Offenders()) {
		t.Fatalf("a proof that nobody signed convicts %v", v.Offenders())
	}
}

// The two votes of a surround may be far apart. Each is half of the offence, so that
// whoever chose the targets does not choose for which epoch he pays.
func TestASurroundIsOfTheEpochOfEitherVote(t *testing.T) {
	c := beaconCast(t, 4)
	e := slashedSurround(t)
	if epochs := must[[]uint64](t)(e.Epochs(testBeacon())); !slices.Equal(epochs, []uint64{6, 2}) {
		t.Fatalf("epochs %v", epochs)
	}
	for _, epoch := range []uint64{2, 6} {
		e.Epoch = epoch
		v := must[attest.VerifiedFault](t)(attest.VerifyFault(testLaw(), c.set, c.slashing(t, e)))
		if v.Epoch() != epoch {
			t.Errorf("epoch %d", v.Epoch())
		}
	}
	// A target that no epoch of the ledger has, before its first or beyond 64 bits, leaves
	// the other one.
	for _, target := range []uint64{21, math.MaxUint64, math.MaxUint64 / 8} {
		outer := beaconVote(2, target, "a")
		e.First, e.Second = voted(t, 4, outer, 1), voted(t, 4, beaconVote(3, 13, "a"), 1)
		e.Epoch = 2
		must[attest.VerifiedFault](t)(attest.VerifyFault(testLaw(), c.set, c.slashing(t, e)))
	}
	for name, k := range map[string]attest.EthereumSlashing{
		"votes":  {First: voted(t, 4, beaconVote(1, 9, "a"), 1), Second: voted(t, 4, beaconVote(1, 9, "b"), 1)},
		"blocks": {First: proposed(t, 4, beaconBlock(79, 1, "a"), 1), Second: proposed(t, 4, beaconBlock(79, 1, "b"), 1)},
	} {
		k.ChainID, k.Epoch = []byte(testChain), 1
		_, err := attest.VerifyFault(testLaw(), c.set, c.slashing(t, k))
		wantRule(t, err, attest.RuleContradiction)
		if epochs := must[[]uint64](t)(k.Epochs(testBeacon())); len(epochs) != 0 {
			t.Errorf("%s from before the ledger are of epochs %v", name, epochs)
		}
	}
}

// What was signed for another network, fork or purpose is nothing here: the proof has no
// say in what the domain is.
func TestASlashingIsOfTheBeaconChainThatWasAgreedOn(t *testing.T) {
	c := beaconCast(t, 4)
	for name, change := range map[string]func(*attest.Beacon){
		"genesis":     func(b *attest.Beacon) { b.GenesisValidatorsRoot[31] ^= 1 },
		"first fork":  func(b *attest.Beacon) { b.Forks[0].Version[3]++ },
		"second fork": func(b *attest.Beacon) { b.Forks[1].Version[3]++ },
		"later fork":  func(b *attest.Beacon) { b.Forks[1].Epoch++ },
	} {
		t.Run(name, func(t *testing.T) {
			law := testLaw()
			change(law.beacon)
			_, err := attest.VerifyFault(law, c.set, c.slashing(t, slashedSurround(t)))
			wantRule(t, err, attest.RuleSignature)
		})
	}
	_, err := attest.VerifyFault(testNet, c.set, c.slashing(t, slashedVotes(t)))
	wantRule(t, err, attest.RuleUnsupported)
	// The mesh's own network is in none of it.
	other := testLaw()
	other.Law = attest.Network{1}
	must[attest.VerifiedFault](t)(attest.VerifyFault(other, c.set, c.slashing(t, slashedVotes(t))))

	// A block's root signed as if it were a vote's, and the other way round.
	e := slashedBlocks(t)
	header := must[*ethereum.BeaconBlockHeader](t)(ethereum.DecodeBeaconBlockHeader(e.First.Signed))
	asVote := beaconMessage(1, [4]byte{4}, testBeacon().GenesisValidatorsRoot, header.Root())
	e.First.Signature = sum(t, asVote, ethereumKey(t, 3))
	_, err = attest.VerifyFault(testLaw(), c.set, c.slashing(t, e))
	wantRule(t, err, attest.RuleSignature)
}

// With a key that nobody proved to hold, one validator alone makes an aggregate that
// names another: that is why nobody but members may be in one, and why members prove
// their possession when they register.
func TestStrangersAreInNoAggregate(t *testing.T) {
	c := beaconCast(t, 4)
	keyOf := func(i int) [48]byte { return ethereumKey(t, i).PublicKey().Bytes() }
	signers := must[attest.Bits](t)(attest.EthereumSigners(c.set, keyOf(2), keyOf(0)))
	if !slices.Equal(slices.Collect(signers.Ones()), []int{0, 2}) {
		t.Fatalf("signers %v", slices.Collect(signers.Ones()))
	}
	attacker, victim := ethereumKey(t, 9), ethereumKey(t, 1).PublicKey()
	rogue := rogueKey(t, attacker.PublicKey(), victim)
	_, err := attest.EthereumSigners(c.set, keyOf(1), rogue.Bytes())
	wantRule(t, err, attest.RuleOffender)

	forged := func(d *ethereum.AttestationData) attest.EthereumSide {
		return attest.EthereumSide{Signed: must[[]byte](t)(d.MarshalSSZ()), Signers: bitsOf(4, 1, 3), Signature: sum(t, voteMessage(d), attacker)}
	}
	e := attest.EthereumSlashing{ChainID: []byte(testChain), Epoch: 2, First: forged(beaconVote(11, 12, "a")), Second: forged(beaconVote(11, 12, "b"))}
	// Were the rogue key bound, the victim would be convicted of what he never signed.
	bound := c.withConsensusKeys(t, func(i int) attest.ConsensusKey {
		b := keyOf(i)
		if i == 3 {
			b = rogue.Bytes()
		}
		return attest.ConsensusKey{Type: attest.KeyEthereum, Bytes: b[:]}
	})
	must[attest.VerifiedFault](t)(attest.VerifyFault(testLaw(), bound.set, bound.slashing(t, e)))
	for _, signers := range []attest.Bits{bitsOf(4, 1, 3), bitsOf(4, 1)} {
		e.First.Signers, e.Second.Signers = signers, signers
		_, err := attest.VerifyFault(testLaw(), c.set, c.slashing(t, e))
		wantRule(t, err, attest.RuleSignature)
	}
}

func TestMembersWithoutABeaconKeySignNothingThere(t *testing.T) {
	c := beaconCast(t, 4)
	for name, k := range map[string]struct {
		key  attest.ConsensusKey
		rule attest.Rule
	}{
		"another kind": {attest.Ed25519(consensusKey(1)).Public(), attest.RuleOffender},
		"none":         {attest.ConsensusKey{}, attest.RuleOffender},
		"infinity":     {attest.ConsensusKey{Type: attest.KeyEthereum, Bytes: append([]byte{0xc0}, make([]byte, 47)...)}, attest.RuleKey},
		"no point":     {attest.ConsensusKey{Type: attest.KeyEthereum, Bytes: bytes.Repeat([]byte{0xff}, 48)}, attest.RuleKey},
	} {
		t.Run(name, func(t *testing.T) {
			changed := c.withConsensusKeys(t, func(i int) attest.ConsensusKey {
				if i == 1 {
					return k.key
				}
				return c.set.At(i).ConsensusKey
			})
			_, err := attest.VerifyFault(testLaw(), changed.set, changed.slashing(t, slashedVotes(t)))
			wantRule(t, err, k.rule)
		})
	}
}

func drawEthereumSlashing(t *rapid.T) *attest.EthereumSlashing {
	n := rapid.IntRange(1, attest.MaxValidators).Draw(t, "validators")
	who := rapid.IntRange(0, n-1).Draw(t, "accused")
	side := func(signed interface{ MarshalSSZ() ([]byte, error) }) attest.EthereumSide {
		return attest.EthereumSide{Signed: must[[]byte](t)(signed.MarshalSSZ()), Signers: bitsOf(n, who), Signature: drawArray96(t)}
	}
	e := &attest.EthereumSlashing{
		ChainID: drawChainID(t), Epoch: rapid.Uint64Min(1).Draw(t, "epoch"), ValidatorsRoot: drawArray32(t),
	}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		e.First, e.Second = side(beaconVote(1, 2, "a")), side(beaconVote(1, 2, "b"))
		if rapid.Bool().Draw(t, "both") {
			e.First.Signers = attest.NewBits(n)
			for i := range n {
				attest.Bits(e.First.Signers).Set(i)
			}
		}
	case 1:
		e.First, e.Second = side(beaconVote(1, 4, "a")), side(beaconVote(2, 3, "a"))
	case 2:
		e.First, e.Second = side(beaconBlock(1, 2, "a")), side(beaconBlock(1, 2, "b"))
	}
	if _, err := attest.EncodeEthereumSlashing(e); err != nil { // the roots are the other way round
		e.First, e.Second = e.Second, e.First
	}
	return e
}

// FuzzVerifyEthereumSlashing feeds bodies that may be anything. Nothing but what was
// signed may convict.
func FuzzVerifyEthereumSlashing(f *testing.F) {
	c := beaconCast(f, 4)
	var proofs []*attest.FaultProof
	for _, e := range []attest.EthereumSlashing{slashedVotes(f), slashedSurround(f), slashedBlocks(f)} {
		proofs = append(proofs, c.slashing(f, e))
		f.Add(proofs[len(proofs)-1].Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := attest.VerifyFault(testLaw(), c.set, &attest.FaultProof{Kind: uint8(attest.FaultEthereumSlashing), Body: body})
		if err != nil {
			return
		}
		for _, good := range proofs {
			a := must[*attest.EthereumSlashing](t)(attest.DecodeEthereumSlashing(good.Body))
			b := must[*attest.EthereumSlashing](t)(attest.DecodeEthereumSlashing(body))
			if bytes.Equal(a.First.Signed, b.First.Signed) {
				sameSlashing(t, c, good, v)
				return
			}
		}
		t.Fatalf("a proof that nobody signed convicts %v", v.Offenders())
	})
}

// BenchmarkVerifyEthereumSlashing verifies the largest proofs of the kind: all members of
// the set voted twice. Their keys are those that the process has seen, or new to it, which
// they are once for a set.
func BenchmarkVerifyEthereumSlashing(b *testing.B) {
	for _, n := range []int{1, 4, 128, attest.MaxValidators} {
		guilty := strangeCasts(b, n)
		for name, all := range map[string][]accused{"known": guilty[:1], "new": guilty} {
			b.Run(fmt.Sprintf("validators=%d/keys=%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					a := &all[i%len(all)]
					i++
					proof := must[*attest.FaultProof](b)(attest.DecodeFaultProof(a.proof))
					if v, err := attest.VerifyFault(testLaw(), a.set, proof); err != nil || len(v.Offenders()) != n {
						b.Fatal(err)
					}
				}
				size := len(all[0].proof) + len(must[[]byte](b)(attest.EncodeValidatorSet(all[0].set.ValidatorSet())))
				b.ReportMetric(float64(len(all[0].proof)), "proof-bytes")
				b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N)*10240/float64(size), "ms/10KiB-with-set")
			})
		}
	}
}

type accused struct {
	set   *attest.Set
	proof []byte
}

// strangeCasts are sets of n that voted twice, with more keys, together, than the process
// remembers. The keys are sums of two, which is quicker than to make them.
func strangeCasts(b *testing.B, n int) (all []accused) {
	b.Helper()
	const base, remembered = 256, 2 * 8192
	votes := []*ethereum.AttestationData{beaconVote(11, 12, "a"), beaconVote(11, 12, "b")}
	var parts [base]bls.PublicKey
	var signed [2][base]bls.Signature
	for i := range parts {
		key := ethereumKey(b, i)
		parts[i] = key.PublicKey()
		for v, d := range votes {
			message := voteMessage(d)
			signed[v][i] = key.Sign(message[:])
		}
	}
	mesh, next := equalCast(b, n), 0
	for range min(remembered/n+2, 1024) {
		var signatures [2][]bls.Signature
		c := mesh.withConsensusKeys(b, func(int) attest.ConsensusKey {
			x, y := next%base, (next+1+next/base)%base
			next++
			for v := range votes {
				signatures[v] = append(signatures[v], signed[v][x], signed[v][y])
			}
			k := must[bls.PublicKey](b)(bls.AggregatePublicKeys([]bls.PublicKey{parts[x], parts[y]})).Bytes()
			return attest.ConsensusKey{Type: attest.KeyEthereum, Bytes: k[:]}
		})
		e := attest.EthereumSlashing{ChainID: []byte(testChain), Epoch: 2}
		for v, side := range []*attest.EthereumSide{&e.First, &e.Second} {
			*side = attest.EthereumSide{Signed: must[[]byte](b)(votes[v].MarshalSSZ()), Signers: attest.NewBits(n)}
			for i := range n {
				attest.Bits(side.Signers).Set(i)
			}
			side.Signature = must[bls.Signature](b)(bls.Aggregate(signatures[v])).Bytes()
		}
		all = append(all, accused{c.set, must[[]byte](b)(attest.EncodeFaultProof(c.slashing(b, e)))})
	}
	return all
}
