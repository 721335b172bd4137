package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// retryFetch is how long to wait before asking again for what nobody had, and
// unseenRounds after how many rounds that is worth a warning.
const (
	retryFetch   = time.Second
	unseenRounds = 10
)

// follower executes another chain's epochs (DESIGN §3.5): a certificate says what
// the epoch came to, any peer brings its input, and what it comes to here must be
// the same. One goroutine.
type follower struct {
	chain     string
	net       attest.Network
	execution *execution
	mesh      *p2p.Node
	divergent *divergence
	court     *prosecutor
	log       *slog.Logger

	inbox  *mailbox[attest.VerifiedCertificate]
	nudged chan struct{} // there may be more certificates than came by gossip
	newest atomic.Uint64 // last epoch of which somebody claims a certificate
}

func newFollower(chain string, net attest.Network, x *execution, d *divergence, court *prosecutor, log *slog.Logger) *follower {
	return &follower{
		chain: chain, net: net, execution: x, divergent: d, court: court, log: log.With("chain", chain),
		inbox:  newMailbox[attest.VerifiedCertificate](),
		nudged: make(chan struct{}, 1),
	}
}

// offer hands over the certificate of the epoch after the head.
func (f *follower) offer(c attest.VerifiedCertificate) { f.inbox.put(c) }

// nudge says that somebody has certificates up to an epoch.
func (f *follower) nudge(epoch uint64) {
	f.newest.Store(epoch)
	select {
	case f.nudged <- struct{}{}:
	default:
	}
}

// run ends with the context, or when our own store fails.
func (f *follower) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.nudged:
			for f.behind() {
				if further, err := f.advance(ctx); err != nil {
					return err
				} else if !further {
					break
				}
			}
		case <-f.inbox.some:
			for _, cert := range f.inbox.drain() {
				if err := f.follow(ctx, cert); err != nil {
					return err
				}
			}
		}
	}
}

func (f *follower) head() uint64 { return f.execution.store.Head(f.chain).Epoch }

func (f *follower) behind() bool { return f.newest.Load() > f.head() }

// follow executes the epoch of one certificate; it tries until somebody brings it.
func (f *follower) follow(ctx context.Context, cert attest.VerifiedCertificate) error {
	if f.divergent.stopped(f.chain) {
		f.court.certificate(cert)
		return nil
	}
	for round := 1; ctx.Err() == nil && cert.Epoch() == f.head()+1 && !f.divergent.stopped(f.chain); round++ {
		if round == unseenRounds {
			f.log.Warn("nobody shows what was certified: the epoch is not followed, and not attested, until somebody does", "epoch", cert.Epoch())
		}
		for _, from := range f.mesh.SyncPeers() {
			entries, err := f.mesh.FetchEpochs(ctx, from, f.chain, cert.Epoch(), 1)
			if err != nil || len(entries) == 0 {
				continue
			}
			err = f.apply(ctx, cert, entries[0])
			if err == nil || isOurs(err) {
				return err
			}
			f.log.Warn("follow", "epoch", cert.Epoch(), "peer", from, "error", err)
		}
		if pause(ctx, retryFetch) != nil {
			break // the context's error
		}
	}
	return nil
}

// isOurs says that an error is that of our own store. Waiting does not mend it, and what
// could not be written would be missing, so that the node ends.
func isOurs(err error) bool {
	return errors.Is(err, store.ErrBroken) || errors.Is(err, store.ErrDiskFull) || errors.Is(err, store.ErrCorrupt) || errors.Is(err, trie.ErrCorruptNode) || errors.Is(err, trie.ErrMissingNode)
}

// advance fetches certificates and epochs after the head from one peer after the
// other, and says whether that led anywhere. The error is that of our own store.
func (f *follower) advance(ctx context.Context) (further bool, err error) {
	if f.divergent.stopped(f.chain) {
		return false, nil
	}
	before := f.head()
	for _, from := range f.mesh.SyncPeers() {
		err := f.advanceFrom(ctx, from)
		switch {
		case isOurs(err):
			return false, err
		case f.head() > before:
			return true, nil
		case err != nil && ctx.Err() == nil:
			f.log.Debug("catch up", "peer", from, "error", err)
		}
	}
	f.newest.Store(f.head()) // whoever claimed more could not show it
	return false, nil
}

func (f *follower) advanceFrom(ctx context.Context, from peer.ID) error {
	first := f.head() + 1
	certs, err := f.mesh.FetchCertificates(ctx, from, f.chain, first, p2p.MaxPage)
	if err != nil || len(certs) == 0 {
		return err
	}
	for len(certs) > 0 {
		entries, err := f.mesh.FetchEpochs(ctx, from, f.chain, f.head()+1, len(certs))
		if err != nil || len(entries) == 0 {
			return err
		}
		for i, entry := range entries[:min(len(entries), len(certs))] {
			set, err := f.execution.store.Set(f.chain, certs[i].Checkpoint.Epoch)
			if err != nil {
				return err
			}
			cert, err := attest.VerifyCertificate(f.net, set, certs[i])
			if err != nil {
				return err
			}
			if err := f.apply(ctx, cert, entry); err != nil || f.divergent.stopped(f.chain) {
				return err
			}
		}
		certs = certs[min(len(entries), len(certs)):]
	}
	return nil
}

// apply executes an epoch and stores it if it comes to what is certified. The error
// is about what the peer brought, or our own; a divergence is none.
func (f *follower) apply(ctx context.Context, cert attest.VerifiedCertificate, encoded []byte) error {
	entry, err := store.DecodeEntry(encoded)
	if err != nil {
		return err
	}
	certified := cert.Checkpoint()
	head := f.execution.store.Head(f.chain)
	if certified.Parent != head.Root {
		if err := entry.Authentic(certified); err != nil {
			return err
		}
		// Both are certified: the chain has forked, and neither branch is followed.
		f.divergent.leave(f.chain, fmt.Sprintf("epoch %d continues %x, certified was %x", certified.Epoch, certified.Parent, head.Root))
		return nil
	}
	r, err := f.execute(certified, entry)
	switch {
	case err == nil && r.Checkpoint.Root() == cert.Root():
		return f.execution.commit(ctx, r, &cert)
	case err != nil && (isOurs(err) || ctx.Err() != nil):
		return err
	}
	tree, failed := f.execution.store.Tree(f.chain)
	if failed != nil {
		return failed
	}
	// What was certified is wrong, or the peer brought something else.
	switch wrong, unproven := f.court.accuse(ctx, cert, head.Checkpoint, tree, entry); {
	case unproven == nil:
		f.divergent.leave(f.chain, wrong)
		return nil
	case ctx.Err() != nil || isOurs(unproven):
		return unproven
	case err != nil:
		return err
	case errors.Is(unproven, ledger.ErrNoBreach): // each step is right, and the whole is not: that is our own fault
		return f.divergent.found(ctx, r.Checkpoint, certified, differingStep(r.Transcript, entry.Transcript))
	default: // else a chain could stop the mesh with a lie that is too large to be proven
		f.divergent.leave(f.chain, fmt.Sprintf("epoch %d: our %s is not the certified one; %s; that can't be proven: %v", certified.Epoch,
			differingField(r.Checkpoint, certified), differingStep(r.Transcript, entry.Transcript), unproven))
		return nil
	}
}

// execute runs the input of an entry that is about a certified epoch.
func (f *follower) execute(certified *attest.Checkpoint, entry *store.Entry) (*ledger.Result, error) {
	if err := entry.Authentic(certified); err != nil {
		return nil, err
	}
	return f.execution.run(entry.Input)
}
