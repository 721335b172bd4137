package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// Options are what the command line and tests decide beside the configuration. The
// zero value is a node as the configuration says.
type Options struct {
	Version string // for status
	// NewGuard makes an empty guard: for a key that has never signed.
	NewGuard bool
	// ResetCorrupt sets a damaged store aside, as store.reset_corrupt does.
	ResetCorrupt bool

	Manifest *ledger.Manifest                           // instead of the configured file
	Chain    func(context.Context) (chain.Chain, error) // instead of the configured RPC; retried while chain.ErrUnreachable
	Signer   Signer                                     // instead of keystore and guard; the node closes it
	Identity crypto.PrivKey                             // instead of p2p.key
	Libp2p   []libp2p.Option                            // for hosts in virtual time
	Registry *prometheus.Registry                       // instead of a new one
	Clock    Clock                                      // instead of time.Now
	InMemory bool                                       // nothing is written but the guard
	// Misbehave lets the API tell the node to certify what is wrong. For test networks.
	Misbehave bool
}

// Node is one member of the mesh. Make it with [New], run it once with [Node.Run],
// and close it.
type Node struct {
	cfg        Config
	log        *slog.Logger
	outside    outside
	loop       *loop
	handler    *handler
	mesh       *p2p.Node
	clerk      *clerk
	divergent  *divergence
	prosecutor *prosecutor
	followers  map[string]*follower
	submitter  *submitter
	home       *home
	syncer     *syncer
	view       *view

	api    net.Listener // nil: no API
	closed sync.Once
}

// New opens everything that a node needs, so that what is wrong shows at once, in one
// line that says what to do. It does not run yet. Errors: [ErrConfig];
// store.ErrWrongNetwork, store.ErrCorrupt, store.ErrLocked; guard.ErrMissing,
// guard.ErrLocked and the like; bls.ErrWrongPassword; a port in use.
func New(ctx context.Context, cfg Config, log *slog.Logger, o Options) (n *Node, err error) {
	w, err := open(ctx, cfg, log, o)
	if err != nil {
		return nil, err
	}
	if n, err = wire(ctx, cfg, w, log); err != nil {
		if n != nil {
			return nil, errors.Join(err, n.Close())
		}
		return nil, errors.Join(err, w.close())
	}
	if err := n.listen(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// open opens the store and the keys.
func open(ctx context.Context, cfg Config, log *slog.Logger, o Options) (w outside, err error) {
	w = outside{
		manifest: o.Manifest, signer: o.Signer, dial: o.Chain, identity: o.Identity, libp2p: o.Libp2p,
		registry: o.Registry, clock: o.Clock, version: o.Version, misbehave: o.Misbehave,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.registry == nil {
		w.registry = prometheus.NewRegistry()
	}
	if w.clock == nil {
		w.clock = time.Now
	}
	if w.manifest == nil {
		if w.manifest, err = LoadManifest(cfg.Manifest); err != nil {
			return w, err
		}
	}
	if w.manifest.Chain(cfg.Chain) == nil {
		return w, fmt.Errorf("%w: chain %q is not in the manifest, which has %v", ErrConfig, cfg.Chain, w.manifest.ChainIDs())
	}
	if w.dial == nil {
		w.dial = dialer(cfg)
	}
	if w.identity == nil {
		if w.identity, err = p2p.LoadOrCreateIdentity(cfg.P2P.Key); err != nil {
			return w, err
		}
	}
	if w.account, err = readAccount(cfg.Validator.AccountKey); err != nil {
		return w, err
	}
	if w.signer == nil {
		if w.signer, err = openSigner(cfg.Validator, attest.Network(w.manifest.ID()), o.NewGuard); err != nil {
			return w, err
		}
	}
	if !o.InMemory {
		w.folder = cfg.Data
	}
	w.store, err = openStore(ctx, cfg, w.folder, w.manifest, o, log)
	return w, err
}

// storeFolder is the store's place in the data folder.
const storeFolder = "store"

// StoreFolder is where a node keeps its store.
func StoreFolder(c Config) string { return filepath.Join(c.Data, storeFolder) }

// StoreOptions are how a node opens it.
func StoreOptions(c Config, m *ledger.Manifest, log *slog.Logger) store.Options {
	o := store.Options{Logger: log, KeepVersions: c.Store.KeepVersions}
	if c.Store.Keep == KeepWindows {
		o.Keep = m.Horizon()
	}
	return o
}

func openStore(ctx context.Context, c Config, folder string, m *ledger.Manifest, o Options, log *slog.Logger) (*store.Store, error) {
	home, cfg, options := c.Chain, c.Store, StoreOptions(c, m, log)
	options.InMemory = o.InMemory
	if o.InMemory {
		return store.Open("", m, options)
	}
	dir := filepath.Join(folder, storeFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	s, err := store.Open(dir, m, options)
	switch {
	case errors.Is(err, store.ErrCorrupt) && (cfg.ResetCorrupt || o.ResetCorrupt):
		aside, moved := store.SetAside(dir)
		if moved != nil {
			return nil, errors.Join(err, moved)
		}
		log.Warn("the store is damaged: set aside, rebuilding from its journal", "reason", err, "aside", aside)
		fresh, err := store.Open(dir, m, options)
		if err != nil {
			return nil, err
		}
		if err := fresh.Rebuild(ctx, aside, home); err != nil {
			log.Warn("the journal could not be used to its end, the mesh has to bring the rest", "reason", err)
		}
		for _, id := range m.ChainIDs() {
			log.Info("rebuilt", "chain", id, "epoch", fresh.Head(id).Epoch)
		}
		return fresh, ctx.Err()
	case errors.Is(err, store.ErrCorrupt):
		return nil, fmt.Errorf("%w; to set it aside and rebuild from its journal and the mesh, start with --reset-store or set store.reset_corrupt = true", err)
	case errors.Is(err, store.ErrWrongNetwork):
		return nil, fmt.Errorf("data folder %s: %w", folder, err)
	}
	return s, err
}

// LoadManifest reads and validates a manifest.
func LoadManifest(path string) (*ledger.Manifest, error) {
	b, err := readFile(path, ledger.MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrConfig, err)
	}
	m, err := ledger.ParseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	return m, nil
}

func dialer(cfg Config) func(context.Context) (chain.Chain, error) {
	return func(ctx context.Context) (chain.Chain, error) {
		encoding, err := chain.ParseEncoding(cfg.HomeChain.Encoding)
		if err != nil {
			return nil, err
		}
		c, err := comet.Dial(ctx, cfg.HomeChain.RPC, comet.Options{ExpectChainID: cfg.Chain, Encoding: encoding})
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

func (n *Node) listen() (err error) {
	addr := n.cfg.API.Listen
	if addr == "" {
		return nil
	}
	n.api, err = net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("api.listen: the port of %s is in use: stop the other process or choose another port", addr)
	}
	if err != nil {
		return fmt.Errorf("api.listen: %w", err)
	}
	return nil
}

// part is a piece of a node that starts, runs and stops. All are optional.
type part struct {
	name  string
	start func() error
	run   func(context.Context) error // in a goroutine of its own, until its context ends
	stop  func() error                // after run has returned
}

// parts is the order in which a node starts. It stops in the reverse order.
func (n *Node) parts() []part {
	list := []part{
		{name: "council", run: quiet(n.loop.run)},
		{name: "mesh", start: n.mesh.Start, stop: n.mesh.Close},
		{name: "clerk", run: n.clerk.run},
		{name: "divergence", run: quiet(n.divergent.run)},
		{name: "prosecutor", run: quiet(n.prosecutor.run)},
		{name: "submitter", run: quiet(n.submitter.run)},
	}
	for _, id := range n.outside.manifest.ChainIDs() {
		if f := n.followers[id]; f != nil {
			list = append(list, part{name: "follower of " + id, run: f.run})
		}
	}
	return append(list,
		part{name: "home chain", run: n.home.run},
		part{name: "sync", run: quiet(n.syncer.run)},
		part{name: "api", run: n.serve},
	)
}

func quiet(run func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		run(ctx)
		return nil
	}
}

// Run runs the node until ctx ends, then returns nil, or until something happens that
// waiting does not mend: the home chain is another one, or forked, or the store
// can't be written. It returns when everything has stopped. Call it once.
func (n *Node) Run(ctx context.Context) error {
	fatal := make(chan error, 1)
	fail := func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
	var stops []func() error
	stop := func() (err error) {
		for i := len(stops) - 1; i >= 0; i-- {
			err = errors.Join(err, stops[i]())
		}
		return err
	}
	for _, p := range n.parts() {
		if p.start != nil {
			if err := p.start(); err != nil {
				return errors.Join(fmt.Errorf("start %s: %w", p.name, err), stop())
			}
		}
		stops = append(stops, n.launch(p, fail))
	}
	n.log.Info("node started", "name", n.cfg.Name, "chain", n.cfg.Chain, "network", fmt.Sprintf("%.8x", n.outside.manifest.ID()),
		"validator", n.outside.signer != nil, "peer", n.mesh.ID(), "addresses", n.mesh.Addrs())
	var err error
	select {
	case <-ctx.Done():
	case err = <-fatal:
		n.log.Error("node stops", "error", err)
	}
	err = errors.Join(err, stop())
	n.log.Info("node stopped", "name", n.cfg.Name)
	return err
}

// launch runs a part; what it returns stops it and waits.
func (n *Node) launch(p part, fail func(error)) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if p.run == nil {
			return
		}
		if err := p.run(ctx); err != nil && ctx.Err() == nil {
			fail(fmt.Errorf("%s: %w", p.name, err))
		}
	}()
	return func() error {
		cancel()
		<-done
		if p.stop == nil {
			return nil
		}
		return p.stop()
	}
}

// serve runs the API.
func (n *Node) serve(ctx context.Context) error {
	if n.api == nil {
		return nil
	}
	s := api.NewServer(n.Handler())
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // requests under way are cut: they are short
	defer stop()
	n.log.Info("api", "address", n.api.Addr().String())
	if err := s.Serve(n.api); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler is the API, for who serves it elsewhere.
func (n *Node) Handler() http.Handler {
	var b api.Backend = n.view
	if n.outside.misbehave {
		b = misbehaving{n.view, n.view.execution.misdeed, n.outside.store, n.log}
	}
	return api.Handler(b, promhttp.HandlerFor(n.outside.registry, promhttp.HandlerOpts{}), n.log)
}

// Status is the node at this moment.
func (n *Node) Status() api.Status { return n.view.Status() }

// API is the address on which the API listens; empty if it does not.
func (n *Node) API() string {
	if n.api == nil {
		return ""
	}
	return n.api.Addr().String()
}

// Addrs are the addresses to put into p2p.peers of other nodes, once it runs.
func (n *Node) Addrs() []string { return n.mesh.Addrs() }

// Close gives back what New opened. Run must have returned, or never been called.
func (n *Node) Close() (err error) {
	n.closed.Do(func() {
		err = n.mesh.Close()
		n.handler.close()
		if n.api != nil {
			if e := n.api.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
				err = errors.Join(err, e)
			}
		}
		err = errors.Join(err, n.outside.close())
	})
	return err
}

// close closes what was opened.
func (w *outside) close() error {
	var errs []error
	if w.signer != nil {
		errs = append(errs, w.signer.Close())
	}
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	return errors.Join(errs...)
}
