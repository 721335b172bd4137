package comet

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/cometbft/cometbft/mempool"

	"github.com/meshsec/meshsec/node/chain"
)

// Submit sends the operation to the node's mempool and waits for the
// application's first check (broadcast_tx_sync), no longer.
func (c *Chain) Submit(ctx context.Context, operation []byte) error {
	tx, err := chain.EncodeTransaction(c.encoding, operation)
	if err != nil {
		return err
	}
	var answer struct {
		Code uint32 `json:"code"`
		Log  string `json:"log"`
	}
	err = c.rpc.call(ctx, "broadcast_tx_sync", map[string]any{"tx": base64.StdEncoding.EncodeToString(tx)}, &answer)
	if err != nil {
		return mempoolError(err)
	}
	if answer.Code != 0 {
		return fmt.Errorf("%w: code %d, %q; does the chain take %s transactions?", chain.ErrRejected, answer.Code, answer.Log, c.encoding)
	}
	return nil
}

// mempoolError translates the mempool's refusals. The RPC has no codes for
// them: the text is all there is. It comes from the same source lines that
// print it, and has been the same from v0.34 to v1.
func mempoolError(err error) error {
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	says := func(e error) bool {
		text, _, _ := strings.Cut(e.Error(), "0") // up to the first number
		return strings.Contains(refused.Data, strings.TrimSpace(text))
	}
	switch {
	case says(mempool.ErrTxInCache):
		return nil
	case says(mempool.ErrTxTooLarge{}):
		return fmt.Errorf("%w: %s; raise the chain's mempool.max_tx_bytes", chain.ErrTooLarge, refused.Data)
	case says(mempool.ErrMempoolIsFull{}), says(mempool.ErrRecheckFull):
		return fmt.Errorf("%w: %s", chain.ErrBusy, refused.Data)
	}
	return err
}
