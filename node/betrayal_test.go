package node_test

import (
	"strings"
	"testing"
)

// What others do to a node, or to their own chain.

func TestLyingPeerHoldsNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		w.start()
		w.hostile(liar{})
		w.await("four epochs are certified", w.everywhere(certified(4)))
		w.await("all nodes are ready", w.everywhere(func(m *member) bool { return m.status().Ready }))
		w.agree(4)
	})
}

func TestForkedChainIsFollowedByNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		const epoch = 3
		w.await("some epochs are certified", w.everywhere(certified(epoch)))
		w.adversary().fork("beta", epoch, w.of("beta")[:3]...)
		w.await("everybody sees that beta has forked", w.everywhere(func(m *member) bool {
			return strings.Contains(strings.Join(m.status().Warnings, "\n"), "no longer following beta")
		}))
		witness := w.of("alpha")[0]
		w.await("alpha has halted beta, with three convicted", w.everywhere(func(m *member) bool {
			l := m.ledger("alpha")
			convicted := make(map[string]bool)
			for _, f := range l.Faults {
				for _, o := range f.Offenders {
					convicted[o.String()] = true
				}
			}
			return len(l.Peers) == 1 && l.Peers[0].Halted != "" && len(convicted) == 3
		}))
		stuck := witness.status().Ledgers["beta"].Epoch
		last := witness.status().Ledgers["alpha"].Epoch + 3
		w.await("alpha goes on", w.everywhere(func(m *member) bool { return m.status().Ledgers["alpha"].Epoch >= last }))
		if got := witness.status().Ledgers["beta"].Epoch; got != stuck {
			t.Errorf("beta is followed from epoch %d to %d", stuck, got)
		}
		w.conserved()
	})
}
