package p2p

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// How the memory of a peer's conduct fades.
const (
	offenceHalfLife = 10 * time.Minute
	failureHalfLife = time.Minute
	maxStandings    = 4096
)

// fading is a count of which half is forgotten in each half-life. It takes the time
// as a value.
type fading struct {
	amount float64
	at     time.Time
}

func (f fading) value(now time.Time, halfLife time.Duration) float64 {
	if f.amount == 0 {
		return 0
	}
	return f.amount * math.Exp2(-float64(now.Sub(f.at))/float64(halfLife))
}

func (f *fading) add(now time.Time, halfLife time.Duration, n float64) {
	f.amount, f.at = f.value(now, halfLife)+n, now
}

// standing is what this node remembers about one peer.
type standing struct {
	rejected  uint64        // messages with verdict Reject, ever
	offences  fading        // those that gossip did not count itself, and bad sync responses
	failures  fading        // sync requests that brought nothing usable
	busyUntil time.Time     // it asked us to wait
	roundTrip time.Duration // smoothed, of small sync requests
	score     float64       // as GossipSub last computed it
}

// standings remembers peers, also while they are away. Safe for concurrent use.
type standings struct {
	mu   sync.Mutex
	byID map[peer.ID]*standing
}

func newStandings() *standings { return &standings{byID: make(map[peer.ID]*standing)} }

// of returns the standing of a peer and is called with the lock held. When too many
// are remembered, those with the least to remember are forgotten.
func (s *standings) of(id peer.ID, now time.Time) *standing {
	if st := s.byID[id]; st != nil {
		return st
	}
	if len(s.byID) >= maxStandings {
		ids := make([]peer.ID, 0, len(s.byID))
		for id := range s.byID {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b peer.ID) int {
			return cmp.Compare(s.byID[a].offences.value(now, offenceHalfLife), s.byID[b].offences.value(now, offenceHalfLife))
		})
		for _, id := range ids[:maxStandings/4] {
			delete(s.byID, id)
		}
	}
	st := &standing{}
	s.byID[id] = st
	return st
}

func (s *standings) update(id peer.ID, now time.Time, change func(*standing)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.of(id, now))
}

func (s *standings) get(id peer.ID) standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.byID[id]; st != nil {
		return *st
	}
	return standing{}
}

// reject counts a rejected message. Where gossip delivered it, GossipSub lowers the
// score by itself.
func (s *standings) reject(id peer.ID, now time.Time, byGossip bool) {
	s.update(id, now, func(st *standing) {
		st.rejected++
		if !byGossip {
			st.offences.add(now, offenceHalfLife, 1)
		}
	})
}

// offence is the number that the application's part of the score is made of.
func (s *standings) offence(id peer.ID, now time.Time) float64 {
	st := s.get(id)
	return st.offences.value(now, offenceHalfLife)
}

// answered notes that a sync request got what it asked for.
func (s *standings) answered(id peer.ID, now time.Time, took time.Duration) {
	s.update(id, now, func(st *standing) {
		if st.roundTrip == 0 {
			st.roundTrip = took
		}
		st.roundTrip += (took - st.roundTrip) / 4
	})
}

func (s *standings) scores(scores map[peer.ID]float64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, score := range scores {
		s.of(id, now).score = score
	}
}

// best orders peers as candidates for a sync request: those that did not ask us to
// wait, then those with fewer recent failures, then the configured ones, since anybody can
// have any number of others, then the nearest.
func (s *standings) best(ids []peer.ID, configured func(peer.ID) bool, now time.Time) []peer.ID {
	type candidate struct {
		id        peer.ID
		busy      bool
		failures  int
		stranger  int
		roundTrip time.Duration
	}
	candidates := make([]candidate, len(ids))
	for i, id := range ids {
		st := s.get(id)
		trouble := st.failures.value(now, failureHalfLife) + st.offences.value(now, offenceHalfLife)
		stranger := 1
		if configured(id) {
			stranger = 0
		}
		candidates[i] = candidate{id, st.busyUntil.After(now), int(math.Round(trouble)), stranger, st.roundTrip}
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		if a.busy != b.busy {
			if b.busy {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.failures, b.failures), cmp.Compare(a.stranger, b.stranger), cmp.Compare(a.roundTrip, b.roundTrip), cmp.Compare(a.id, b.id))
	})
	out := make([]peer.ID, len(candidates))
	for i, c := range candidates {
		out[i] = c.id
	}
	return out
}
