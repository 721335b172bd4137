package node_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// simChain is a home chain in virtual time: one block a second with whatever was
// submitted, final at once. All nodes of the chain share it.
type simChain struct {
	id string

	mu      sync.Mutex
	blocks  []chain.Block
	mempool [][]byte
	found   []chain.Evidence // for the next block
	known   map[[32]byte]bool
	down    map[string]bool // by node: its connection is cut
	liar    map[string]bool // by node: it is shown blocks without operations
	pruned  uint64          // blocks up to it are gone
}

const blockTime = time.Second

func newSimChain(id string) *simChain {
	return &simChain{id: id, known: make(map[[32]byte]bool), down: make(map[string]bool), liar: make(map[string]bool)}
}

// run makes blocks until ctx ends.
func (c *simChain) run(ctx context.Context) {
	t := time.NewTicker(blockTime)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.make()
		}
	}
}

func (c *simChain) make() {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := chain.Block{Height: uint64(len(c.blocks)) + 1, Operations: c.mempool, Evidence: c.found}
	b.Time = ledgertest.GenesisTime + b.Height*uint64(blockTime.Milliseconds())
	if len(c.blocks) > 0 {
		b.Parent = c.blocks[len(c.blocks)-1].Hash
	}
	h := sha256.New()
	h.Write([]byte(c.id))
	h.Write(b.Parent[:])
	h.Write(binary.BigEndian.AppendUint64(nil, b.Height))
	for _, op := range b.Operations {
		h.Write(op)
	}
	b.Hash = [32]byte(h.Sum(nil))
	c.blocks, c.mempool, c.found = append(c.blocks, b), nil, nil
}

// cut ends or restores a node's connection.
func (c *simChain) cut(node string, down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down[node] = down
}

// deceive shows a node blocks without their operations from now on.
func (c *simChain) deceive(node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.liar[node] = true
}

// prune forgets all blocks so far.
func (c *simChain) prune() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pruned = uint64(len(c.blocks))
}

// client is one node's view of the chain.
func (c *simChain) client(node string) *simClient { return &simClient{c, node} }

type simClient struct {
	*simChain
	node string
}

var _ chain.Chain = (*simClient)(nil)

func (c *simClient) Status(context.Context) (chain.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down[c.node] {
		return chain.Status{}, chain.ErrUnreachable
	}
	return chain.Status{ChainID: c.id, Height: uint64(len(c.blocks)), Earliest: min(1, uint64(len(c.blocks)))}, nil
}

func (c *simClient) Block(_ context.Context, height uint64) (chain.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.down[c.node]:
		return chain.Block{}, chain.ErrUnreachable
	case height == 0 || height > uint64(len(c.blocks)):
		return chain.Block{}, chain.ErrNotYet
	case height <= c.pruned:
		return chain.Block{}, chain.ErrPruned
	}
	b := c.blocks[height-1]
	if c.liar[c.node] {
		b.Operations = nil
	}
	return b, nil
}

func (c *simClient) Validators(context.Context, uint64) ([]chain.Validator, error) { return nil, nil }

func (c *simClient) Submit(_ context.Context, op []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down[c.node] {
		return chain.ErrUnreachable
	}
	if id := sha256.Sum256(op); !c.known[id] {
		c.known[id] = true
		c.mempool = append(c.mempool, op)
	}
	return nil
}
