package ledger

//go:generate go tool sszgen --path result.go --include ../../attest --output result_ssz.go --exclude-objs Result

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

// The kinds of steps.
const (
	StepOperation = 0 // of a block: executed, refused, or put into a queue
	StepEnd       = 1 // of the end of the epoch
	StepLate      = 2 // an operation that waited in a queue
)

// Step is one line of an epoch's transcript: what ran, and the root after it. The
// root of all steps is the checkpoint's OpsRoot, so that an epoch's input can be
// authenticated before it is run again, and a difference pinned on one step.
type Step struct {
	Kind      uint8
	Phase     uint8  // of StepEnd, with its index; see EndFinalize
	Index     uint64 // else both are 0
	Height    uint64
	Time      uint64
	Operation [32]byte `ssz-size:"32"` // SHA-256 of the operation's bytes; zero for StepEnd
	Receipt   [32]byte `ssz-size:"32"` // hash_tree_root of the receipt
	Root      [32]byte `ssz-size:"32"` // of the state tree after it
	Spent     Spent    // of the epoch's limits, this step included
}

// Spent is what an epoch has used of its limits so far, see [Limits].
type Spent struct {
	Bytes   uint64
	Records uint64 // each counts once in an operation
	Slashes uint64
}

// Transcript is all steps of an epoch; its hash_tree_root is the OpsRoot.
type Transcript struct {
	Steps []*Step `ssz-max:"1048576"`
}

// Receipt tells what became of an operation. Code 0 is success; a failed
// operation changed nothing, and Reason says why. CodeQueued is neither: another
// receipt follows in a later epoch.
type Receipt struct {
	Operation [32]byte `ssz-size:"32"`
	Code      uint8
	Reason    []byte `ssz-max:"256"`
}
