package ledger_test

import (
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// quick is an unbonding of three epochs, and a challenge window twice as long, which
// no manifest that is checked has: a slash over very many liens waits as long.
func quick(m *ledger.Manifest) {
	for _, c := range m.Chains {
		c.Params.ChallengeWindow = ledger.Window{Epochs: 6}
		c.Params.StatementExpiry, c.Params.EvidenceAge = 1000, ledger.Window{Time: 10_000}
		c.Params.Unbonding = ledger.Window{Epochs: 2, Time: 12_000}
	}
}

func playQuick(t *testing.T) *ledgertest.Mesh {
	t.Helper()
	m, err := ledgertest.Play(ledgertest.New(2, 4, quick))
	must(t, err)
	return m
}

// A slash that waits longer than unbonding takes: what it captured stays until it
// is executed, whatever operation its owner finds in the meantime.
func TestNothingMaturesWhileASlashWaits(t *testing.T) {
	m := playQuick(t)
	v := m.Chains[0].Validators[0]
	own := signedBy(t, m, "alpha", v.Account)
	epoch(t, m, "alpha")
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, 0, "alpha", v.ID, ledger.Units(600_000))))
	proof, err := m.DoubleVote("alpha", 2, 0)
	must(t, err)
	op, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	recorded := epoch(t, m, "alpha", op).Checkpoint.Epoch
	for range 4 {
		epoch(t, m, "alpha")
	}
	// Unbonding has passed. Who drops it, by an operation that is not refused?
	to := m.Chains[0].Validators[1].ID
	epoch(t, m, "alpha", pledge(t, m, "alpha", v, 1, "alpha", to, 1000, ledger.One/2))
	for m.Head("alpha").Checkpoint.Epoch < recorded+6 {
		epoch(t, m, "alpha")
	}
	slashes, err := m.Reader("alpha").Slashes()
	must(t, err)
	if len(slashes) != 1 || slashes[0].Amount != ledger.Units(300_000) {
		t.Fatalf("slashes %+v, want one of half of 600,000", slashes)
	}
}

// What has matured is free, also before an operation of the owner says so.
func TestFreeIsWhatAWithdrawalFinds(t *testing.T) {
	m := playQuick(t)
	v := m.Chains[0].Validators[0]
	own := signedBy(t, m, "alpha", v.Account)
	epoch(t, m, "alpha", own(ledger.NewRelease(v.ID, 0, "alpha", v.ID, ledger.Units(600_000))))
	free := func() ledger.Amount {
		a, _, err := m.Reader("alpha").Account(v.ID)
		must(t, err)
		return a.Free
	}
	for range 2 {
		if free() != ledger.Units(ledgertest.Collateral-600_000) {
			t.Fatalf("%v is free while unbonding", free())
		}
		epoch(t, m, "alpha")
	}
	epoch(t, m, "alpha")
	if free() != ledger.Units(ledgertest.Collateral) {
		t.Fatalf("%v is free after unbonding", free())
	}
	epoch(t, m, "alpha", own(ledger.NewWithdraw(v.ID, 1, free())))
}
