package p2p

import (
	"cmp"
	"container/list"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// parkingLimits bound what waits.
type parkingLimits struct {
	perPeer      int // messages that one peer delivered
	perPeerBytes int
	perEpoch     int // messages that wait for one epoch of one chain
	total        int
	totalBytes   int
}

// An epoch of 512 validators on a mesh of some chains fits into one peer's share:
// it may well be one peer from which all of them come first.
var defaultParking = parkingLimits{
	perPeer:      2048,
	perPeerBytes: 2 << 20,
	perEpoch:     4096,
	total:        16384,
	totalBytes:   32 << 20,
}

type parkKey struct {
	chain string
	epoch uint64
}

// parkedMessage is a message that waits to be judged again.
type parkedMessage struct {
	id      string // message id: the same bytes wait once
	channel *channel
	data    []byte
	from    peer.ID
	key     parkKey
	retried bool // it was judged again after its epoch had already been released

	order uint64        // of arrival
	place *list.Element // in its peer's list
}

// parking is the bounded queue of messages that are ahead of us.
//
// When a limit is reached, the peer that takes most of what is limited loses its
// oldest message there. So no peer can push out another one's messages while it
// holds more than that one, and what we keep is what came last: a node that is far
// behind wants the newest epochs when it arrives, not those of an hour ago.
//
// Safe for concurrent use.
type parking struct {
	limits parkingLimits

	mu       sync.Mutex
	byID     map[string]*parkedMessage
	byEpoch  map[parkKey]map[*parkedMessage]struct{}
	byPeer   map[peer.ID]*list.List // of *parkedMessage, oldest first
	peerSize map[peer.ID]int
	size     int
	released map[string]uint64 // by chain, the highest epoch released
	next     uint64
	closed   bool
}

func newParking(limits parkingLimits) *parking {
	return &parking{
		limits:   limits,
		byID:     make(map[string]*parkedMessage),
		byEpoch:  make(map[parkKey]map[*parkedMessage]struct{}),
		byPeer:   make(map[peer.ID]*list.List),
		peerSize: make(map[peer.ID]int),
		released: make(map[string]uint64),
	}
}

// parkOutcome says what became of a message.
type parkOutcome uint8

const (
	parked       parkOutcome = iota + 1
	parkedBefore             // the same bytes wait already
	parkReleased             // its epoch became known meanwhile: judge it again
	parkRefused              // no room, even alone
)

// add parks m. It returns how many others had to give way.
func (p *parking) add(m *parkedMessage) (parkOutcome, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limits
	if p.closed || len(m.data) > l.perPeerBytes || len(m.data) > l.totalBytes {
		return parkRefused, 0
	}
	if p.byID[m.id] != nil {
		return parkedBefore, 0
	}
	if epoch, ok := p.released[m.key.chain]; ok && m.key.epoch <= epoch && !m.retried {
		return parkReleased, 0
	}
	p.insert(m)
	evicted := 0
	for p.byPeer[m.from].Len() > l.perPeer || p.peerSize[m.from] > l.perPeerBytes {
		p.remove(p.oldestOf(m.from))
		evicted++
	}
	for len(p.byEpoch[m.key]) > l.perEpoch {
		p.remove(oldestOfMost(p.byEpoch[m.key]))
		evicted++
	}
	for len(p.byID) > l.total {
		p.remove(p.oldestOf(p.most(func(id peer.ID) int { return p.byPeer[id].Len() })))
		evicted++
	}
	for p.size > l.totalBytes {
		p.remove(p.oldestOf(p.most(func(id peer.ID) int { return p.peerSize[id] })))
		evicted++
	}
	return parked, evicted
}

// release takes out what waits for the chain's epoch or an earlier one, in the order
// of arrival, and lets later add calls for these epochs know.
func (p *parking) release(chain string, epoch uint64) []*parkedMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, ok := p.released[chain]; !ok || epoch > last {
		p.released[chain] = epoch
	}
	var out []*parkedMessage
	for key, scope := range p.byEpoch {
		if key.chain == chain && key.epoch <= epoch {
			for m := range scope {
				out = append(out, m)
			}
		}
	}
	for _, m := range out {
		p.remove(m)
	}
	slices.SortFunc(out, func(a, b *parkedMessage) int { return cmp.Compare(a.order, b.order) })
	return out
}

// close drops everything; nothing is parked any more.
func (p *parking) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	clear(p.byID)
	clear(p.byEpoch)
	clear(p.byPeer)
	clear(p.peerSize)
	p.size = 0
}

func (p *parking) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byID)
}

func (p *parking) insert(m *parkedMessage) {
	p.next++
	m.order = p.next
	p.byID[m.id] = m
	if p.byEpoch[m.key] == nil {
		p.byEpoch[m.key] = make(map[*parkedMessage]struct{})
	}
	p.byEpoch[m.key][m] = struct{}{}
	if p.byPeer[m.from] == nil {
		p.byPeer[m.from] = list.New()
	}
	m.place = p.byPeer[m.from].PushBack(m)
	p.peerSize[m.from] += len(m.data)
	p.size += len(m.data)
}

func (p *parking) remove(m *parkedMessage) {
	delete(p.byID, m.id)
	delete(p.byEpoch[m.key], m)
	if len(p.byEpoch[m.key]) == 0 {
		delete(p.byEpoch, m.key)
	}
	p.byPeer[m.from].Remove(m.place)
	p.peerSize[m.from] -= len(m.data)
	if p.byPeer[m.from].Len() == 0 {
		delete(p.byPeer, m.from)
		delete(p.peerSize, m.from)
	}
	p.size -= len(m.data)
}

func (p *parking) oldestOf(id peer.ID) *parkedMessage {
	return p.byPeer[id].Front().Value.(*parkedMessage)
}

// most is the peer of which there is most.
func (p *parking) most(of func(peer.ID) int) peer.ID {
	var most peer.ID
	for id := range p.byPeer {
		if most == "" || of(id) > of(most) {
			most = id
		}
	}
	return most
}

// oldestOfMost is the oldest message of the peer with the most messages in scope.
func oldestOfMost(scope map[*parkedMessage]struct{}) *parkedMessage {
	count := make(map[peer.ID]int)
	var most peer.ID
	for m := range scope {
		count[m.from]++
		if count[m.from] > count[most] {
			most = m.from
		}
	}
	var oldest *parkedMessage
	for m := range scope {
		if m.from == most && (oldest == nil || m.order < oldest.order) {
			oldest = m
		}
	}
	return oldest
}
