package node

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// How often a node asks its peers for what gossip did not bring, and how many of
// them at a time.
const (
	syncInterval  = 5 * time.Second
	syncFirst     = 500 * time.Millisecond // while there was no round with a peer yet
	syncPeers     = 3                      // the best ones, but for the last of them: that is each of the others in turn
	syncPatience  = time.Minute            // with one peer in one round; the next round goes on from there
	syncVoteAhead = 4                      // epochs after the certified one whose votes are asked for
	syncCursors   = 1024                   // beyond so many those of peers that are away are forgotten
)

// syncer fetches what gossip lost: what was published while a node was away never
// arrives by itself. What it brings takes the way of gossip ([p2p.Node.Deliver]),
// but for the epochs, which the followers fetch. One goroutine.
type syncer struct {
	manifest  *ledger.Manifest
	spec      *ledger.ChainSpec // of the home chain
	home      *home
	store     *store.Store
	mesh      *p2p.Node
	loop      *loop
	followers map[string]*follower
	log       *slog.Logger

	cursors map[peer.ID]uint64 // faults taken from each peer
	turn    int                // of those that are not among the best
	newest  atomic.Uint64      // last epoch of the home chain of which somebody claims a certificate
	rounds  atomic.Uint64      // completed with at least one peer
}

func newSyncer(m *ledger.Manifest, spec *ledger.ChainSpec, db *store.Store, mesh *p2p.Node, l *loop, followers map[string]*follower, h *home, log *slog.Logger) *syncer {
	return &syncer{
		manifest: m, spec: spec, home: h, store: db, mesh: mesh, loop: l, followers: followers, log: log,
		cursors: make(map[peer.ID]uint64),
	}
}

func (s *syncer) run(ctx context.Context) {
	for {
		s.round(ctx)
		wait := syncInterval
		if s.rounds.Load() == 0 {
			wait = syncFirst
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

func (s *syncer) round(ctx context.Context) {
	peers := s.mesh.SyncPeers()
	for _, from := range s.chosen(peers) {
		if err := s.from(ctx, from); err != nil && ctx.Err() == nil {
			s.log.Debug("sync", "peer", from, "error", err)
		}
	}
	if ctx.Err() != nil {
		return
	}
	if len(s.cursors) > syncCursors {
		maps.DeleteFunc(s.cursors, func(id peer.ID, _ uint64) bool { return !slices.Contains(peers, id) })
	}
	if len(peers) > 0 {
		s.rounds.Add(1)
	}
	// The error is the context's.
	_ = tell(ctx, s.loop, func(c *council, _ time.Time) { c.again() })
}

// chosen are the peers to ask in a round, the best of which are first. No two of them
// can have only themselves asked, by answering quickly that there is nothing.
func (s *syncer) chosen(peers []peer.ID) []peer.ID {
	if len(peers) <= syncPeers {
		return peers
	}
	best, rest := peers[:syncPeers-1], peers[syncPeers-1:]
	s.turn++
	return append(best[:len(best):len(best)], rest[s.turn%len(rest)])
}

// from takes from one peer what it has and we don't, as far as that goes in [syncPatience]:
// a peer can have no end.
func (s *syncer) from(ctx context.Context, id peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	heads, err := s.mesh.FetchHeads(ctx, id)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if h.Epoch <= s.store.Certified(h.Chain) {
			continue
		}
		if h.Chain == s.spec.ID {
			s.newest.Store(h.Epoch)
		} else {
			s.followers[h.Chain].nudge(h.Epoch)
		}
		if err := s.certificates(ctx, id, h.Chain); err != nil {
			return err
		}
	}
	for _, chain := range s.manifest.ChainIDs() {
		if err := s.votes(ctx, id, chain); err != nil {
			return err
		}
	}
	return s.faults(ctx, id)
}

// certificates fetches those of a chain up to what is executed here. A peer's come with its
// epochs; one is missing only if this node ended between storing the two.
func (s *syncer) certificates(ctx context.Context, id peer.ID, chain string) error {
	before := s.store.Certified(chain)
	for next := before + 1; next <= s.store.Head(chain).Epoch; {
		certs, err := s.mesh.FetchCertificates(ctx, id, chain, next, p2p.MaxPage)
		if err != nil {
			return err
		}
		for _, c := range certs {
			if err := s.deliver(ctx, id, p2p.Message{Certificate: c}); err != nil {
				return err
			}
		}
		if len(certs) == 0 && next == before+1 && chain == s.spec.ID {
			s.newest.Store(before) // it could not show what it claimed
		}
		if len(certs) < p2p.MaxPage {
			return nil
		}
		next += uint64(len(certs))
	}
	return nil
}

// votes fetches those of epochs that are not certified yet.
func (s *syncer) votes(ctx context.Context, id peer.ID, chain string) error {
	first, last := s.store.Certified(chain)+1, s.store.Head(chain).Epoch+1
	for epoch := first; epoch <= min(last, first+syncVoteAhead); epoch++ {
		votes, err := s.mesh.FetchVotes(ctx, id, chain, epoch)
		if err != nil {
			return err
		}
		for _, v := range votes.Attestations {
			if err := s.deliver(ctx, id, p2p.Message{Vote: v}); err != nil {
				return err
			}
		}
		for _, v := range votes.CrossAttestations {
			if err := s.deliver(ctx, id, p2p.Message{Cross: v}); err != nil {
				return err
			}
		}
	}
	return nil
}

// faults fetches those that the peer learned since it was asked last.
func (s *syncer) faults(ctx context.Context, id peer.ID) error {
	for {
		page, err := s.mesh.FetchFaults(ctx, id, s.cursors[id], p2p.MaxPage)
		if err != nil {
			return err
		}
		for _, f := range page {
			if err := s.deliver(ctx, id, p2p.Message{Fault: f.Proof}); err != nil {
				return err
			}
			s.cursors[id] = f.Position
		}
		if len(page) == 0 {
			return nil
		}
	}
}

func (s *syncer) deliver(ctx context.Context, id peer.ID, m p2p.Message) error {
	_, err := s.mesh.Deliver(ctx, id, m)
	return err
}

// behind says how many epochs a chain lacks to the newest one claimed by somebody
// who could show it.
func (s *syncer) behind(chain string) uint64 {
	certified := s.store.Certified(chain)
	var newest uint64
	if f := s.followers[chain]; f != nil {
		newest = f.newest.Load()
	} else if v := s.home.view.Load(); v != nil {
		newest = min(s.newest.Load(), v.Height/s.spec.EpochBlocks) // beyond that it is a lie
	}
	return max(newest, certified) - certified
}
