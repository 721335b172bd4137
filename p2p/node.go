package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
)

// ErrClosed is returned by everything that is asked of a closed [Node].
var ErrClosed = errors.New("p2p: the node is closed")

// errStranger is the last error of a peer that speaks no protocol of this network.
var errStranger = errors.New("the peer is not of this network: compare the manifests")

// Node is one member of the network: a libp2p host with gossip and sync. All methods
// are safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	handler Handler
	source  Source
	where   endpoints

	host      host.Host
	gossip    *pubsub.PubSub
	channels  []*channel
	topics    map[*channel]*pubsub.Topic
	parking   *parking
	standings *standings
	dials     *dialBook
	mesh      *mesh
	serving   *serving
	metrics   *metrics

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	gate   sync.Mutex // guards closed and additions to tasks
	closed bool
	tasks  sync.WaitGroup
}

// New builds a node that neither listens nor dials yet, see [Node.Start]. The node
// lives until Close; when ctx ends everything it does winds down too, but Close is
// still needed. Errors are one line that says what to change.
func New(ctx context.Context, cfg Config, handler Handler, source Source) (*Node, error) {
	where, err := cfg.check()
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, handler: handler, source: source, where: where,
		log:       slog.New(slog.DiscardHandler),
		channels:  channelsOf(cfg.Network, cfg.Chains),
		topics:    make(map[*channel]*pubsub.Topic),
		parking:   newParking(defaultParking),
		standings: newStandings(),
		dials:     newDialBook(where.peers),
		serving:   newServing(),
	}
	if cfg.Logger != nil {
		n.log = cfg.Logger
	}
	n.mesh = newMesh(n.channels)
	n.ctx, n.cancel = context.WithCancel(ctx)
	n.metrics = newMetrics(
		func() float64 { return float64(len(n.members())) },
		func() float64 { return float64(n.parking.len()) },
		n.mesh.size, n.channels)
	err = n.build()
	if err == nil {
		err = n.metrics.register(cfg.Metrics)
	}
	if err != nil {
		_ = n.Close() // the first error is the one to tell
		return nil, err
	}
	return n, nil
}

// build makes the host and joins the topics. Everything that peers can reach is in
// place before the first connection, so that identify tells it all at once.
func (n *Node) build() error {
	options := []libp2p.Option{
		libp2p.Identity(n.cfg.PrivateKey),
		libp2p.UserAgent("meshsec/1"),
		libp2p.NoListenAddrs,
		// With reuseport two processes could share a port, and split its peers.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Transport(quic.NewTransport),
		libp2p.DisableMetrics(), // libp2p's are global; ours are in metrics.go
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(), // our peers are configured, not discovered
		// These give up on UDP or IPv6 after many failed dials: a partition is no reason.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}
	h, err := libp2p.New(append(options, n.cfg.ExtraOptions...)...)
	if err != nil {
		return fmt.Errorf("p2p: make the libp2p host: %w", err)
	}
	n.host = h
	h.SetStreamHandler(SyncProtocol(n.cfg.Network), n.serve)
	for _, info := range n.where.peers {
		h.ConnManager().Protect(info.ID, "meshsec")
	}
	return n.joinTopics()
}

// Start listens and begins to dial the configured peers. Call it once.
func (n *Node) Start() error {
	if err := n.watchPeers(); err != nil {
		return fmt.Errorf("p2p: watch the peers: %w", err)
	}
	for _, addr := range n.where.listen {
		if err := n.listen(addr); err != nil {
			return err
		}
	}
	for _, info := range n.where.peers {
		n.spawn(func() { n.keepDialling(info) })
	}
	n.log.Info("p2p started", "peer", n.ID(), "listen", n.Addrs(), "peers", len(n.where.peers))
	return nil
}

// listen takes one address at a time: libp2p is content when one of several works.
func (n *Node) listen(addr multiaddr.Multiaddr) error {
	var err error
	if s, ok := n.host.Network().(interface {
		AddListenAddr(multiaddr.Multiaddr) error
	}); ok {
		err = s.AddListenAddr(addr)
	} else {
		err = n.host.Network().Listen(addr)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("p2p: listen on %s: the port is in use: stop the other process or choose another port", addr)
	default:
		return fmt.Errorf("p2p: listen on %s: %w", addr, err)
	}
}

// Close ends everything and waits for it: no method of the Handler or the Source is
// running or called afterwards. What is parked is lost. Close may be called again.
func (n *Node) Close() error {
	n.gate.Lock()
	if n.closed {
		n.gate.Unlock()
		n.tasks.Wait()
		return nil
	}
	n.closed = true
	n.gate.Unlock()

	n.cancel()
	n.parking.close()
	var err error
	if n.host != nil {
		err = n.host.Close()
	}
	n.tasks.Wait()
	n.metrics.unregister()
	if err != nil {
		return fmt.Errorf("p2p: close: %w", err)
	}
	return nil
}

// enter marks the beginning of something that Close waits for; leave its end. It is
// false when the node is closed.
func (n *Node) enter() bool {
	n.gate.Lock()
	defer n.gate.Unlock()
	if n.closed {
		return false
	}
	n.tasks.Add(1)
	return true
}

func (n *Node) leave() { n.tasks.Done() }

// spawn runs f in a goroutine that Close waits for.
func (n *Node) spawn(f func()) {
	if !n.enter() {
		return
	}
	go func() {
		defer n.leave()
		f()
	}()
}

// now is the one place where this package looks at the clock.
func (n *Node) now() time.Time { return time.Now() }

// ID is the node's peer id.
func (n *Node) ID() peer.ID { return n.where.self }

// Addrs are the addresses that other nodes can put into their [Config.Peers].
func (n *Node) Addrs() []string {
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: n.ID(), Addrs: n.host.Addrs()})
	if err != nil {
		return nil // only when the id is invalid; ours comes from the key
	}
	out := make([]string, len(addrs))
	for i, addr := range addrs {
		out[i] = addr.String()
	}
	return out
}

// Peer is one connected peer of this network.
type Peer struct {
	ID         peer.ID
	Addr       string // where it is connected to or from
	Configured bool   // it is one of Config.Peers
	Score      float64
	Rejected   uint64 // messages with verdict Reject that it delivered, ever
}

// Peers are the connected peers that speak this network's protocols, by id.
func (n *Node) Peers() []Peer {
	var out []Peer
	for _, id := range n.members() {
		st := n.standings.get(id)
		p := Peer{ID: id, Configured: n.dials.has(id), Score: st.score, Rejected: st.rejected}
		if conns := n.host.Network().ConnsToPeer(id); len(conns) > 0 {
			p.Addr = conns[0].RemoteMultiaddr().String()
		}
		out = append(out, p)
	}
	return out
}

// members are the ids of connected peers that speak this network's sync protocol.
func (n *Node) members() []peer.ID {
	var out []peer.ID
	for _, id := range n.host.Network().Peers() {
		if n.connected(id) && n.speaks(id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// speaks says whether a peer told that it speaks this network's sync protocol.
func (n *Node) speaks(id peer.ID) bool {
	spoken, err := n.host.Peerstore().SupportsProtocols(id, SyncProtocol(n.cfg.Network))
	return err == nil && len(spoken) > 0
}
