package p2p

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// How configured peers are dialled.
const (
	dialTimeout  = 10 * time.Second
	dialAgainMin = 500 * time.Millisecond
	dialAgainMax = 30 * time.Second
	dialStable   = time.Minute // a connection that lasts so long resets the back-off
)

// Dial is the state of one configured peer.
type Dial struct {
	ID        peer.ID
	Addrs     []string
	Connected bool
	Attempts  int    // since it was last connected
	LastError string // of the last attempt, empty after a success
}

// dialBook keeps the state of the configured peers. Safe for concurrent use.
type dialBook struct {
	mu    sync.Mutex
	dials []*Dial
	lost  map[peer.ID]chan struct{} // capacity 1: the connection ended
}

func newDialBook(peers []peer.AddrInfo) *dialBook {
	b := &dialBook{lost: make(map[peer.ID]chan struct{})}
	for _, info := range peers {
		d := &Dial{ID: info.ID}
		for _, addr := range info.Addrs {
			d.Addrs = append(d.Addrs, addr.String())
		}
		b.dials = append(b.dials, d)
		b.lost[info.ID] = make(chan struct{}, 1)
	}
	return b
}

func (b *dialBook) has(id peer.ID) bool { return b.lost[id] != nil }

func (b *dialBook) note(id peer.ID, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.dials {
		if d.ID != id {
			continue
		}
		if err == nil {
			d.Attempts, d.LastError = 0, ""
		} else {
			d.Attempts, d.LastError = d.Attempts+1, err.Error()
		}
	}
}

func (b *dialBook) disconnected(id peer.ID) {
	if lost := b.lost[id]; lost != nil {
		select {
		case lost <- struct{}{}:
		default:
		}
	}
}

// Dials is the state of the configured peers, in their order.
func (n *Node) Dials() []Dial {
	n.dials.mu.Lock()
	out := make([]Dial, len(n.dials.dials))
	for i, d := range n.dials.dials {
		out[i] = *d
		out[i].Addrs = slices.Clone(d.Addrs)
	}
	n.dials.mu.Unlock()
	for i := range out {
		out[i].Connected = n.connected(out[i].ID)
	}
	return out
}

func (n *Node) connected(id peer.ID) bool {
	return n.host.Network().Connectedness(id) == network.Connected
}

// keepDialling holds a connection to one configured peer until the node closes. The
// delay between attempts doubles and starts over after a connection that lasted.
func (n *Node) keepDialling(info peer.AddrInfo) {
	delay := dialAgainMin
	for n.ctx.Err() == nil {
		since := n.now()
		if err := n.dial(info); err != nil {
			n.log.Debug("dial failed", "peer", info.ID, "err", err, "again", delay)
		} else {
			n.awaitLoss(info.ID)
			if n.now().Sub(since) >= dialStable {
				delay = dialAgainMin
			}
		}
		// Two nodes that lost each other should not dial at the same instant for ever.
		n.pause(delay/2 + rand.N(delay))
		delay = min(2*delay, dialAgainMax)
	}
}

func (n *Node) dial(info peer.AddrInfo) error {
	if n.connected(info.ID) {
		return nil
	}
	// The swarm's own back-off grows to five minutes; ours decides.
	if s, ok := n.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(info.ID)
	}
	ctx, cancel := context.WithTimeout(n.ctx, dialTimeout)
	defer cancel()
	err := n.host.Connect(ctx, info) // identify included
	if err == nil && !n.speaks(info.ID) {
		err = errStranger
	}
	n.dials.note(info.ID, err)
	return err
}

// awaitLoss returns when the peer is not connected, or the node closes.
func (n *Node) awaitLoss(id peer.ID) {
	for n.connected(id) {
		select {
		case <-n.dials.lost[id]:
		case <-n.ctx.Done():
			return
		}
	}
}

// pause waits, or until the node closes.
func (n *Node) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.ctx.Done():
	}
}

// watchPeers notices lost connections, and closes those to strangers.
func (n *Node) watchPeers() error {
	sub, err := n.host.EventBus().Subscribe([]any{
		new(event.EvtPeerConnectednessChanged),
		new(event.EvtPeerIdentificationCompleted),
	}, eventbus.BufSize(256))
	if err != nil {
		return err
	}
	n.spawn(func() {
		defer sub.Close()
		for {
			select {
			case <-n.ctx.Done():
				return
			case e, ok := <-sub.Out():
				if !ok {
					return
				}
				n.peerEvent(e)
			}
		}
	})
	return nil
}

func (n *Node) peerEvent(e any) {
	switch e := e.(type) {
	case event.EvtPeerConnectednessChanged:
		if e.Connectedness != network.Connected {
			n.dials.disconnected(e.Peer)
			n.log.Info("peer left", "peer", e.Peer)
		}
	case event.EvtPeerIdentificationCompleted:
		if slices.Contains(e.Protocols, SyncProtocol(n.cfg.Network)) {
			n.log.Info("peer joined", "peer", e.Peer, "addr", e.Conn.RemoteMultiaddr())
			return
		}
		n.dials.note(e.Peer, errStranger)
		n.log.Warn("peer is not of this network, closing: compare the manifests", "peer", e.Peer, "agent", e.AgentVersion, "configured", n.dials.has(e.Peer))
		n.spawn(func() { _ = n.host.Network().ClosePeer(e.Peer) }) // it is gone either way
	}
}
