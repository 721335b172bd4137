package p2p

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// ValidationTimeout is how long a Handler may take over one message.
const ValidationTimeout = 5 * time.Second

// releaseWorkers is how many released messages are judged at a time, so that a
// [Batcher] of the node sees them together.
const releaseWorkers = 256

// origin travels with a message that this node itself gives to GossipSub.
type origin struct {
	own       bool    // we made it, nobody needs to judge it
	from      peer.ID // who delivered it to us
	retried   bool    // see parkedMessage
	condition Condition
}

// validate is GossipSub's validator of one topic.
func (n *Node) validate(ctx context.Context, c *channel, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	o, local := m.ValidatorData.(*origin) // never set on what comes from the network
	if !local {
		o = &origin{from: from}
	}
	if o.own {
		return pubsub.ValidationAccept
	}
	if !n.enter() {
		return pubsub.ValidationIgnore
	}
	defer n.leave()
	o.condition = n.judge(ctx, c, o, m.Data)
	n.metrics.judged(c.label, o.condition)
	verdict := o.condition.Verdict()
	if verdict == Reject {
		n.standings.reject(o.from, n.now(), !local)
	}
	return verdict.gossip()
}

// judge finds out the condition of a message, and parks it where that is the verdict.
func (n *Node) judge(ctx context.Context, c *channel, o *origin, data []byte) Condition {
	m, refused := c.decode(data, n.knows)
	if refused != nil {
		n.log.Debug("message refused", "topic", c.label, "from", o.from, "condition", refused.condition, "err", refused.err)
		return refused.condition
	}
	for {
		finding := n.ask(ctx, c, o.from, m)
		if finding.Condition.Verdict() != Park {
			return finding.Condition
		}
		key, err := n.parkKey(m, finding)
		if err != nil {
			n.log.Error("cannot park", "topic", c.label, "err", err)
			return InternalError
		}
		outcome, evicted := n.parking.add(&parkedMessage{
			id: messageID(c.name, data), channel: c, data: data, from: o.from, key: key, retried: o.retried,
		})
		n.metrics.dropped.Add(float64(evicted))
		switch outcome {
		case parkReleased: // between the Handler's answer and now
			o.retried = true
		case parkRefused:
			return QueueFull
		default:
			return finding.Condition
		}
	}
}

// parkKey is what a message waits for.
func (n *Node) parkKey(m Message, f Finding) (parkKey, error) {
	key := parkKey{f.Chain, f.Epoch}
	if f.Chain == "" {
		var ok bool
		if key.chain, key.epoch, ok = m.subject(); !ok {
			return key, fmt.Errorf("p2p: the handler's answer %s on a %s does not say what to wait for: use Wait", f.Condition, m.noun())
		}
	}
	if !n.knows(key.chain) {
		return key, fmt.Errorf("p2p: the handler wants a %s to wait for chain %q, which is not in the manifest", m.noun(), key.chain)
	}
	return key, nil
}

// ask calls the Handler, within the time limit and behind a recover.
func (n *Node) ask(ctx context.Context, c *channel, from peer.ID, m Message) (f Finding) {
	ctx, cancel := context.WithTimeout(ctx, ValidationTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			n.log.Error("handler panicked", "topic", c.label, "from", from, "panic", p, "stack", string(debug.Stack()))
			f = Found(Panic)
		}
	}()
	switch {
	case m.Vote != nil:
		f = n.handler.Vote(ctx, from, m.Vote)
	case m.Cross != nil:
		f = n.handler.CrossVote(ctx, from, m.Cross)
	case m.Certificate != nil:
		f = n.handler.Certificate(ctx, from, m.Certificate)
	default:
		f = n.handler.Fault(ctx, from, m.Fault)
	}
	verdict := f.Condition.Verdict()
	switch {
	case ctx.Err() != nil && verdict != Accept && verdict != Reject:
		n.log.Warn("handler too slow", "topic", c.label, "from", from, "answer", f.Condition)
		return Found(Timeout)
	case f.Condition == 0 || int(f.Condition) > len(rules):
		n.log.Error("handler gave no condition", "topic", c.label, "from", from, "answer", f.Condition)
		return Found(InternalError)
	default:
		return f
	}
}

// Release says that an epoch of a chain has become known: what was parked for it, or
// for an earlier epoch of that chain, is judged again, and forwarded if accepted. It
// returns at once with the number of these messages; the Handler is called from other
// goroutines. Call it after the Handler can see the epoch: a message that asks for a
// released epoch is judged again right away, instead of being parked.
func (n *Node) Release(chain string, epoch uint64) int {
	waiting := n.parking.release(chain, epoch)
	if len(waiting) == 0 {
		return 0
	}
	queue := make(chan *parkedMessage, len(waiting))
	for _, m := range waiting {
		queue <- m
	}
	close(queue)
	for range min(releaseWorkers, len(waiting)) {
		n.spawn(func() {
			for m := range queue {
				if n.ctx.Err() != nil {
					return
				}
				if _, err := n.offer(n.ctx, m.channel, m.data, &origin{from: m.from}); err != nil && n.ctx.Err() == nil {
					n.log.Warn("released message lost", "topic", m.channel.label, "err", err)
				}
			}
		})
	}
	return len(waiting)
}
