package ledger

//go:generate go tool sszgen --path result.go --include ../../attest --output result_ssz.go --exclude-objs Result

import "github.com/meshsec/meshsec/attest"

// Block is what a home-chain block brings to the ledger.
type Block struct {
	Height     uint64
	Hash       [32]byte `ssz-size:"32"`
	Time       uint64   // Unix milliseconds
	Operations []*Bytes `ssz-max:"65536"`
}

// Bytes is an opaque operation inside a block.
type Bytes struct {
	Data []byte `ssz-max:"1048576"`
}

// EpochInput is all that an epoch's outcome depends on, besides the state before
// it: the blocks with operations, in order, and always the last block.
type EpochInput struct {
	ChainID []byte `ssz-max:"50"`
	Epoch   uint64
	Blocks  []*Block `ssz-max:"65536"`
}

// Transcript is all steps of an epoch; its hash_tree_root is the OpsRoot. An epoch that
// had more than it holds could never end: see [MaxEpochBlocks].
type Transcript struct {
	Steps []*attest.Step `ssz-max:"1048576"`
}

// Receipt tells what became of an operation. Code 0 is success; a failed
// operation changed nothing, and Reason says why. CodeQueued is neither: another
// receipt follows in a later epoch.
type Receipt struct {
	Operation [32]byte `ssz-size:"32"`
	Code      uint8
	Reason    []byte `ssz-max:"256"`
}
