package ledger_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/trie"
)

// witnessed checks that every step of an epoch comes to the same when it is run
// again from its witness alone, and returns the witnesses.
func witnessed(t testing.TB, m *ledger.Manifest, parent *ledger.Result, tree *trie.Tree, r *ledger.Result) []*ledger.StepWitness {
	t.Helper()
	chain, epoch := string(r.Checkpoint.ChainID), r.Checkpoint.Epoch
	var out []*ledger.StepWitness
	before, spent := parent.Ref.Hash, ledger.Spent{}
	for i, step := range r.Transcript.Steps {
		w, err := ledger.WitnessStep(m, parent.Checkpoint, tree, r.Input, i)
		must(t, err)
		if w.Before != before || w.Time != step.Time || w.Height != step.Height || w.Spent != spent || w.Kind != step.Kind {
			t.Fatalf("%s epoch %d step %d: the witness is one of another step", chain, epoch, i)
		}
		again, receipt, err := ledger.ReplayStep(m, chain, epoch, w)
		must(t, err)
		var want *ledger.Receipt
		if i < len(r.Receipts) {
			want = r.Receipts[i]
		}
		if *again != *step || !reflect.DeepEqual(receipt, want) {
			t.Fatalf("%s epoch %d step %d:\nagain      %+v\ntranscript %+v", chain, epoch, i, again, step)
		}
		before, spent = step.Root, step.Spent
		out = append(out, w)
	}
	return out
}

// TestStepsRunAgainFromTheirWitnesses plays a mesh with everything in it, a fault
// included, and reports how large the witnesses of each kind get.
func TestStepsRunAgainFromTheirWitnesses(t *testing.T) {
	m := play(t, 3, 4, nil)
	largest, count, ending := map[ledger.Kind]int{}, map[ledger.Kind]int{}, map[uint8]int{}
	watch := func(chain string, ops ...*ledger.Operation) {
		t.Helper()
		parent, tree := m.Head(chain), m.Tree(chain)
		r := epoch(t, m, chain, ops...)
		for i, w := range witnessed(t, m.Manifest, parent, tree, r) {
			if i >= len(ops) {
				ending[w.Phase] = max(ending[w.Phase], len(w.Nodes))
				continue
			}
			kind := ledger.Kind(ops[i].Kind)
			largest[kind] = max(largest[kind], len(w.Nodes))
			count[kind]++
		}
	}
	crossPledge(t, m)
	for range 5 {
		for _, c := range m.Chains {
			ops, err := m.Relay(c.ID)
			must(t, err)
			watch(c.ID, ops...)
		}
	}
	alpha := m.Chains[0]
	v := alpha.Validators[0]
	own := signedBy(t, m, "alpha", v.Account)
	watch("alpha", signedBy(t, m, "alpha", alpha.Authority)(ledger.NewDeposit(4, v.ID, ledger.Units(500_000))),
		own(ledger.NewPledge(v.ID, 2, "beta", m.Chains[1].Validators[1].ID, ledger.Units(5000), ledger.One/10*3)),
		own(ledger.NewRelease(v.ID, 3, "beta", m.Chains[1].Validators[1].ID, ledger.Units(2000))),
		own(ledger.NewWithdraw(v.ID, 4, ledger.Units(7))))
	for range 3 { // somebody is absent
		watch("gamma", record(t, m, "gamma", m.Chains[2].Validators[0].ID))
	}
	proof, err := m.DoubleVote("beta", m.Head("beta").Checkpoint.Epoch-1, 2)
	must(t, err)
	for _, c := range m.Chains {
		op, err := m.SubmitFault(c.ID, proof, v.ID)
		must(t, err)
		watch(c.ID, op)
	}
	for range 3 { // until it is executed
		watch("beta", record(t, m, "beta"))
	}
	if n, err := m.Reader("beta").SlashCount(); err != nil || n == 0 {
		t.Errorf("%d slashes, %v", n, err)
	}
	for _, kind := range []ledger.Kind{
		ledger.KindDeposit, ledger.KindWithdraw, ledger.KindPledge, ledger.KindRelease, ledger.KindUpdatePeer,
		ledger.KindConfirmPeer, ledger.KindImportStatement, ledger.KindSubmitFault,
	} {
		if count[kind] == 0 {
			t.Errorf("no %v was run", kind)
		}
		t.Logf("%-16v %3d steps, witness of at most %d bytes", kind, count[kind], largest[kind])
	}
	for phase := uint8(ledger.EndFinalize); phase <= ledger.EndAdopt; phase++ {
		if ending[phase] == 0 {
			t.Errorf("no step of phase %d was run", phase)
		}
		t.Logf("end, phase %d: witness of at most %d bytes", phase, ending[phase])
	}
}

// Whatever is ordered, refused operations included.
func TestRandomStepsRunAgainFromTheirWitnesses(t *testing.T) {
	n := ledgertest.New(2, 2, nil)
	rapid.Check(t, func(rt *rapid.T) {
		m, err := ledgertest.Play(n)
		must(t, err)
		alpha, beta := m.Chains[0], m.Chains[1]
		for range rapid.IntRange(1, 3).Draw(rt, "epochs") {
			ops, err := m.Relay("alpha")
			must(t, err)
			for range rapid.IntRange(0, 4).Draw(rt, "operations") {
				v := rapid.SampledFrom(alpha.Validators).Draw(rt, "account")
				to := rapid.SampledFrom(beta.Validators).Draw(rt, "validator").ID
				amount := ledger.Units(rapid.Uint64Range(0, 500_000).Draw(rt, "amount"))
				nonce := rapid.Uint64Range(0, 2).Draw(rt, "nonce")
				own := signedBy(t, m, "alpha", v.Account)
				switch rapid.IntRange(0, 4).Draw(rt, "kind") {
				case 0:
					ops = append(ops, signedBy(t, m, "alpha", alpha.Authority)(ledger.NewDeposit(nonce, v.ID, amount)))
				case 1:
					ops = append(ops, own(ledger.NewWithdraw(v.ID, nonce, amount)))
				case 2:
					ops = append(ops, own(ledger.NewPledge(v.ID, nonce, "beta", to, amount, ledger.One/4)))
				case 3:
					ops = append(ops, own(ledger.NewRelease(v.ID, nonce, "beta", to, amount)))
				case 4:
					ops = append(ops, &ledger.Operation{Kind: uint8(rapid.IntRange(0, 12).Draw(rt, "number")), Body: rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(rt, "body")})
				}
			}
			parent, tree := m.Head("alpha"), m.Tree("alpha")
			r, err := m.Epoch("alpha", ops...)
			must(t, err)
			witnessed(t, m.Manifest, parent, tree, r)
			_, err = m.Epoch("beta")
			must(t, err)
		}
	})
}

// witnessCase is the step of an epoch with a witness that shows something.
type witnessCase struct {
	manifest *ledger.Manifest
	epoch    uint64
	step     *ledger.StepWitness
	outcome  *ledger.Step
}

var aWitness = sync.OnceValue(func() witnessCase {
	m, err := ledgertest.Play(ledgertest.New(2, 3, nil))
	if err != nil {
		panic(err)
	}
	v := m.Chains[0].Validators[0]
	op, err := ledger.NewPledge(v.ID, 0, "beta", m.Chains[1].Validators[0].ID, ledger.Units(5000), ledger.One/4)
	if err == nil {
		err = op.Sign(m.ID, "alpha", v.Account)
	}
	if err != nil {
		panic(err)
	}
	parent, tree := m.Head("alpha"), m.Tree("alpha")
	r, err := m.Epoch("alpha", op)
	if err != nil {
		panic(err)
	}
	w, err := ledger.WitnessStep(m.Manifest, parent.Checkpoint, tree, r.Input, 0)
	if err != nil {
		panic(err)
	}
	return witnessCase{m.Manifest, r.Checkpoint.Epoch, w, r.Transcript.Steps[0]}
})

func (c witnessCase) replay(nodes []byte) error {
	w := *c.step
	w.Nodes = nodes
	step, _, err := ledger.ReplayStep(c.manifest, "alpha", c.epoch, &w)
	if err != nil {
		return err
	}
	if *step != *c.outcome {
		panic("another outcome")
	}
	return nil
}

func TestAlteredWitnessesAreRefused(t *testing.T) {
	c := aWitness()
	must(t, c.replay(c.step.Nodes))
	for i := range c.step.Nodes {
		altered := slices.Clone(c.step.Nodes)
		altered[i] ^= 1
		if err := c.replay(altered); !errors.Is(err, ledger.ErrWitness) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if err := c.replay(c.step.Nodes[:i]); !errors.Is(err, ledger.ErrWitness) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}

	// More than it needs, and less: the witnesses of other reads of the same state.
	genesis, err := ledger.Genesis(c.manifest, "alpha")
	must(t, err)
	nodes := trie.NewStore()
	nodes.Apply(genesis.Changes)
	tree := trie.New(nodes, genesis.Ref)
	whole, err := tree.Record(func(t *trie.Tree) error { // everything
		var keys [][]byte
		err := t.Walk(func(key, _ []byte) error {
			keys = append(keys, bytes.Clone(key))
			return nil
		})
		for _, k := range keys {
			if _, _, err := t.Get(k); err != nil {
				return err
			}
		}
		return err
	})
	must(t, err)
	nothing, err := tree.Record(func(*trie.Tree) error { return nil })
	must(t, err)
	for name, w := range map[string]trie.Witness{"all of the state": whole, "nothing of it": nothing, "no state": {}} {
		b, err := w.MarshalBinary()
		must(t, err)
		if err := c.replay(b); !errors.Is(err, ledger.ErrWitness) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// Each place where the witness shows a record, hidden instead.
	hidden := 0
	for _, b := range withoutOneRecord(t, tree, c) {
		hidden++
		if err := c.replay(b); !errors.Is(err, trie.ErrNotInWitness) || !errors.Is(err, ledger.ErrWitness) {
			t.Errorf("a record is missing: %v", err)
		}
	}
	if hidden < 3 {
		t.Errorf("the witness shows %d records only", hidden)
	}
	w := *c.step
	w.Time++
	if _, _, err := ledger.ReplayStep(c.manifest, "omega", c.epoch, &w); !errors.Is(err, ledger.ErrWitness) {
		t.Errorf("another chain: %v", err)
	}
}

// withoutOneRecord returns for each record that the case's witness shows one in which
// it is hidden behind its hash.
func withoutOneRecord(t *testing.T, tree *trie.Tree, c witnessCase) (out [][]byte) {
	t.Helper()
	must(t, tree.Walk(func(key, value []byte) error {
		leaf := slices.Concat([]byte{0, byte(len(key) >> 8), byte(len(key)), 0, byte(len(value) >> 16), byte(len(value) >> 8), byte(len(value))}, key, value)
		before, after, ok := bytes.Cut(c.step.Nodes, leaf)
		if ok {
			stub := leafHash(key, value)
			out = append(out, slices.Concat(before, []byte{3}, stub[:], after))
		}
		return nil
	}))
	return out
}

// leafHash is that of a record, computed by another way.
func leafHash(key, value []byte) trie.Hash {
	t := trie.New(trie.NewStore(), trie.Ref{})
	if err := t.Set(key, value); err != nil {
		panic(err)
	}
	return t.Root()
}

// FuzzWitness: a witness is the one of the step, or refused.
func FuzzWitness(f *testing.F) {
	c := aWitness()
	f.Add(c.step.Nodes)
	f.Add([]byte{2})
	f.Add(append([]byte{3}, c.step.Before[:]...))
	f.Fuzz(func(t *testing.T, nodes []byte) {
		if err := c.replay(nodes); err == nil && !bytes.Equal(nodes, c.step.Nodes) {
			t.Fatal("another witness was accepted")
		} else if err != nil && !errors.Is(err, ledger.ErrWitness) {
			t.Fatal(err)
		}
		// The same for a state that the witness itself makes up.
		if w, err := trie.UnmarshalWitness(nodes); err == nil {
			made := *c.step
			made.Nodes = nodes
			made.Before = w.Root()
			if _, _, err := ledger.ReplayStep(c.manifest, "alpha", c.epoch, &made); err != nil && !errors.Is(err, ledger.ErrWitness) {
				t.Fatal(err)
			}
		}
	})
}
