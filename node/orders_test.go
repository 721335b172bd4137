package node_test

import (
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
)

// Three of beta's four validators leave out what their chain orders. The fourth sees it,
// and its proof convicts them where they can't leave it out.
func TestWhoeverLeavesOutOperationsIsConvictedByItsOwnChain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(3)))
		beta := w.of("beta")
		for _, m := range beta[:3] {
			w.chains["beta"].deceive(m.name)
		}
		honest := beta[3]
		withdraw, err := ledger.NewWithdraw(honest.validator.ID, 0, ledger.Units(1_000))
		honest.submit(t, honest.validator.Account, withdraw, err)

		w.await("alpha has convicted three", func() bool {
			for _, m := range w.of("alpha") {
				f := m.ledger("alpha").Faults
				if len(f) != 1 || f[0].Kind != "invalid_operations" || len(f[0].Offenders) != 3 {
					return false
				}
			}
			return true
		})
		for _, o := range w.of("alpha")[0].ledger("alpha").Faults[0].Offenders {
			if o == honest.validator.ID {
				t.Error("the honest validator is convicted")
			}
		}
		for _, m := range w.of("alpha") {
			for _, p := range m.ledger("alpha").Peers {
				if p.Chain == "beta" && !strings.Contains(p.Halted, "proven to be wrong") {
					t.Errorf("%s: beta %+v", m.name, p)
				}
			}
		}
		if why := honest.status().Diverged; !strings.Contains(why, "not those of block") {
			t.Errorf("the honest node says %q", why)
		}
		last := w.of("alpha")[0].status().Ledgers["alpha"].Epoch + 3
		w.await("alpha goes on", func() bool { return w.of("alpha")[0].status().Ledgers["alpha"].Epoch >= last })
	})
}
