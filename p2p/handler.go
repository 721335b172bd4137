package p2p

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
)

// Handler judges messages. The node above implements it.
//
// Concurrency: all methods are called from many goroutines at once, up to 1024 for
// each topic, so that signatures can be collected and verified together (see
// [Batcher]). They must not call [Node.Deliver] or wait for another message to be
// judged; [Node.Release] and the Publish methods are allowed. The object is the
// Handler's to keep and is never written again by p2p.
//
// The context ends after [ValidationTimeout] and when the node closes. A Handler
// must then return soon; what it returns counts as [Timeout] unless it had already
// reached [Accept] or [Reject]. A panic is recovered, logged, and counts as [Panic].
//
// from is the peer that delivered the message, which need not be its author. What
// comes back from parking still has the peer that delivered it first.
//
// The size, the canonical form, and that the chain is one of the network (and that
// of the topic) have been checked, and the form of fault proofs that attest.Peek can
// read. The epoch window, duplicates, membership and the
// signatures are the Handler's, cheap checks first. The same message may come again:
// gossip forgets what it has seen after two minutes, and sync brings what it likes.
//
// [Accepted] means that the Handler has taken the message: it is forwarded.
type Handler interface {
	Vote(ctx context.Context, from peer.ID, vote *attest.Attestation) Finding
	CrossVote(ctx context.Context, from peer.ID, vote *attest.CrossAttestation) Finding
	Certificate(ctx context.Context, from peer.ID, certificate *attest.Certificate) Finding
	Fault(ctx context.Context, from peer.ID, proof *attest.FaultProof) Finding
}

// Finding is what a Handler says about a message. Make one with [Found] or [Wait].
type Finding struct {
	Condition Condition
	// What a parked message waits for. An empty chain stands for the chain and
	// epoch that the message itself is about.
	Chain string
	Epoch uint64
}

// Found is a finding. Where its verdict is [Park], the message waits for the chain
// and epoch that it is itself about; a fault proof that attest.Peek cannot read has none,
// use [Wait].
func Found(c Condition) Finding { return Finding{Condition: c} }

// Wait is a finding of verdict [Park] that says which epoch of which chain must be
// known first: the message is judged again at [Node.Release] of that epoch or a
// later one.
func Wait(c Condition, chain string, epoch uint64) Finding {
	return Finding{Condition: c, Chain: chain, Epoch: epoch}
}
