package ledger

//go:generate go tool sszgen --path breach.go --include ../../attest --output breach_ssz.go --objs Breach

import "github.com/meshsec/meshsec/attest"

// Breach is the evidence of an invalid transition (DESIGN §5): what of an epoch's
// transcript, and of the state before one of its steps, it takes to see that the ledger
// can't go from the checkpoint before the epoch to the one after it. It holds no more
// than its rule needs, and has one form.
type Breach struct {
	Rule      uint8          // one of BreachCheckpoint to BreachSet
	Excerpt   attest.Excerpt // at most three steps; empty where the rule looks at none
	Operation []byte         `ssz-max:"524288"` // that the step which is run again names, unless the state has it
	Nodes     []byte         `ssz-max:"524288"` // the trie.Witness of what is read, in canonical form
}

// The rules that a transition can break. A certified transcript that breaks none of them
// at any of its steps is the one that the blocks which it names lead to.
const (
	// BreachCheckpoint: the height is not the last of the epoch, or the time is before
	// that of the previous checkpoint. It shows nothing but the checkpoints.
	BreachCheckpoint = iota + 1
	// BreachOrder: a step can't follow the one before it, whatever the state is: see
	// [course.follows]. It shows both, or the first alone.
	BreachOrder
	// BreachStep: a step run again comes to something else, or another one was due. It
	// shows the step, the one before it, and what is read of the state between them.
	BreachStep
	// BreachNext: a step at the end of an epoch is followed by another one than it leads
	// to. It shows the step with what it reads, and the ones before and after it.
	BreachNext
	// BreachEnd: the last step does not end the epoch, or its root or moment is not the
	// checkpoint's; or there are no steps. It shows the last one.
	BreachEnd
	// BreachSet: the validators of the next epoch are not those that the state has
	// elected. It shows their record under the checkpoint's ledger root.
	BreachSet
)

var breachNames = [...]string{
	BreachCheckpoint: "height or time of the checkpoint", BreachOrder: "order of the steps", BreachStep: "outcome of a step",
	BreachNext: "steps at the end of the epoch", BreachEnd: "end of the transcript", BreachSet: "validators of the next epoch",
}
