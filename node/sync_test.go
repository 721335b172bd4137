package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/marcopolo/simnet"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
)

// endless answers every question for faults with one more, and takes a second for it.
type endless struct {
	deaf
	proof *attest.FaultProof
	asked chan struct{} // holds a token once somebody has asked
}

func (e *endless) Faults(ctx context.Context, after uint64, _ int) ([]p2p.FaultRecord, error) {
	select {
	case e.asked <- struct{}{}:
	default:
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
		return []p2p.FaultRecord{{Position: after + 1, Proof: e.proof}}, nil
	}
}

// A peer whose answers never end does not keep a node from the others, who have what it
// has missed.
func TestAPeerWithoutEndDoesNotHoldTheSync(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 1, nil)
		m := w.of("alpha")[0]
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(2)))
		e := &endless{proof: unsigned(t, w.contradiction(2, 0, 1, w.network.Chains[1].Validators[0])), asked: make(chan struct{}, 1)}
		w.hostile(e)
		w.isolate(m)
		w.mu.Lock()
		w.side[simnet.IntToPublicIPv4(200).String()] = w.side[m.ip()] // where hostile puts it
		w.mu.Unlock()
		w.await("it hears of nobody else", func() bool { return m.status().Peers == 1 })
		for range cap(e.asked) + 1 { // with nobody else to ask, it asks that one
			<-e.asked
		}
		before := w.of("beta")[0].status().Ledgers["beta"].Epoch
		w.await("the others go on", func() bool { return w.of("beta")[0].status().Ledgers["beta"].Epoch > before+4 })
		w.heal()
		w.await("what was missed is brought", func() bool { return certified(before + 6)(m) })
	})
}
