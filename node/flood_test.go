package node_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"regexp"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// An offender can make any number of valid proofs of one offence: a proof for each pair
// of what he signed, alone or with others.

// contradiction is a proof that validators of beta signed two checkpoints of an epoch,
// of which there are as many as numbers.
func (w *world) contradiction(epoch uint64, first, second byte, by ...*ledgertest.Validator) *attest.FaultProof {
	w.t.Helper()
	set := w.firstSet("beta")
	side := func(number byte) *attest.Certificate {
		cp := &attest.Checkpoint{ChainID: []byte("beta"), Epoch: epoch, OpsRoot: [32]byte{number}}
		bits, message := attest.NewBits(set.Len()), cp.SigningRoot(w.network.ID)
		var signatures []bls.Signature
		for _, v := range by {
			i, ok := set.Index(v.Key.PublicKey().Bytes())
			if !ok {
				w.t.Fatal("not in the first set")
			}
			bits.Set(i)
			signatures = append(signatures, v.Key.Sign(message[:]))
		}
		sum, err := bls.Aggregate(signatures)
		must(w.t, err)
		return &attest.Certificate{Checkpoint: *cp, Signers: bits, Signature: sum.Bytes()}
	}
	proof, err := attest.BuildDoubleVote(set, side(first), side(second))
	must(w.t, err)
	return proof
}

// judged counts the messages on the topic of faults with a condition, as the node says.
func (m *member) judged(condition p2p.Condition) uint64 {
	m.world.t.Helper()
	text, err := m.api().Metrics(context.Background())
	must(m.world.t, err)
	found := regexp.MustCompile(fmt.Sprintf(`(?m)^\w*messages_total\{condition="%s",topic="faults"\} (\d+)$`, condition)).FindSubmatch(text)
	if found == nil {
		return 0
	}
	var n uint64
	_, err = fmt.Sscan(string(found[1]), &n)
	must(m.world.t, err)
	return n
}

// blamed counts those for which a sender was blamed.
func (m *member) blamed() (n uint64) {
	for _, r := range p2p.Conditions() {
		if r.Verdict == p2p.Reject {
			n += m.judged(r.Condition)
		}
	}
	return n
}

func (m *member) faults() []api.Fault {
	m.world.t.Helper()
	list, err := m.api().Faults(context.Background(), 0, 1000)
	must(m.world.t, err)
	return list
}

func TestManyProofsOfOneOffenceAreKeptOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 4, nil)
		m := w.of("alpha")[0]
		m.folder = t.TempDir()
		w.start()
		w.await("some epochs are certified", w.everywhere(certified(2)))
		a := w.adversary()
		beta := w.network.Chains[1].Validators
		offender, accomplice := beta[1], beta[2]

		first := w.contradiction(2, 0, 1, offender)
		must(t, a.mesh.PublishFault(t.Context(), first))
		w.await("it is known", w.everywhere(func(m *member) bool { return len(m.faults()) == 1 }))
		const flood = 40
		for n := range byte(flood) {
			proof := w.contradiction(2, n+1, n+2, offender)
			if n%2 == 0 { // not even the signatures of what adds nothing are looked at
				proof = unsigned(t, proof)
			}
			must(t, a.mesh.PublishFault(t.Context(), proof))
		}
		// What proves more passes: somebody else beside him, another epoch, another kind.
		more := w.contradiction(2, 100, 101, offender, accomplice)
		must(t, a.mesh.PublishFault(t.Context(), more))
		for n := range byte(flood) { // all at once, before one of them is known
			must(t, a.mesh.PublishFault(t.Context(), w.contradiction(1, n, n+1, offender)))
		}
		set := w.firstSet("beta")
		equivocation, err := w.network.Equivocation(set, "beta", 2, 10, offender)
		must(t, err)
		must(t, a.mesh.PublishFault(t.Context(), equivocation))
		w.await("what proves more is known", w.everywhere(func(m *member) bool { return len(m.faults()) >= 4 }))
		w.await("the flood was seen", w.everywhere(func(m *member) bool { return m.judged(p2p.NothingNew) >= 2*flood-1 }))

		check := func() {
			t.Helper()
			for _, m := range w.members {
				if n := len(m.faults()); n != 4 {
					t.Errorf("%s keeps %d proofs", m.name, n)
				}
				if n := m.blamed(); n != 0 {
					t.Errorf("%s blamed somebody %d times", m.name, n)
				}
			}
		}
		check()
		for _, m := range w.members { // what is accepted is forwarded
			if n := m.judged(p2p.Accepted) + m.judged(p2p.Backfill); n != 4 {
				t.Errorf("%s accepted %d proofs", m.name, n)
			}
		}
		m.stop()
		m.start()
		w.await("it is back", func() bool { return m.status().Ready })
		must(t, a.mesh.PublishFault(t.Context(), w.contradiction(2, 200, 201, offender)))
		w.await("it has seen one more", func() bool { return m.judged(p2p.NothingNew) > 0 })
		check() // also by the one that started anew
		w.await("both ledgers have convicted both", w.everywhere(func(m *member) bool {
			convicted := make(map[ledger.AccountID]bool)
			for _, f := range m.ledger(m.chain).Faults {
				for _, o := range f.Offenders {
					convicted[o] = true
				}
			}
			return convicted[offender.ID] && convicted[accomplice.ID] && len(convicted) == 2
		}))
	})
}

// unsigned is a proof with a signature that is another one's.
func unsigned(t *testing.T, proof *attest.FaultProof) *attest.FaultProof {
	t.Helper()
	body, err := attest.DecodeDoubleVote(proof.Body)
	must(t, err)
	body.Second.Signature = body.First.Signature
	encoded, err := attest.EncodeDoubleVote(body)
	must(t, err)
	return &attest.FaultProof{Kind: proof.Kind, Body: encoded}
}

// firstSet is who signs the first epoch of a chain, and all later ones while nobody comes
// or goes.
func (w *world) firstSet(chain string) *attest.Set {
	w.t.Helper()
	genesis, err := ledger.Genesis(w.network.Manifest, chain)
	must(w.t, err)
	set, err := attest.NewSet(genesis.Set)
	must(w.t, err)
	return set
}

// Nobody is punished for what can't be judged yet: a proof of an epoch ahead waits for
// its set, one of a kind that only a later version knows is dropped.
func TestProofsThatCannotBeJudgedBlameNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		w.start()
		w.await("an epoch is certified", w.everywhere(certified(1)))
		a := w.adversary()
		offender := w.network.Chains[1].Validators[1]
		ahead := w.of("beta")[0].status().Ledgers["beta"].Executed + 4
		must(t, a.mesh.PublishFault(t.Context(), w.contradiction(ahead, 0, 1, offender)))
		for n := range uint64(3) {
			must(t, a.mesh.PublishFault(t.Context(), &attest.FaultProof{Kind: 200, Body: binary.LittleEndian.AppendUint64(nil, n)}))
		}
		w.await("all were seen", w.everywhere(func(m *member) bool {
			return m.judged(p2p.UnknownSet) > 0 && m.judged(p2p.Unsupported) >= 3
		}))
		for _, m := range w.members {
			if n := len(m.faults()); n != 0 {
				t.Errorf("%s keeps %d proofs", m.name, n)
			}
		}
		w.await("the one that was ahead is known as soon as its set is", w.everywhere(func(m *member) bool { return len(m.faults()) == 1 }))
		for _, m := range w.members {
			if n := m.blamed(); n != 0 {
				t.Errorf("%s blamed somebody %d times", m.name, n)
			}
		}
	})
}
