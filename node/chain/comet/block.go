package comet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/chain"
)

// Block asks the node for the block at height, checks its hashes, and returns
// what the mesh needs of it. A block that a CometBFT node has stored carries
// more than 2/3 of the precommits: it is final.
func (c *Chain) Block(ctx context.Context, height uint64) (chain.Block, error) {
	block, _, err := c.block(ctx, height)
	return block, err
}

// Transactions asks the node for the block at height, checks its hashes, and returns its
// transactions.
func (c *Chain) Transactions(ctx context.Context, height uint64) ([][]byte, error) {
	_, transactions, err := c.block(ctx, height)
	return transactions, err
}

func (c *Chain) block(ctx context.Context, height uint64) (chain.Block, [][]byte, error) {
	var answer json.RawMessage
	if err := c.get(ctx, "block", height, nil, &answer); err != nil {
		return chain.Block{}, nil, err
	}
	block, a, err := decodeBlock(answer)
	if err != nil {
		return chain.Block{}, nil, fmt.Errorf("%w: block %d of %s: %w", chain.ErrInconsistent, height, c.rpc.endpoint, err)
	}
	if err := c.checkID(a.Block.Header.ChainID); err != nil {
		return chain.Block{}, nil, err
	}
	if block.Height != height {
		return chain.Block{}, nil, fmt.Errorf("%w: %s answers with block %d when asked for %d", chain.ErrInconsistent, c.rpc.endpoint, block.Height, height)
	}
	return block, a.Block.Data.Txs.ToSliceOfBytes(), nil
}

// blockAnswer is the result of /block, as far as it is used. The last commit
// is not: its form depends on the chain's key types.
type blockAnswer struct {
	BlockID types.BlockID `json:"block_id"`
	Block   struct {
		Header types.Header `json:"header"`
		Data   struct {
			Txs types.Txs `json:"txs"`
		} `json:"data"`
		Evidence struct {
			Evidence []json.RawMessage `json:"evidence"`
		} `json:"evidence"`
	} `json:"block"`
}

// decodeBlock decodes the result of /block and checks that header,
// transactions and evidence belong to the block hash.
func decodeBlock(answer []byte) (chain.Block, *blockAnswer, error) {
	var a blockAnswer
	if err := cmtjson.Unmarshal(answer, &a); err != nil {
		return chain.Block{}, nil, err
	}
	h := &a.Block.Header
	block := chain.Block{}
	if err := checkHeader(h, a.BlockID.Hash); err != nil {
		return chain.Block{}, nil, err
	}
	copy(block.Hash[:], a.BlockID.Hash)
	if hash := a.Block.Data.Txs.Hash(); !bytes.Equal(hash, h.DataHash) {
		return chain.Block{}, nil, fmt.Errorf("the transactions hash to %X, the header says %X", hash, h.DataHash)
	}
	evidence, hash, err := decodeEvidence(a.Block.Evidence.Evidence)
	if err != nil {
		return chain.Block{}, nil, err
	}
	if !bytes.Equal(hash, h.EvidenceHash) {
		return chain.Block{}, nil, fmt.Errorf("the evidence hashes to %X, the header says %X", hash, h.EvidenceHash)
	}
	switch len(h.LastBlockID.Hash) {
	case 0:
	case len(block.Parent):
		copy(block.Parent[:], h.LastBlockID.Hash)
	default:
		return chain.Block{}, nil, fmt.Errorf("the parent's hash has %d bytes", len(h.LastBlockID.Hash))
	}

	block.Height = uint64(h.Height)
	block.Time = uint64(h.Time.UnixMilli())
	block.Evidence = evidence
	block.Operations = attest.OperationsIn(a.Block.Data.Txs.ToSliceOfBytes())
	return block, &a, nil
}

// checkHeader checks that the header is one that hashes to hash.
func checkHeader(h *types.Header, hash []byte) error {
	switch {
	case h.Height <= 0:
		return fmt.Errorf("the height is %d", h.Height)
	case h.Time.UnixMilli() < 0:
		return fmt.Errorf("the time %v is before 1970", h.Time)
	case len(hash) != len(chain.Block{}.Hash) || !bytes.Equal(h.Hash(), hash):
		return fmt.Errorf("the header hashes to %X, the block's hash is given as %X", h.Hash(), hash)
	}
	return nil
}
