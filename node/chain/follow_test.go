package chain_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/meshsec/meshsec/node/chain"
)

// script is a chain whose answers are written down: the follower's behaviour
// at each error is exact in virtual time. It is driven by one goroutine.
type script struct {
	chain.Chain
	answers []answer
}

type answer struct {
	block chain.Block
	err   error
}

func (s *script) Block(_ context.Context, height uint64) (chain.Block, error) {
	if len(s.answers) == 0 {
		return chain.Block{}, chain.ErrNotYet
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	if next.err == nil && next.block.Height != height {
		return chain.Block{}, fmt.Errorf("asked for %d, the script has %d", height, next.block.Height)
	}
	return next.block, next.err
}

func block(height uint64) answer {
	b := chain.Block{Height: height}
	b.Hash[0], b.Parent[0] = byte(height), byte(height-1)
	return answer{block: b}
}

func TestFollowerDeliversEachBlockOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &script{answers: []answer{
			block(1), block(2), {err: chain.ErrNotYet}, {err: chain.ErrUnreachable}, {err: chain.ErrFailed}, block(3), block(4),
		}}
		ctx, cancel := context.WithCancel(t.Context())
		var heights []uint64
		var troubles int
		f := chain.Follower{Next: 1, Poll: time.Second, Trouble: func(error) { troubles++ }}
		start := time.Now()
		err := f.Run(ctx, c, func(b chain.Block) error {
			heights = append(heights, b.Height)
			if b.Height == 4 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) || fmt.Sprint(heights) != "[1 2 3 4]" || f.Next != 5 || f.Parent[0] != 4 {
			t.Errorf("followed %v up to %d, then %v", heights, f.Next, err)
		}
		if troubles != 2 || time.Since(start) != 3*time.Second {
			t.Errorf("%d troubles in %v, expected 2 in 3 s", troubles, time.Since(start))
		}
	})
}

func TestFollowerStopsWhereWaitingIsNoUse(t *testing.T) {
	forked := block(3)
	forked.block.Parent[0] = 9
	full := errors.New("the disk is full")
	for _, c := range []struct {
		name    string
		answers []answer
		deliver error
		want    error
		next    uint64
	}{
		{"pruned", []answer{{err: chain.ErrPruned}}, nil, chain.ErrPruned, 1},
		{"wrong chain", []answer{block(1), {err: chain.ErrWrongChain}}, nil, chain.ErrWrongChain, 2},
		{"inconsistent", []answer{{err: chain.ErrInconsistent}}, nil, chain.ErrInconsistent, 1},
		{"forked", []answer{block(1), block(2), forked}, nil, chain.ErrForked, 3},
		{"receiver fails", []answer{block(1)}, full, full, 1},
	} {
		f := chain.Follower{Next: 1, Poll: time.Second}
		err := f.Run(t.Context(), &script{answers: c.answers}, func(chain.Block) error { return c.deliver })
		if !errors.Is(err, c.want) || f.Next != c.next {
			t.Errorf("%s: stopped before %d with %v", c.name, f.Next, err)
		}
	}
}
