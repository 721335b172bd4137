package p2p_test

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
)

func identity(t *testing.T) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(t, err)
	return key
}

func loopback(t *testing.T, config p2p.Config) *member {
	t.Helper()
	m := &member{recorder: newRecorder(), library: &library{}, t: t, registry: prometheus.NewRegistry()}
	config.Chains, config.PrivateKey, config.Metrics = chains, identity(t), m.registry
	m.config = config
	n, err := p2p.New(t.Context(), config, m.recorder, m.library)
	must(t, err)
	m.Node = n
	t.Cleanup(func() { must(t, n.Close()) })
	must(t, n.Start())
	return m
}

// over is the addresses of a node that use one transport.
func over(n *member, transport string) []string {
	var out []string
	for _, addr := range n.Addrs() {
		if strings.Contains(addr, transport) {
			out = append(out, addr)
		}
	}
	return out
}

func TestGossipAndSyncOverTCPAndQUIC(t *testing.T) {
	// Each is dialled by the hub, and listens in one way only: identify tells the hub of no
	// other, and they themselves dial nobody.
	byTCP := loopback(t, p2p.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	byQUIC := loopback(t, p2p.Config{Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1"}})
	hub := loopback(t, p2p.Config{Peers: slices.Concat(over(byTCP, "/tcp/"), over(byQUIC, "/quic-v1"))})
	byQUIC.certificates = []*attest.Certificate{certificate("chain-a", 1)}

	// What is published before the hub has both in its mesh may never be passed on.
	hub.await("both peers listen on every topic", func() bool { return len(hub.Peers()) == 2 && hub.heard(2) })
	byTCP.await("the hub listens to TCP", func() bool { return byTCP.heard(1) })
	byQUIC.await("the hub listens to QUIC", func() bool { return byQUIC.heard(1) })
	for _, p := range hub.Peers() {
		if tcp := strings.Contains(p.Addr, "/tcp/"); tcp != (p.ID == byTCP.ID()) {
			t.Errorf("%s is connected over %s", p.ID, p.Addr)
		}
	}
	must(t, byTCP.PublishVote(t.Context(), vote("chain-a", 1, 1)))
	must(t, byQUIC.PublishFault(t.Context(), fault(1)))
	await(t, "gossip", func() bool { return hub.count() == 2 && byTCP.count() == 1 && byQUIC.count() == 1 })
	page, err := hub.FetchCertificates(t.Context(), byQUIC.ID(), "chain-a", 1, 1)
	must(t, err)
	if len(page) != 1 {
		t.Errorf("%d certificates", len(page))
	}
}

func TestAPortInUseIsOneClearLine(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	defer udp.Close()
	_, tcpPort, err := net.SplitHostPort(taken.Addr().String())
	must(t, err)
	_, udpPort, err := net.SplitHostPort(udp.LocalAddr().String())
	must(t, err)
	other := loopback(t, p2p.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	ours := strings.Split(other.Addrs()[0], "/p2p/")[0]

	for _, addr := range []string{"/ip4/127.0.0.1/tcp/" + tcpPort, "/ip4/127.0.0.1/udp/" + udpPort + "/quic-v1", ours} {
		// That another address works is no excuse.
		config := p2p.Config{Chains: chains, PrivateKey: identity(t), Listen: []string{"/ip4/127.0.0.1/tcp/0", addr}}
		n, err := p2p.New(t.Context(), config, newRecorder(), &library{})
		must(t, err)
		err = n.Start()
		if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "in use") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", addr, err)
		}
		must(t, n.Close())
	}
}

func TestConfigErrorsAreOneClearLine(t *testing.T) {
	good := p2p.Config{Chains: chains, PrivateKey: identity(t)}
	for name, c := range map[string]struct {
		change func(*p2p.Config)
		want   string
	}{
		"no chains":        {func(c *p2p.Config) { c.Chains = nil }, "no chains"},
		"bad chain":        {func(c *p2p.Config) { c.Chains = []string{"a/b"} }, "a/b"},
		"chain twice":      {func(c *p2p.Config) { c.Chains = []string{"a", "a"} }, "twice"},
		"no key":           {func(c *p2p.Config) { c.PrivateKey = nil }, "LoadOrCreateIdentity"},
		"bad listen":       {func(c *p2p.Config) { c.Listen = []string{"127.0.0.1:9100"} }, "127.0.0.1:9100"},
		"bad peer":         {func(c *p2p.Config) { c.Peers = []string{"example.org:1"} }, "example.org:1"},
		"peer without id":  {func(c *p2p.Config) { c.Peers = []string{"/ip4/1.2.3.4/tcp/1"} }, "/ip4/1.2.3.4/tcp/1"},
		"peer without way": {func(c *p2p.Config) { c.Peers = []string{"/p2p/12D3KooWGzBkRTTtr6ZTV2GkjCPCkcR4QnNeWYcTRzKTZcYqVtQG"} }, "no address"},
	} {
		config := good
		c.change(&config)
		n, err := p2p.New(t.Context(), config, newRecorder(), &library{})
		if err == nil {
			t.Errorf("%s: accepted", name)
			must(t, n.Close())
			continue
		}
		if !strings.HasPrefix(err.Error(), "p2p: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIdentityIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity")
	first, err := p2p.LoadOrCreateIdentity(path)
	must(t, err)
	again, err := p2p.LoadOrCreateIdentity(path)
	must(t, err)
	if !first.Equals(again) {
		t.Error("another key the second time")
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	raw, err := crypto.MarshalPrivateKey(first)
	must(t, err)
	for i := range raw { // any byte of it
		raw[i] ^= 1
		must(t, os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(raw)), 0o600))
		if _, err := p2p.LoadOrCreateIdentity(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("an identity with another byte %d: %v", i, err)
		}
		raw[i] ^= 1
	}
	must(t, os.WriteFile(path, []byte("nonsense"), 0o600))
	if _, err := p2p.LoadOrCreateIdentity(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged identity: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "nonsense" {
		t.Error("the damaged file was touched")
	}
	if _, err := p2p.LoadOrCreateIdentity(filepath.Join(path, "x")); err == nil {
		t.Error("an impossible path gave an identity")
	}
}

func TestTwoIdentityMakersAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity")
	keys := make(chan crypto.PrivKey, 8)
	for range cap(keys) {
		go func() {
			key, err := p2p.LoadOrCreateIdentity(path)
			if err != nil {
				t.Error(err)
			}
			keys <- key
		}()
	}
	first := <-keys
	for range cap(keys) - 1 {
		if key := <-keys; first == nil || key == nil || !first.Equals(key) {
			t.Error("two processes have two keys")
		}
	}
}
