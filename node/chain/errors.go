package chain

import "errors"

// What a [Chain] can fail with. They come wrapped with what was asked, of whom,
// and what to do; test with errors.Is.
var (
	// ErrNotYet: the height is above the tip. Wait.
	ErrNotYet = errors.New("the block does not exist yet")
	// ErrPruned: the node no longer has the height. Use an archive node, or
	// start the mesh node from a later trusted checkpoint.
	ErrPruned = errors.New("the node has pruned the block")
	// ErrUnreachable: nobody answers at the address, or not with the protocol
	// expected. Worth another try.
	ErrUnreachable = errors.New("the home chain's node is unreachable")
	// ErrFailed: the node answered that it failed. Worth another try.
	ErrFailed = errors.New("the home chain's node failed")
	// ErrWrongChain: the node belongs to another chain. Fix the configuration.
	ErrWrongChain = errors.New("the node belongs to another chain")
	// ErrInconsistent: hashes in the answer do not fit its content. Do not use
	// this node.
	ErrInconsistent = errors.New("the node's answer contradicts itself")
	// ErrForked: a block does not name the one before it as its parent. The
	// chain was reset, or the node lies.
	ErrForked = errors.New("the block does not continue the chain followed so far")

	// ErrTooLarge: the operation exceeds [MaxOperation] or the chain's limit.
	ErrTooLarge = errors.New("the operation is too large")
	// ErrRejected: the chain's application refused the transaction.
	ErrRejected = errors.New("the chain rejected the operation")
	// ErrBusy: the mempool is full. Submit again later.
	ErrBusy = errors.New("the chain's mempool is full")
)
