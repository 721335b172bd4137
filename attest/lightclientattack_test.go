package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// followsFromParent are the changes of a header after which it can't be valid.
var followsFromParent = map[string]func(*comet.Header){
	"validators":      func(h *comet.Header) { h.Validators = hashOf("forged") },
	"next validators": func(h *comet.Header) { h.NextValidators = hashOf("forged") },
	"consensus":       func(h *comet.Header) { h.Consensus = hashOf("forged") },
	"app":             func(h *comet.Header) { h.App = hashOf("forged") },
	"results":         func(h *comet.Header) { h.LastResults = nil },
}

// mayDiffer are the changes after which it may be valid, as far as anybody can see.
var mayDiffer = map[string]func(*comet.Header){
	"time":             func(h *comet.Header) { h.Time = h.Time.Add(time.Nanosecond) },
	"transactions":     func(h *comet.Header) { h.Data = hashOf("other") },
	"commit":           func(h *comet.Header) { h.LastCommit = hashOf("other") },
	"evidence":         func(h *comet.Header) { h.Evidence = hashOf("other") },
	"proposer":         func(h *comet.Header) { h.Proposer = bytes.Repeat([]byte{7}, 20) },
	"software":         func(h *comet.Header) { h.VersionBlock++ },
	"application":      func(h *comet.Header) { h.VersionApp++ },
	"parts of parents": func(h *comet.Header) { h.LastBlock.PartsTotal++ },
}

func (c *homeChain) attack(t tb, height int64, forged *comet.Header, round int64, who ...int) attest.AttackEvidence {
	return attest.AttackEvidence{
		Certificate: c.epoch(t, nil), Headers: c.back(height), Validators: c.validators,
		Conflicting: forged, ConflictingCommit: c.commit(forged, round, who...),
	}
}

// lunatic is the proof that who signed a block with another state.
func (c *homeChain) lunatic(t tb, height int64, who ...int) *attest.FaultProof {
	t.Helper()
	return must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, c.attack(t, height, c.other(height, followsFromParent["app"]), 3, who...)))
}

// equivocal is the proof that who signed two blocks in one round.
func (c *homeChain) equivocal(t tb, height int64, who ...int) *attest.FaultProof {
	t.Helper()
	e := c.attack(t, height, c.other(height, mayDiffer["time"]), 2, who...)
	e.Commit = c.commit(c.headers[height-1], 2, everybody(c.set.Len())...)
	return must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, e))
}

// forked is the proof that who signed another block in another round.
func (c *homeChain) forked(t tb, height int64, who ...int) *attest.FaultProof {
	t.Helper()
	return must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, c.attack(t, height, c.other(height, mayDiffer["time"]), 3, who...)))
}

func (c *homeChain) verified(t tb, proof *attest.FaultProof) attest.VerifiedFault {
	t.Helper()
	return must[attest.VerifiedFault](t)(attest.VerifyFault(testNet, c.set, proof))
}

func TestWhoeverSignsAMadeUpHeaderIsConvicted(t *testing.T) {
	c := newHomeChain(t, 4)
	for name, change := range followsFromParent {
		for _, height := range []int64{2, 7, testEpochBlocks} {
			forged := c.other(height, change)
			proof, err := attest.BuildLightClientAttack(c.set, c.attack(t, height, forged, 0, 1, 3))
			if err != nil {
				t.Fatalf("%s at %d: %v", name, height, err)
			}
			a := must[attest.Accusation](t)(attest.Peek(proof))
			if a.Kind != attest.FaultLightClientAttack || a.ChainID != testChain || a.Epoch != 1 || a.Height != uint64(height) || a.Forked {
				t.Fatalf("%s at %d: %+v", name, height, a)
			}
			v := c.verified(t, proof)
			if who := offendersOf(v, c.set); !slices.Equal(who, []int{1, 3}) {
				t.Errorf("%s at %d convicts %v", name, height, who)
			}
			if o := v.Offenders()[0]; o.Account != c.set.At(1).Account || !o.Power.Eq(c.set.Power(1)) || !o.Total.Eq(c.set.Total()) {
				t.Errorf("offender %+v", o)
			}
		}
	}
}

func TestWhoeverSignsTwoBlocksInARoundIsConvicted(t *testing.T) {
	c := newHomeChain(t, 4)
	for name, change := range mayDiffer {
		e := c.attack(t, 5, c.other(5, change), 2, 0, 1, 2)
		e.Commit = c.commit(c.headers[4], 2, 1, 2, 3)
		proof := must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, e))
		if who := offendersOf(c.verified(t, proof), c.set); !slices.Equal(who, []int{1, 2}) {
			t.Errorf("%s: convicts %v", name, who)
		}
	}
	// The parents of two blocks that one validator signs in one round don't matter.
	e := c.attack(t, 5, c.other(5, func(h *comet.Header) { h.LastBlock.Hash, h.App = hashOf("another"), hashOf("another") }), 2, 0)
	e.Commit = c.commit(c.headers[4], 2, 0, 1, 2)
	proof := must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, e))
	if who := offendersOf(c.verified(t, proof), c.set); !slices.Equal(who, []int{0}) {
		t.Errorf("convicts %v", who)
	}
}

func TestAmnesiaConvictsNobody(t *testing.T) {
	c := newHomeChain(t, 6)
	for name, change := range mayDiffer {
		build := func(who ...int) (*attest.FaultProof, error) {
			e := c.attack(t, 5, c.other(5, change), 2, who...)
			e.Commit = c.commit(c.headers[4], 4, everybody(6)...)
			return attest.BuildLightClientAttack(c.set, e)
		}
		// Up to 2/3 may have signed an earlier block of a chain in good health.
		_, err := build(0, 1, 2, 3)
		wantRule(t, err, attest.RuleQuorum)
		proof := must[*attest.FaultProof](t)(build(0, 1, 2, 3, 4))
		a := must[attest.Accusation](t)(attest.Peek(proof))
		v := c.verified(t, proof)
		if !a.Forked || a.Accused.Count() != 0 || a.Accused.Len() != 6 || !v.Forked() || len(v.Offenders()) != 0 {
			t.Errorf("%s: %+v convicts %v", name, a, v.Offenders())
		}
	}
}

// On another parent no honest validator signs anything, unless there was a fork before.
func TestAThirdOnAnotherParentShowsAFork(t *testing.T) {
	c := newHomeChain(t, 6)
	forged := c.other(5, func(h *comet.Header) {
		h.LastBlock.Hash, h.App, h.Validators = hashOf("another"), hashOf("another"), hashOf("mine")
	})
	_, err := attest.BuildLightClientAttack(c.set, c.attack(t, 5, forged, 0, 3))
	wantRule(t, err, attest.RuleQuorum)
	v := c.verified(t, must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, c.attack(t, 5, forged, 0, 3, 5))))
	if !v.Forked() || len(v.Offenders()) != 0 {
		t.Errorf("convicts %v", v.Offenders())
	}
}

// At a first height there is no parent that the state follows from: another chain of the
// same name, begun anew with the same validators, is no fault of them.
func TestFirstBlocksAreNeverMadeUp(t *testing.T) {
	c := newHomeChain(t, 4)
	for name, change := range followsFromParent {
		e := c.attack(t, 1, c.other(1, change), 0, 1, 2)
		e.Validators = nil
		if _, err := attest.BuildLightClientAttack(c.set, e); !errors.Is(err, attest.RuleOffender) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An honest validator signs no made-up block and one block in each round, and after a
// lock another one only with a quorum of prevotes behind it. Whatever it has signed,
// together with anything that the faulty ones sign, convicts none but those, and as
// long as they hold less than a third of the power does not halt the chain.
func TestHonestValidatorsAreNeverConvictedOfAttacks(t *testing.T) {
	casts := map[int]*homeChain{}
	for n := 1; n <= 7; n++ {
		casts[n] = newHomeChain(t, n)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "validators")
		c := casts[n]
		faulty := rapid.IntRange(0, (n-1)/3).Draw(t, "faulty") // the first ones
		height := rapid.Int64Range(1, testEpochBlocks).Draw(t, "height")
		type signing struct {
			header *comet.Header
			round  int64
			who    []int
		}
		var all []signing
		var committed *signing
		locked, lockedRound := make([]*comet.Header, n), make([]int64, n)
		for round := int64(0); round < 4 && committed == nil; round++ {
			// The proposer of the round brings the chain's block or another valid one.
			proposal := c.headers[height-1]
			if rapid.Bool().Draw(t, "another") {
				proposal = c.other(height, func(h *comet.Header) { h.Time = h.Time.Add(time.Duration(round+1) * time.Second) })
			}
			// Prevotes: a locked validator votes for its lock. The faulty vote for all.
			polka := func(h *comet.Header) bool {
				votes := faulty
				for i := faulty; i < n; i++ {
					if locked[i] == nil && h == proposal || locked[i] == h {
						votes++
					}
				}
				return 3*votes > 2*n
			}
			candidates := []*comet.Header{proposal}
			for _, h := range locked {
				if h != nil && !slices.Contains(candidates, h) {
					candidates = append(candidates, h)
				}
			}
			var chosen *comet.Header // two quorums of prevotes in one round take a third of faults
			for _, h := range candidates {
				if polka(h) {
					chosen = h
				}
			}
			s := signing{header: chosen, round: round}
			if chosen != nil {
				for i := range n {
					if i < faulty || rapid.Bool().Draw(t, "sees the quorum") {
						s.who = append(s.who, i)
						locked[i], lockedRound[i] = chosen, round
					}
				}
				all = append(all, s)
				if 3*len(s.who) > 2*n {
					committed = &s
				}
			}
			for _, h := range candidates { // the faulty precommit everything
				if h != chosen && faulty > 0 {
					all = append(all, signing{h, round, everybody(faulty)})
				}
			}
		}
		if faulty > 0 { // and what nobody proposed
			for _, change := range followsFromParent {
				all = append(all, signing{c.other(height, change), rapid.Int64Range(0, 4).Draw(t, "round"), everybody(faulty)})
			}
		}
		if committed == nil {
			return
		}
		chain := &homeChain{cast: c.cast, validators: c.validators, headers: slices.Clone(c.headers[:height])}
		chain.headers[height-1] = committed.header
		certificate := chain.epoch(t, nil)
		for _, s := range all {
			if s.header == committed.header {
				continue
			}
			e := attest.AttackEvidence{
				Certificate: certificate, Headers: chain.back(height), Validators: c.validators,
				Conflicting: s.header, ConflictingCommit: c.commit(s.header, s.round, s.who...),
				Commit: c.commit(committed.header, committed.round, committed.who...),
			}
			proof, err := attest.BuildLightClientAttack(c.set, e)
			if err != nil {
				continue
			}
			v := c.verified(t, proof)
			if v.Forked() {
				t.Fatalf("%d of %d faults halt the chain, after %v", faulty, n, all)
			}
			for _, who := range offendersOf(v, c.set) {
				if who >= faulty {
					t.Fatalf("validator %d of %d is honest and convicted of %v", who, n, s)
				}
			}
		}
	})
}

// What is in a commit besides valid signatures of members for the block convicts nobody,
// and saves nobody.
func TestCommitsMayHoldAnything(t *testing.T) {
	c := newHomeChain(t, 4)
	forged := c.other(6, followsFromParent["app"])
	stranger := ed25519.NewKeyFromSeed(hashOf("stranger"))
	for name, k := range map[string]struct {
		change func(*attest.AttackEvidence)
		want   []int
	}{
		"as it is": {func(*attest.AttackEvidence) {}, []int{0, 1, 2}},
		"a precommit of nil": {func(e *attest.AttackEvidence) {
			s := &e.ConflictingCommit.Signatures[1]
			s.Flag = comet.FlagNil
			s.Signature = ed25519.Sign(consensusKey(1), e.ConflictingCommit.SignBytes(testChain, 1))
		}, []int{0, 2}},
		"a precommit of nil, called one for the block": {func(e *attest.AttackEvidence) {
			s := &e.ConflictingCommit.Signatures[1]
			s.Flag = comet.FlagNil
			s.Signature = ed25519.Sign(consensusKey(1), e.ConflictingCommit.SignBytes(testChain, 1))
			s.Flag = comet.FlagCommit
		}, []int{0, 2}},
		"absent": {func(e *attest.AttackEvidence) {
			e.ConflictingCommit.Signatures[0] = comet.CommitSig{Flag: comet.FlagAbsent}
		}, []int{1, 2}},
		"a stranger's": {func(e *attest.AttackEvidence) {
			address := comet.Address(stranger.Public().(ed25519.PublicKey))
			s := &e.ConflictingCommit.Signatures[3]
			*s = comet.CommitSig{Flag: comet.FlagCommit, Address: address[:], Time: time.Unix(5, 0)}
			s.Signature = ed25519.Sign(stranger, e.ConflictingCommit.SignBytes(testChain, 3))
		}, []int{0, 1, 2}},
		"twice, wrong first": {func(e *attest.AttackEvidence) {
			bad := e.ConflictingCommit.Signatures[2]
			bad.Time = bad.Time.Add(time.Second)
			e.ConflictingCommit.Signatures = append([]comet.CommitSig{bad}, e.ConflictingCommit.Signatures...)
		}, []int{0, 1, 2}},
		"in another order": {func(e *attest.AttackEvidence) { slices.Reverse(e.ConflictingCommit.Signatures) }, []int{0, 1, 2}},
		"another's address": {func(e *attest.AttackEvidence) {
			e.ConflictingCommit.Signatures[0].Address = c.validators.Members[3].Address
		}, []int{1, 2}},
		"for another chain": {func(e *attest.AttackEvidence) {
			for i := range 3 {
				e.ConflictingCommit.Signatures[i].Signature = ed25519.Sign(consensusKey(i), e.ConflictingCommit.SignBytes("alpha-2", i))
			}
		}, nil},
		"for another block": {func(e *attest.AttackEvidence) {
			other := c.other(6, followsFromParent["results"])
			e.ConflictingCommit = c.commit(other, 3, 0, 1, 2)
		}, nil},
		"for another height": {func(e *attest.AttackEvidence) {
			e.ConflictingCommit.Height++
			for i := range 3 {
				e.ConflictingCommit.Signatures[i].Signature = ed25519.Sign(consensusKey(i), e.ConflictingCommit.SignBytes(testChain, i))
			}
		}, nil},
		"prevotes": {func(e *attest.AttackEvidence) {
			for i := range 3 {
				s := &e.ConflictingCommit.Signatures[i]
				s.Signature = ed25519.Sign(consensusKey(i), comet.SignBytes(testChain, comet.Prevote, 6, 3, &e.ConflictingCommit.Block, s.Time))
			}
		}, nil},
	} {
		e := c.attack(t, 6, forged, 3, 0, 1, 2)
		k.change(&e)
		proof, err := attest.BuildLightClientAttack(c.set, e)
		if k.want == nil {
			if !errors.Is(err, attest.RuleOffender) && !errors.Is(err, attest.RuleHomeBlock) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if who := offendersOf(c.verified(t, proof), c.set); !slices.Equal(who, k.want) {
			t.Errorf("%s: convicts %v, not %v", name, who, k.want)
		}
	}
}

func TestEvidenceThatProvesNoAttack(t *testing.T) {
	c := newHomeChain(t, 4)
	forged := c.other(6, followsFromParent["app"])
	for name, k := range map[string]struct {
		change func(*attest.AttackEvidence)
		want   attest.Rule
	}{
		"the chain's own block": {func(e *attest.AttackEvidence) {
			e.Conflicting, e.ConflictingCommit = c.headers[5], c.commit(c.headers[5], 0, 0, 1, 2)
		}, attest.RuleContradiction},
		"another height": {func(e *attest.AttackEvidence) {
			e.Conflicting = c.other(7, func(h *comet.Header) { h.LastBlock, h.App = c.headers[5].LastBlock, hashOf("x") })
			e.ConflictingCommit = c.commit(e.Conflicting, 0, 0, 1, 2)
		}, attest.RuleContradiction},
		"a trail with a gap": {func(e *attest.AttackEvidence) { e.Headers = slices.Delete(slices.Clone(e.Headers), 1, 2) }, attest.RuleHomeBlock},
		"a trail too short":  {func(e *attest.AttackEvidence) { e.Headers = e.Headers[1:] }, attest.RuleHomeBlock},
		"no trail":           {func(e *attest.AttackEvidence) { e.Headers = nil }, attest.RuleHomeBlock},
		"another certificate": {func(e *attest.AttackEvidence) {
			e.Certificate = c.epoch(t, func(cp *attest.Checkpoint) { cp.BlockHash[0] ^= 1 })
		}, attest.RuleHomeBlock},
		"another chain's certificate": {func(e *attest.AttackEvidence) {
			e.Certificate = c.epoch(t, func(cp *attest.Checkpoint) { cp.ChainID = []byte("alpha-2") })
		}, attest.RuleHomeBlock},
	} {
		e := c.attack(t, 6, forged, 3, 0, 1, 2)
		k.change(&e)
		if _, err := attest.BuildLightClientAttack(c.set, e); !errors.Is(err, k.want) {
			t.Errorf("%s: %v, want %v", name, err, k.want)
		}
	}
}

// TestAnAttackIsAnchoredInACertificate: without more than 2/3 of the set behind the
// checkpoint nothing is known of what the chain has.
func TestAnAttackIsAnchoredInACertificate(t *testing.T) {
	c := newHomeChain(t, 4)
	e := c.attack(t, 6, c.other(6, followsFromParent["app"]), 3, 0, 1, 2)
	e.Certificate = c.certificate(t, &e.Certificate.Checkpoint, 0, 1)
	proof := must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, e))
	_, err := attest.VerifyFault(testNet, c.set, proof)
	wantRule(t, err, attest.RuleQuorum)

	e.Certificate = c.epoch(t, nil)
	e.Certificate.Signature = c.certificate(t, checkpoint(2, "b"), 0, 1, 2, 3).Signature
	proof = must[*attest.FaultProof](t)(attest.BuildLightClientAttack(c.set, e))
	_, err = attest.VerifyFault(testNet, c.set, proof)
	wantRule(t, err, attest.RuleSignature)
	_, err = attest.VerifyFault(testNet, equalCast(t, 5).set, c.lunatic(t, 6, 1))
	wantRule(t, err, attest.RuleWrongSet)
	_, err = attest.VerifyFault(attest.Network{1}, c.set, c.lunatic(t, 6, 1))
	wantRule(t, err, attest.RuleSignature)
}

// A proof that was changed is refused, or convicts the same of the same.
func TestChangedAttacksConvictNobodyElse(t *testing.T) {
	c := newHomeChain(t, 4)
	for _, proof := range []*attest.FaultProof{c.lunatic(t, 4, 0, 2), c.equivocal(t, 4, 1, 2), c.forked(t, 4, 0, 1, 3)} {
		want := c.verified(t, proof)
		rapid.Check(t, func(t *rapid.T) {
			body := bytes.Clone(proof.Body)
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				i := rapid.IntRange(0, len(body)-1).Draw(t, "position")
				switch rapid.IntRange(0, 2).Draw(t, "change") {
				case 0:
					body[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				case 1:
					body = slices.Delete(body, i, i+1)
				case 2:
					body = slices.Insert(body, i, rapid.Byte().Draw(t, "byte"))
				}
			}
			got, err := attest.VerifyFault(testNet, c.set, &attest.FaultProof{Kind: proof.Kind, Body: body})
			if err != nil {
				return
			}
			if !slices.Equal(offendersOf(got, c.set), offendersOf(want, c.set)) || got.Forked() != want.Forked() || got.Epoch() != want.Epoch() {
				t.Fatalf("the changed proof convicts %v, the first %v", got.Offenders(), want.Offenders())
			}
		})
	}
}

// Each attack has one form: what another would not need is refused.
func TestAnAttackShowsNoMoreThanItNeeds(t *testing.T) {
	c := newHomeChain(t, 4)
	decoded := func(p *attest.FaultProof) *attest.LightClientAttack {
		return must[*attest.LightClientAttack](t)(attest.DecodeLightClientAttack(p.Body))
	}
	lunatic, equivocal, forked := decoded(c.lunatic(t, 4, 0, 2)), decoded(c.equivocal(t, 4, 1, 2)), decoded(c.forked(t, 4, 0, 1, 3))
	for i, change := range []func() *attest.LightClientAttack{
		func() *attest.LightClientAttack { a := *lunatic; a.Own = equivocal.Own; return &a },
		func() *attest.LightClientAttack { a := *lunatic; a.Validators = forked.Validators; return &a },
		func() *attest.LightClientAttack { a := *forked; a.Own = equivocal.Own; return &a },
		func() *attest.LightClientAttack { a := *equivocal; a.Own = nil; return &a },
		func() *attest.LightClientAttack { a := *forked; a.Validators = forked.Validators[:3]; return &a },
		func() *attest.LightClientAttack { a := *lunatic; a.Precommits = a.Precommits[:1]; return &a },
		func() *attest.LightClientAttack { a := *lunatic; a.Signers = attest.NewBits(4); return &a },
		func() *attest.LightClientAttack { a := *lunatic; a.PartsTotal = 0; return &a },
		func() *attest.LightClientAttack { a := *lunatic; a.Round = 1 << 31; return &a },
	} {
		if _, err := attest.EncodeLightClientAttack(change()); err == nil {
			t.Errorf("change %d has an encoding", i)
		}
	}
}
