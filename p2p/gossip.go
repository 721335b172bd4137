package p2p

import (
	"context"
	"fmt"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
)

// Sizes of GossipSub's queues. Its defaults of 32 drop messages at the first burst.
const (
	validateQueue = 4096
	outboundQueue = 1024
	maxRPCSize    = 1 << 20 // twice the largest message
	scorePeriod   = time.Second
)

// joinTopics sets GossipSub up and joins all topics of the network. Topics are
// relayed: what arrives is taken by the validators, there is nothing to subscribe.
func (n *Node) joinTopics() error {
	params := pubsub.DefaultGossipSubParams()
	params.D, params.Dlo, params.Dhi = meshDegree, meshDegreeLow, meshDegreeHigh
	params.HeartbeatInterval = heartbeat

	names := make([]string, len(n.channels))
	for i, c := range n.channels {
		names[i] = c.name
	}
	score, thresholds := scoreParams(n.cfg.Expect, n.channels, func(id peer.ID) float64 {
		return n.standings.offence(id, n.now())
	})
	var err error
	n.gossip, err = pubsub.NewGossipSub(n.ctx, n.host,
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(func(m *pb.Message) string { return messageID(m.GetTopic(), m.GetData()) }),
		pubsub.WithGossipSubParams(params),
		pubsub.WithFloodPublish(true),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(
			pubsub.NewAllowlistSubscriptionFilter(names...), 2*len(names))),
		pubsub.WithValidateQueueSize(validateQueue),
		pubsub.WithPeerOutboundQueueSize(outboundQueue),
		pubsub.WithMaxMessageSize(maxRPCSize),
		pubsub.WithSeenMessagesTTL(seenTTL),
		pubsub.WithPeerScore(score, thresholds),
		pubsub.WithPeerScoreInspect(func(scores map[peer.ID]float64) { n.standings.scores(scores, n.now()) }, scorePeriod),
		pubsub.WithRawTracer(&tracer{mesh: n.mesh, metrics: n.metrics}),
	)
	if err != nil {
		return fmt.Errorf("p2p: start gossip: %w", err)
	}
	for _, c := range n.channels {
		if err := n.join(c); err != nil {
			return fmt.Errorf("p2p: join the topic %s: %w", c.label, err)
		}
	}
	return nil
}

func (n *Node) join(c *channel) error {
	err := n.gossip.RegisterTopicValidator(c.name,
		func(ctx context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
			return n.validate(ctx, c, from, m)
		})
	if err != nil {
		return err
	}
	topic, err := n.gossip.Join(c.name)
	if err != nil {
		return err
	}
	if _, err := topic.Relay(); err != nil {
		return err
	}
	n.topics[c] = topic
	return nil
}

// channelOf is the topic that a message belongs to.
func (n *Node) channelOf(f family, m Message) (*channel, error) {
	chain, _, _ := m.subject()
	for _, c := range n.channels {
		if c.family == f && (f != votes || c.chain == chain) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("p2p: chain %q is not in the manifest", chain)
}

func (n *Node) knows(chain string) bool {
	for _, c := range n.cfg.Chains {
		if c == chain {
			return true
		}
	}
	return false
}

// PublishVote sends our own attestation to the network. Like its siblings it does
// not ask the Handler, and returns an error for what no peer would accept. To publish
// again what gossip still remembers (two minutes) does nothing. Without peers the
// message is lost: they find it by sync.
func (n *Node) PublishVote(ctx context.Context, vote *attest.Attestation) error {
	return n.publish(ctx, Message{Vote: vote})
}

// PublishCross sends our own cross-attestation, see [Node.PublishVote].
func (n *Node) PublishCross(ctx context.Context, vote *attest.CrossAttestation) error {
	return n.publish(ctx, Message{Cross: vote})
}

// PublishCertificate sends a certificate that we made, see [Node.PublishVote].
func (n *Node) PublishCertificate(ctx context.Context, certificate *attest.Certificate) error {
	return n.publish(ctx, Message{Certificate: certificate})
}

// PublishFault sends a fault proof that we made, see [Node.PublishVote].
func (n *Node) PublishFault(ctx context.Context, proof *attest.FaultProof) error {
	return n.publish(ctx, Message{Fault: proof})
}

func (n *Node) publish(ctx context.Context, m Message) error {
	f, data, err := m.encode()
	if err != nil {
		return err
	}
	c, err := n.channelOf(f, m)
	if err != nil {
		return err
	}
	if _, refused := c.decode(data, n.knows); refused != nil {
		return fmt.Errorf("p2p: publish a %s: %w", m.noun(), refused)
	}
	if !n.enter() {
		return ErrClosed
	}
	defer n.leave()
	if err := n.topics[c].Publish(ctx, data, pubsub.WithValidatorData(&origin{own: true})); err != nil {
		return fmt.Errorf("p2p: publish a %s: %w", m.noun(), err)
	}
	n.metrics.published.WithLabelValues(c.label).Inc()
	return nil
}

// Deliver puts an object that sync brought through the same checks, Handler and
// table as gossip, in the caller's goroutine, and forwards it if that comes to
// [Accept]. from is the peer that served it; it is blamed for what is rejected. What
// gossip has already delivered within its memory is a [Duplicate] without a look.
func (n *Node) Deliver(ctx context.Context, from peer.ID, m Message) (Condition, error) {
	f, data, err := m.encode()
	if err != nil {
		return 0, err
	}
	c, err := n.channelOf(f, m)
	if err != nil {
		return 0, err
	}
	return n.offer(ctx, c, data, &origin{from: from})
}

// offer sends data through the validator, as if this node published it, and says
// what came of it.
func (n *Node) offer(ctx context.Context, c *channel, data []byte, o *origin) (Condition, error) {
	if !n.enter() {
		return 0, ErrClosed
	}
	defer n.leave()
	err := n.topics[c].Publish(ctx, data, pubsub.WithValidatorData(o))
	switch {
	case o.condition != 0: // judged; a verdict other than Accept is an error to Publish
		return o.condition, nil
	case err != nil:
		return 0, fmt.Errorf("p2p: deliver to %s: %w", c.label, err)
	default: // GossipSub delivered the same bytes before
		n.metrics.judged(c.label, Duplicate)
		return Duplicate, nil
	}
}

// HasPeers says whether anybody listens to a topic, so that what is published there
// arrives somewhere.
func (n *Node) HasPeers(topic string) bool { return len(n.gossip.ListPeers(topic)) > 0 }

// Ready is closed once every topic has had a peer in its mesh: from then on messages
// of others reach this node, and what it publishes reaches others. A node without
// peers is never ready.
func (n *Node) Ready() <-chan struct{} { return n.mesh.ready }
