package store

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// ErrInput says that an entry does not hold the input of a certified epoch.
var ErrInput = errors.New("store: not the input of the certified epoch")

// Authentic checks that the entry's transcript is the one in a certified checkpoint, and
// that its input is what that transcript is about. Otherwise it is [ErrInput].
func (e *Entry) Authentic(certified *attest.Checkpoint) error {
	if e.Input == nil || e.Transcript == nil || len(e.Input.Blocks) == 0 {
		return fmt.Errorf("%w: something is missing", ErrInput)
	}
	root, err := e.Transcript.HashTreeRoot()
	if err != nil || root != certified.OpsRoot {
		return fmt.Errorf("%w: the transcript is another one", ErrInput)
	}
	steps := e.Transcript.Steps
	for _, b := range e.Input.Blocks {
		for _, op := range b.Operations {
			for len(steps) > 0 && steps[0].Kind != 0 {
				steps = steps[1:]
			}
			if len(steps) == 0 || steps[0].Operation != sha256.Sum256(op.Data) || steps[0].Height != b.Height || steps[0].Time != b.Time {
				return fmt.Errorf("%w: an operation of block %d is not in the transcript", ErrInput, b.Height)
			}
			steps = steps[1:]
		}
	}
	for _, s := range steps {
		if s.Kind == 0 {
			return fmt.Errorf("%w: an operation of block %d is missing", ErrInput, s.Height)
		}
	}
	last := e.Input.Blocks[len(e.Input.Blocks)-1]
	if last.Height != certified.Height || last.Hash != certified.BlockHash || last.Time != certified.Time {
		return fmt.Errorf("%w: the last block is another one", ErrInput)
	}
	return nil
}
