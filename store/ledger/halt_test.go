package ledger_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

func peerView(t *testing.T, m *ledgertest.Mesh, chain, other string) ledger.PeerView {
	t.Helper()
	peers, err := m.Reader(chain).Peers()
	must(t, err)
	for _, p := range peers {
		if p.Chain == other {
			return p
		}
	}
	t.Fatalf("%s does not know %s", chain, other)
	return ledger.PeerView{}
}

func trust(t *testing.T, m *ledgertest.Mesh, chain, other string, epoch uint64) *ledger.Operation {
	t.Helper()
	cp := m.Certificate(other, epoch).Checkpoint
	return byAuthority(t, m, chain)(ledger.NewTrustPeer(authorityNonce(t, m, chain), &cp, m.Set(other, epoch+1).ValidatorSet()))
}

// Half of the 180 s of unbonding without a word, and the peer is stale.
func TestASilentPeerGrowsStaleAndIsTrustedAnew(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	refused(t, m, "alpha", ledger.CodeInvalid, trust(t, m, "alpha", "beta", 9)) // nothing is wrong with it
	last, err := m.Reader("alpha").Peer("beta")
	must(t, err)
	for peerView(t, m, "alpha", "beta").Halted == "" {
		if m.Head("alpha").Checkpoint.Time > last.Time+100_000 {
			t.Fatal("never stale")
		}
		epoch(t, m, "alpha")
	}
	view := peerView(t, m, "alpha", "beta")
	if now := m.Head("alpha").Checkpoint.Time; now <= last.Time+90_000 || !strings.Contains(view.Halted, "older than half") || view.Overturned != 0 {
		t.Fatalf("at %d, last %d: %+v", now, last.Time, view)
	}
	if !view.Virtual.IsZero() {
		t.Fatalf("a stale peer gives power: %v", view.Virtual)
	}
	// Its certificates are not taken any more: the stake behind them may have left.
	epoch(t, m, "beta")
	n := last.Accepted + 1
	update, err := ledger.NewUpdatePeer(m.Certificate("beta", n), m.Set("beta", n).ValidatorSet())
	must(t, err)
	refused(t, m, "alpha", ledger.CodeHalted, update)
	refused(t, m, "alpha", ledger.CodeExpired, trust(t, m, "alpha", "beta", n)) // it is stale itself

	for m.Head("beta").Checkpoint.Time < m.Head("alpha").Checkpoint.Time {
		epoch(t, m, "beta")
	}
	at := m.Head("beta").Checkpoint.Epoch
	wrong := byAuthority(t, m, "alpha")(ledger.NewTrustPeer(authorityNonce(t, m, "alpha"), &m.Certificate("beta", at).Checkpoint, m.Set("alpha", 1).ValidatorSet()))
	refused(t, m, "alpha", ledger.CodeInvalid, wrong)
	epoch(t, m, "alpha", trust(t, m, "alpha", "beta", at))
	view = peerView(t, m, "alpha", "beta")
	if view.Halted != "" || view.Accepted != at || view.Final != at || !view.Virtual.IsZero() {
		t.Fatalf("%+v", view)
	}
	// Power comes back with a statement of an epoch that became final since. Beta finds
	// alpha stale too.
	epoch(t, m, "beta", trust(t, m, "beta", "alpha", m.Head("alpha").Checkpoint.Epoch))
	for range 8 {
		round(t, m)
	}
	if view = peerView(t, m, "alpha", "beta"); view.Virtual.IsZero() || view.Final <= at {
		t.Fatalf("%+v", view)
	}
	// And what it does from now on can be proven.
	proof, err := m.DoubleVote("beta", m.Head("beta").Checkpoint.Epoch-1, 1)
	must(t, err)
	op, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, "alpha", op)
	for range 4 {
		round(t, m)
	}
	slashes, err := m.Reader("alpha").Slashes()
	must(t, err)
	if len(slashes) != 1 || slashes[0].Captured != ledger.Units(300_000) {
		t.Fatalf("%+v", slashes)
	}
}

// What was accepted of a chain that failed never becomes final, and a dead peer locks
// nothing for ever.
func TestAFailedChainIsOverturnedAndLetsItsLiensGo(t *testing.T) {
	m := play(t, 3, 4, nil)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	before := peerView(t, m, "alpha", "beta")
	fail(t, m)
	view := peerView(t, m, "alpha", "beta")
	if !strings.Contains(view.Halted, "1/3") || view.Overturned != view.Final+1 || view.Final < before.Final {
		t.Fatalf("%+v", view)
	}
	for range 4 {
		round(t, m)
	}
	if after := peerView(t, m, "alpha", "beta"); after.Final != view.Final || !after.Virtual.IsZero() {
		t.Fatalf("%+v", after)
	}
	v := m.Chains[0].Validators[0] // its lien stands behind validator 0, who did nothing
	own := signedBy(t, m, "alpha", v.Account)
	beta := m.Chains[1]
	refused(t, m, "alpha", ledger.CodeHalted, own(ledger.NewPledge(v.ID, nonceOf(t, m, "alpha", v.ID), "beta", beta.Validators[0].ID, ledger.Units(1000), ledger.One/10*3)))
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, nonceOf(t, m, "alpha", v.ID), "beta", beta.Validators[0].ID, ledger.Units(300_000))))
	released := m.Head("alpha").Checkpoint.Time
	free := func() uint64 {
		a, _, err := m.Reader("alpha").Account(v.ID)
		must(t, err)
		return a.Free.Int().Uint64()
	}
	// 1,400,000 less the home stake of 600,000 at most, which is the larger bound.
	locked := free()
	withdraw := func() *ledger.Operation {
		return own(ledger.NewWithdraw(v.ID, nonceOf(t, m, "alpha", v.ID), ledger.Units(locked)))
	}
	epoch(t, m, "alpha", withdraw())
	for m.Head("alpha").Checkpoint.Time < released+190_000 {
		epoch(t, m, "alpha")
	}
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, nonceOf(t, m, "alpha", v.ID), "alpha", v.ID, ledger.Units(1000))))
	liens, err := m.Reader("alpha").Liens()
	must(t, err)
	for _, l := range liens {
		if l.Account == v.ID && l.Consumer == "beta" && !l.Amount.IsZero() {
			t.Fatalf("still locked: %+v", l)
		}
	}
}

// Neither branch of a fork is followed, until the authority says which.
func TestAFailedChainComesBackWhenItIsTrusted(t *testing.T) {
	m := play(t, 3, 4, nil)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	fail(t, m)
	for range 3 {
		round(t, m)
	}
	at := m.Head("beta").Checkpoint.Epoch
	for _, c := range []string{"alpha", "gamma"} {
		final := peerView(t, m, c, "beta").Final
		refused(t, m, c, ledger.CodeInvalid, trust(t, m, c, "beta", final))
		epoch(t, m, c, trust(t, m, c, "beta", at))
	}
	for range 8 {
		round(t, m)
	}
	for _, c := range []string{"alpha", "gamma"} {
		view := peerView(t, m, c, "beta")
		if view.Halted != "" || view.Final <= at || view.Virtual.IsZero() {
			t.Fatalf("%s: %+v", c, view)
		}
		power, err := m.Reader(c).Power()
		must(t, err)
		if len(power) != 4 {
			t.Fatalf("%s: %d validators", c, len(power))
		}
	}
	// The two who were convicted stay so.
	power, err := m.Reader("beta").Power()
	must(t, err)
	if len(power) != 2 {
		t.Fatalf("beta has %d validators", len(power))
	}
}

// An overturned epoch gives no power either when its chain is trusted anew, though the
// authority's checkpoint is a later one, and nothing of that chain was imported before.
func TestAnOverturnedEpochIsNotImportedWhenItsChainIsTrusted(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	for range 6 {
		for _, c := range []string{"beta", "alpha"} { // alpha is up to date at the end
			ops, err := m.Relay(c)
			must(t, err)
			epoch(t, m, c, slices.DeleteFunc(ops, func(op *ledger.Operation) bool {
				return ledger.Kind(op.Kind) == ledger.KindImportStatement
			})...)
		}
	}
	l := lie(t, m, "beta")
	op, err := m.SubmitFault("alpha", l.Proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, "alpha", op)
	view := peerView(t, m, "alpha", "beta")
	if view.Overturned == 0 || view.Overturned > view.Accepted {
		t.Fatalf("%+v", view)
	}
	epoch(t, m, "beta")
	epoch(t, m, "alpha", trust(t, m, "alpha", "beta", m.Head("beta").Checkpoint.Epoch))
	for at := view.Overturned; at <= view.Accepted; at++ {
		proof, err := m.Prove("beta", at, ledger.StatementKey("alpha"))
		must(t, err)
		op, err := ledger.NewImportStatement("beta", at, proof)
		must(t, err)
		refused(t, m, "alpha", ledger.CodeDuplicate, op)
	}
	if v := peerView(t, m, "alpha", "beta"); !v.Virtual.IsZero() {
		t.Errorf("an overturned epoch gives power: %+v", v)
	}
}
