package p2p

import (
	"context"
	"errors"

	"github.com/meshsec/meshsec/attest"
)

// Limits of one sync request.
const (
	MaxPage       = 256       // certificates, epochs or faults
	MaxVotesPage  = 4096      // votes of one epoch
	MaxPageBytes  = 4 << 20   // of items in one response; an epoch beyond it travels in pieces
	MaxEpochBytes = 128 << 20 // of one epoch; the blocks of one have operations for half of that, see attest.EpochRoom
)

// ErrUnavailable is returned by a [Source] that does not have what was asked for and
// never will, because it was pruned or the chain is not followed. To have nothing
// yet is an empty answer and no error.
var ErrUnavailable = errors.New("p2p: not available here")

// Head is the last certified epoch of a chain: the root of its checkpoint.
type Head struct {
	Chain string
	Epoch uint64
	Root  [32]byte
}

// FaultRecord is a fault proof with its position in the order in which one node
// learned its faults. Positions start at 1 and mean nothing to other nodes.
type FaultRecord struct {
	Position uint64
	Proof    *attest.FaultProof
}

// Source is what peers may ask this node for. The node above implements it; p2p has
// already checked that the chain is one of the network, and limits requests.
//
// Concurrency: methods are called from many goroutines. They should return when the
// context ends. Errors other than [ErrUnavailable] are logged and told to the peer
// as an internal error, without their text.
type Source interface {
	// Heads is the last certified epoch of each chain, at most one for each.
	Heads(ctx context.Context) ([]Head, error)
	// Certificates are those of epochs from, from+1, … without gaps, at most limit.
	Certificates(ctx context.Context, chain string, from uint64, limit int) ([]*attest.Certificate, error)
	// Epochs are the journal entries of epochs from, from+1, … without gaps, at
	// most limit. It may stop once they hold more than maxBytes, after at least one.
	Epochs(ctx context.Context, chain string, from uint64, limit, maxBytes int) ([][]byte, error)
	// Faults are those at positions above after, in ascending order, at most limit.
	Faults(ctx context.Context, after uint64, limit int) ([]FaultRecord, error)
	// Votes are the attestations and cross-attestations of one epoch that has no
	// certificate yet, at most limit of them together.
	Votes(ctx context.Context, chain string, epoch uint64, limit int) ([]*attest.Attestation, []*attest.CrossAttestation, error)
}
