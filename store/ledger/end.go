package ledger

import "fmt"

// The phases in which an epoch ends, in this order. Finalize and settle are one step for
// each peer; slashes and absence are as many as it takes; elect and adopt are one.
const (
	EndFinalize = iota + 1 // confirmed epochs of a peer become final; a silent one is halted
	EndSettle              // the backstops of a failed peer
	EndSlashes             // executions whose window has passed
	EndAbsence             // who missed the epoch two before this one
	EndElect               // the set of the next epoch
	EndAdopt               // rules that waited
)

// ending names one step of the end of an epoch. Index is that of the peer among the
// chains of the network, or of the first who was absent.
type ending struct {
	phase uint8
	index uint64
}

// end runs the steps that end every epoch.
func (r *run) end() error {
	e, over := r.peerFrom(0), false
	for !over {
		var err error
		if e, over, err = r.endStep(e); err != nil {
			return err
		}
	}
	return nil
}

// peerFrom is the first step about a peer from an index on; after the last peer that of
// the slashes.
func (r *run) peerFrom(index uint64) ending {
	return peerFrom(r.machine.chains, r.machine.spec.ID, index)
}

func peerFrom(chains []string, self string, index uint64) ending {
	for ; index < uint64(len(chains)); index++ {
		if chains[index] != self {
			return ending{EndFinalize, index}
		}
	}
	return ending{EndSlashes, 0}
}

// endStep runs one step, and says which one follows.
func (r *run) endStep(e ending) (next ending, over bool, err error) {
	err = r.witnessed(StepWitness{Kind: StepEnd, Phase: e.phase, Index: e.index}, func() error {
		err := r.machine.step(func() (err error) {
			next, over, err = r.ending(e)
			return err
		})
		if err == nil {
			r.step(&Step{Kind: StepEnd, Phase: e.phase, Index: e.index})
		}
		return err
	})
	return next, over, err
}

func (r *run) ending(e ending) (next ending, over bool, err error) {
	m := r.machine
	switch e.phase {
	case EndFinalize, EndSettle:
		if e.index >= uint64(len(m.chains)) || m.chains[e.index] == m.spec.ID {
			return e, false, fmt.Errorf("there is no peer %d", e.index)
		}
		if e.phase == EndFinalize {
			return ending{EndSettle, e.index}, false, m.finalize(m.chains[e.index])
		}
		return r.peerFrom(e.index + 1), false, m.settleFailure(m.chains[e.index])
	case EndSlashes:
		more, err := m.executeSlashes(&r.spent)
		if more {
			return e, false, err
		}
		return ending{EndAbsence, 0}, false, err
	case EndAbsence:
		index, more, err := m.settleParticipation(e.index)
		if more {
			return ending{EndAbsence, index}, false, err
		}
		return ending{EndElect, 0}, false, err
	case EndElect:
		r.set, err = m.elect(r.height)
		return ending{EndAdopt, 0}, false, err
	case EndAdopt:
		return e, true, m.adoptParams()
	}
	return e, false, fmt.Errorf("there is no phase %d", e.phase)
}
