package p2p

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
)

// What one peer may take, and all of them together.
const (
	requestRate    = 20 // a second
	requestBurst   = 100
	byteRate       = 8 << 20 // a second
	byteBurst      = 64 << 20
	streamsPerPeer = 4
	streamsTotal   = 32

	requestDeadline  = 5 * time.Second  // to send us a request
	responseDeadline = 30 * time.Second // to make a response and have it taken: 4 MiB at 140 kB/s
)

// serving limits the sync server. Safe for concurrent use.
type serving struct {
	mu      sync.Mutex
	streams map[peer.ID]int
	total   int
	buckets map[peer.ID]*allowance
}

// allowance of one peer; it outlives its connections.
type allowance struct{ requests, bytes bucket }

func newServing() *serving {
	return &serving{streams: make(map[peer.ID]int), buckets: make(map[peer.ID]*allowance)}
}

// begin takes a stream and a request from the peer's allowance; when it returns
// zero, end must follow. Otherwise it is how long the peer should wait.
func (s *serving) begin(id peer.ID, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[id] >= streamsPerPeer || s.total >= streamsTotal {
		return time.Second
	}
	a := s.allowance(id, now)
	if wait := max(a.requests.wait(now, 1), a.bytes.wait(now, 1)); wait > 0 {
		return wait
	}
	a.requests.take(now, 1)
	s.streams[id]++
	s.total++
	return 0
}

// end gives the stream back and takes what was sent from the allowance, which may
// go below zero.
func (s *serving) end(id peer.ID, now time.Time, sent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[id]--; s.streams[id] == 0 {
		delete(s.streams, id)
	}
	s.total--
	s.allowance(id, now).bytes.take(now, float64(sent))
}

func (s *serving) allowance(id peer.ID, now time.Time) *allowance {
	if a := s.buckets[id]; a != nil {
		return a
	}
	if len(s.buckets) >= maxStandings {
		for id, a := range s.buckets { // who has a full bucket again needs none
			if a.requests.full(now) && a.bytes.full(now) {
				delete(s.buckets, id)
			}
		}
	}
	a := &allowance{newBucket(now, requestRate, requestBurst), newBucket(now, byteRate, byteBurst)}
	s.buckets[id] = a
	return a
}

// serve answers one request on one stream.
func (n *Node) serve(stream network.Stream) {
	if !n.enter() {
		_ = stream.Reset()
		return
	}
	defer n.leave()
	id := stream.Conn().RemotePeer()
	// A stream whose deadlines cannot be set is broken; its reads say so.
	_ = stream.SetReadDeadline(n.now().Add(requestDeadline))
	if wait := n.serving.begin(id, n.now()); wait > 0 {
		n.metrics.requests.WithLabelValues("server", "any", "busy").Inc()
		_ = stream.SetWriteDeadline(n.now().Add(requestDeadline))
		n.finish(stream, id, busy(wait))
		return
	}
	sent := 0
	defer func() { n.serving.end(id, n.now(), sent) }()

	r, err := readRequest(stream)
	if errors.Is(err, errFrame) {
		n.standings.reject(id, n.now(), false)
		n.log.Debug("bad sync request", "peer", id, "err", err)
		n.metrics.requests.WithLabelValues("server", "any", "bad_request").Inc()
		_ = stream.SetWriteDeadline(n.now().Add(requestDeadline))
		n.finish(stream, id, response{status: statusBadRequest})
		return
	}
	if err != nil {
		n.metrics.requests.WithLabelValues("server", "any", "broken").Inc()
		_ = stream.Reset()
		return
	}
	_ = stream.SetWriteDeadline(n.now().Add(responseDeadline))
	ctx, cancel := context.WithTimeout(n.ctx, responseDeadline)
	defer cancel()
	answer, outcome := n.answer(ctx, id, r)
	sent = len(answer.payload) // asked for is taken, whether it arrives or not
	if !n.finish(stream, id, answer) {
		outcome = "broken"
	}
	n.metrics.requests.WithLabelValues("server", r.method.String(), outcome).Inc()
	n.metrics.bytes.WithLabelValues("server", r.method.String()).Add(float64(sent))
}

// finish writes the response and closes the stream.
func (n *Node) finish(stream network.Stream, id peer.ID, r response) bool {
	stop := context.AfterFunc(n.ctx, func() { _ = stream.Reset() })
	defer stop()
	if err := writeResponse(stream, r); err != nil {
		n.log.Debug("sync response not taken", "peer", id, "err", err)
		_ = stream.Reset()
		return false
	}
	return stream.Close() == nil
}

// answer asks the Source, behind a recover.
func (n *Node) answer(ctx context.Context, id peer.ID, r request) (out response, outcome string) {
	defer func() {
		if p := recover(); p != nil {
			n.log.Error("source panicked", "method", r.method, "peer", id, "panic", p, "stack", string(debug.Stack()))
			out, outcome = response{status: statusInternal}, "panic"
		}
	}()
	if methods[r.method].chain && !n.knows(r.chain) {
		return response{status: statusUnavailable}, "unavailable"
	}
	p, err := n.collect(ctx, r)
	switch {
	case errors.Is(err, ErrUnavailable):
		return response{status: statusUnavailable}, "unavailable"
	case err != nil:
		n.log.Warn("cannot serve sync", "method", r.method, "chain", r.chain, "from", r.from, "peer", id, "err", err)
		return response{status: statusInternal}, "error"
	}
	if len(p.items) > r.maxCount() {
		n.log.Error("the source gave too much", "method", r.method, "items", len(p.items), "limit", r.maxCount())
		return response{status: statusInternal}, "error"
	}
	return response{statusOK, p.encode()}, "ok"
}

// collect makes the page that answers r.
func (n *Node) collect(ctx context.Context, r request) (*page, error) {
	p := new(page)
	limit := int(r.limit)
	switch r.method {
	case methodHeads:
		heads, err := n.source.Heads(ctx)
		for _, h := range heads {
			p.add(encodeHead(h))
		}
		return p, err
	case methodCertificates:
		list, err := n.source.Certificates(ctx, r.chain, r.from, limit)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			item, err := attest.EncodeCertificate(c)
			if err != nil {
				return nil, err
			}
			if !p.add(item) {
				break
			}
		}
		return p, nil
	case methodEpochs:
		return n.collectEpochs(ctx, r)
	case methodFaults:
		list, err := n.source.Faults(ctx, r.from, limit)
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			item, err := encodeFault(f)
			if err != nil {
				return nil, err
			}
			if !p.add(item) {
				break
			}
		}
		return p, nil
	default:
		own, cross, err := n.source.Votes(ctx, r.chain, r.from, limit)
		if err != nil {
			return nil, err
		}
		messages := make([]Message, 0, len(own)+len(cross))
		for _, v := range own {
			messages = append(messages, Message{Vote: v})
		}
		for _, v := range cross {
			messages = append(messages, Message{Cross: v})
		}
		for _, m := range messages {
			_, item, err := m.encode()
			if err != nil {
				return nil, err
			}
			if !p.add(item) {
				break
			}
		}
		return p, nil
	}
}

// collectEpochs packs whole entries, or one piece of the first.
func (n *Node) collectEpochs(ctx context.Context, r request) (*page, error) {
	limit := int(r.limit)
	if r.offset > 0 {
		limit = 1
	}
	entries, err := n.source.Epochs(ctx, r.chain, r.from, limit, MaxPageBytes)
	if err != nil {
		return nil, err
	}
	p := new(page)
	for i, entry := range entries {
		epoch := r.from + uint64(i)
		if len(entry) == 0 || len(entry) > MaxEpochBytes {
			return nil, fmt.Errorf("journal entry of epoch %d has %d bytes, at most %d", epoch, len(entry), MaxEpochBytes)
		}
		size := uint32(len(entry))
		if r.offset >= size {
			return nil, fmt.Errorf("%w: offset %d of epoch %d with %d bytes", ErrUnavailable, r.offset, epoch, size)
		}
		entry = entry[r.offset:]
		if i == 0 && len(entry) > MaxPageBytes {
			p.add(piece{epoch, size, entry[:MaxPageBytes]}.encode())
			return p, nil
		}
		if !p.add(piece{epoch, size, entry}.encode()) {
			return p, nil
		}
	}
	return p, nil
}
