package ledger

import (
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// ErrNoBreach says that a transcript follows the rules at every step: if an epoch is
// wrong all the same, then because its home chain's blocks say something else.
var ErrNoBreach = errors.New("ledger: the transition breaks no rule of the ledger")

// ErrOperationUnknown says that an operation of a transcript was not given, so that its
// step can't be run again.
var ErrOperationUnknown = errors.New("ledger: an operation of the transcript is missing")

// FindBreach returns the evidence, for [attest.BuildTransition], that next, whose parent
// is previous, is not what its own transcript leads to. tree is the state at previous,
// and does not change; transcript is the one that next commits to; operations are those
// that it names, by their ids. Everything but previous and tree may be made up by an
// attacker: what does not fit together is an error, as are [ErrNoBreach],
// [ErrOperationUnknown] and, for a step that reads too much, trie.ErrWitnessSize.
func FindBreach(m *Manifest, previous, next *attest.Checkpoint, tree *trie.Tree, transcript *Transcript, operations map[[32]byte][]byte) ([]byte, error) {
	l := newLaw(m)
	c, err := l.course(previous, next)
	if err != nil {
		return nil, err
	}
	root, err := transcript.HashTreeRoot()
	if err != nil || root != next.OpsRoot {
		return nil, fmt.Errorf("the transcript is not the one of epoch %d of %s", next.Epoch, next.ChainID)
	}
	if next.Parent != previous.Root() {
		return nil, fmt.Errorf("epoch %d of %s does not continue the checkpoint given", next.Epoch, next.ChainID)
	}
	b, err := c.search(tree.Snapshot(), transcript, operations)
	if err != nil {
		return nil, err
	}
	evidence, err := b.MarshalSSZ()
	if err != nil {
		return nil, err
	}
	return evidence, l.JudgeTransition(previous, next, evidence)
}

// search finds the first breach, what needs no state before the rest.
func (c *course) search(tree *trie.Tree, t *Transcript, operations map[[32]byte][]byte) (*Breach, error) {
	if c.checkpoint() != nil {
		return &Breach{Rule: BreachCheckpoint}, nil
	}
	n := len(t.Steps)
	if n == 0 {
		return &Breach{Rule: BreachEnd}, nil
	}
	if c.ends(t.Steps[n-1]) != nil {
		return &Breach{Rule: BreachEnd, Excerpt: attest.NewExcerpt(t.Steps, n-1, 1)}, nil
	}
	for i := range t.Steps {
		if c.follows(t.before(i), t.Steps[i]) != nil {
			return &Breach{Rule: BreachOrder, Excerpt: t.around(i, 0)}, nil
		}
	}
	for i, step := range t.Steps {
		b, after, err := c.searchStep(tree, t, i, operations[step.Operation])
		if b != nil || err != nil {
			return b, err
		}
		tree = after
	}
	right, nodes, err := c.elected(tree)
	if err != nil {
		return nil, err
	}
	if !right {
		return &Breach{Rule: BreachSet, Nodes: nodes}, nil
	}
	return nil, ErrNoBreach
}

// searchStep runs one step of a transcript, and returns the state after it, or what is
// wrong with it or with the one that follows.
func (c *course) searchStep(tree *trie.Tree, t *Transcript, i int, operation []byte) (*Breach, *trie.Tree, error) {
	step := t.Steps[i]
	a, err := c.run(tree, t.before(i), step, operation)
	if err != nil {
		if step.Kind == StepOperation && OperationID(operation) != step.Operation {
			return nil, nil, fmt.Errorf("%w: step %d", ErrOperationUnknown, i)
		}
		return nil, nil, fmt.Errorf("step %d: %w", i, err)
	}
	b := &Breach{Rule: BreachStep, Excerpt: t.around(i, 0)}
	if a.step != nil && *a.step == *step {
		if step.Kind != StepEnd || i+1 == len(t.Steps) || a.next == (ending{t.Steps[i+1].Phase, t.Steps[i+1].Index}) {
			return nil, a.tree, nil
		}
		b = &Breach{Rule: BreachNext, Excerpt: t.around(i, 1)}
	} else if a.operation {
		b.Operation = operation
	}
	if _, b.Nodes, err = c.record(tree, t.before(i), step, operation); err != nil {
		return nil, nil, fmt.Errorf("step %d: %w", i, err)
	}
	return b, nil, nil
}

// around shows a step with the one before it, if there is one, and some after it.
func (t *Transcript) around(i, after int) attest.Excerpt {
	first := max(i-1, 0)
	return attest.NewExcerpt(t.Steps, first, i+1+after-first)
}

// DescribeBreach says in a few words what evidence is about.
func DescribeBreach(evidence []byte) string {
	b := new(Breach)
	if b.UnmarshalSSZ(evidence) != nil {
		return "unreadable evidence"
	}
	if len(b.Excerpt.Steps) == 0 {
		return breachName(b.Rule)
	}
	at := b.Excerpt.First // the step that is wrong
	if n := uint64(len(b.Excerpt.Steps)); b.Rule == BreachOrder || b.Rule == BreachStep {
		at += n - 1
	} else if b.Rule == BreachNext {
		at += n - 2
	}
	return fmt.Sprintf("%s, at step %d of %d", breachName(b.Rule), at, b.Excerpt.Length)
}
