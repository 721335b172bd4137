package ledger_test

import (
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// What a convicted third, and whoever stands behind it, may try to pay less for the
// failure of their chain, or to make others pay more.

// doubleVotes tells chains of a double vote of each of beta's validators named, in an
// epoch.
func doubleVotes(t *testing.T, m *ledgertest.Mesh, at uint64, validators []int, chains ...string) {
	t.Helper()
	for _, validator := range validators {
		proof, err := m.DoubleVote("beta", at, validator)
		must(t, err)
		for _, c := range chains {
			submit(t, m, c, proof)
		}
	}
}

// They have lost what they had, and can go on making up proofs of what they did before:
// the authority knew of them.
func TestTheConvictedDoNotHaltWhatIsTrustedAnew(t *testing.T) {
	m := play(t, 3, 4, patient)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	fail(t, m)
	before := m.Head("beta").Checkpoint.Epoch - 1
	epoch(t, m, "beta")
	epoch(t, m, "alpha", trust(t, m, "alpha", "beta", m.Head("beta").Checkpoint.Epoch))
	for back := range uint64(3) {
		doubleVotes(t, m, before-3-back, []int{1, 2}, "alpha")
		if view := peerView(t, m, "alpha", "beta"); view.Halted != "" {
			t.Fatalf("halted again: %+v", view)
		}
	}
}

// Nor does another epoch than the one that the authority trusts, though it is proven wrong.
func TestAWrongEpochBeforeTheTrustedOneHaltsNothing(t *testing.T) {
	m := play(t, 3, 4, patient)
	crossPledge(t, m)
	rounds(t, m, 8)
	l := lie(t, m, "beta")
	ops, err := m.Relay("alpha")
	must(t, err)
	epoch(t, m, "alpha", ops...)
	doubleVotes(t, m, m.Head("beta").Checkpoint.Epoch-1, []int{0, 1, 2, 3}, "alpha")
	for m.Head("beta").Checkpoint.Epoch <= l.Certificate.Checkpoint.Epoch {
		epoch(t, m, "beta")
	}
	accepted := peerView(t, m, "alpha", "beta").Accepted
	epoch(t, m, "alpha", trust(t, m, "alpha", "beta", m.Head("beta").Checkpoint.Epoch))
	if l.Certificate.Checkpoint.Epoch != accepted+1 {
		t.Fatalf("epoch %d, accepted was %d", l.Certificate.Checkpoint.Epoch, accepted)
	}
	submit(t, m, "alpha", l.Proof)
	if view := peerView(t, m, "alpha", "beta"); view.Halted != "" {
		t.Fatalf("halted again: %+v", view)
	}
}

// Three of eight validators offend, each so long after the one before that only the one
// in the middle is near to both others.
func TestAThirdIsAThirdInEveryOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}} {
		m := play(t, 2, 8, patient)
		rounds(t, m, 15)
		for _, i := range order {
			doubleVotes(t, m, 2+6*uint64(i), []int{i}, "alpha")
		}
		f, err := m.Reader("alpha").Failure("beta")
		must(t, err)
		if view := peerView(t, m, "alpha", "beta"); view.Halted == "" || f == nil || f.Epoch != 8 {
			t.Errorf("order %v: %+v, %+v", order, view, f)
		}
	}
}

// A chain that failed and was trusted anew can fail again, and what is left of its
// backstops stands for that.
func TestABackstopPaysForEveryFailure(t *testing.T) {
	m := play(t, 3, 4, covered(400_000))
	crossPledge(t, m)
	backers(t, m, 1_000_000)
	rounds(t, m, 8)
	fail(t, m)
	epoch(t, m, "alpha", proveCover(t, m, "alpha", "beta"))
	epoch(t, m, "beta")
	for _, c := range []string{"alpha", "gamma"} {
		epoch(t, m, c, trust(t, m, c, "beta", m.Head("beta").Checkpoint.Epoch))
	}
	rounds(t, m, 20)
	first := backstopOf(t, m, "alpha")
	if first.Slashed.IsZero() {
		t.Fatalf("%+v", first)
	}
	doubleVotes(t, m, m.Head("beta").Checkpoint.Epoch-1, []int{0, 3}, "alpha")
	epoch(t, m, "alpha", proveCover(t, m, "alpha", "beta"))
	rounds(t, m, 20)
	second := backstopOf(t, m, "alpha")
	t.Logf("%+v", first)
	t.Logf("%+v", second)
	if second.Amount == first.Amount {
		t.Errorf("the second failure took nothing: %+v", second)
	}
}

// pledgeBackstop has validator 0 of a chain stand behind beta as a whole.
func pledgeBackstop(t *testing.T, m *ledgertest.Mesh, chain string, amount uint64) {
	t.Helper()
	v := m.Chains[index(m, chain)].Validators[0]
	op := signedBy(t, m, chain, v.Account)(ledger.NewBackstop(v.ID, nonceOf(t, m, chain, v.ID), "beta", ledger.Units(amount), ledger.One/10*3, ledger.Units(1_000_000)))
	epoch(t, m, chain, op)
}

// coverAll proves all that stood behind beta when it failed.
func coverAll(t *testing.T, m *ledgertest.Mesh, chain string) {
	t.Helper()
	open, err := m.Reader(chain).Failures("beta")
	must(t, err)
	for _, f := range open {
		proof, err := m.Prove("beta", f.Checkpoint, ledger.CoverKey)
		must(t, err)
		op, err := ledger.NewProveCover("beta", f.Checkpoint, proof)
		must(t, err)
		epoch(t, m, chain, op)
	}
}

// The pool of a Cover and what is captured are of one statement: an offence may refer to
// a newer one than the last final checkpoint has, in which there is ten times as much.
func TestWhatThePoolCountsIsWhatIsCaptured(t *testing.T) {
	m := play(t, 3, 4, covered(400_000))
	crossPledge(t, m)
	pledgeBackstop(t, m, "alpha", 20_000)
	rounds(t, m, 8)
	pledgeBackstop(t, m, "alpha", 180_000)
	grown := func(chain string, epoch uint64) bool {
		in, err := m.ReaderAt(chain, epoch).Import("alpha")
		must(t, err)
		return in.Statement.Entries[0].Validator == ledger.Backstop && in.Statement.Entries[0].Amount == ledger.Units(200_000)
	}
	for !grown("beta", m.Head("beta").Checkpoint.Epoch) {
		round(t, m)
	}
	last := m.Head("beta").Checkpoint.Epoch
	round(t, m)
	if view := peerView(t, m, "alpha", "beta"); view.Accepted < last || view.Final >= last {
		t.Fatalf("epoch %d: %+v", last, view)
	}
	later, err := m.Prove("beta", last, ledger.ImportKey("alpha"))
	must(t, err)
	for _, validator := range []int{1, 2} {
		proof, err := m.DoubleVote("beta", last+1, validator)
		must(t, err)
		op, err := ledger.NewSubmitFault(&ledger.SubmitFault{
			Proof: *proof, Set: *m.Set("beta", last+1).ValidatorSet(), LaterEpoch: last, Later: later,
		})
		must(t, err)
		epoch(t, m, "alpha", op)
	}
	coverAll(t, m, "alpha")
	rounds(t, m, 16)
	if l := backstopOf(t, m, "alpha"); l.Slashed != ledger.Units(6_000) {
		t.Errorf("20,000 at 0.3 were in the pool: %+v", l)
	}
}

// A third that has something to hide is convicted of what it did before the backstops came,
// as early as it likes.
func TestAnOldFailureShieldsNoNewOne(t *testing.T) {
	for _, first := range []string{"old", "new"} {
		m := play(t, 3, 4, func(n *ledger.Manifest) {
			covered(400_000)(n)
			for _, c := range n.Chains {
				c.Params.EvidenceAge.Time, c.Params.Unbonding.Time = 120_000, 300_000
			}
		})
		crossPledge(t, m)
		rounds(t, m, 6)
		backers(t, m, 1_000_000)
		rounds(t, m, 9)
		at := map[string]uint64{"old": 5, "new": m.Head("beta").Checkpoint.Epoch - 1}
		second := map[string]string{"old": "new", "new": "old"}[first]
		for _, which := range []string{first, second} {
			doubleVotes(t, m, at[which], []int{1, 2}, "alpha")
		}
		coverAll(t, m, "alpha")
		for range 30 { // more than the 120 s in which evidence ages
			epoch(t, m, "alpha")
		}
		const pays = 60_000 * 76_000 / 108_000
		if l := backstopOf(t, m, "alpha"); l.Slashed != ledger.Units(pays) {
			t.Errorf("%s first: %+v, want %d slashed", first, l, pays)
		}
	}
}

// Nobody can prove what stood behind a chain so long ago that its state is kept nowhere:
// that must not lock the backstops for ever.
func TestAnUnprovenFailureLocksNothingForEver(t *testing.T) {
	m := play(t, 3, 4, covered(400_000))
	crossPledge(t, m)
	backers(t, m, 1_000_000)
	rounds(t, m, 8)
	fail(t, m)
	rounds(t, m, 3)
	v := m.Chains[0].Validators[0]
	own := signedBy(t, m, "alpha", v.Account)
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, nonceOf(t, m, "alpha", v.ID), "beta", ledger.Backstop, ledger.Units(200_000))))
	for range 38 { // more than the 180 s of unbonding
		epoch(t, m, "alpha")
	}
	refused(t, m, "alpha", ledger.CodeExpired, proveCover(t, m, "alpha", "beta"))
	if view := peerView(t, m, "alpha", "beta"); view.Backstop != "given up" {
		t.Errorf("%+v", view)
	}
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, nonceOf(t, m, "alpha", v.ID), "alpha", v.ID, ledger.Units(1000))))
	if l := backstopOf(t, m, "alpha"); !l.Amount.IsZero() {
		t.Errorf("still locked: %+v", l)
	}
}

// Of a branch that was given up there are records, and whoever certified it wrote its cover.
func TestABranchThatWasGivenUpCoversNothing(t *testing.T) {
	m := play(t, 3, 4, patient)
	crossPledge(t, m)
	rounds(t, m, 10)
	epoch(t, m, "beta")
	ops, err := m.Relay("alpha")
	must(t, err)
	for _, validator := range []int{1, 2} {
		proof, err := m.DoubleVote("beta", 5, validator)
		must(t, err)
		op, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
		must(t, err)
		ops = append(ops, op)
	}
	epoch(t, m, "alpha", ops...)
	before := peerView(t, m, "alpha", "beta")
	if before.Halted == "" || before.Accepted < before.Final+2 {
		t.Fatalf("%+v", before)
	}
	for range 3 {
		epoch(t, m, "beta")
	}
	trusted := m.Head("beta").Checkpoint.Epoch
	epoch(t, m, "alpha", trust(t, m, "alpha", "beta", trusted))
	doubleVotes(t, m, before.Accepted, []int{0, 3}, "alpha")
	open, err := m.Reader("alpha").Failures("beta")
	must(t, err)
	given := false
	for _, f := range open {
		given = given || f.Epoch == before.Accepted
		if f.Checkpoint > before.Final && f.Checkpoint < trusted {
			t.Errorf("final were epochs up to %d, and from %d on: %+v", before.Final, trusted, f)
		}
	}
	if !given {
		t.Errorf("no failure around epoch %d: %+v", before.Accepted, open)
	}
}

// Whoever is convicted of one offence after the other, for next to nothing, holds up those
// behind him, and nobody else who stands behind his chain.
func TestAFaultFreezesOnlyWhatStandsBehindItsOffender(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	rounds(t, m, 8)
	v := m.Chains[0].Validators[0] // behind validator 0 of beta
	own := signedBy(t, m, "alpha", v.Account)
	nonce := func() uint64 { return nonceOf(t, m, "alpha", v.ID) }
	behind := m.Chains[0].Validators[offenderIndex]
	doubleVotes(t, m, m.Head("beta").Checkpoint.Epoch-1, []int{offenderIndex}, "alpha")
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, nonce(), "beta", m.Chains[1].Validators[0].ID, ledger.Units(300_000))))
	refused(t, m, "alpha", ledger.CodeFrozen, signedBy(t, m, "alpha", behind.Account)(
		ledger.NewRelease(behind.ID, nonceOf(t, m, "alpha", behind.ID), "beta", offender(m).ID, ledger.Units(300_000))))
	rounds(t, m, 40) // more than the 180 s of unbonding
	doubleVotes(t, m, m.Head("beta").Checkpoint.Epoch-1, []int{3}, "alpha")
	epoch(t, m, "alpha", own(ledger.NewWithdraw(v.ID, nonce(), ledger.Units(1))))
	if l := lienTo(t, m, v.ID, m.Chains[1].Validators[0].ID); !l.Amount.IsZero() {
		t.Errorf("still locked: %+v", l)
	}
}

func lienTo(t *testing.T, m *ledgertest.Mesh, account, validator ledger.AccountID) ledger.LienView {
	t.Helper()
	liens, err := m.Reader("alpha").Liens()
	must(t, err)
	for _, l := range liens {
		if l.Account == account && l.Validator == validator {
			return l
		}
	}
	t.Fatal("no such lien")
	return ledger.LienView{}
}
