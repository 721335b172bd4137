package comet

import (
	"context"
	"encoding/json"
	"fmt"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/node/chain"
)

// SignedHeader returns the header at height with the commit for it. Above the last but
// one block, the commit is the one that the node has seen, not yet the one that the next
// block fixes. Signatures are not verified here. Errors are those of Block.
func (c *Chain) SignedHeader(ctx context.Context, height uint64) (*comet.LightBlock, error) {
	signed, err := c.signedHeader(ctx, height)
	if err != nil {
		return nil, err
	}
	l := lightBlock(signed.Header, signed.Commit)
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("%w: commit %d of %s: %w", chain.ErrInconsistent, height, c.rpc.endpoint, err)
	}
	return l, nil
}

func (c *Chain) signedHeader(ctx context.Context, height uint64) (*types.SignedHeader, error) {
	var answer json.RawMessage
	if err := c.get(ctx, "commit", height, nil, &answer); err != nil {
		return nil, err
	}
	signed, err := decodeCommit(answer)
	if err != nil {
		return nil, fmt.Errorf("%w: commit %d of %s: %w", chain.ErrInconsistent, height, c.rpc.endpoint, err)
	}
	if err := c.checkID(signed.ChainID); err != nil {
		return nil, err
	}
	if signed.Header.Height != int64(height) {
		return nil, fmt.Errorf("%w: %s answers with commit %d when asked for %d", chain.ErrInconsistent, c.rpc.endpoint, signed.Header.Height, height)
	}
	return signed, nil
}

// decodeCommit decodes the result of /commit and checks that the commit is one
// for the header.
func decodeCommit(answer []byte) (*types.SignedHeader, error) {
	var a struct {
		Signed types.SignedHeader `json:"signed_header"`
	}
	if err := cmtjson.Unmarshal(answer, &a); err != nil {
		return nil, err
	}
	if a.Signed.Header == nil || a.Signed.Commit == nil {
		return nil, fmt.Errorf("header or commit is missing")
	}
	if err := checkHeader(a.Signed.Header, a.Signed.Commit.BlockID.Hash); err != nil {
		return nil, err
	}
	if a.Signed.Commit.Height != a.Signed.Header.Height {
		return nil, fmt.Errorf("a commit for height %d comes with header %d", a.Signed.Commit.Height, a.Signed.Header.Height)
	}
	return &a.Signed, nil
}
