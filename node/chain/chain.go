package chain

import (
	"context"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// Chain is one home chain, seen through one of its nodes. Its methods are safe
// for concurrent use. Each asks the chain anew; nothing is cached that the
// chain could contradict later.
//
// All methods return [ErrUnreachable] when the node does not answer,
// [ErrWrongChain] when another chain does, [ErrInconsistent] when an answer
// contradicts itself, and the context's error when the context ended first.
type Chain interface {
	// Status reports where the chain stands.
	Status(ctx context.Context) (Status, error)

	// Block returns the finalized block at height. It returns [ErrNotYet]
	// above the tip and [ErrPruned] below the earliest block that the node
	// still has.
	Block(ctx context.Context, height uint64) (Block, error)

	// Validators returns the complete validator set that signs the block at
	// height, in the chain's own canonical order. Errors are those of Block.
	Validators(ctx context.Context, height uint64) ([]Validator, error)

	// SignedHeader returns the header of the finalized block at height with the
	// commit for it, and no validators: what proofs about the chain are made of.
	// Of the latest block the commit is the one that the node has seen. Signatures
	// are not verified here. Errors are those of Block.
	SignedHeader(ctx context.Context, height uint64) (*comet.LightBlock, error)

	// Transactions returns all transactions of the finalized block at height, in its
	// order, whosesoever they are: what a proof about the block's operations is
	// made of. Errors are those of Block.
	Transactions(ctx context.Context, height uint64) ([][]byte, error)

	// Submit hands operation to the mempool. Success promises nothing about
	// inclusion; submitting what the mempool has already seen is a success.
	// It returns [ErrTooLarge], [ErrRejected], or [ErrBusy] when the mempool
	// is full and the same bytes are worth another try.
	Submit(ctx context.Context, operation []byte) error
}

// Status is where a chain stands.
type Status struct {
	ChainID string
	// Height of the latest finalized block, 0 before the first one.
	Height uint64
	// Earliest is the lowest height that the node still has, 0 before the
	// first block.
	Earliest uint64
	// CatchingUp is true while the node itself is still syncing: Height is
	// then not the chain's.
	CatchingUp bool
}

// Block is what the mesh needs of one finalized block of a home chain.
type Block struct {
	Height uint64
	// Hash of the header.
	Hash [32]byte
	// Parent is the hash of the header before, zero in the first block.
	Parent [32]byte
	// Time of the header in Unix milliseconds, truncated.
	Time uint64
	// Operations in the order of the block, decoded from the transactions.
	// Transactions of others are left out; the same operation can come again.
	Operations [][]byte
	// Evidence that the chain committed in this block, in its order.
	Evidence []Evidence
}

// Evidence is a consensus fault as a home chain committed it.
type Evidence struct {
	// Height at which the fault happened (not the block that carries it). Of an
	// attack on light clients, the last one that both branches have in common.
	Height uint64
	// Raw is the canonical protobuf of the chain's own evidence type. For
	// CometBFT that is tendermint.types.Evidence, which says itself whether
	// it is a duplicate vote or a light client attack.
	Raw []byte
	// DoubleVote is what a duplicate vote says, nil in other evidence. Nothing
	// of it is verified.
	DoubleVote *DoubleVote
	// Attack is the block that a light client was shown, with its commit and no
	// validators; nil in other evidence. Nothing of it is verified but that the
	// commit is one for the header.
	Attack *comet.LightBlock
}

// DoubleVote are two votes of one validator in one step of the consensus.
type DoubleVote struct {
	Address       [20]byte // see [Validator]
	Round         uint32
	Type          uint8 // of the votes, as in [attest.Equivocation]
	First, Second attest.ConsensusVote
}

// Key types of [Validator].
const (
	KeyEd25519   = "ed25519"
	KeySecp256k1 = "secp256k1"
	KeyBLS12381  = "bls12_381"
	KeyMLDSA65   = "mldsa65"
)

// Validator is one member of a home chain's validator set.
type Validator struct {
	// ConsensusKey in the raw form of its type: 32 bytes for ed25519.
	ConsensusKey []byte
	// KeyType is one of the Key constants.
	KeyType string
	// Power is the voting power, at least 1.
	Power uint64
	// Address is derived from the key by the chain's rule.
	Address [20]byte
}
