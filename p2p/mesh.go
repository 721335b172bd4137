package p2p

import (
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// mesh knows who is in the GossipSub mesh of each topic. Safe for concurrent use.
type mesh struct {
	labels map[string]string // by topic; read only

	mu      sync.Mutex
	members map[string]map[peer.ID]struct{}
	virgin  int           // topics whose mesh has never had anybody
	ready   chan struct{} // closed when there are none of these any more
}

func newMesh(channels []*channel) *mesh {
	m := &mesh{
		labels:  make(map[string]string),
		members: make(map[string]map[peer.ID]struct{}),
		virgin:  len(channels),
		ready:   make(chan struct{}),
	}
	for _, c := range channels {
		m.labels[c.name] = c.label
	}
	return m
}

func (m *mesh) graft(id peer.ID, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ours := m.labels[topic]; !ours {
		return
	}
	if m.members[topic] == nil {
		m.members[topic] = make(map[peer.ID]struct{})
		if m.virgin--; m.virgin == 0 {
			close(m.ready)
		}
	}
	m.members[topic][id] = struct{}{}
}

func (m *mesh) prune(id peer.ID, topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.members[topic], id)
}

func (m *mesh) gone(id peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, members := range m.members {
		delete(members, id)
	}
}

func (m *mesh) size(topic string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.members[topic])
}

// tracer is what GossipSub tells about itself, from its only loop: nothing here waits.
type tracer struct {
	mesh    *mesh
	metrics *metrics
}

func (t *tracer) Graft(id peer.ID, topic string)           { t.mesh.graft(id, topic) }
func (t *tracer) Prune(id peer.ID, topic string)           { t.mesh.prune(id, topic) }
func (t *tracer) OnClosedOutboundStream(id peer.ID)        { t.mesh.gone(id) }
func (t *tracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (t *tracer) Join(string)                              {}
func (t *tracer) Leave(string)                             {}
func (t *tracer) ValidateMessage(*pubsub.Message)          {}
func (t *tracer) DeliverMessage(*pubsub.Message)           {}
func (t *tracer) DuplicateMessage(*pubsub.Message)         {}
func (t *tracer) ThrottlePeer(peer.ID)                     {}
func (t *tracer) RecvRPC(*pubsub.RPC)                      {}
func (t *tracer) SendRPC(*pubsub.RPC, peer.ID)             {}
func (t *tracer) DropRPC(*pubsub.RPC, peer.ID)             {}
func (t *tracer) UndeliverableMessage(*pubsub.Message)     {}

// RejectMessage counts what was dropped before a validator could judge it.
func (t *tracer) RejectMessage(m *pubsub.Message, reason string) {
	if reason == pubsub.RejectValidationQueueFull || reason == pubsub.RejectValidationThrottled {
		if label, ours := t.mesh.labels[m.GetTopic()]; ours {
			t.metrics.judged(label, QueueFull)
		}
	}
}
