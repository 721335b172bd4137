package chain

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Follower reads a chain block by block, in order and without a gap. Set the
// fields, then call Run; afterwards Next and Parent say where it stopped, so
// that the same value can run again.
type Follower struct {
	// Next is the height of the first block to deliver.
	Next uint64
	// Parent is the hash of the block before Next; zero is not checked.
	Parent [32]byte
	// Poll is the time between two looks at the tip, and between two tries
	// when the node does not answer.
	Poll time.Duration
	// Trouble, when set, is told of every failure that is tried again.
	Trouble func(error)
}

// Run delivers blocks of c until ctx ends, deliver fails, or c fails in a way
// that waiting does not mend: [ErrPruned], [ErrWrongChain], [ErrInconsistent],
// [ErrForked]. It returns that error, never nil. A block counts as delivered
// when deliver returns nil.
//
// It asks for blocks by height and does not listen to events: a subscription
// loses blocks when the node restarts.
func (f *Follower) Run(ctx context.Context, c Chain, deliver func(Block) error) error {
	look := time.NewTicker(f.Poll)
	defer look.Stop()
	for {
		block, err := c.Block(ctx, f.Next)
		if err == nil {
			if f.Parent != ([32]byte{}) && block.Parent != f.Parent {
				return fmt.Errorf("%w: block %d names %x as its parent, the one before was %x", ErrForked, f.Next, block.Parent, f.Parent)
			}
			if err := deliver(block); err != nil {
				return err
			}
			f.Next, f.Parent = f.Next+1, block.Hash
			continue
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrNotYet):
		case errors.Is(err, ErrUnreachable), errors.Is(err, ErrFailed):
			if f.Trouble != nil {
				f.Trouble(err)
			}
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}
