package ledger_test

import (
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// backers has validator 0 of alpha and of gamma stand behind beta as a whole, with
// 200,000 at 0.5 each.
func backers(t *testing.T, m *ledgertest.Mesh, accepts uint64) {
	t.Helper()
	for _, chain := range []string{"alpha", "gamma"} {
		v := m.Chains[index(m, chain)].Validators[0]
		op, err := ledger.NewBackstop(v.ID, nonceOf(t, m, chain, v.ID), "beta", ledger.Units(200_000), ledger.One/10*3, ledger.Units(accepts))
		must(t, err)
		must(t, op.Sign(m.ID, chain, v.Account))
		epoch(t, m, chain, op)
	}
}

func nonceOf(t testing.TB, m *ledgertest.Mesh, chain string, id ledger.AccountID) uint64 {
	t.Helper()
	a, ok, err := m.Reader(chain).Account(id)
	must(t, err)
	if !ok {
		t.Fatalf("no account %v on %s", id, chain)
	}
	return a.Nonce
}

// fail has two of beta's four validators sign twice, and tells every chain.
func fail(t *testing.T, m *ledgertest.Mesh) {
	t.Helper()
	at := m.Head("beta").Checkpoint.Epoch - 1
	for _, validator := range []int{1, 2} {
		proof, err := m.DoubleVote("beta", at, validator)
		must(t, err)
		for _, c := range m.Chains {
			op, err := m.SubmitFault(c.ID, proof, ledger.AccountID{})
			must(t, err)
			epoch(t, m, c.ID, op)
		}
	}
}

func proveCover(t *testing.T, m *ledgertest.Mesh, chain, failed string) *ledger.Operation {
	t.Helper()
	f, err := m.Reader(chain).Failure(failed)
	must(t, err)
	if f == nil {
		t.Fatalf("%s knows of no failure of %s", chain, failed)
	}
	proof, err := m.Prove(failed, f.Checkpoint, ledger.CoverKey)
	must(t, err)
	op, err := ledger.NewProveCover(failed, f.Checkpoint, proof)
	must(t, err)
	return op
}

func backstopOf(t *testing.T, m *ledgertest.Mesh, chain string) ledger.LienView {
	t.Helper()
	liens, err := m.Reader(chain).Liens()
	must(t, err)
	for _, l := range liens {
		if l.Consumer == "beta" && l.Validator == ledger.Backstop {
			return l
		}
	}
	t.Fatalf("%s has no backstop for beta", chain)
	return ledger.LienView{}
}

func covered(value uint64) func(*ledger.Manifest) {
	return func(n *ledger.Manifest) {
		for _, c := range n.Chains {
			c.Params.CoveredValue = ledger.Units(value)
		}
	}
}

// The waterfall to its end. Beta covers 400,000. Each provider has 300,000 at 0.3 on
// each of the two offenders, priced at 0.9: F = 2·2·81,000 = 324,000. The backstops
// are 2·60,000 at 0.9: B = 108,000. So each pays (400,000 − 324,000)/108,000 of 60,000.
func TestAFailedChainDrawsOnItsBackstops(t *testing.T) {
	m := play(t, 3, 4, covered(400_000))
	crossPledge(t, m)
	backers(t, m, 1_000_000)
	for range 8 {
		round(t, m)
	}
	fail(t, m)
	const pays = 60_000 * 76_000 / 108_000
	for _, chain := range []string{"alpha", "gamma"} {
		peers, err := m.Reader(chain).Peers()
		must(t, err)
		for _, p := range peers {
			if (p.Chain == "beta") != (p.Halted != "") || (p.Chain == "beta") != (p.Backstop == "unproven") {
				t.Fatalf("%s about %s: halted %q, backstop %q", chain, p.Chain, p.Halted, p.Backstop)
			}
		}
		cover := proveCover(t, m, chain, "beta")
		epoch(t, m, chain, cover)
		refused(t, m, chain, ledger.CodeDuplicate, cover)
		if l := backstopOf(t, m, chain); l.Frozen != ledger.Units(200_000) || !l.Slashed.IsZero() {
			t.Fatalf("%s: %+v", chain, l)
		}
	}
	// Nothing is settled before the evidence age has passed: until then there may be more
	// offenders.
	for range 8 {
		round(t, m)
	}
	if l := backstopOf(t, m, "alpha"); !l.Slashed.IsZero() {
		t.Fatalf("settled too early: %+v", l)
	}
	for range 8 {
		round(t, m)
	}
	for _, chain := range []string{"alpha", "gamma"} {
		l := backstopOf(t, m, chain)
		if l.Slashed != ledger.Units(pays) || !l.Frozen.IsZero() || l.Amount != ledger.Units(200_000-pays) {
			t.Fatalf("%s: %+v, want %d slashed", chain, l, pays)
		}
		slashes, err := m.Reader(chain).Slashes()
		must(t, err)
		last := slashes[len(slashes)-1]
		if last.Validator != ledger.Backstop || last.Compensation != ledger.Units(pays) || !last.Burned.IsZero() || last.Captured != ledger.Units(200_000) {
			t.Fatalf("%s: %+v", chain, last)
		}
		totals, err := m.Reader(chain).Totals()
		must(t, err)
		if totals.Escrow != ledger.Units(pays) {
			t.Fatalf("%s: escrow %v", chain, totals.Escrow)
		}
	}

	// The authority of the provider pays out what is there, and not more.
	alpha := m.Chains[0]
	payOut := func(nonce, amount uint64) *ledger.Operation {
		return signedBy(t, m, "alpha", alpha.Authority)(ledger.NewReleaseEscrow(nonce, "beta", ledger.AccountID{7}, ledger.Units(amount)))
	}
	nonce := uint64(len(alpha.Validators)) // one for each deposit
	refused(t, m, "alpha", ledger.CodeVault, payOut(nonce, pays+1))
	refused(t, m, "alpha", ledger.CodeVault, payOut(nonce, 0))
	epoch(t, m, "alpha", payOut(nonce, pays-1))
	if a, ok, err := m.Reader("alpha").Account(ledger.AccountID{7}); err != nil || !ok || a.Collateral != ledger.Units(pays-1) {
		t.Fatalf("%+v, %v, %v", a, ok, err)
	}
	refused(t, m, "alpha", ledger.CodeVault, payOut(nonce+1, 2))
}

// What a backstop accepts bounds the value that it stands for.
func TestABackstopStandsForNoMoreThanItAccepts(t *testing.T) {
	m := play(t, 3, 4, covered(400_000))
	crossPledge(t, m)
	backers(t, m, 324_000+10_800) // a tenth of B beyond F
	for range 8 {
		round(t, m)
	}
	fail(t, m)
	epoch(t, m, "alpha", proveCover(t, m, "alpha", "beta"))
	for range 16 {
		round(t, m)
	}
	if l := backstopOf(t, m, "alpha"); l.Slashed != ledger.Units(6_000) {
		t.Fatalf("%+v", l)
	}
}

// Cross-stake that covers everything leaves the backstops alone.
func TestABackstopPaysNothingWhileTheCrossStakeSuffices(t *testing.T) {
	m := play(t, 3, 4, covered(324_000))
	crossPledge(t, m)
	backers(t, m, 1_000_000)
	for range 8 {
		round(t, m)
	}
	fail(t, m)
	epoch(t, m, "alpha", proveCover(t, m, "alpha", "beta"))
	for range 16 {
		round(t, m)
	}
	if l := backstopOf(t, m, "alpha"); !l.Slashed.IsZero() || !l.Frozen.IsZero() {
		t.Fatalf("%+v", l)
	}
	peers, err := m.Reader("alpha").Peers()
	must(t, err)
	if peers[0].Backstop != "settled" {
		t.Fatalf("%+v", peers[0])
	}
}

func TestACoverIsProvenFromTheCheckpointThatCaptures(t *testing.T) {
	m := play(t, 3, 4, covered(400_000))
	crossPledge(t, m)
	backers(t, m, 1_000_000)
	for range 8 {
		round(t, m)
	}
	early, err := m.Prove("beta", 3, ledger.CoverKey)
	must(t, err)
	op, err := ledger.NewProveCover("beta", 3, early)
	must(t, err)
	refused(t, m, "alpha", ledger.CodeUnknown, op) // beta has not failed
	fail(t, m)
	refused(t, m, "alpha", ledger.CodeUnknown, op) // not then
	f, err := m.Reader("alpha").Failure("beta")
	must(t, err)
	op, err = ledger.NewProveCover("beta", f.Checkpoint, early)
	must(t, err)
	refused(t, m, "alpha", ledger.CodeInvalid, op)
	other, err := m.Prove("beta", f.Checkpoint, ledger.ImportKey("alpha"))
	must(t, err)
	op, err = ledger.NewProveCover("beta", f.Checkpoint, other)
	must(t, err)
	refused(t, m, "alpha", ledger.CodeInvalid, op)
	epoch(t, m, "alpha", proveCover(t, m, "alpha", "beta"))
}

// A Cover has room for so many providers.
func TestANetworkHasAtMost256Chains(t *testing.T) {
	n := ledgertest.New(2, 1, nil).Manifest
	for len(n.Chains) <= 256 {
		n.Chains = append(n.Chains, n.Chains[0])
	}
	if err := n.Validate(); err == nil || !strings.Contains(err.Error(), "257 chains") {
		t.Error(err)
	}
}
