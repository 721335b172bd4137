package p2p

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshsec/meshsec/attest"
)

// Config is what a [Node] needs to know.
type Config struct {
	// Network is the network id: SHA-256 of the canonical manifest.
	Network [32]byte
	// Chains are the ids of all chains of the manifest.
	Chains []string
	// PrivateKey is the node's identity, see [LoadOrCreateIdentity].
	PrivateKey crypto.PrivKey
	// Listen are multiaddrs such as /ip4/0.0.0.0/tcp/9100 and
	// /ip4/0.0.0.0/udp/9100/quic-v1. Without any the node only dials.
	Listen []string
	// Peers are multiaddrs that end in /p2p/<peer id>; several of one peer are
	// tried together. They are dialled again for ever. Our own id is skipped, so
	// that all nodes can share one list.
	Peers []string
	// Expect is the traffic of an honest network, from which scores are derived.
	Expect Expect
	// Logger may be nil: nothing is logged.
	Logger *slog.Logger
	// Metrics may be nil: nothing is counted. Two nodes in one process need two
	// registerers, or one that adds a label to each.
	Metrics prometheus.Registerer
	// ExtraOptions are appended to the host's own, for tests in virtual time.
	ExtraOptions []libp2p.Option
}

// Expect is what an honest network sends. The zero value is 100 validators for each
// chain and epochs of one minute. It need not be exact: scores only reward what
// arrives, they never punish silence.
type Expect struct {
	Validators int           // of one chain
	Epoch      time.Duration // how long one epoch takes
}

func (e Expect) orDefault() Expect {
	if e.Validators <= 0 {
		e.Validators = 100
	}
	if e.Epoch <= 0 {
		e.Epoch = time.Minute
	}
	return e
}

// endpoints is a checked configuration of addresses.
type endpoints struct {
	self   peer.ID
	listen []multiaddr.Multiaddr
	peers  []peer.AddrInfo
}

// check validates the configuration. Each error is one line that says what to change.
func (c *Config) check() (endpoints, error) {
	var e endpoints
	if len(c.Chains) == 0 {
		return e, errors.New("p2p: no chains: the manifest must name at least one")
	}
	seen := make(map[string]bool)
	for _, chain := range c.Chains {
		if err := attest.CheckChainID(chain); err != nil {
			return e, fmt.Errorf("p2p: chain %q: %w", chain, err)
		}
		if seen[chain] {
			return e, fmt.Errorf("p2p: chain %q is listed twice", chain)
		}
		seen[chain] = true
	}
	if c.PrivateKey == nil {
		return e, errors.New("p2p: no private key: load one with LoadOrCreateIdentity")
	}
	var err error
	if e.self, err = peer.IDFromPrivateKey(c.PrivateKey); err != nil {
		return e, fmt.Errorf("p2p: the identity's private key is not usable: %w", err)
	}
	for _, s := range c.Listen {
		addr, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return e, fmt.Errorf("p2p: listen address %q is not a multiaddr such as /ip4/0.0.0.0/tcp/9100: %w", s, err)
		}
		e.listen = append(e.listen, addr)
	}
	var addrs []multiaddr.Multiaddr
	for _, s := range c.Peers {
		addr, err := multiaddr.NewMultiaddr(s)
		if err == nil {
			_, err = peer.AddrInfoFromP2pAddr(addr)
		}
		if err != nil {
			return e, fmt.Errorf("p2p: peer %q is not a multiaddr with a peer id such as /ip4/192.0.2.1/tcp/9100/p2p/12D3Koo…: %w", s, err)
		}
		addrs = append(addrs, addr)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(addrs...)
	if err != nil {
		return e, fmt.Errorf("p2p: peers: %w", err)
	}
	for _, info := range infos {
		switch {
		case info.ID == e.self:
		case len(info.Addrs) == 0:
			return e, fmt.Errorf("p2p: peer %s has an id but no address: write it as /ip4/192.0.2.1/tcp/9100/p2p/%s", info.ID, info.ID)
		default:
			e.peers = append(e.peers, info)
		}
	}
	return e, nil
}
