package devchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/chain"
)

// codeNoOperation is the CheckTx code for bytes that are no operation.
const codeNoOperation = 1

// application orders operations. Its state is a hash chain over the
// transactions, so that validators that executed different ones notice.
// CometBFT's local client serialises all calls.
type application struct {
	abci.BaseApplication
	path string

	// committed is what the file at path holds, next what the block being
	// finalized leads to.
	committed, next appState
}

// appState is the application's whole state.
type appState struct {
	height uint64
	hash   [sha256.Size]byte
}

// openApplication reads the state at path. A file that is missing or damaged
// means height 0: CometBFT then replays all blocks, which it never deletes.
func openApplication(path string) (*application, error) {
	app := &application{path: path}
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read the application's state: %w", err)
	}
	app.committed, _ = decodeAppState(data)
	return app, nil
}

// Info tells CometBFT which block to replay from.
func (a *application) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	info := &abci.ResponseInfo{Data: "meshsec devchain", Version: "1", LastBlockHeight: int64(a.committed.height)}
	if a.committed.height > 0 {
		info.LastBlockAppHash = a.committed.hash[:]
	}
	return info, nil
}

// InitChain starts the hash chain with the chain's name.
func (a *application) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	a.committed = appState{hash: sha256.Sum256([]byte("meshsec devchain " + req.ChainId))}
	return &abci.ResponseInitChain{AppHash: a.committed.hash[:]}, nil
}

// CheckTx admits raw operations of a legal size.
func (a *application) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	if !isOperation(req.Tx) {
		log := fmt.Sprintf("this chain takes operations only: the raw encoding, at most %d bytes", chain.MaxOperation)
		return &abci.ResponseCheckTx{Code: codeNoOperation, Log: log}, nil
	}
	return &abci.ResponseCheckTx{Code: abci.CodeTypeOK, GasWanted: 1}, nil
}

// ProcessProposal rejects a block that holds anything else.
func (a *application) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	for _, tx := range req.Txs {
		if !isOperation(tx) {
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock extends the hash chain by the block's transactions.
func (a *application) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	a.next = a.committed.extend(uint64(req.Height), req.Txs)
	results := make([]*abci.ExecTxResult, len(req.Txs))
	for i := range results {
		results[i] = &abci.ExecTxResult{Code: abci.CodeTypeOK}
	}
	return &abci.ResponseFinalizeBlock{TxResults: results, AppHash: a.next.hash[:]}, nil
}

// Commit puts the state in place of the old one. It is not synced: after a
// power loss an older or no state is found, and the blocks are replayed.
func (a *application) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	draft := a.path + ".new"
	if err := os.WriteFile(draft, a.next.encode(), 0o600); err != nil {
		return nil, fmt.Errorf("write the application's state: %w", err)
	}
	if err := os.Rename(draft, a.path); err != nil {
		return nil, fmt.Errorf("write the application's state: %w", err)
	}
	a.committed = a.next
	return &abci.ResponseCommit{}, nil
}

// isOperation accepts exactly one transaction per operation, the raw one.
func isOperation(tx []byte) bool {
	operation, ok := attest.OperationIn(tx)
	if !ok {
		return false
	}
	raw, err := chain.EncodeTransaction(chain.Raw, operation)
	return err == nil && bytes.Equal(raw, tx)
}

// extend returns the state after the block: SHA-256 over the state's hash, the
// height, and the hash of every transaction in order.
func (s appState) extend(height uint64, txs [][]byte) appState {
	h := sha256.New()
	h.Write(s.hash[:])
	h.Write(binary.BigEndian.AppendUint64(nil, height))
	for _, tx := range txs {
		sum := sha256.Sum256(tx)
		h.Write(sum[:])
	}
	return appState{height: height, hash: [sha256.Size]byte(h.Sum(nil))}
}

// encode returns height, hash, and a SHA-256 over both.
func (s appState) encode() []byte {
	data := binary.BigEndian.AppendUint64(nil, s.height)
	data = append(data, s.hash[:]...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

func decodeAppState(data []byte) (appState, bool) {
	const body = 8 + sha256.Size
	if len(data) != body+sha256.Size || sha256.Sum256(data[:body]) != [sha256.Size]byte(data[body:]) {
		return appState{}, false
	}
	return appState{height: binary.BigEndian.Uint64(data), hash: [sha256.Size]byte(data[8:body])}, true
}
