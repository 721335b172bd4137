package node_test

import (
	"bytes"
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func TestMeshCertifiesEveryEpochOfEveryChain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3, 3, nil)
		w.start()
		const last = 4
		w.await("four epochs of both chains are certified on all nodes", w.everywhere(certified(last)))
		w.agree(last)
		w.await("all nodes are ready", w.everywhere(func(m *member) bool { return m.status().Ready }))
	})
}

func TestPledgeBecomesPowerAndAFaultIsSlashedOnEveryLedger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		lender, borrower := w.of("alpha")[0], w.of("beta")[1]
		pledge, err := ledger.NewPledge(lender.validator.ID, 0, "beta", borrower.validator.ID, ledger.Units(400_000), ledger.One/20)
		lender.succeed(lender.submit(t, lender.validator.Account, pledge, err))

		w.await("the pledge is power on beta", w.everywhere(func(m *member) bool {
			for _, p := range m.ledger("beta").Power {
				if p.Account == borrower.validator.ID && p.Power.Int().Gt(p.Own.Int()) {
					return true
				}
			}
			return false
		}))

		// The set of the next epoch has that power; whoever signs it answers with it.
		epoch := borrower.status().Ledgers["beta"].Executed + 1
		w.await("an epoch signed with it is certified", w.everywhere(certified(epoch)))
		w.adversary().doubleVote(borrower.validator, "beta", epoch, borrower)
		w.await("the fault is executed on every ledger", w.everywhere(func(m *member) bool {
			return m.executedFaults("alpha") == 1 && m.executedFaults("beta") == 1
		}))

		w.await("the slash on alpha shows", w.everywhere(func(m *member) bool { return len(m.ledger("alpha").Slashes) == 1 }))
		slash := lender.ledger("alpha").Slashes[0]
		if slash.Account != lender.validator.ID || slash.Validator != borrower.validator.ID || slash.Amount != ledger.Units(20_000) {
			t.Errorf("slash on alpha = %+v, want 5%% of what was pledged", slash)
		}
		w.await("the offender has no power", w.everywhere(func(m *member) bool {
			for _, p := range m.ledger("beta").Power {
				if p.Account == borrower.validator.ID {
					return false
				}
			}
			return true
		}))
		w.conserved()
		w.agree(lowest(w))
		w.timed(epoch, "double_vote")
	})
}

// executedFaults counts those whose slashes are done on a ledger.
func (m *member) executedFaults(chain string) (n int) {
	for _, f := range m.ledger(chain).Faults {
		if f.Executed {
			n++
		}
	}
	return n
}

// timed checks that every node knows one fault, and when it saw what of it.
func (w *world) timed(epoch uint64, kind string) {
	w.t.Helper()
	for _, m := range w.members {
		faults, err := m.api().Faults(w.t.Context(), 0, 10)
		must(w.t, err)
		if len(faults) == 0 || faults[0].Epoch != epoch || faults[0].Kind != kind {
			w.t.Errorf("%s: faults = %+v", m.name, faults)
			continue
		}
		for _, c := range w.network.Chains {
			f := faults[0]
			if f.Seen == 0 || f.Frozen[c.ID] < f.Seen || f.Executed[c.ID] < f.Frozen[c.ID] {
				w.t.Errorf("%s: seen %d, frozen %v, executed %v", m.name, f.Seen, f.Frozen, f.Executed)
			}
		}
	}
}

// lowest is the last epoch that is certified everywhere.
func lowest(w *world) uint64 {
	least := ^uint64(0)
	for _, m := range w.members {
		if m.node != nil {
			for _, l := range m.status().Ledgers {
				least = min(least, l.Epoch)
			}
		}
	}
	return least
}

// conserved checks on every node that no ledger made or lost a unit.
func (w *world) conserved() {
	w.t.Helper()
	for _, m := range w.members {
		if m.node == nil {
			continue
		}
		for _, c := range w.network.Chains {
			l := m.ledger(c.ID)
			sum := new(uint256.Int)
			for _, part := range []ledger.Amount{l.Totals.Collateral, l.Totals.Escrow, l.Totals.Withdrawn, l.Totals.Burned} {
				sum.Add(sum, part.Int())
			}
			accounts := new(uint256.Int)
			for _, a := range l.Accounts {
				accounts.Add(accounts, a.Collateral.Int())
			}
			if !sum.Eq(l.Totals.Deposited.Int()) || !accounts.Eq(l.Totals.Collateral.Int()) {
				w.t.Errorf("%s: %s does not conserve: %+v, accounts hold %s", m.name, c.ID, l.Totals, accounts.Dec())
			}
		}
	}
}

// agree checks that all running members have equal certified checkpoints of every
// chain up to an epoch.
func (w *world) agree(last uint64) {
	w.t.Helper()
	w.await("everybody has the certificates", w.everywhere(certified(last)))
	for _, c := range w.network.Chains {
		for epoch := uint64(1); epoch <= last; epoch++ {
			var first *api.Checkpoint
			for _, m := range w.members {
				if m.node == nil {
					continue
				}
				cp, ok := m.checkpoint(c.ID, epoch)
				if !ok {
					w.t.Errorf("%s has no certificate of %s epoch %d", m.name, c.ID, epoch)
					continue
				}
				if first == nil {
					first = &cp
				}
				if !bytes.Equal(cp.Certificate, first.Certificate) {
					w.t.Errorf("%s: checkpoint of %s epoch %d is %x, want %x", m.name, c.ID, epoch, cp.Certificate, first.Certificate)
				}
			}
		}
	}
}
