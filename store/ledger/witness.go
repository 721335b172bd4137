package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// ErrWitness says that a step can't be run again from a witness: it is another step's
// or state's, something is missing in it, or something is too much. It says nothing
// about the step: whoever brought the witness is to blame.
var ErrWitness = errors.New("ledger: not the witness of this step")

// StepWitness is one operation of an epoch and all that it takes to run it again, for
// somebody who has the manifest and no state (DESIGN §3.6). That the state before and
// the step are the certified ones is shown elsewhere, by the checkpoints: Before is
// the root after the step before it, or the ledger root of the epoch before.
//
// An epoch's last steps, of kind [StepEnd], have no witness yet: they share a budget.
type StepWitness struct {
	Before    trie.Hash // root of the state before the step
	Time      uint64    // of the block that ordered it
	Operation []byte    // encoded
	Nodes     []byte    // the trie.Witness of what the step reads, in canonical form
}

// WitnessStep runs an epoch up to the step at an index and returns the witness of
// that. tree is the state at parent and does not change. The error is that of
// [Execute], or trie.ErrWitnessSize for a step that reads too much.
func WitnessStep(m *Manifest, parent *attest.Checkpoint, tree *trie.Tree, in *EpochInput, index int) (*StepWitness, error) {
	spec := m.Chain(string(in.ChainID))
	if spec == nil {
		return nil, fmt.Errorf("chain %q is not in the network", in.ChainID)
	}
	if err := in.Check(spec, parent); err != nil {
		return nil, err
	}
	run := newRun(m, spec, tree, in.Epoch)
	for _, block := range in.Blocks {
		run.height, run.machine.now = block.Height, block.Time
		for _, op := range block.Operations {
			if len(run.receipts) == index {
				w := &StepWitness{Before: run.tree.Root(), Time: block.Time, Operation: op.Data}
				nodes, _, _, err := run.machine.record(run.tree, op.Data)
				w.Nodes = nodes
				return w, err
			}
			if err := run.operation(op.Data); err != nil {
				return nil, fmt.Errorf("execute epoch %d of %s, block %d: %w", in.Epoch, spec.ID, block.Height, err)
			}
		}
	}
	return nil, fmt.Errorf("step %d of epoch %d of %s is not an operation", index, in.Epoch, spec.ID)
}

// ReplayStep runs one operation of an epoch of a chain again from its witness, and
// returns what an honest transcript says of it: the receipt, and the root after it.
// Every error is [ErrWitness], and no verdict.
func ReplayStep(m *Manifest, chain string, epoch uint64, w *StepWitness) (*Receipt, trie.Hash, error) {
	refuse := func(err error) (*Receipt, trie.Hash, error) {
		return nil, trie.Hash{}, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	spec := m.Chain(chain)
	if spec == nil {
		return refuse(fmt.Errorf("chain %q is not in the network", chain))
	}
	shown, err := trie.UnmarshalWitness(w.Nodes)
	if err != nil {
		return refuse(err)
	}
	tree, err := shown.Tree(w.Before)
	if err != nil {
		return refuse(err)
	}
	run := newRun(m, spec, tree, epoch)
	run.machine.now = w.Time
	nodes, receipt, root, err := run.machine.record(run.tree, w.Operation)
	switch {
	case err != nil:
		return refuse(err)
	case !bytes.Equal(nodes, w.Nodes):
		return refuse(errors.New("it shows nodes that the step does not read"))
	}
	return receipt, root, nil
}

// record runs an operation on a snapshot of a tree and returns the witness of that,
// and what it came to.
func (m machine) record(tree *trie.Tree, operation []byte) (nodes []byte, receipt *Receipt, root trie.Hash, err error) {
	witness, err := tree.Record(func(t *trie.Tree) (err error) {
		state := &watched{state: t}
		m.state = state
		if receipt, err = m.apply(operation); err == nil {
			err = state.failed
		}
		root = t.Root()
		return err
	})
	if err == nil {
		nodes, err = witness.MarshalBinary()
	}
	return nodes, receipt, root, err
}

// watched is a state that remembers its first failure, so that a rule which takes any
// error for a refusal can't turn a node that is missing into a receipt.
type watched struct {
	state  State
	failed error
}

// Get implements View.
func (w *watched) Get(key []byte) ([]byte, bool, error) {
	b, ok, err := w.state.Get(key)
	return b, ok, w.note(err)
}

// Set implements State.
func (w *watched) Set(key, value []byte) error { return w.note(w.state.Set(key, value)) }

func (w *watched) note(err error) error {
	if w.failed == nil {
		w.failed = err
	}
	return err
}
