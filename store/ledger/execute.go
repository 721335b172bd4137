package ledger

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// Result is what one epoch of one chain came to.
type Result struct {
	Input      *EpochInput          // nil at genesis
	Checkpoint *attest.Checkpoint   // complete, ready to be signed
	Set        *attest.ValidatorSet // signs the next epoch; its root is in the checkpoint
	Transcript *Transcript
	Receipts   []*Receipt   // of the operations, in order
	Ref        trie.Ref     // the new version of the state tree, numbered by the epoch
	Changes    trie.Changes // what to store for it
}

// Check tells whether in can follow parent on the chain of spec: the chain, the
// epoch, the heights and times of its blocks. Of the operations it says no more than that
// the epoch has room for them.
func (in *EpochInput) Check(spec *ChainSpec, parent *attest.Checkpoint) error {
	first := parent.Epoch*spec.EpochBlocks + 1
	last := first + spec.EpochBlocks - 1
	switch {
	case string(in.ChainID) != spec.ID:
		return fmt.Errorf("input of chain %q, not %s", in.ChainID, spec.ID)
	case in.Epoch != parent.Epoch+1:
		return fmt.Errorf("input of epoch %d cannot follow epoch %d", in.Epoch, parent.Epoch)
	case len(in.Blocks) == 0 || in.Blocks[len(in.Blocks)-1].Height != last:
		return fmt.Errorf("epoch %d does not end with block %d", in.Epoch, last)
	}
	height, time, ordered := first-1, parent.Time, uint64(0)
	for i, b := range in.Blocks {
		if b.Height <= height || b.Time < time {
			return fmt.Errorf("block %d of epoch %d is out of order", b.Height, in.Epoch)
		}
		if len(b.Operations) == 0 && i < len(in.Blocks)-1 {
			return fmt.Errorf("block %d of epoch %d has no operations and is not the last", b.Height, in.Epoch)
		}
		height, time = b.Height, b.Time
		for _, op := range b.Operations {
			if ordered >= spec.room(height) {
				return fmt.Errorf("block %d of epoch %d has operations for which the epoch has no room", height, in.Epoch)
			}
			ordered += attest.OrderedSize(len(op.Data))
		}
	}
	return nil
}

// Execute runs one epoch: every operation in its order, then what ends an epoch
// (finality and failures of peers, slashes whose window has passed, who was absent, the
// next validator set, new parameters). What waited since earlier epochs runs first.
// tree is the state at parent and does not change; the result holds what its next
// version adds. The rules are those of m, which names the chain by in.ChainID.
// An error means bad input (see Check) or a damaged state, never a bad operation.
func Execute(m *Manifest, parent *attest.Checkpoint, tree *trie.Tree, in *EpochInput) (*Result, error) {
	run, err := begin(m, parent, tree, in)
	if err != nil {
		return nil, err
	}
	if err := run.operations(in); err != nil {
		return nil, err
	}
	if err := run.end(); err != nil {
		return nil, fmt.Errorf("end epoch %d of %s: %w", in.Epoch, in.ChainID, err)
	}
	last := in.Blocks[len(in.Blocks)-1]
	result, err := run.result(run.set, &attest.Checkpoint{
		ChainID: in.ChainID, Epoch: in.Epoch, Parent: parent.Root(),
		Height: last.Height, BlockHash: last.Hash, Time: last.Time,
	})
	if err != nil {
		return nil, err
	}
	result.Input = in
	return result, nil
}

// run is one epoch under way: the machine over a snapshot of the tree, and the
// transcript so far.
type run struct {
	machine    *machine
	tree       *trie.Tree
	height     uint64
	limits     Limits
	spent      Spent
	transcript Transcript
	receipts   []*Receipt
	set        *attest.ValidatorSet // of the next epoch, once it is elected

	stop   *StepWitness // where a witness is wanted: of the step with this index
	stopAt int
}

// begin checks that in can follow parent, and makes the run that follows it.
func begin(m *Manifest, parent *attest.Checkpoint, tree *trie.Tree, in *EpochInput) (*run, error) {
	spec := m.Chain(string(in.ChainID))
	if spec == nil {
		return nil, fmt.Errorf("chain %q is not in the network", in.ChainID)
	}
	if err := in.Check(spec, parent); err != nil {
		return nil, err
	}
	run := newRun(newLaw(m), spec, tree, in.Epoch)
	run.machine.parent = parent.Root()
	return run, nil
}

func newRun(l law, spec *ChainSpec, tree *trie.Tree, epoch uint64) *run {
	snapshot := tree.Snapshot()
	return &run{
		tree: snapshot,
		machine: &machine{
			manifest: l.manifest, law: l, chains: l.chains, spec: spec, state: snapshot, epoch: epoch,
		},
	}
}

// operations runs all operations of an epoch, those that waited for it first.
func (r *run) operations(in *EpochInput) error {
	r.height, r.machine.now = in.Blocks[0].Height, in.Blocks[0].Time
	if err := r.readLimits(); err != nil {
		return fmt.Errorf("execute epoch %d of %s: %w", in.Epoch, in.ChainID, err)
	}
	if err := r.drain(); err != nil {
		return fmt.Errorf("execute what waited for epoch %d of %s: %w", in.Epoch, in.ChainID, err)
	}
	for _, block := range in.Blocks {
		r.height, r.machine.now = block.Height, block.Time
		for _, op := range block.Operations {
			if err := r.operation(op.Data); err != nil {
				return fmt.Errorf("execute epoch %d of %s, block %d: %w", in.Epoch, in.ChainID, block.Height, err)
			}
		}
	}
	return nil
}

// readLimits reads the limits of the epoch, which don't change in it.
func (r *run) readLimits() error {
	params, err := must[Params](r.machine.state, paramsKey)
	if err == nil {
		r.limits = params.Limits
	}
	return err
}

// operation runs one operation, or lets it wait, and writes its step.
func (r *run) operation(encoded []byte) error {
	return r.witnessed(StepWitness{Kind: StepOperation, Operation: encoded}, func() error { return r.order(encoded) })
}

func (r *run) order(encoded []byte) error {
	r.spent.Ordered += attest.OrderedSize(len(encoded))
	op, malformed := DecodeOperation(encoded)
	if malformed == nil {
		kind := Kind(op.Kind)
		waits, err := r.machine.waits(kind)
		if err != nil {
			return err
		}
		if waits || !r.fits(kind.quarters(), len(encoded)) {
			receipt, err := r.machine.wait(kind, encoded)
			if err != nil {
				return err
			}
			return r.receipt(StepOperation, receipt)
		}
	}
	receipt, err := r.machine.applyDecoded(encoded, op, malformed)
	if err != nil {
		return err
	}
	r.spend(len(encoded))
	return r.receipt(StepOperation, receipt)
}

// receipt writes the step of an operation.
func (r *run) receipt(kind uint8, receipt *Receipt) error {
	root, err := receipt.HashTreeRoot()
	if err != nil {
		return err
	}
	r.receipts = append(r.receipts, receipt)
	r.step(&Step{Kind: kind, Operation: receipt.Operation, Receipt: root})
	return nil
}

func (r *run) step(s *Step) {
	s.Height, s.Time, s.Root, s.Spent = r.height, r.machine.now, r.tree.Root(), r.spent
	r.transcript.Steps = append(r.transcript.Steps, s)
}

// result completes the checkpoint and commits the tree's next version.
func (r *run) result(set *attest.ValidatorSet, cp *attest.Checkpoint) (*Result, error) {
	opsRoot, err := r.transcript.HashTreeRoot()
	if err != nil {
		return nil, fmt.Errorf("transcript of epoch %d: %w", cp.Epoch, err)
	}
	cp.OpsRoot, cp.LedgerRoot, cp.ValidatorsRoot = opsRoot, r.tree.Root(), set.Root()
	ref, changes, err := r.tree.Commit(cp.Epoch)
	if err != nil {
		return nil, fmt.Errorf("commit epoch %d: %w", cp.Epoch, err)
	}
	return &Result{
		Checkpoint: cp, Set: set, Transcript: &r.transcript, Receipts: r.receipts,
		Ref: ref, Changes: changes,
	}, nil
}
