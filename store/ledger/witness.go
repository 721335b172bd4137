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

// StepWitness is one step of an epoch and all that it takes to run it again, for
// somebody who has the manifest and no state (DESIGN §3.6). That what it says of the
// state and the step before is certified is shown elsewhere, by the checkpoints: Before
// and Spent are of the step before it, or, for the first of an epoch, the ledger root of
// the epoch before and nothing.
type StepWitness struct {
	Kind      uint8
	Phase     uint8 // of a step that ends the epoch
	Index     uint64
	Parent    [32]byte  // root of the checkpoint before the epoch
	Before    trie.Hash // root of the state before the step
	Spent     Spent     // before the step
	Height    uint64    // of the block that it belongs to
	Time      uint64
	Operation []byte // encoded; of a late one empty: the state has it
	Open      bool   // of a late one: in which queue it waited
	Nodes     []byte // the trie.Witness of what the step reads, in canonical form
}

// WitnessStep runs an epoch up to the step at an index and returns the witness of
// that. tree is the state at parent and does not change. The error is that of
// [Execute], or trie.ErrWitnessSize for a step that reads too much.
func WitnessStep(m *Manifest, parent *attest.Checkpoint, tree *trie.Tree, in *EpochInput, index int) (*StepWitness, error) {
	run, err := begin(m, parent, tree, in)
	if err != nil {
		return nil, err
	}
	run.stop = &StepWitness{Parent: run.machine.parent}
	run.stopAt = index
	if err = run.operations(in); err == nil {
		err = run.end()
	}
	switch {
	case errors.Is(err, errStopped):
		return run.stop, nil
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("epoch %d of %s has %d steps, not %d", in.Epoch, in.ChainID, len(run.transcript.Steps), index+1)
}

// errStopped ends a run whose witness is complete.
var errStopped = errors.New("ledger: stopped")

// witnessed runs one step, and, where it is the one that a witness is wanted of, records
// what it reads and stops the run.
func (r *run) witnessed(w StepWitness, step func() error) error {
	if r.stop == nil || len(r.transcript.Steps) != r.stopAt {
		return step()
	}
	w.Parent, w.Before, w.Spent, w.Height, w.Time = r.stop.Parent, r.tree.Root(), r.spent, r.height, r.machine.now
	tree := r.tree
	nodes, err := r.record(step)
	if err != nil {
		return err
	}
	if len(r.transcript.Steps) == r.stopAt { // what waits did not fit: that was no step
		r.tree, r.machine.state = tree, tree
		return nil
	}
	w.Nodes = nodes
	*r.stop = w
	return errStopped
}

// ReplayStep runs one step of an epoch of a chain again from its witness, and returns
// what an honest transcript says of it, and its receipt, nil for one that ends the epoch.
// Every error is [ErrWitness], and no verdict.
func ReplayStep(m *Manifest, chain string, epoch uint64, w *StepWitness) (*Step, *Receipt, error) {
	refuse := func(err error) (*Step, *Receipt, error) {
		return nil, nil, fmt.Errorf("%w: %w", ErrWitness, err)
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
	run := newRun(newLaw(m), spec, tree, epoch)
	run.machine.parent, run.machine.now = w.Parent, w.Time
	run.height, run.spent = w.Height, w.Spent
	nodes, err := run.record(func() error { return run.again(w) })
	switch {
	case err != nil:
		return refuse(err)
	case !bytes.Equal(nodes, w.Nodes):
		return refuse(errors.New("it shows nodes that the step does not read"))
	}
	var receipt *Receipt
	if len(run.receipts) > 0 {
		receipt = run.receipts[0]
	}
	return run.transcript.Steps[0], receipt, nil
}

// again runs the step that w is about.
func (r *run) again(w *StepWitness) error {
	if err := r.readLimits(); err != nil {
		return err
	}
	if w.Kind != StepEnd && (w.Phase != 0 || w.Index != 0) || w.Kind != StepLate && w.Open || w.Kind != StepOperation && len(w.Operation) != 0 {
		return errors.New("it says something that a step of its kind has not")
	}
	switch w.Kind {
	case StepOperation:
		return r.operation(w.Operation)
	case StepLate:
		kind := KindDeposit
		if w.Open {
			kind = KindSubmitFault
		}
		done, err := r.late(kind, kind.quarters())
		if err == nil && !done {
			err = errors.New("nothing waits there that fits the epoch")
		}
		return err
	case StepEnd:
		_, _, err := r.endStep(ending{w.Phase, w.Index})
		return err
	}
	return fmt.Errorf("there are no steps of kind %d", w.Kind)
}

// record runs a step on the tree of the run, and returns the witness of what it reads. The
// tree may be a state that no ledger comes to: two thirds of a chain can certify any, and a
// single validator can vouch for one. The rules rely on what an honest state keeps to, and
// may panic where it does not hold. That is an error here, and so no verdict: the step that
// made such a state is the one to be proven wrong. Every node judges such proofs while it
// executes an epoch, and would else stop.
func (r *run) record(step func() error) (nodes []byte, err error) {
	defer func() {
		if recover() != nil { // what it says is not ours, and the error is part of a receipt
			nodes, err = nil, errors.New("the state is none that a ledger comes to")
		}
	}()
	witness, err := r.tree.Record(func(t *trie.Tree) error {
		state := &watched{state: t}
		r.tree, r.machine.state = t, state
		if err := step(); err != nil {
			return err
		}
		return state.failed
	})
	if err != nil {
		return nil, err
	}
	return witness.MarshalBinary()
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
