package node_test

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// simChain is a home chain in virtual time: one block a second with whatever was
// submitted, final at once. All nodes of the chain share it.
type simChain struct {
	id      string
	network *ledgertest.Network

	mu      sync.Mutex
	blocks  []chain.Block
	headers []*comet.Header // of the blocks
	mempool [][]byte
	found   []chain.Evidence // for the next block
	known   map[[32]byte]bool
	down    map[string]bool // by node: its connection is cut
	liar    map[string]bool // by node: it is shown blocks without operations
	pruned  uint64          // blocks up to it are gone
}

const blockTime = time.Second

func newSimChain(id string, network *ledgertest.Network) *simChain {
	return &simChain{id: id, network: network, known: make(map[[32]byte]bool), down: make(map[string]bool), liar: make(map[string]bool)}
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
	var transactions [][]byte
	for _, op := range b.Operations {
		transactions = append(transactions, attest.RawTransaction(op))
	}
	h := ledgertest.HomeHeader(c.network.Manifest.Chain(c.id), b.Height, b.Time, b.Parent, transactions)
	b.Hash = [32]byte(h.Hash())
	c.headers = append(c.headers, h)
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

func (c *simClient) Validators(context.Context, uint64) (out []chain.Validator, err error) {
	for _, v := range ledgertest.HomeValidators(c.network.Manifest.Chain(c.id)).Members {
		out = append(out, chain.Validator{ConsensusKey: v.Key.Bytes, KeyType: chain.KeyEd25519, Power: uint64(v.Power), Address: [20]byte(v.Address)})
	}
	return out, nil
}

func (c *simClient) Transactions(ctx context.Context, height uint64) (out [][]byte, err error) {
	if _, err := c.Block(ctx, height); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range c.blocks[height-1].Operations {
		out = append(out, attest.RawTransaction(op))
	}
	return out, nil
}

// SignedHeader has a commit of everybody in round 1.
func (c *simClient) SignedHeader(ctx context.Context, height uint64) (*comet.LightBlock, error) {
	if _, err := c.Block(ctx, height); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signed(c.headers[height-1], 1, c.network.Chain(c.id).Validators...), nil
}

// signed is a block with precommits of some validators.
func (c *simChain) signed(h *comet.Header, round int64, who ...*ledgertest.Validator) *comet.LightBlock {
	return &comet.LightBlock{Header: h, Commit: c.network.HomeCommit(c.id, h, round, who...)}
}

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
