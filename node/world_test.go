package node_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// bubble runs a test in virtual time. The race detector does not stand timers that
// fire on several threads at once in a bubble (golang/go#78156).
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if raceEnabled {
		before := runtime.GOMAXPROCS(1)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
	synctest.Test(t, f)
}

// world is a network of whole nodes over simulated chains and a simulated internet.
type world struct {
	t       *testing.T
	net     *simnet.Simnet
	network *ledgertest.Network
	chains  map[string]*simChain
	members []*member

	mu   sync.Mutex
	side map[string]int // of a partition, by IP
}

func newWorld(t *testing.T, chains, validators int, change func(*ledger.Manifest)) *world {
	t.Helper()
	w := &world{t: t, network: ledgertest.New(chains, validators, change), chains: make(map[string]*simChain), side: make(map[string]int)}
	w.net = &simnet.Simnet{LatencyFunc: w.latency, Logger: slog.New(slog.DiscardHandler)}
	w.net.Start()
	t.Cleanup(w.net.Close)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for _, c := range w.network.Chains {
		sim := newSimChain(c.ID, w.network)
		w.chains[c.ID] = sim
		running.Go(func() { sim.run(ctx) })
		for i, v := range c.Validators {
			w.members = append(w.members, &member{
				world: w, name: fmt.Sprintf("%s-%d", c.ID, i), chain: c.ID, validator: v, index: len(w.members),
			})
		}
	}
	return w
}

func (w *world) latency(p *simnet.Packet) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	from, to := p.From.(*net.UDPAddr).IP.String(), p.To.(*net.UDPAddr).IP.String()
	if w.side[from] != w.side[to] {
		return 1000 * time.Hour
	}
	return 10 * time.Millisecond
}

// isolate cuts members off from all others, and not from each other.
func (w *world) isolate(members ...*member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range members {
		w.side[m.ip()] = 1
	}
}

func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.side)
}

// of are the members of a chain.
func (w *world) of(chain string) (out []*member) {
	for _, m := range w.members {
		if m.chain == chain {
			out = append(out, m)
		}
	}
	return out
}

// start starts members, by default all.
func (w *world) start(members ...*member) {
	w.t.Helper()
	if len(members) == 0 {
		members = w.members
	}
	for _, m := range members {
		m.start()
	}
}

// await looks once in 100 ms of virtual time until the condition holds, for two
// minutes of it.
func (w *world) await(what string, condition func() bool) {
	w.t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for range 1200 {
		if condition() {
			return
		}
		<-look.C
	}
	for _, m := range w.members {
		if m.node != nil {
			s := m.status()
			w.t.Logf("%s: ready %v %q, home %d, peers %d, ledgers %v, diverged %q", m.name, s.Ready, s.Reason, s.Home.Height, s.Peers, summaries(s), s.Diverged)
		}
	}
	w.t.Fatalf("never happened: %s", what)
}

func summaries(s api.Status) map[string]string {
	out := make(map[string]string)
	for id, l := range s.Ledgers {
		out[id] = fmt.Sprintf("%d/%d", l.Epoch, l.Executed)
	}
	return out
}

// everywhere says whether a condition holds on all running members.
func (w *world) everywhere(condition func(m *member) bool) func() bool {
	return func() bool {
		for _, m := range w.members {
			if m.node != nil && !condition(m) {
				return false
			}
		}
		return true
	}
}

// certified says whether a member has certificates of every chain up to an epoch.
func certified(epoch uint64) func(m *member) bool {
	return func(m *member) bool {
		for _, l := range m.status().Ledgers {
			if l.Epoch < epoch {
				return false
			}
		}
		return true
	}
}

// member is one node of the world, running or not.
type member struct {
	world     *world
	name      string
	chain     string
	validator *ledgertest.Validator
	index     int
	folder    string // on disk; empty: the store is in memory
	guard     string
	misbehave bool

	node *node.Node
	stop func()
}

func (m *member) ip() string { return simnet.IntToPublicIPv4(m.index).String() }

func (m *member) identity() crypto.PrivKey {
	seed := sha256.Sum256([]byte("identity of " + m.name))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	must(m.world.t, err)
	return key
}

func (m *member) addr() string {
	id, err := peer.IDFromPrivateKey(m.identity())
	must(m.world.t, err)
	return fmt.Sprintf("/ip4/%s/udp/8000/quic-v1/p2p/%s", m.ip(), id)
}

func (m *member) config() node.Config {
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Chain = m.name, m.chain
	cfg.API.Listen = ""
	cfg.Data = m.folder
	cfg.HomeChain.PollInterval = node.Span(200 * time.Millisecond)
	cfg.P2P.Listen = []string{fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", m.ip())}
	cfg.P2P.Peers = nil
	for _, other := range m.world.members {
		cfg.P2P.Peers = append(cfg.P2P.Peers, other.addr())
	}
	return cfg
}

func (m *member) options() node.Options {
	t := m.world.t
	link := simnet.LinkSettings{BitsPerSecond: 50 * simlibp2p.OneMbps}
	o := node.Options{
		Version: "test", Manifest: m.world.network.Manifest, Identity: m.identity(), InMemory: m.folder == "", Misbehave: m.misbehave,
		Chain: func(context.Context) (chain.Chain, error) { return m.world.chains[m.chain].client(m.name), nil },
		Libp2p: []libp2p.Option{
			simlibp2p.QUICSimnet(m.world.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
			libp2p.ResourceManager(&network.NullResourceManager{}),
		},
	}
	if m.validator != nil {
		fresh := m.guard == ""
		if fresh {
			m.guard = filepath.Join(t.TempDir(), "guard")
		}
		signer, err := node.NewLocalSigner(m.validator.Key, m.guard, m.world.network.ID, fresh)
		must(t, err)
		o.Signer = signer
	}
	return o
}

func (m *member) start() {
	t := m.world.t
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("MESHSEC_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", m.name)
	}
	n, err := node.New(context.Background(), m.config(), log, m.options())
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	m.node = n
	var once sync.Once
	m.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			if err := n.Close(); err != nil {
				t.Errorf("%s: close: %v", m.name, err)
			}
			m.node = nil
		})
	}
	t.Cleanup(m.stop)
}

func (m *member) status() api.Status { return m.node.Status() }

// transport answers requests from the node's handler, without a socket: real ones
// do not live in virtual time.
type transport struct{ h http.Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.h.ServeHTTP(w, r)
	return w.Result(), nil
}

// api asks the node as a client would.
func (m *member) api() *api.Client {
	return api.NewClient("http://"+m.name, &http.Client{Transport: transport{m.node.Handler()}})
}

func (m *member) ledger(chain string) api.Ledger {
	m.world.t.Helper()
	l, err := m.api().Ledger(context.Background(), chain)
	must(m.world.t, err)
	return l
}

func (m *member) checkpoint(chain string, epoch uint64) (api.Checkpoint, bool) {
	c, err := m.api().Checkpoint(context.Background(), chain, epoch)
	if errors.Is(err, api.ErrNotFound) {
		return c, false
	}
	must(m.world.t, err)
	return c, true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
