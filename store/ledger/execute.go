package ledger

import (
	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// Result is what one epoch of one chain came to.
type Result struct {
	Input      *EpochInput          // nil at genesis
	Checkpoint *attest.Checkpoint   // complete, ready to be signed
	Set        *attest.ValidatorSet // signs the next epoch; its root is in the checkpoint
	Transcript *Transcript
	Receipts   []*Receipt // of the operations, in order
	Ref        trie.Ref   // the new version of the state tree, numbered by the epoch
	Changes    trie.Changes
}
