package ledger

import (
	"crypto/sha256"

	"github.com/meshsec/meshsec/attest"
)

// Shown is the transcript in the form of proofs of invalid operations.
func (t *Transcript) Shown() []*attest.Step {
	out := make([]*attest.Step, len(t.Steps))
	for i, s := range t.Steps {
		out[i] = &attest.Step{
			Kind: s.Kind, Phase: s.Phase, Index: s.Index, Height: s.Height, Time: s.Time,
			Operation: s.Operation, Receipt: s.Receipt, Root: s.Root, Spent: attest.StepSpent(s.Spent),
		}
	}
	return out
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
