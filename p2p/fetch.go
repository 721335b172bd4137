package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
)

// ErrBadResponse is inside every [SyncError] whose peer answered with what no honest
// peer sends. Try another one; this one has been counted.
var ErrBadResponse = errors.New("bad response")

// ErrBusy is inside every [SyncError] of a peer that wants us to wait, see
// [SyncError.Wait].
var ErrBusy = errors.New("busy")

// ErrPeerFailed is inside every [SyncError] of a peer that says that it failed by
// itself, or that calls our request malformed.
var ErrPeerFailed = errors.New("the peer could not answer")

// SyncError is why a peer did not bring what was asked for. It wraps
// [ErrBadResponse], [ErrBusy], [ErrUnavailable], [ErrPeerFailed], or the error of the
// connection or the context.
type SyncError struct {
	Peer   peer.ID
	Method string // heads, certificates, epochs, faults, votes
	Wait   time.Duration
	Err    error
}

// Error names the peer and the method.
func (e *SyncError) Error() string {
	return fmt.Sprintf("p2p: sync %s from %s: %v", e.Method, e.Peer, e.Err)
}

// Unwrap is the cause, for errors.Is and errors.As.
func (e *SyncError) Unwrap() error { return e.Err }

// What a fetch may take, beside the caller's context. Within an epoch's entry a peer may
// have us wait as long again for each piece.
const (
	fetchTimeout = requestDeadline + responseDeadline
	leastWait    = 50 * time.Millisecond
)

// SyncPeers are the connected peers to ask, the best first: not asked to wait, few
// recent failures, configured, near.
func (n *Node) SyncPeers() []peer.ID {
	return n.standings.best(n.members(), n.dials.has, n.now())
}

// FetchHeads asks for the last certified epoch of each chain. Chains that are not in
// the manifest are left out. A head is a hint: nothing in it is verified.
func (n *Node) FetchHeads(ctx context.Context, from peer.ID) ([]Head, error) {
	heads, err := fetch(ctx, n, from, request{method: methodHeads}, decodeHeads)
	if err != nil {
		return nil, err
	}
	known := heads[:0]
	for _, h := range heads {
		if n.knows(h.Chain) {
			known = append(known, h)
		}
	}
	return known, nil
}

// FetchCertificates asks for the certificates of epochs first, first+1, … of a chain,
// at most limit (1 to [MaxPage]). Fewer, or none, is all that the peer has or what
// fits. The chain and the sequence of epochs have been checked, nothing else.
func (n *Node) FetchCertificates(ctx context.Context, from peer.ID, chain string, first uint64, limit int) ([]*attest.Certificate, error) {
	r := request{method: methodCertificates, chain: chain, from: first, limit: clampLimit(limit, MaxPage)}
	return fetch(ctx, n, from, r, decodeCertificates)
}

// FetchEpochs asks for the journal entries of epochs first, first+1, … of a chain, at
// most limit (1 to [MaxPage]) and about [MaxPageBytes]; a single entry may be larger
// and is fetched in pieces. Entries are opaque and unverified.
func (n *Node) FetchEpochs(ctx context.Context, from peer.ID, chain string, first uint64, limit int) ([][]byte, error) {
	r := request{method: methodEpochs, chain: chain, from: first, limit: clampLimit(limit, MaxPage)}
	pieces, err := fetch(ctx, n, from, r, decodePieces)
	if err != nil {
		return nil, err
	}
	entries := make([][]byte, len(pieces))
	for i, p := range pieces {
		entries[i] = p.data
	}
	if len(pieces) == 1 && len(pieces[0].data) < int(pieces[0].size) {
		entries[0], err = n.fetchRest(ctx, from, r, pieces[0])
	}
	return entries, err
}

// fetchRest completes an entry of which p is the first piece. A large one is more than a peer
// gives at once: whoever began anew when he is asked to wait would never get it.
func (n *Node) fetchRest(ctx context.Context, from peer.ID, r request, p piece) ([]byte, error) {
	entry := append([]byte(nil), p.data...)
	for len(entry) < int(p.size) {
		r.offset, r.limit = uint32(len(entry)), 1
		next, err := n.fetchPiece(ctx, from, r, p.size)
		for waited := time.Duration(0); errors.Is(err, ErrBusy) && waited < fetchTimeout; {
			var busy *SyncError
			errors.As(err, &busy)
			wait := max(busy.Wait, leastWait)
			if waited += wait; !n.waits(ctx, wait) {
				return nil, err
			}
			next, err = n.fetchPiece(ctx, from, r, p.size)
		}
		if err != nil {
			return nil, err
		}
		entry = append(entry, next.data...)
	}
	return entry, nil
}

// fetchPiece brings one further piece of an entry of a size.
func (n *Node) fetchPiece(ctx context.Context, from peer.ID, r request, size uint32) (piece, error) {
	return fetch(ctx, n, from, r, func(r request, items [][]byte) (piece, error) {
		pieces, err := decodePieces(r, items)
		switch {
		case err != nil:
			return piece{}, err
		case len(pieces) != 1 || pieces[0].size != size:
			return piece{}, fmt.Errorf("epoch %d ends or changes within its entry", r.from)
		}
		return pieces[0], nil
	})
}

// waits says whether the time has passed before the context or the node ended.
func (n *Node) waits(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
	return false
}

// FetchFaults asks for the fault proofs that this peer learned after a position, at
// most limit (1 to [MaxPage]). Start at 0 and go on from the position of the last.
func (n *Node) FetchFaults(ctx context.Context, from peer.ID, after uint64, limit int) ([]FaultRecord, error) {
	r := request{method: methodFaults, from: after, limit: clampLimit(limit, MaxPage)}
	return fetch(ctx, n, from, r, decodeFaults)
}

// FetchVotes asks for what the peer knows of an epoch that has no certificate yet.
func (n *Node) FetchVotes(ctx context.Context, from peer.ID, chain string, epoch uint64) (Votes, error) {
	r := request{method: methodVotes, chain: chain, from: epoch, limit: MaxVotesPage}
	return fetch(ctx, n, from, r, decodeVotes)
}

func clampLimit(limit, most int) uint16 { return uint16(min(max(limit, 1), most, math.MaxUint16)) }

// fetch sends one request and decodes the items of its response. All errors are
// *SyncError, and the peer's standing follows from them.
func fetch[T any](ctx context.Context, n *Node, from peer.ID, r request, decode func(request, [][]byte) (T, error)) (T, error) {
	var zero T
	fail := func(outcome string, wait time.Duration, err error) (T, error) {
		n.metrics.requests.WithLabelValues("client", r.method.String(), outcome).Inc()
		return zero, &SyncError{Peer: from, Method: r.method.String(), Wait: wait, Err: err}
	}
	if err := r.check(); err != nil {
		return fail("bad_request", 0, err)
	}
	if !n.enter() {
		return fail("closed", 0, ErrClosed)
	}
	defer n.leave()

	begin := n.now()
	answer, err := n.exchange(ctx, from, r)
	now := n.now()
	if err != nil && !errors.Is(err, errFrame) {
		if ctx.Err() == nil { // else it was us who gave up
			n.standings.update(from, now, func(st *standing) { st.failures.add(now, failureHalfLife, 1) })
		}
		return fail("broken", 0, err)
	}
	var out T
	if err == nil && answer.status == statusOK {
		var items [][]byte
		if items, err = decodePage(r, answer.payload); err == nil {
			out, err = decode(r, items)
		}
	}
	if err != nil {
		n.standings.update(from, now, func(st *standing) { st.offences.add(now, offenceHalfLife, 1) })
		n.log.Warn("peer sent a bad sync response", "peer", from, "method", r.method, "err", err)
		return fail("bad_response", 0, fmt.Errorf("%w: %w", ErrBadResponse, err))
	}
	switch answer.status {
	case statusOK:
		n.metrics.requests.WithLabelValues("client", r.method.String(), "ok").Inc()
		n.metrics.bytes.WithLabelValues("client", r.method.String()).Add(float64(len(answer.payload)))
		n.standings.answered(from, now, now.Sub(begin))
		return out, nil
	case statusBusy:
		wait := time.Duration(binary.LittleEndian.Uint32(answer.payload)) * time.Millisecond
		wait = min(wait, time.Minute) // whatever it says
		n.standings.update(from, now, func(st *standing) { st.busyUntil = now.Add(wait) })
		return fail("busy", wait, ErrBusy)
	case statusUnavailable:
		return fail("unavailable", 0, ErrUnavailable)
	default:
		n.standings.update(from, now, func(st *standing) { st.failures.add(now, failureHalfLife, 1) })
		return fail("failed", 0, ErrPeerFailed)
	}
}

// exchange opens a stream to a connected peer, writes the request and reads the
// response. It ends with the context, the node, or the time limit.
func (n *Node) exchange(ctx context.Context, to peer.ID, r request) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()

	stream, err := n.host.NewStream(network.WithNoDial(ctx, "sync"), to, SyncProtocol(n.cfg.Network))
	if err != nil {
		return response{}, err
	}
	defer context.AfterFunc(ctx, func() { _ = stream.Reset() })()
	answer, err := n.converse(stream, r)
	if err != nil {
		_ = stream.Reset()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return response{}, err
	}
	_ = stream.Close() // both sides are done; nothing depends on it
	return answer, nil
}

func (n *Node) converse(stream network.Stream, r request) (response, error) {
	if err := stream.SetDeadline(n.now().Add(fetchTimeout)); err != nil {
		return response{}, err
	}
	if err := writeRequest(stream, r); err != nil {
		return response{}, err
	}
	// A server that answered already has stopped reading; then this fails, and the
	// response tells.
	_ = stream.CloseWrite()
	return readResponse(stream, r)
}
