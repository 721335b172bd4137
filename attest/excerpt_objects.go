package attest

//go:generate go tool sszgen --path excerpt_objects.go --output excerpt_objects_ssz.go

// The kinds of steps of a transcript.
const (
	StepOperation = 0 // of a block: executed, refused, or put into a queue
	StepEnd       = 1 // of the end of the epoch
	StepLate      = 2 // an operation that waited in a queue
)

// Step is one line of an epoch's transcript: what ran, and the root after it. The root of
// all steps is the checkpoint's OpsRoot, so that an epoch's input can be authenticated
// before it is run again, and a difference pinned on one step. Package ledger makes them.
type Step struct {
	Kind      uint8  // one of StepOperation to StepLate
	Phase     uint8  // of StepEnd, with its index; see ledger.EndFinalize
	Index     uint64 // else both are 0
	Height    uint64
	Time      uint64   // Unix milliseconds
	Operation [32]byte `ssz-size:"32"` // SHA-256 of the operation's bytes; zero for StepEnd
	Receipt   [32]byte `ssz-size:"32"` // hash_tree_root of the receipt
	Root      [32]byte `ssz-size:"32"` // of the state tree after it
	Spent     Spent    // of the epoch's limits, this step included
}

// Spent is what an epoch has used of its limits so far, see ledger.Limits, and of the room
// that it has for what its blocks order, see [EpochRoom].
type Spent struct {
	Bytes   uint64
	Records uint64 // each counts once in an operation
	Slashes uint64
	Ordered uint64 // [OrderedSize] of the blocks' operations, whatever became of them
}

// Excerpt is some steps of a transcript in a row, which all evidence of a wrong epoch
// shows: see [NewExcerpt] and [Excerpt.Of].
type Excerpt struct {
	Length uint64   // of the transcript
	First  uint64   // index of the first step shown
	Steps  []*Step  `ssz-max:"514"`
	Branch [][]byte `ssz-max:"40" ssz-size:"?,32"` // Merkle siblings in the list of steps, from the leaves up, left before right
}
