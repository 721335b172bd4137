package ledger_test

import (
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

func conviction(t *testing.T, m *ledgertest.Mesh, chain string, id [32]byte) *ledger.ConvictionView {
	t.Helper()
	v, err := m.Reader(chain).Conviction(id)
	must(t, err)
	return v
}

// What a conviction says will be taken is what the execution takes, at the epoch that it
// names and not before.
func TestAConvictionForetellsItsSlashes(t *testing.T) {
	m := play(t, 2, 4, nil)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	proof, err := m.DoubleVote("beta", m.Head("beta").Checkpoint.Epoch-1, 1)
	must(t, err)
	id, reporter := proof.ID(), m.Chains[1].Validators[0].ID
	for _, c := range m.Chains {
		if v := conviction(t, m, c.ID, id); v != nil {
			t.Fatalf("%s knows what nobody told it: %+v", c.ID, v)
		}
		op, err := m.SubmitFault(c.ID, proof, reporter)
		must(t, err)
		epoch(t, m, c.ID, op)
	}
	for _, c := range m.Chains {
		before := conviction(t, m, c.ID, id)
		if len(before.Convicted) != 1 || len(before.Parts) == 0 || before.Pending == nil || before.Executed || len(before.Slashes) != 0 || before.Known != (c.ID == "beta") {
			t.Fatalf("%s: %+v", c.ID, before)
		}
		// A quarter of the power by the quadratic rule with m = 3: (3/4)².
		if o := before.Convicted[0]; o.Severity != o.Share || o.Share != ledger.One/4 || o.Penalty != ledger.One/16*9 || o.Executed != 0 {
			t.Fatalf("%s: %+v", c.ID, o)
		}
		due := map[ledger.AccountID]ledger.Amount{}
		for _, p := range before.Parts {
			due[p.Account] = p.Due
			if p.Captured.IsZero() || p.Due.IsZero() || p.Owed != p.Due || !p.Taken.IsZero() {
				t.Errorf("%s: %+v", c.ID, p)
			}
		}
		for m.Head(c.ID).Checkpoint.Epoch < before.Pending.Epoch {
			if v := conviction(t, m, c.ID, id); v.Executed || len(v.Slashes) != 0 {
				t.Fatalf("%s: executed in epoch %d, the window ends in %d", c.ID, v.LastEpoch, before.Pending.Epoch)
			}
			epoch(t, m, c.ID)
		}
		after := conviction(t, m, c.ID, id)
		if !after.Executed || after.Pending != nil || len(after.Slashes) != len(before.Parts) || after.Convicted[0].Executed != after.Convicted[0].Penalty {
			t.Fatalf("%s: %+v", c.ID, after)
		}
		for _, s := range after.Slashes {
			if s.Amount != due[s.Account] || s.Reward.IsZero() != (c.ID != "beta") {
				t.Errorf("%s: %v was to lose %v: %+v", c.ID, s.Account, due[s.Account], s)
			}
		}
		for _, p := range after.Parts {
			if !p.Due.IsZero() || p.Taken != p.Owed {
				t.Errorf("%s: %+v", c.ID, p)
			}
		}
	}
}

func TestAConvictionTellsOfTheFailureItCompletes(t *testing.T) {
	m := play(t, 3, 4, covered(400_000))
	crossPledge(t, m)
	backers(t, m, 1_000_000)
	for range 8 {
		round(t, m)
	}
	fail(t, m)
	faults, err := m.Reader("alpha").Faults()
	must(t, err)
	last := [32]byte(faults[len(faults)-1].ID)
	v := conviction(t, m, "alpha", last)
	if v.Failure == nil || [32]byte(v.Failure.Fault) != last || v.Failure.State != "unproven" || !v.Failure.Covered.IsZero() {
		t.Fatalf("%+v", v.Failure)
	}
	epoch(t, m, "alpha", proveCover(t, m, "alpha", "beta"))
	if v = conviction(t, m, "alpha", last); v.Failure.State != "frozen" || v.Failure.Covered != ledger.Units(400_000) || v.Failure.Pool != ledger.Units(108_000) {
		t.Fatalf("%+v", v.Failure)
	}
	settles := v.Failure.Settles
	for range 16 {
		round(t, m)
	}
	if v = conviction(t, m, "alpha", last); v.Failure.State != "settled" || v.Failure.Escrow.IsZero() || v.LastTime < settles.Time {
		t.Fatalf("%+v", v.Failure)
	}
	drawn := v.Slashes[len(v.Slashes)-1]
	if drawn.Validator != ledger.Backstop || drawn.Compensation != v.Failure.Escrow {
		t.Errorf("%+v", drawn)
	}
	if home := conviction(t, m, "beta", last); home.Failure != nil {
		t.Errorf("beta's own ledger: %+v", home.Failure)
	}
}
