package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// equivocate has the chain commit evidence, in its next block, that a validator voted
// for two blocks at a height.
func (c *simChain) equivocate(t *testing.T, v *ledgertest.Validator, height uint64) {
	t.Helper()
	e := chain.Evidence{Height: height, DoubleVote: &chain.DoubleVote{
		Address: comet.Address(v.Consensus.Public().(ed25519.PublicKey)), Type: comet.Prevote, Round: 2,
	}}
	at := time.Unix(1_700_000_000, 5).UTC()
	for i, side := range []*attest.ConsensusVote{&e.DoubleVote.Second, &e.DoubleVote.First} { // in no order
		*side = attest.ConsensusVote{Seconds: uint64(at.Unix()), Nanos: uint32(at.Nanosecond())}
		var block comet.BlockID // nil against a block
		if i > 0 {
			side.BlockHash, side.PartsTotal = [32]byte{1}, 1
			block = comet.BlockID{Hash: side.BlockHash[:], PartsTotal: 1, PartsHash: side.PartsHash[:]}
		}
		side.Signature = ed25519.Sign(v.Consensus, comet.SignBytes(c.id, comet.Prevote, int64(height), 2, &block, at))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = append(c.found, e)
}

func TestEvidenceOfTheHomeChainIsSlashedOnEveryLedger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		lender, offender := w.of("alpha")[0], w.of("beta")[1]
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
		epoch := offender.status().Ledgers["beta"].Executed + 1
		w.await("an epoch signed with it is certified", w.everywhere(certified(epoch)))

		beta := w.chains["beta"]
		beta.mu.Lock()
		// Neither is about the mesh, and neither stops a node.
		beta.found = append(beta.found, chain.Evidence{Height: 1, Raw: []byte("of a kind to come")},
			chain.Evidence{Height: 1, DoubleVote: &chain.DoubleVote{Address: [20]byte{1}, Type: comet.Precommit}})
		beta.mu.Unlock()
		beta.equivocate(t, offender.validator, epoch*w.network.Manifest.Chain("beta").EpochBlocks)
		w.await("the fault is executed on every ledger", w.everywhere(func(m *member) bool {
			return m.executedFaults("alpha") == 1 && m.executedFaults("beta") == 1
		}))
		w.await("the slash on alpha shows", w.everywhere(func(m *member) bool { return len(m.ledger("alpha").Slashes) == 1 }))
		slash := lender.ledger("alpha").Slashes[0]
		if slash.Account != lender.validator.ID || slash.Validator != offender.validator.ID || slash.Amount != ledger.Units(20_000) {
			t.Errorf("slash on alpha = %+v, want 5%% of what was pledged", slash)
		}
		w.conserved()
		w.agree(lowest(w))
		w.timed(epoch, "consensus_equivocation")
	})
}

// A proof that names the set of another epoch is nobody's: it is not kept, and so not
// submitted, and its sender is to blame.
func TestEquivocationInAnotherEpochIsNotKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(3)))
		genesis, err := ledger.Genesis(w.network.Manifest, "beta")
		must(t, err)
		set, err := attest.NewSet(genesis.Set)
		must(t, err)
		offender := w.of("beta")[1].validator
		misplaced, err := w.network.Equivocation(set, "beta", 2, 1, offender)
		must(t, err)
		good, err := w.network.Equivocation(set, "beta", 1, 1, offender)
		must(t, err)
		if _, err := w.members[0].api().Report(t.Context(), misplaced, ledger.AccountID{}); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("reported to a node: %v", err)
		}
		a := w.adversary()
		must(t, a.mesh.PublishFault(context.Background(), misplaced))
		must(t, a.mesh.PublishFault(context.Background(), good))
		w.await("the other one is known", w.everywhere(func(m *member) bool {
			faults, err := m.api().Faults(t.Context(), 0, 10)
			must(t, err)
			return len(faults) > 0
		}))
		for _, m := range w.members {
			faults, err := m.api().Faults(t.Context(), 0, 10)
			must(t, err)
			if len(faults) != 1 || faults[0].Epoch != 1 {
				t.Errorf("%s: faults %+v", m.name, faults)
			}
		}
	})
}

// attack has validators sign another block in the place of one that the chain has, and
// the chain find it.
func (c *simChain) attack(height uint64, round int64, change func(*comet.Header), who ...*ledgertest.Validator) {
	c.mu.Lock()
	defer c.mu.Unlock()
	forged := *c.headers[height-1]
	change(&forged)
	c.found = append(c.found, chain.Evidence{Height: height - 1, Attack: c.signed(&forged, round, who...)})
}

// The epoch of an attack is certified after the chain has found it.
func TestAnAttackOnLightClientsIsSlashedOnEveryLedger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(3)))
		beta, offender := w.chains["beta"], w.of("beta")[1]
		blocks := w.network.Manifest.Chain("beta").EpochBlocks
		var at uint64
		w.await("an epoch has begun", func() bool {
			beta.mu.Lock()
			defer beta.mu.Unlock()
			at = uint64(len(beta.headers))
			return at%blocks == 2
		})
		// What nobody of the mesh has signed stops no node.
		beta.attack(at, 0, func(h *comet.Header) { h.App = []byte("made up by nobody") })
		beta.attack(at, 0, func(h *comet.Header) { h.App = []byte("made up") }, offender.validator)
		w.await("the fault is executed on every ledger", w.everywhere(func(m *member) bool {
			return m.executedFaults("alpha") == 1 && m.executedFaults("beta") == 1
		}))
		for _, m := range w.members {
			for _, chain := range []string{"alpha", "beta"} {
				f := m.ledger(chain).Faults[0]
				if f.Kind != "light_client_attack" || f.Epoch != (at-1)/blocks+1 || len(f.Offenders) != 1 || f.Offenders[0] != offender.validator.ID {
					t.Errorf("%s: fault on %s %+v", m.name, chain, f)
				}
			}
		}
		w.conserved()
		w.agree(lowest(w))
	})
}

// All nodes of a chain end while an attack waits for the certificate of its epoch.
func TestAnAttackIsNotForgottenOverARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		nodes := w.of("beta")
		for _, m := range nodes {
			m.folder = t.TempDir()
		}
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(3)))
		w.isolate(nodes[:2]...) // neither half has a quorum
		executed := func(epoch uint64) func() bool {
			return func() bool {
				return !slices.ContainsFunc(nodes, func(m *member) bool { return m.status().Ledgers["beta"].Executed < epoch })
			}
		}
		before := nodes[0].status().Ledgers["beta"].Executed
		w.await("an epoch is executed", executed(before+2))
		at := (before + 2) * w.network.Manifest.Chain("beta").EpochBlocks
		w.chains["beta"].attack(at, 0, func(h *comet.Header) { h.App = []byte("made up") }, nodes[1].validator)
		w.await("the evidence is executed", executed(before+5))
		for _, m := range nodes {
			if s := m.status().Ledgers["beta"]; s.Epoch >= before+2 {
				t.Fatalf("epoch %d is certified: then this test is about nothing", s.Epoch)
			}
			m.stop()
		}
		w.heal()
		w.start(nodes...)
		w.await("the fault is executed on every ledger", w.everywhere(func(m *member) bool {
			return m.executedFaults("alpha") == 1 && m.executedFaults("beta") == 1
		}))
	})
}

// A fork convicts nobody; it halts the chain on the ledgers of its peers, and the nodes
// say why.
func TestAForkHaltsTheChainOnItsPeers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(3)))
		beta := w.chains["beta"]
		other := func(h *comet.Header) {
			h.LastBlock.Hash, h.App = bytes.Repeat([]byte{1}, 32), []byte("of another branch")
		}
		beta.attack(9, 2, other, w.network.Chain("beta").Validators[0]) // too few
		beta.attack(9, 2, other, w.network.Chain("beta").Validators[1:]...)
		halted := func(m *member) bool {
			for _, p := range m.ledger("alpha").Peers {
				if p.Chain == "beta" && p.Halted != "" {
					return strings.Contains(p.Halted, "forked")
				}
			}
			return false
		}
		w.await("beta is halted", w.everywhere(halted))
		for _, m := range w.members {
			faults := m.ledger("alpha").Faults
			if len(faults) != 1 || !faults[0].Forked || len(faults[0].Offenders) != 0 || len(m.ledger("beta").Faults) != 0 {
				t.Errorf("%s: faults on alpha %+v", m.name, faults)
			}
			known, err := m.api().Faults(t.Context(), 0, 10)
			must(t, err)
			if len(known) != 1 || known[0].Kind != "light_client_attack" || len(known[0].Offenders) != 0 {
				t.Errorf("%s: knows %+v", m.name, known)
			}
		}
		epoch := w.members[0].status().Ledgers["beta"].Executed + 2
		w.await("both chains go on", w.everywhere(certified(epoch)))
		w.conserved()
		w.agree(lowest(w))
	})
}
