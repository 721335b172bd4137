package node_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/trie"
)

// TestWrongEpochIsFoundProvenAndSlashed: three of four validators of beta certify a state
// that no operation led to. Nobody tells the others.
func TestWrongEpochIsFoundProvenAndSlashed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		liars := w.of("beta")[:3]
		for _, m := range liars {
			m.misbehave = true
		}
		w.start()
		lender, offender := w.of("alpha")[0], liars[1]
		pledge, err := ledger.NewPledge(lender.validator.ID, 0, "beta", offender.validator.ID, ledger.Units(400_000), ledger.One/20)
		lender.succeed(lender.submit(t, lender.validator.Account, pledge, err))
		w.await("the pledge is power on beta", w.everywhere(func(m *member) bool {
			for _, p := range m.ledger("beta").Power {
				if p.Account == offender.validator.ID && p.Power.Int().Gt(p.Own.Int()) {
					return true
				}
			}
			return false
		}))
		if err := w.of("beta")[3].api().Misbehave(t.Context(), 1<<20); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("an honest node is told to misbehave: %v", err)
		}
		if err := liars[0].api().Misbehave(t.Context(), 1); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("an epoch that is over: %v", err)
		}
		epoch := offender.status().Ledgers["beta"].Executed + 3
		for _, m := range liars {
			must(t, m.api().Misbehave(t.Context(), epoch))
		}
		w.await("everybody has the proof", w.everywhere(func(m *member) bool { return m.convicted("beta", epoch) == 3 }))
		alpha := w.of("alpha")
		on := func(condition func(m *member) bool) func() bool {
			return func() bool { return !slices.ContainsFunc(alpha, func(m *member) bool { return !condition(m) }) }
		}
		w.await("alpha has halted beta", on(func(m *member) bool {
			l := m.ledger("alpha")
			return len(l.Peers) == 1 && strings.Contains(l.Peers[0].Halted, "proven to be wrong")
		}))
		w.await("it is slashed on alpha", on(func(m *member) bool { return m.executedFaults("alpha") == 1 && len(m.ledger("alpha").Slashes) == 1 }))
		slash := lender.ledger("alpha").Slashes[0]
		if slash.Account != lender.validator.ID || slash.Validator != offender.validator.ID || slash.Amount != ledger.Units(20_000) {
			t.Errorf("slash on alpha = %+v, want 5%% of what was pledged", slash)
		}
		last := lender.status().Ledgers["alpha"].Epoch + 3
		w.await("alpha goes on", on(func(m *member) bool { return m.status().Ledgers["alpha"].Epoch >= last }))
		voucher := alpha[2]
		w.await("beta has built on it", func() bool { return liars[0].status().Ledgers["beta"].Epoch > epoch })
		w.adversary().vouch(voucher, "beta", epoch+1, liars[0])
		w.await("who vouches for it is convicted too", w.everywhere(func(m *member) bool {
			return m.convicted("alpha", 0) == 1
		}))
		w.await("and slashed at home", on(func(m *member) bool {
			return slices.ContainsFunc(m.ledger("alpha").Slashes, func(s ledger.SlashView) bool { return s.Validator == voucher.validator.ID })
		}))
		for _, m := range alpha {
			s := m.status()
			if s.Diverged != "" {
				t.Errorf("%s has stopped attesting: %s", m.name, s.Diverged)
			}
			if got := s.Ledgers["beta"].Executed; got != epoch-1 {
				t.Errorf("%s has executed beta up to epoch %d, wrong is %d", m.name, got, epoch)
			}
			if !strings.Contains(strings.Join(s.Warnings, "\n"), "is proven to be wrong") {
				t.Errorf("%s warns of %q", m.name, s.Warnings)
			}
			l := m.ledger("alpha")
			if p := l.Peers[0]; p.Final >= epoch {
				t.Errorf("%s: epoch %d of beta is final", m.name, p.Final)
			}
		}
	})
}

// vouch has a validator claim, in the epoch under way, to have executed a peer up to an
// epoch as somebody has it.
func (a *adversary) vouch(by *member, peer string, epoch uint64, seen *member) {
	a.t.Helper()
	cp, ok := seen.checkpoint(peer, epoch)
	if !ok {
		a.t.Fatalf("%s has no certificate of %s epoch %d", seen.name, peer, epoch)
	}
	claim := &attest.CrossClaim{
		ChainID: []byte(by.chain), Epoch: by.status().Ledgers[by.chain].Executed + 1, Peer: []byte(peer), FromEpoch: 1, ToEpoch: epoch,
	}
	copy(claim.ToRoot[:], cp.Certificate)
	vote, err := attest.SignCrossAttestation(by.validator.Key, a.network.ID, claim)
	must(a.t, err)
	must(a.t, a.mesh.PublishCross(context.Background(), vote))
}

// convicted is how many validators are proven, here, to have certified or vouched for a
// wrong epoch, in an epoch of theirs; 0 is any.
func (m *member) convicted(chain string, epoch uint64) int {
	faults, err := m.api().Faults(context.Background(), 0, api.MaxFaults)
	must(m.world.t, err)
	all := make(map[ledger.AccountID]bool)
	for _, f := range faults {
		if f.Kind == attest.FaultInvalidTransition.String() && f.Chain == chain && (f.Epoch == epoch || epoch == 0) {
			for _, o := range f.Offenders {
				all[o] = true
			}
		}
	}
	return len(all)
}

// forger shows an entry of its own for an epoch of a chain.
type forger struct {
	deaf
	chain string
	entry *store.Entry
}

func (f forger) Epochs(_ context.Context, chain string, from uint64, _, _ int) ([][]byte, error) {
	if chain != f.chain || from != f.entry.Checkpoint.Epoch {
		return nil, nil
	}
	b, err := f.entry.Encode()
	return [][]byte{b}, err
}

// TestWrongEpochWithoutBlocksIsProven: what is certified is a transcript that no input
// fits, so that nobody can execute it. It is wrong as it stands.
func TestWrongEpochWithoutBlocksIsProven(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		beta := w.of("beta")
		w.start(append(w.of("alpha"), beta[3])...) // the others do not vote by themselves
		genesis, err := ledger.Genesis(w.network.Manifest, "beta")
		must(t, err)
		set, err := attest.NewSet(genesis.Set)
		must(t, err)
		first := w.network.Manifest.Chain("beta").EpochBlocks
		cp := &attest.Checkpoint{
			ChainID: []byte("beta"), Epoch: 1, Parent: genesis.Checkpoint.Root(), Height: first, Time: genesis.Checkpoint.Time + 1000*first,
			LedgerRoot: [32]byte{1}, ValidatorsRoot: set.Root(),
		}
		transcript := &ledger.Transcript{Steps: []*ledger.Step{{Kind: 7, Height: first, Time: cp.Time, Root: cp.LedgerRoot}}}
		cp.OpsRoot, err = transcript.HashTreeRoot()
		must(t, err)
		a := w.hostile(forger{chain: "beta", entry: &store.Entry{Transcript: transcript, Checkpoint: cp}})
		tally := attest.NewTally(w.network.ID, set, "beta", 1)
		publish := func(signers ...*member) { a.certify(tally, set, cp, signers...) }
		publish(beta[:3]...)
		w.await("everybody has the proof", w.everywhere(func(m *member) bool { return m.convicted("beta", 1) == 3 }))
		alpha := w.of("alpha")[0]
		w.await("alpha halts beta", func() bool { return alpha.ledger("alpha").Peers[0].Halted != "" })
		publish(beta[3])
		w.await("who signed later is convicted too", func() bool { return alpha.convicted("beta", 1) == 4 })
		if s := alpha.status(); s.Diverged != "" {
			t.Errorf("alpha has stopped attesting: %s", s.Diverged)
		}
	})
}

// certify publishes what members sign, together with what the tally has.
func (a *adversary) certify(tally *attest.Tally, set *attest.Set, cp *attest.Checkpoint, by ...*member) {
	a.t.Helper()
	for _, m := range by {
		vote, err := attest.SignAttestation(m.validator.Key, a.network.ID, cp)
		must(a.t, err)
		verified, err := attest.VerifyAttestation(a.network.ID, set, vote)
		must(a.t, err)
		tally.Add(verified)
	}
	certificate, ok := tally.Certificate()
	if !ok {
		a.t.Fatal("no quorum")
	}
	must(a.t, a.mesh.PublishCertificate(context.Background(), certificate))
}

// TestWrongEpochTooLargeToProveStopsNobody: the lie is about an operation that leaves no
// room for a proof. The chain is left, and the others go on.
func TestWrongEpochTooLargeToProveStopsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		beta := w.of("beta")
		w.start(w.of("alpha")...)
		genesis, err := ledger.Genesis(w.network.Manifest, "beta")
		must(t, err)
		set, err := attest.NewSet(genesis.Set)
		must(t, err)
		op := &ledger.Operation{Kind: uint8(ledger.KindSubmitFault)}
		empty, err := ledger.EncodeOperation(op)
		must(t, err)
		op.Body = make([]byte, ledger.MaxSubmitFault-len(empty))
		in, err := ledgertest.Input(w.network.Manifest.Chain("beta"), genesis.Checkpoint, op)
		must(t, err)
		nodes := trie.NewStore()
		nodes.Apply(genesis.Changes)
		r, err := ledger.Execute(w.network.Manifest, genesis.Checkpoint, trie.New(nodes, genesis.Ref), in)
		must(t, err)
		r.Transcript.Steps[0].Root[0] ^= 1
		r.Checkpoint.OpsRoot, err = r.Transcript.HashTreeRoot()
		must(t, err)
		a := w.hostile(forger{chain: "beta", entry: &store.Entry{Input: in, Transcript: r.Transcript, Receipts: r.Receipts, Checkpoint: r.Checkpoint}})
		a.certify(attest.NewTally(w.network.ID, set, "beta", 1), set, r.Checkpoint, beta[:3]...)
		w.await("beta is left", w.everywhere(func(m *member) bool {
			return strings.Contains(strings.Join(m.status().Warnings, "\n"), "that can't be proven")
		}))
		last := w.of("alpha")[0].status().Ledgers["alpha"].Epoch + 3
		w.await("alpha goes on", w.everywhere(func(m *member) bool { return m.status().Ledgers["alpha"].Epoch >= last }))
		for _, m := range w.of("alpha") {
			if s := m.status(); s.Diverged != "" || m.convicted("beta", 1) != 0 {
				t.Errorf("%s: diverged %q", m.name, s.Diverged)
			}
		}
	})
}
