package node_test

import (
	"strings"
	"testing"
)

// What happens to a node that was away, in one way or another.

func TestNodeThatWasCutOffCatchesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		w.await("the first epochs are certified", w.everywhere(certified(2)))

		lonely := w.of("alpha")[0]
		w.isolate(lonely)
		others := func(epoch uint64) func() bool {
			return w.everywhere(func(m *member) bool { return m == lonely || certified(epoch)(m) })
		}
		w.await("the others go on", others(5))
		if certified(5)(lonely) {
			t.Error("a node without peers has certificates")
		}
		offender := w.of("beta")[2]
		w.adversary().doubleVote(offender.validator, "beta", 4, offender)
		w.await("the others know the fault", w.everywhere(func(m *member) bool { return m == lonely || m.knownFaults() == 1 }))
		w.await("it is not ready", func() bool { return !lonely.status().Ready })

		w.heal()
		w.await("it knows what the others know", func() bool { return certified(6)(lonely) && lonely.knownFaults() == 1 })
		w.await("it is ready", func() bool { return lonely.status().Ready })
		w.await("it signs again", func() bool {
			epoch := lonely.status().Ledgers["alpha"].Epoch
			cp, ok := lonely.checkpoint("alpha", epoch)
			return ok && cp.Signers == 4
		})
		w.agree(lowest(w))
	})
}

func TestLateQuorumStillCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		w.await("the first epochs are certified", w.everywhere(certified(2)))
		half := w.of("alpha")[:2]
		before := half[0].status().Ledgers["alpha"].Epoch
		w.isolate(half...)
		w.await("half of alpha executes without a quorum", func() bool {
			return half[0].status().Ledgers["alpha"].Executed >= before+3
		})
		if got := half[0].status().Ledgers["alpha"].Epoch; got > before+1 {
			t.Errorf("epoch %d has a certificate without a quorum", got)
		}
		w.heal()
		w.await("no epoch was skipped", w.everywhere(certified(before+4)))
		w.agree(before + 4)
	})
}

func TestNodeThatLagsBehindItsChain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		w.await("the first epoch is certified", w.everywhere(certified(1)))
		slow := w.of("beta")[3]
		w.chains["beta"].cut(slow.name, true)
		w.await("the others go on", w.everywhere(func(m *member) bool { return m == slow || certified(4)(m) }))
		w.await("it says why it is not ready", func() bool {
			return strings.Contains(slow.status().Reason, "home chain does not answer")
		})
		w.chains["beta"].cut(slow.name, false)
		w.await("it has caught up", w.everywhere(certified(6)))
		w.await("it is ready", func() bool { return slow.status().Ready })
		w.agree(6)
	})
}

func TestRestartedNodeResumesWithTheSameRoots(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		m := w.of("alpha")[0]
		m.folder = t.TempDir()
		w.start()
		w.await("two epochs are certified", w.everywhere(certified(2)))
		m.stop()
		// Without it alpha has no quorum: 2 of 3 are not more than 2/3.
		w.await("alpha executes without a quorum", func() bool {
			l := w.of("alpha")[1].status().Ledgers["alpha"]
			return l.Executed >= l.Epoch+2
		})
		m.start()
		w.await("alpha goes on with all of its epochs", w.everywhere(certified(7)))
		w.await("it is ready", func() bool { return m.status().Ready })
		w.agree(7)
	})
}

func TestNewNodeLearnsEverythingFromItsPeers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		late := w.of("alpha")[3]
		var early []*member
		for _, m := range w.members {
			if m != late {
				early = append(early, m)
			}
		}
		w.start(early...)
		w.await("six epochs are certified without it", w.everywhere(certified(6)))
		w.chains["alpha"].prune() // its chain's node can't tell it either
		w.start(late)
		w.await("it has them all", func() bool { return certified(8)(late) })
		w.await("it is ready", func() bool { return late.status().Ready })
		w.agree(8)
	})
}

func TestNodeWithoutKeyFollows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		watcher := &member{world: w, name: "watcher", chain: "alpha", index: len(w.members)}
		w.members = append(w.members, watcher)
		w.start()
		w.await("it has every certificate", w.everywhere(certified(3)))
		if s := watcher.status(); s.Validator != nil {
			t.Errorf("it calls itself a validator: %+v", s.Validator)
		}
		w.await("it is ready", func() bool { return watcher.status().Ready })
		w.agree(3)
	})
}

func TestDivergedNodeSaysWhereAndStopsAttesting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		victim := w.of("alpha")[2]
		victim.folder = t.TempDir()
		w.start()
		w.await("an epoch is certified", w.everywhere(certified(1)))
		w.chains["alpha"].deceive(victim.name)
		w.await("it says where it differs", func() bool {
			return strings.Contains(victim.status().Diverged, "alpha epoch") && strings.Contains(victim.status().Diverged, "step 0")
		})
		if d := victim.status().Diverged; !strings.Contains(d, "ops_root") {
			t.Errorf("diverged = %q, want the field that differs", d)
		}
		epoch := w.of("alpha")[0].status().Ledgers["alpha"].Executed + 2
		w.await("the others go on", w.everywhere(func(m *member) bool { return m == victim || certified(epoch)(m) }))
		cp, _ := w.of("alpha")[0].checkpoint("alpha", epoch)
		if cp.Signers != 3 {
			t.Errorf("%d of 4 signed epoch %d, want all but the diverged one", cp.Signers, epoch)
		}
		if _, err := victim.api().Ledger(t.Context(), "alpha"); err != nil {
			t.Errorf("it no longer answers: %v", err)
		}
		victim.stop()
		victim.start()
		if victim.status().Diverged == "" || victim.status().Ready {
			t.Error("a restart made it forget that it has diverged")
		}
	})
}

// knownFaults counts the proofs that a node has.
func (m *member) knownFaults() int {
	list, err := m.api().Faults(m.world.t.Context(), 0, 10)
	must(m.world.t, err)
	return len(list)
}
