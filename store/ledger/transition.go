package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// JudgeTransition implements [attest.Law]: evidence is an encoded [Breach]. An honest
// transition has none, whatever somebody cuts out of it: all that is compared with the
// rules is under roots in the checkpoints, and what can't be run again is no verdict.
func (l law) JudgeTransition(previous, next *attest.Checkpoint, evidence []byte) error {
	if l.depth > maxNests {
		*l.tooDeep = true
		return attest.NotShown("%v", errNested)
	}
	b := new(Breach)
	if err := b.UnmarshalSSZ(evidence); err != nil {
		return attest.NotShown("the evidence can't be read: %v", err)
	}
	if again, err := b.MarshalSSZ(); err != nil || !bytes.Equal(again, evidence) {
		return attest.NotShown("the evidence has another encoding")
	}
	c, err := l.course(previous, next)
	if err == nil {
		err = c.judge(b)
	}
	if err != nil {
		return attest.NotShown("%v", err)
	}
	return nil
}

// course is one epoch of a chain as its checkpoints tell it.
type course struct {
	law      law
	spec     *ChainSpec
	previous *attest.Checkpoint
	next     *attest.Checkpoint // it names previous as its parent
}

func (l law) course(previous, next *attest.Checkpoint) (*course, error) {
	spec := l.manifest.Chain(string(next.ChainID))
	if spec == nil {
		return nil, fmt.Errorf("chain %q is not in the network", next.ChainID)
	}
	return &course{l, spec, previous, next}, nil
}

// genesisRoots are the roots of the first states, by chain. They are not in the
// checkpoints of epoch 0, and are computed when they are asked for first.
type genesisRoots map[string]func() ([32]byte, error)

func newGenesisRoots(m *Manifest) genesisRoots {
	roots := make(genesisRoots)
	for _, id := range m.ChainIDs() {
		roots[id] = sync.OnceValues(func() ([32]byte, error) {
			r, err := Genesis(m, id)
			if err != nil {
				return [32]byte{}, err
			}
			return r.Ref.Hash, nil
		})
	}
	return roots
}

// begin is the root of the state before the epoch.
func (c *course) begin() ([32]byte, error) {
	if c.previous.Epoch == 0 {
		return c.law.genesis[c.spec.ID]()
	}
	return c.previous.LedgerRoot, nil
}

// heights are the first and the last block of the epoch.
func (c *course) heights() (first, last uint64) {
	first = c.previous.Epoch*c.spec.EpochBlocks + 1
	return first, first + c.spec.EpochBlocks - 1
}

// judge is nil if b shows that its rule is broken. The error says why it does not.
func (c *course) judge(b *Breach) error {
	steps, err := c.shown(b)
	if err != nil {
		return err
	}
	if b.Rule != BreachStep && len(b.Operation) > 0 || b.Rule != BreachStep && b.Rule != BreachNext && b.Rule != BreachSet && len(b.Nodes) > 0 {
		return errors.New("the evidence shows what its rule does not look at")
	}
	kept := fmt.Errorf("the %s is as it must be", breachName(b.Rule))
	switch b.Rule {
	case BreachCheckpoint:
		if c.checkpoint() == nil {
			return kept
		}
	case BreachOrder:
		before, step := pair(steps)
		if c.follows(before, step) == nil {
			return kept
		}
	case BreachStep:
		before, step := pair(steps)
		return c.judgeStep(b, before, step)
	case BreachNext:
		before, step := pair(steps[:len(steps)-1])
		return c.judgeNext(b, before, step, steps[len(steps)-1])
	case BreachEnd:
		if len(steps) > 0 && c.ends(steps[0]) == nil {
			return kept
		}
	case BreachSet:
		return c.judgeSet(b.Nodes)
	}
	return nil
}

func breachName(rule uint8) string {
	if int(rule) < len(breachNames) && breachNames[rule] != "" {
		return breachNames[rule]
	}
	return fmt.Sprintf("rule %d", rule)
}

// pair is the last step of those shown and the one before it, nil for the first of the
// epoch.
func pair(steps []*Step) (before, step *Step) {
	if len(steps) > 1 {
		before = steps[0]
	}
	return before, steps[len(steps)-1]
}

// shown returns the steps of a breach, once they are known to be those of the certified
// transcript, and as many as its rule needs: a step is shown with the one before it,
// unless it is the first.
func (c *course) shown(b *Breach) ([]*Step, error) {
	e := &b.Excerpt
	var fits bool
	switch n := len(e.Steps); b.Rule {
	case BreachCheckpoint, BreachSet:
		if !e.Empty() {
			return nil, errors.New("the evidence shows steps that its rule does not look at")
		}
		return nil, nil
	case BreachOrder, BreachStep:
		fits = n == 2 || n == 1 && e.First == 0
	case BreachNext:
		fits = n == 3 || n == 2 && e.First == 0
	case BreachEnd:
		fits = n == 1 && e.First == e.Length-1 || n == 0 && e.Length == 0
	default:
		return nil, fmt.Errorf("there is no rule %d", b.Rule)
	}
	if !fits {
		return nil, fmt.Errorf("the evidence shows %v, and its rule looks at others", e)
	}
	if !e.Of(c.next.OpsRoot) {
		return nil, fmt.Errorf("%v are not those of the certified transcript", e)
	}
	return e.Steps, nil
}

// checkpoint is why no epoch after previous can have such a height or time, or nil.
func (c *course) checkpoint() error {
	switch _, last := c.heights(); {
	case c.next.Height != last:
		return fmt.Errorf("the epoch ends with block %d, not %d", last, c.next.Height)
	case c.next.Time < c.previous.Time:
		return fmt.Errorf("its time %d is before %d, that of the epoch before", c.next.Time, c.previous.Time)
	}
	return nil
}

// follows is why a step can't follow another one, nil for the first of the epoch,
// whatever the state is; or nil.
func (c *course) follows(before, step *Step) error {
	first, last := c.heights()
	time, ordered := c.previous.Time, uint64(0)
	if before != nil {
		first, time, ordered = before.Height, before.Time, before.Spent.Ordered
	}
	switch {
	case step.Kind > StepLate:
		return fmt.Errorf("there are no steps of kind %d", step.Kind)
	case step.Kind != StepEnd && (step.Phase != 0 || step.Index != 0):
		return errors.New("it has a phase, and does not end the epoch")
	case step.Kind == StepEnd && (step.Operation != [32]byte{} || step.Receipt != [32]byte{}):
		return errors.New("it ends the epoch, and has an operation")
	case step.Height < first || step.Height > last:
		return fmt.Errorf("block %d is not between %d and %d", step.Height, first, last)
	case step.Time < time || step.Time > c.next.Time:
		return fmt.Errorf("time %d is not between %d and %d", step.Time, time, c.next.Time)
	case step.Height == last && step.Time != c.next.Time:
		return fmt.Errorf("the last block has the time %d", c.next.Time)
	case step.Kind == StepEnd && step.Height != last:
		return fmt.Errorf("the epoch ends in block %d", last)
	case step.Kind == StepOperation && ordered >= c.spec.room(step.Height):
		return fmt.Errorf("the epoch had no room left for an operation in block %d", step.Height)
	}
	if before != nil {
		switch {
		case step.Height == before.Height && step.Time != before.Time:
			return fmt.Errorf("block %d has two times", step.Height)
		case before.Kind == StepLate && step.Height != before.Height:
			return errors.New("what waited runs in the first block that has operations, or in the last block")
		case step.Kind == StepLate && before.Kind != StepLate:
			return errors.New("what waited runs first")
		case step.Kind == StepOperation && before.Kind == StepEnd:
			return errors.New("an operation runs while the epoch ends")
		}
	}
	if step.Kind != StepEnd {
		return nil
	}
	return c.followsEnd(before, ending{step.Phase, step.Index})
}

// followsEnd is follows for a step that ends the epoch.
func (c *course) followsEnd(before *Step, at ending) error {
	var may []ending
	switch {
	case before == nil || before.Kind != StepEnd:
		may = []ending{c.peerFrom(0)}
	case before.Phase == EndFinalize:
		may = []ending{{EndSettle, before.Index}}
	case before.Phase == EndSettle:
		may = []ending{c.peerFrom(before.Index + 1)}
	case before.Phase == EndSlashes:
		may = []ending{{EndSlashes, 0}, {EndAbsence, 0}}
	case before.Phase == EndAbsence:
		if may = []ending{{EndElect, 0}}; at.phase == EndAbsence {
			may = append(may, at)
		}
	case before.Phase == EndElect:
		may = []ending{{EndAdopt, 0}}
	}
	if !slices.Contains(may, at) {
		return fmt.Errorf("phase %d of the end of the epoch, index %d, is not the next one", at.phase, at.index)
	}
	return nil
}

func (c *course) peerFrom(index uint64) ending {
	return peerFrom(c.law.chains, c.spec.ID, index)
}

// ends is why a step can't be the last of the epoch, or nil.
func (c *course) ends(step *Step) error {
	switch {
	case step.Kind != StepEnd || step.Phase != EndAdopt:
		return errors.New("the last step does not end the epoch")
	case step.Height != c.next.Height || step.Time != c.next.Time:
		return fmt.Errorf("the last step is in block %d at time %d, the checkpoint has %d and %d", step.Height, step.Time, c.next.Height, c.next.Time)
	case step.Root != c.next.LedgerRoot:
		return fmt.Errorf("the root after the last step is %x, the checkpoint has %x", step.Root, c.next.LedgerRoot)
	}
	return nil
}

// judgeStep runs again what follows before.
func (c *course) judgeStep(b *Breach, before, step *Step) error {
	if c.follows(before, step) != nil {
		return errors.New("the order of the steps is wrong already, which needs no state")
	}
	a, err := c.witnessed(before, step, b.Operation, b.Nodes)
	if err != nil {
		return err
	}
	if len(b.Operation) > 0 && !a.operation {
		return fmt.Errorf("%w: no operation from a block is run", ErrWitness)
	}
	if a.step != nil && *a.step == *step {
		return errors.New("the step run again comes to the same")
	}
	return nil
}

// judgeNext runs a step of the end of the epoch again, for the one that it leads to.
func (c *course) judgeNext(b *Breach, before, step, next *Step) error {
	if c.follows(before, step) != nil || c.follows(step, next) != nil {
		return errors.New("the order of the steps is wrong already, which needs no state")
	}
	if step.Kind != StepEnd {
		return errors.New("what follows an operation is not decided by the state alone")
	}
	a, err := c.witnessed(before, step, nil, b.Nodes)
	if err != nil {
		return err
	}
	switch {
	case a.step == nil || *a.step != *step:
		return errors.New("the step itself is wrong already")
	case a.next == ending{next.Phase, next.Index}:
		return errors.New("the next step is the one that it leads to")
	}
	return nil
}

// judgeSet looks up which set the certified state has elected.
func (c *course) judgeSet(nodes []byte) error {
	shown, err := trie.UnmarshalWitness(nodes)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWitness, err)
	}
	tree, err := shown.Tree(c.next.LedgerRoot)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWitness, err)
	}
	right, again, err := c.elected(tree)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrWitness, err)
	case !bytes.Equal(again, nodes):
		return fmt.Errorf("%w: it shows nodes that are not read", ErrWitness)
	case right:
		return errors.New("the checkpoint names the set that the state has elected")
	}
	return nil
}

// elected reports whether a state has elected the set that the checkpoint names for the
// next epoch, and returns the witness of that.
func (c *course) elected(tree *trie.Tree) (right bool, nodes []byte, err error) {
	w, err := tree.Record(func(t *trie.Tree) error {
		value, ok, err := t.Get(setKey(c.next.Epoch + 1))
		if err != nil || !ok {
			return err
		}
		var record SetRecord
		right = record.UnmarshalSSZ(value) == nil && record.Root == c.next.ValidatorsRoot
		return nil
	})
	if err != nil {
		return false, nil, err
	}
	nodes, err = w.MarshalBinary()
	return right, nodes, err
}

// again is what running a step again came to.
type again struct {
	step      *Step  // nil: what waits does not fit, or nothing does
	next      ending // of a step that ends the epoch; the zero one after the last
	operation bool   // an operation from a block was run
	tree      *trie.Tree
}

// witnessed runs what follows before again, from a witness that shows that and no more.
func (c *course) witnessed(before, step *Step, operation, nodes []byte) (*again, error) {
	root, err := c.begin()
	if before != nil {
		root, err = before.Root, nil
	}
	if err != nil {
		return nil, err
	}
	shown, err := trie.UnmarshalWitness(nodes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	tree, err := shown.Tree(root)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	a, read, err := c.record(tree, before, step, operation)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrWitness, err)
	case !bytes.Equal(read, nodes):
		return nil, fmt.Errorf("%w: it shows nodes that the step does not read", ErrWitness)
	}
	return a, nil
}

// run runs what has to follow before on a state, in the block that step is in. First what
// waits and fits; if nothing does, it is what step says: the operation of a block, or a
// step that ends the epoch, for which ones there are is in the blocks. An error is no
// verdict.
func (c *course) run(tree *trie.Tree, before, step *Step, operation []byte) (*again, error) {
	r := c.begun(tree, before, step)
	return c.outcome(r, func(a *again) error { return r.due(a, before, step, operation) })
}

// record is run, with the witness of what it reads.
func (c *course) record(tree *trie.Tree, before, step *Step, operation []byte) (a *again, nodes []byte, err error) {
	r := c.begun(tree, before, step)
	a, err = c.outcome(r, func(a *again) (err error) {
		nodes, err = r.record(func() error { return r.due(a, before, step, operation) })
		return err
	})
	return a, nodes, err
}

func (c *course) begun(tree *trie.Tree, before, step *Step) *run {
	r := newRun(c.law.deeper(), c.spec, tree, c.next.Epoch)
	r.machine.parent, r.machine.now, r.height = c.previous.Root(), step.Time, step.Height
	if before != nil {
		r.spent = before.Spent
	}
	return r
}

func (c *course) outcome(r *run, due func(*again) error) (*again, error) {
	a := new(again)
	if err := due(a); err != nil {
		return nil, err
	}
	if *r.machine.law.tooDeep {
		return nil, errNested
	}
	if len(r.transcript.Steps) > 0 {
		a.step = r.transcript.Steps[0]
	}
	a.tree = r.tree
	return a, nil
}

// due runs the one step of a [course].
func (r *run) due(a *again, before, step *Step, operation []byte) error {
	if err := r.readLimits(); err != nil {
		return err
	}
	if before == nil || before.Kind == StepLate {
		if done, err := r.nextLate(); err != nil || done {
			return err
		}
	}
	switch step.Kind {
	case StepOperation:
		if OperationID(operation) != step.Operation {
			return errors.New("the operation of the step is another one")
		}
		a.operation = true
		return r.operation(operation)
	case StepEnd:
		next, over, err := r.endStep(ending{step.Phase, step.Index})
		if !over {
			a.next = next
		}
		return err
	}
	return nil
}

// maxNests bounds how deep proofs of invalid transitions lie in each other: one about a
// step that judged another one is taken, a deeper one is not, and what it would be about
// is left to finality. What is too deep ends the whole judgement, and does not become a
// receipt: so what an operation comes to does not depend on where it is run again.
const maxNests = 1

var errNested = fmt.Errorf("a proof about a proof about a proof of an %s is not taken", attest.FaultInvalidTransition)

// deeper is the law for a step that is run again.
func (l law) deeper() law {
	l.depth++
	if l.tooDeep == nil {
		l.tooDeep = new(bool)
	}
	return l
}
