package ledger

import (
	"crypto/sha256"

	"github.com/meshsec/meshsec/attest"
)

// A step of a transcript has the form in which evidence shows it.
type (
	Step  = attest.Step
	Spent = attest.Spent
)

// The kinds of steps.
const (
	StepOperation = attest.StepOperation
	StepEnd       = attest.StepEnd
	StepLate      = attest.StepLate
)

// before is the step before one, nil for the first.
func (t *Transcript) before(i int) *Step {
	if i == 0 {
		return nil
	}
	return t.Steps[i-1]
}

// Operations are those of all blocks, by their SHA-256.
func (in *EpochInput) Operations() map[[32]byte][]byte {
	out := make(map[[32]byte][]byte)
	for _, b := range in.Blocks {
		for _, op := range b.Operations {
			out[sha256.Sum256(op.Data)] = op.Data
		}
	}
	return out
}
