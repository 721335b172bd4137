package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// outside is all of the world that a node touches, opened or ready to be opened.
type outside struct {
	manifest  *ledger.Manifest
	store     *store.Store
	signer    Signer // nil: the node only follows
	account   ledger.AccountID
	dial      func(context.Context) (chain.Chain, error)
	identity  crypto.PrivKey
	libp2p    []libp2p.Option
	registry  *prometheus.Registry
	clock     Clock
	folder    string // for what the node itself writes; empty in memory
	version   string
	misbehave bool // the API may tell the node to
}

// wire builds the rooms of a node and connects them. This page is the flow:
//
//	home ────────── executes our epochs ──┐               ┌─ clerk ── signs, stores, sends
//	follower … ──── executes a peer's ────┤               ├─ submitter ── tells the home chain
//	handler … ───── verifies messages ────┼─▶  council  ──┤
//	syncer ──────── brings what was lost ─┘   (in loop)   └─ follower … ── what to execute next
//
// Nothing runs yet when it returns: see [Node.parts] for the order of that. With an
// error it may return a node, which is to be closed.
func wire(ctx context.Context, cfg Config, w outside, log *slog.Logger) (*Node, error) {
	law := w.manifest.Law()
	net := law.Network()
	spec := w.manifest.Chain(cfg.Chain)
	var key *[48]byte
	if w.signer != nil {
		k := w.signer.Key()
		key = &k
	}
	count, err := newMetrics(w.registry)
	if err != nil {
		return nil, err
	}

	// What is known of votes: one goroutine, started from the store.
	standings, err := standingsOf(w.store, w.manifest)
	if err != nil {
		return nil, err
	}
	loop := newLoop(newCouncil(law, spec.ID, key, standings), w.clock)

	// What is executed.
	faults := newFaultLog(w.clock, w.manifest.ChainIDs())
	divergent, err := newDivergence(w.folder, w.store, loop, log)
	if err != nil {
		return nil, err
	}
	court := newProsecutor(w.manifest, law, w.store, loop, log)
	divergent.court = court
	execution := &execution{w.manifest, spec.ID, w.store, loop, faults, count, new(misdeed), log}
	followers := make(map[string]*follower)
	for _, id := range w.manifest.ChainIDs() {
		if id != spec.ID {
			followers[id] = newFollower(id, net, execution, divergent, court, log)
		}
	}
	byMesh := newFollower(spec.ID, net, execution, divergent, court, log)

	// What the home chain is told.
	desk := &desk{manifest: w.manifest, spec: spec, reporter: reporter(w, spec, key), archive: w.store}
	submitter := newSubmitter(desk, execution, key, count, log)
	home := &home{
		spec: spec, dial: w.dial, poll: time.Duration(cfg.HomeChain.PollInterval),
		execution: execution, submitter: submitter, byMesh: byMesh, log: log,
	}
	submitter.home = home.connected
	divergent.ordered = &orders{home, loop}

	// The mesh, which asks the handler and the source.
	handler := newHandler(w.manifest, w.store, loop)
	mesh, err := p2p.New(ctx, p2p.Config{
		Network: net, Chains: w.manifest.ChainIDs(), PrivateKey: w.identity,
		Listen: cfg.P2P.Listen, Peers: cfg.P2P.Peers,
		Expect: p2p.Expect{Validators: len(spec.Validators)},
		Logger: log, Metrics: w.registry, ExtraOptions: w.libp2p,
	}, handler, &source{w.manifest, w.store, loop})
	if err != nil {
		return nil, err
	}
	divergent.mesh, byMesh.mesh, court.mesh = mesh, mesh, mesh
	for _, f := range followers {
		f.mesh = mesh
	}
	syncer := newSyncer(w.manifest, spec, w.store, mesh, loop, followers, home, log)
	clerk := &clerk{
		net: net, self: spec.ID, signer: w.signer, store: w.store, mesh: mesh, loop: loop,
		followers: followers, submitter: submitter, faults: faults, divergent: divergent, court: court, metrics: count, log: log,
	}
	view := &view{
		cfg: cfg, version: w.version, manifest: w.manifest, key: key, account: desk.reporter, store: w.store, mesh: mesh,
		home: home, syncer: syncer, execution: execution, faults: faults, divergent: divergent, desk: desk, loop: loop,
	}
	n := &Node{
		cfg: cfg, log: log, outside: w, loop: loop, handler: handler, mesh: mesh, clerk: clerk, divergent: divergent, prosecutor: court,
		followers: followers, submitter: submitter, home: home, syncer: syncer, view: view,
	}
	if err := w.registry.Register(newState(view.Status)); err != nil {
		return n, err
	}
	return n, n.remember(execution)
}

// standingsOf reads where the chains stand.
func standingsOf(s *store.Store, m *ledger.Manifest) ([]standing, error) {
	var out []standing
	for _, id := range m.ChainIDs() {
		st := standing{chain: id, head: s.Head(id).Epoch, certified: s.Certified(id)}
		var err error
		if st.set, err = s.Set(id, st.head+1); err != nil {
			return nil, err
		}
		first := min(st.certified, st.head)
		first = max(first-min(first, recentEpochs), s.Head(id).Base)
		for epoch := first; epoch <= st.head; epoch++ {
			entry, err := s.Journal(id, epoch)
			if err != nil {
				return nil, fmt.Errorf("journal of %s epoch %d: %w", id, epoch, err)
			}
			st.recent = append(st.recent, entry.Checkpoint)
		}
		out = append(out, st)
	}
	return out, nil
}

// reporter is whom the ledgers thank for a fault: the configured account, or that
// of the validator.
func reporter(w outside, spec *ledger.ChainSpec, key *[48]byte) ledger.AccountID {
	if w.account != (ledger.AccountID{}) || key == nil {
		return w.account
	}
	if set, err := w.store.Set(spec.ID, w.store.Head(spec.ID).Epoch+1); err == nil {
		if i, ok := set.Index(*key); ok {
			return set.At(i).Account
		}
	}
	for _, c := range spec.Validators {
		if string(c.Key) == string(key[:]) {
			return c.Account
		}
	}
	return w.account
}

// remember tells the rooms what the store knows from before.
func (n *Node) remember(x *execution) error {
	c := n.loop.council // nothing runs yet
	var ids [][32]byte
	for cursor := uint64(0); ; {
		list, err := n.outside.store.Faults(cursor, faultPage)
		if err != nil {
			return err
		}
		for _, f := range list {
			accusation, err := attest.Peek(f.Proof)
			if err != nil {
				return fmt.Errorf("fault %x in the store: %w", f.ID, err)
			}
			cursor = f.Cursor + 1
			set, err := n.outside.store.Set(accusation.ChainID, accusation.Epoch)
			if errors.Is(err, store.ErrPruned) {
				continue // the ledgers have known it for long
			}
			if err != nil {
				return fmt.Errorf("fault %x in the store: %w", f.ID, err)
			}
			verified, err := attest.VerifyFault(c.law, set, f.Proof)
			if err != nil {
				return fmt.Errorf("fault %x in the store: %w", f.ID, err)
			}
			c.know(verified)
			n.submitter.fault(verified, ledger.AccountID{})
			n.prosecutor.fault(verified)
			ids = append(ids, f.ID)
		}
		if len(list) < faultPage {
			break
		}
	}
	for _, id := range n.outside.manifest.ChainIDs() {
		reader, err := x.reader(id)
		if err != nil {
			return err
		}
		if err := x.faults.restore(id, reader, ids); err != nil {
			return err
		}
		if id == c.self {
			if c.chambers[id].claims, err = reader.Claims(); err != nil {
				return err
			}
		}
	}
	if why := n.divergent.reason(); why != "" {
		c.stop(why)
	}
	c.again()
	c.cross()
	n.loop.effects.put(c.take()...)
	return nil
}

// faultPage is how many faults are read from the store at a time.
const faultPage = 256
