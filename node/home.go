package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store/ledger"
)

// home follows the home chain block by block, and executes its epochs as soon as
// they are complete. One goroutine.
type home struct {
	spec      *ledger.ChainSpec
	dial      func(context.Context) (chain.Chain, error)
	poll      time.Duration
	execution *execution
	submitter *submitter
	byMesh    *follower // for blocks that the home chain's node has pruned
	log       *slog.Logger

	input *ledger.EpochInput // of the epoch under way
	down  bool               // the chain's node does not answer

	attacks []*comet.LightBlock // on light clients, which wait for a certificate

	chain atomic.Pointer[chain.Chain] // once connected
	view  atomic.Pointer[homeView]
}

// homeView is what others may see of it.
type homeView struct {
	api.Home
	atTip bool // the last look found no further block
}

// run ends with the context, or with what waiting does not mend.
func (h *home) run(ctx context.Context) error {
	c, err := h.connect(ctx)
	if err != nil {
		return err
	}
	h.chain.Store(&c)
	if err := h.recall(ctx, c); err != nil {
		return err
	}
	for {
		head := h.execution.store.Head(h.spec.ID).Checkpoint
		f := chain.Follower{Next: head.Height + 1, Parent: head.BlockHash, Poll: h.poll, Trouble: h.trouble}
		h.input = nil
		err := f.Run(ctx, tipChain{c, h.atTip}, func(b chain.Block) error { return h.block(ctx, b) })
		if !errors.Is(err, chain.ErrPruned) {
			return err
		}
		// The mesh remembers what the chain's node has forgotten.
		h.log.Warn("home chain has pruned blocks, asking the mesh", "height", f.Next)
		further, err := h.byMesh.advance(ctx)
		if err == nil && !further {
			err = pause(ctx, retryFetch)
		}
		if err != nil {
			return err
		}
	}
}

// connect tries until the chain's node answers; another chain there is an error.
func (h *home) connect(ctx context.Context) (chain.Chain, error) {
	for {
		c, err := h.dial(ctx)
		if err == nil {
			var status chain.Status
			if status, err = c.Status(ctx); err == nil {
				if status.ChainID != h.spec.ID {
					return nil, fmt.Errorf("%w: home_chain.rpc leads to %q, the configuration says %q", chain.ErrWrongChain, status.ChainID, h.spec.ID)
				}
				return c, nil
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, chain.ErrUnreachable), errors.Is(err, chain.ErrFailed):
			h.trouble(err)
		default:
			return nil, fmt.Errorf("connect to the home chain: %w", err)
		}
		if err := pause(ctx, h.poll); err != nil {
			return nil, err
		}
	}
}

func (h *home) trouble(err error) {
	if !h.down {
		h.log.Warn("home chain does not answer, trying again", "error", err)
	}
	h.down = true
	v := homeView{}
	if old := h.view.Load(); old != nil {
		v.Home = old.Home
	}
	v.Error = err.Error()
	h.view.Store(&v)
}

func (h *home) atTip() {
	v := homeView{atTip: true}
	if old := h.view.Load(); old != nil {
		v.Home = old.Home
		v.Error = ""
	}
	h.view.Store(&v)
	h.submitter.tip(v.Height)
}

// block takes the next block; with the last one of an epoch the epoch is executed.
func (h *home) block(ctx context.Context, b chain.Block) error {
	if h.down {
		h.down = false
		h.log.Info("home chain answers again", "height", b.Height)
	}
	h.view.Store(&homeView{Home: api.Home{Height: b.Height, Time: b.Time}})
	h.submitter.block(b.Height, tasksIn(b.Operations))
	if err := h.evidence(ctx, b); err != nil {
		return err
	}
	epoch := h.spec.EpochOf(b.Height)
	if h.input == nil {
		h.input = &ledger.EpochInput{ChainID: []byte(h.spec.ID), Epoch: epoch}
	}
	block := ledger.Block{Height: b.Height, Hash: b.Hash, Time: b.Time}
	for _, op := range b.Operations {
		block.Operations = append(block.Operations, &ledger.Bytes{Data: op})
	}
	h.input.Append(h.spec, block)
	if b.Height%h.spec.EpochBlocks != 0 {
		return nil
	}
	in := h.input
	h.input = nil
	r, err := h.execution.run(in)
	if err != nil {
		return fmt.Errorf("execute epoch %d of the home chain: %w", epoch, err)
	}
	return h.execution.commit(ctx, r, nil)
}

// connected is the chain, if there is a connection by now.
func (h *home) connected() (chain.Chain, error) {
	if c := h.chain.Load(); c != nil {
		return *c, nil
	}
	return nil, chain.ErrUnreachable
}

// tipChain tells when it was asked for a block that does not exist yet.
type tipChain struct {
	chain.Chain
	tip func()
}

// Block is that of the chain.
func (t tipChain) Block(ctx context.Context, height uint64) (chain.Block, error) {
	b, err := t.Chain.Block(ctx, height)
	if errors.Is(err, chain.ErrNotYet) {
		t.tip()
	}
	return b, err
}

// pause waits; the error is the context's.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
