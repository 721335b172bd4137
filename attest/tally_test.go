package attest_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
)

// said is one entry of the list that the dumb twin of a tally keeps: these
// validators said that checkpoint, alone or together.
type said struct {
	who       []int
	what      [32]byte
	aggregate bool
}

// history is the twin: it keeps everything, and counts again from the start whenever
// it is asked.
type history []said

// firstOf is what a validator said first.
func (h history) firstOf(who int) (what [32]byte, ok bool) {
	for _, s := range h {
		if slices.Contains(s.who, who) {
			return s.what, true
		}
	}
	return what, false
}

func (h history) isDouble(who int) bool {
	first, _ := h.firstOf(who)
	return slices.ContainsFunc(h, func(s said) bool { return s.what != first && slices.Contains(s.who, who) })
}

func (h history) doubles(n int) (who []int) {
	for i := range n {
		if h.isDouble(i) {
			who = append(who, i)
		}
	}
	return who
}

// votesFor are those whose single votes for that checkpoint came before they
// contradicted themselves.
func (h history) votesFor(what [32]byte) (who []int) {
	for i, s := range h {
		if s.aggregate || s.what != what {
			continue
		}
		if first, _ := h.firstOf(s.who[0]); first == what && !h[:i+1].isDouble(s.who[0]) && !slices.Contains(who, s.who[0]) {
			who = append(who, s.who[0])
		}
	}
	return who
}

// surelyQuorum says whether the checkpoint has a quorum in votes alone, or in one of
// the aggregates alone, and how many signers the larger has.
func (h history) surelyQuorum(c *cast, what [32]byte) (signers int, ok bool) {
	for _, group := range append(h.aggregatesOf(what), h.votesFor(what)) {
		if c.isQuorum(group) {
			signers, ok = max(signers, len(group)), true
		}
	}
	return signers, ok
}

// maybeQuorum says whether some aggregate and the votes have a quorum together.
func (h history) maybeQuorum(c *cast, what [32]byte) bool {
	return slices.ContainsFunc(append(h.aggregatesOf(what), nil), func(group []int) bool {
		all := append(slices.Clone(group), h.votesFor(what)...)
		slices.Sort(all)
		return c.isQuorum(slices.Compact(all))
	})
}

func (h history) aggregatesOf(what [32]byte) (groups [][]int) {
	for _, s := range h {
		if s.aggregate && s.what == what {
			groups = append(groups, s.who)
		}
	}
	return groups
}

func (c *cast) isQuorum(who []int) bool {
	signed := new(big.Int)
	for _, i := range who {
		signed.Add(signed, c.set.Power(i).ToBig())
	}
	return signed.Mul(signed, big.NewInt(3)).Cmp(new(big.Int).Mul(big.NewInt(2), c.set.Total().ToBig())) > 0
}

// offenders verifies a proof, and says whom it convicts.
func (c *cast) offenders(t tb, proof *attest.FaultProof) (who []int) {
	v, err := attest.VerifyFault(testNet, c.set, proof)
	if err != nil {
		t.Fatalf("the proof does not verify: %v", err)
	}
	for _, o := range v.Offenders() {
		i, _ := c.set.Index(o.Key)
		who = append(who, i)
	}
	return who
}

// TestTallyAgreesWithRecount runs random schedules of votes and aggregates, in which
// some validators are honest and the others say anything.
func TestTallyAgreesWithRecount(t *testing.T) {
	casts := []*cast{equalCast(t, 4), newCast(t, 50, 20, 20, 10), equalCast(t, 6), newCast(t, 1)}
	checkpoints := []*attest.Checkpoint{checkpoint(5, "a"), checkpoint(5, "b"), checkpoint(5, "c")}
	rapid.Check(t, func(t *rapid.T) {
		c := casts[rapid.IntRange(0, len(casts)-1).Draw(t, "cast")]
		n := c.set.Len()
		honest := make([]int, n) // index of the only checkpoint, or -1
		for i := range honest {
			honest[i] = rapid.IntRange(-1, 1).Draw(t, "honest")
		}
		says := func(who, what int) bool { return honest[who] == -1 || honest[who] == what }

		tally := attest.NewTally(testNet, c.set, testChain, 5)
		var h history
		var convicted []int
		var certified *attest.Certificate
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			what := rapid.IntRange(0, len(checkpoints)-1).Draw(t, "checkpoint")
			cp := checkpoints[what]
			var who []int
			for i := range n {
				if says(i, what) && rapid.Bool().Draw(t, fmt.Sprintf("%d signs", i)) {
					who = append(who, i)
				}
			}
			if len(who) == 0 {
				continue
			}
			before := h
			var outcome, want attest.Outcome
			var proofs []*attest.FaultProof
			if rapid.Bool().Draw(t, "aggregate") {
				h = append(h, said{who, cp.Root(), true})
				outcome, proofs = tally.AddAggregate(c.aggregate(t, cp, who...))
				want = outcome
				if (outcome == attest.OutcomeDoubleVote) != (len(proofs) > 0) || outcome == attest.OutcomeForeign {
					t.Fatalf("%s with %d proofs", outcome, len(proofs))
				}
			} else {
				who = who[:1]
				h = append(h, said{who, cp.Root(), false})
				var proof *attest.FaultProof
				outcome, proof = tally.Add(c.vote(t, who[0], cp))
				want = wantOutcome(before, who[0], cp.Root())
				if proof != nil {
					proofs = append(proofs, proof)
					if got := c.offenders(t, proof); !slices.Equal(got, who) {
						t.Fatalf("the vote of %v convicts %v", who, got)
					}
				}
			}
			if outcome != want {
				t.Fatalf("%v on %s: %s, want %s", who, cp.OpsRoot, outcome, want)
			}
			for _, proof := range proofs {
				fresh := false
				for _, i := range c.offenders(t, proof) {
					if honest[i] != -1 {
						t.Fatalf("honest validator %d is convicted", i)
					}
					if !slices.Contains(convicted, i) {
						convicted, fresh = append(convicted, i), true
					}
				}
				if !fresh {
					t.Fatal("a proof convicts nobody new")
				}
			}
			slices.Sort(convicted)
			if want := h.doubles(n); !slices.Equal(convicted, want) {
				t.Fatalf("convicted are %v, want %v", convicted, want)
			}
			certified = checkCertificate(t, c, tally, h, checkpoints, certified)
		}
	})
}

func wantOutcome(before history, who int, what [32]byte) attest.Outcome {
	first, heard := before.firstOf(who)
	switch {
	case before.isDouble(who):
		return attest.OutcomeIgnored
	case heard && first != what:
		return attest.OutcomeDoubleVote
	case slices.Contains(before.votesFor(what), who):
		return attest.OutcomeDuplicate
	}
	return attest.OutcomeNew
}

// checkCertificate compares certificate and fork with the twin. What overlapping
// aggregates without a quorum add up to is bounded from both sides only.
func checkCertificate(t *rapid.T, c *cast, tally *attest.Tally, h history, checkpoints []*attest.Checkpoint, last *attest.Certificate) *attest.Certificate {
	var surely, maybe int
	for _, cp := range checkpoints {
		if _, ok := h.surelyQuorum(c, cp.Root()); ok {
			surely++
		}
		if h.maybeQuorum(c, cp.Root()) {
			maybe++
		}
	}
	got, ok := tally.Certificate()
	if ok && maybe == 0 || !ok && surely > 0 {
		t.Fatalf("certificate: %v, with %d to %d quorums", ok, surely, maybe)
	}
	if forked := tally.Forked(); forked && maybe < 2 || !forked && surely > 1 {
		t.Fatalf("forked: %v, with %d to %d quorums", forked, surely, maybe)
	}
	if !ok {
		return nil
	}
	v, err := attest.VerifyCertificate(testNet, c.set, got)
	if err != nil {
		t.Fatalf("the certificate does not verify: %v", err)
	}
	if want, _ := h.surelyQuorum(c, v.Root()); v.Signers().Count() < want {
		t.Fatalf("%d signers, want %d", v.Signers().Count(), want)
	}
	if last != nil && (last.Checkpoint.Root() != v.Root() || attest.Bits(last.Signers).Count() > v.Signers().Count()) {
		t.Fatal("the certificate became another, or shrank")
	}
	return got
}

func TestTallyRefusesWhatIsForeign(t *testing.T) {
	c := equalCast(t, 4)
	tally := attest.NewTally(testNet, c.set, testChain, 5)
	otherChain := checkpoint(5, "a")
	otherChain.ChainID = []byte("gamma")
	otherNet := must[*attest.Attestation](t)(attest.SignAttestation(c.keys[0], attest.Network{9}, checkpoint(5, "a")))
	for name, v := range map[string]attest.VerifiedVote{
		"zero":          {},
		"other epoch":   c.vote(t, 0, checkpoint(6, "a")),
		"other chain":   c.vote(t, 0, otherChain),
		"other set":     newCast(t, 1, 2, 3, 4).vote(t, 0, checkpoint(5, "a")),
		"other network": must[attest.VerifiedVote](t)(attest.VerifyAttestation(attest.Network{9}, c.set, otherNet)),
	} {
		if outcome, proof := tally.Add(v); outcome != attest.OutcomeForeign || proof != nil {
			t.Errorf("%s: %s", name, outcome)
		}
	}
	if outcome, _ := tally.AddCertificate(attest.VerifiedCertificate{}); outcome != attest.OutcomeForeign {
		t.Errorf("zero certificate: %s", outcome)
	}
	if outcome, _ := tally.AddCertificate(c.certified(t, checkpoint(6, "a"), everybody(4)...)); outcome != attest.OutcomeForeign {
		t.Errorf("certificate of another epoch: %s", outcome)
	}
}

// A vote is held against what its signer said in a certificate, and the other way
// round; both at once when two certificates conflict.
func TestTallyConvictsAcrossVotesAndCertificates(t *testing.T) {
	c := equalCast(t, 4)
	a, b := checkpoint(5, "a"), checkpoint(5, "b")
	t.Run("vote after certificate", func(t *testing.T) {
		tally := attest.NewTally(testNet, c.set, testChain, 5)
		if outcome, _ := tally.AddCertificate(c.certified(t, a, 0, 1, 2)); outcome != attest.OutcomeNew {
			t.Fatal(outcome)
		}
		outcome, proof := tally.Add(c.vote(t, 1, b))
		if outcome != attest.OutcomeDoubleVote || !slices.Equal(c.offenders(t, proof), []int{1}) {
			t.Error(outcome)
		}
		if outcome, proof := tally.Add(c.vote(t, 1, checkpoint(5, "c"))); outcome != attest.OutcomeIgnored || proof != nil {
			t.Error(outcome)
		}
		if outcome, proof := tally.Add(c.vote(t, 3, b)); outcome != attest.OutcomeNew || proof != nil {
			t.Error(outcome)
		}
	})
	t.Run("certificate after votes", func(t *testing.T) {
		tally := attest.NewTally(testNet, c.set, testChain, 5)
		for i := range 3 {
			tally.Add(c.vote(t, i, b))
		}
		if _, ok := tally.Certificate(); !ok {
			t.Fatal("no certificate of three votes")
		}
		outcome, proofs := tally.AddCertificate(c.certified(t, a, 1, 2, 3))
		if outcome != attest.OutcomeDoubleVote || len(proofs) != 1 {
			t.Fatalf("%s, %d proofs", outcome, len(proofs))
		}
		if got := c.offenders(t, proofs[0]); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("offenders %v", got)
		}
		if got, _ := tally.Certificate(); got.Checkpoint.Root() != b.Root() || !tally.Forked() {
			t.Error("the second certificate won, or the fork went unnoticed")
		}
	})
	t.Run("certificate after certificate", func(t *testing.T) {
		tally := attest.NewTally(testNet, c.set, testChain, 5)
		tally.AddCertificate(c.certified(t, b, 0, 1, 2))
		outcome, proofs := tally.AddCertificate(c.certified(t, a, 1, 2, 3))
		if outcome != attest.OutcomeDoubleVote || len(proofs) != 1 {
			t.Fatalf("%s, %d proofs", outcome, len(proofs))
		}
		if got := c.offenders(t, proofs[0]); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("offenders %v", got)
		}
		if !tally.Forked() {
			t.Error("the fork went unnoticed")
		}
		if outcome, proofs := tally.AddCertificate(c.certified(t, a, 1, 2, 3)); outcome == attest.OutcomeDoubleVote || proofs != nil {
			t.Errorf("convicted twice: %s", outcome)
		}
	})
}

func TestCertificateGrowsWithLateVotes(t *testing.T) {
	c := equalCast(t, 6)
	cp := checkpoint(5, "a")
	tally := attest.NewTally(testNet, c.set, testChain, 5)
	signers := func() int {
		got, ok := tally.Certificate()
		if !ok {
			return 0
		}
		return must[attest.VerifiedCertificate](t)(attest.VerifyCertificate(testNet, c.set, got)).Signers().Count()
	}
	tally.AddCertificate(c.certified(t, cp, 0, 1, 2, 3, 4))
	if signers() != 5 {
		t.Errorf("%d signers", signers())
	}
	tally.Add(c.vote(t, 0, cp)) // in the certificate already
	if signers() != 5 {
		t.Errorf("%d signers", signers())
	}
	tally.Add(c.vote(t, 5, cp))
	if signers() != 6 {
		t.Errorf("%d signers", signers())
	}
	if outcome, _ := tally.AddCertificate(c.certified(t, cp, 1, 2, 3, 4, 5)); outcome != attest.OutcomeDuplicate {
		t.Error(outcome)
	}
}

// Two accomplices whose keys add up to infinity have no valid aggregate. They are
// convicted one by one.
func TestAccomplicesWithCancellingKeysAreConvicted(t *testing.T) {
	order, _ := new(big.Int).SetString("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001", 16)
	c := equalCast(t, 4)
	scalar := c.keys[0].Bytes()
	negative := new(big.Int).Sub(order, new(big.Int).SetBytes(scalar[:]))
	twin := must[bls.SecretKey](t)(bls.ParseSecretKey(negative.FillBytes(make([]byte, 32))))
	c = castOf(t, append(slices.Clone(c.keys), twin), []uint64{1, 1, 1, 1, 1})

	own := c.keys[0]
	for _, k := range c.keys {
		if k.Bytes() == scalar {
			own = k
		}
	}
	accomplices := []int{c.index(t, own.PublicKey().Bytes()), c.index(t, twin.PublicKey().Bytes())}
	slices.Sort(accomplices)

	tally := attest.NewTally(testNet, c.set, testChain, 5)
	for _, i := range accomplices {
		tally.Add(c.vote(t, i, checkpoint(5, "b")))
	}
	outcome, proofs := tally.AddCertificate(c.certified(t, checkpoint(5, "a"), everybody(5)...))
	var convicted []int
	for _, proof := range proofs {
		convicted = append(convicted, c.offenders(t, proof)...)
	}
	slices.Sort(convicted)
	if outcome != attest.OutcomeDoubleVote || !slices.Equal(convicted, accomplices) {
		t.Errorf("%s, convicted %v, want %v", outcome, convicted, accomplices)
	}
}
