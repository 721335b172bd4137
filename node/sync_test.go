package node_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/marcopolo/simnet"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
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

// A node that ended between storing a peer's epoch and its certificate has the certificate
// brought, and not a gap for ever.
func TestACertificateThatWasNotStoredIsBrought(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		m, other := w.of("alpha")[0], w.of("alpha")[1]
		m.folder, other.folder = t.TempDir(), t.TempDir()
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(2)))
		m.stop()
		behind := other.status().Ledgers["beta"].Epoch + 2
		w.await("the others go on", func() bool { return certified(behind)(other) })
		other.stop()

		mine, theirs := w.open(m), w.open(other)
		head := mine.Head("beta")
		entry, err := theirs.Journal("beta", head.Epoch+1)
		must(t, err)
		tree, err := mine.Tree("beta")
		must(t, err)
		r, err := ledger.Execute(w.network.Manifest, head.Checkpoint, tree, entry.Input)
		must(t, err)
		must(t, mine.Commit("beta", r))
		must(t, mine.Close())
		must(t, theirs.Close())

		w.start(m, other)
		w.await("there is no gap", func() bool { return certified(behind + 2)(m) })
	})
}

// A node whose store fails ends, also when it is not an epoch that can't be written: what
// the council takes for kept is not asked for again.
func TestANodeWhoseStoreFailsEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1, 4, nil)
		m, seen := w.members[0], w.members[1]
		m.folder = t.TempDir()
		w.start(w.members[1:]...)
		n, err := node.New(t.Context(), m.config(), slog.New(slog.DiscardHandler), m.options())
		must(t, err)
		done := make(chan error, 1)
		go func() { done <- n.Run(t.Context()) }()
		w.await("some epochs are certified", func() bool { return certified(2)(seen) && n.Status().Ledgers["alpha"].Epoch >= 2 })
		a := w.adversary()
		w.chains["alpha"].cut(m.name, true) // there will be no further epoch to write
		must(t, os.Mkdir(filepath.Join(node.StoreFolder(m.config()), "head.tmp"), 0o700))
		a.doubleVote(m.validator, "alpha", 1, seen)
		select {
		case err = <-done:
		case <-time.After(time.Minute):
		}
		if !errors.Is(err, store.ErrBroken) {
			t.Errorf("after a minute: %v", err)
		}
		must(t, n.Close())
	})
}

// open opens the store of a member that is stopped.
func (w *world) open(m *member) *store.Store {
	w.t.Helper()
	s, err := store.Open(node.StoreFolder(m.config()), w.network.Manifest, store.Options{})
	must(w.t, err)
	return s
}
