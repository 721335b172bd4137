package node_test

import (
	"testing"
	"time"
)

// A fault is frozen on every ledger of every node within two epochs of the second
// vote: the ledgers that did not certify the epoch themselves must have accepted the
// one before it, and an operation takes effect at the end of the epoch that orders it.
// docs/performance.md quotes the figure, in epochs, of which the clock is virtual.
func TestFreezeFollowsTheSecondVoteWithinTwoEpochs(t *testing.T) {
	validators := 4
	if raceEnabled {
		validators = 2 // the figure comes from builds without the race detector
	}
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3, validators, nil)
		w.start()
		const epoch = 5
		w.await("some epochs are certified", w.everywhere(certified(epoch)))
		culprit := w.of("beta")[1]
		adversary := w.adversary()

		second := time.Now()
		adversary.doubleVote(culprit.validator, "beta", epoch, culprit)
		proven := w.elapsed(second, "the proof is on all nodes", func(m *member) bool { return m.knownFaults() == 1 })
		frozen := w.elapsed(second, "the fault is frozen on every ledger", func(m *member) bool {
			for _, c := range w.network.Chains {
				if len(m.ledger(c.ID).Faults) != 1 {
					return false
				}
			}
			return true
		})
		length := time.Duration(w.network.Manifest.Chains[0].EpochBlocks) * blockTime
		t.Logf("%d nodes, 3 chains: proof everywhere after %v, freeze everywhere after %v = %.2f epochs of %v",
			len(w.members), proven, frozen, float64(frozen)/float64(length), length)
		if frozen > 2*length {
			t.Errorf("the freeze took %v, more than two epochs of %v", frozen, length)
		}
	})
}

// elapsed waits for a condition on all members and tells how long after start it
// held, to 100 ms of virtual time.
func (w *world) elapsed(start time.Time, what string, condition func(m *member) bool) time.Duration {
	w.t.Helper()
	w.await(what, w.everywhere(condition))
	return time.Since(start)
}
