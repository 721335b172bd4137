package testnet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// A peer that was not heard of for half of the unbonding time is halted as stale, until
// the authority of the chain that halted it trusts it anew (DESIGN §3.5). A testnet
// that has rested for minutes holds strangers only; it has the keys of all authorities.

// trustTimeout is how long the home chains may take to order and execute it.
const trustTimeout = 2 * time.Minute

// trustExpiry is how long after the home chain's last block an operation counts. With
// it, a second attempt is another transaction.
const trustExpiry = 5 * time.Minute

// Trust has every chain trust those peers anew that are stale on its ledger, and waits
// until none is left, nor becomes so in the next epochs.
func (t *Testnet) Trust(ctx context.Context, s *Screen) error {
	if err := t.mustRun(ctx); err != nil {
		return err
	}
	o := newObserver(t)
	ctx, cancel := context.WithTimeout(ctx, trustTimeout)
	defer cancel()
	s.begin("stale peers")
	var left []string
	count := 0
	began := o.look(ctx)
	err := poll(ctx, pace, func() (bool, error) {
		v := o.look(ctx)
		lines := o.trust(ctx, v)
		s.say(lines...)
		count += len(lines)
		left = v.staleLines()
		if !v.later(began) {
			left = append(left, "the chains have yet to make two epochs")
		}
		s.progress("%s", strings.Join(left, ", "))
		return len(left) == 0, nil
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		s.abandon()
		return fmt.Errorf("stale peers were not all trusted anew in %v: %s; a chain can be once it makes epochs: `meshsec testnet status --home %s`",
			trustTimeout, strings.Join(left, ", "), t.home)
	case err != nil:
		s.abandon()
		return err
	case count == 0:
		s.end("there are none")
	default:
		s.end("all are followed again")
	}
	return nil
}

// staleLines say who is stale on whose ledger, and which ledgers nobody tells of.
func (v *view) staleLines() (lines []string) {
	for _, c := range v.t.Chains {
		l, ok := v.ledgers[c.ID]
		if !ok {
			lines = append(lines, "no node shows the ledger of "+c.ID)
		}
		for _, p := range l.Peers {
			if p.Stale {
				lines = append(lines, fmt.Sprintf("%s on the ledger of %s", p.Chain, c.ID))
			}
		}
	}
	return lines
}

// trust submits what is needed so that no peer is stale any more, and says so in a line
// for each. What can't be had now is left for the next look.
func (o *observer) trust(ctx context.Context, v *view) (lines []string) {
	for _, c := range o.t.Chains {
		l, ok := v.ledgers[c.ID]
		// What was ordered in the epoch under way, or just missed it, must show first.
		if sent, before := o.trusted[c.ID]; !ok || before && l.Epoch <= sent+2 {
			continue
		}
		done, err := o.trustPeers(ctx, v, c, &l)
		if len(done) > 0 {
			o.trusted[c.ID] = l.Epoch
			lines = append(lines, done...)
		}
		if err != nil {
			lines = append(lines, fmt.Sprintf("%s can't trust a stale peer anew: %v", c.ID, err))
		}
	}
	return lines
}

// trustPeers submits to one chain. The error is about the testnet's own keys.
func (o *observer) trustPeers(ctx context.Context, v *view, c *Chain, l *api.Ledger) (lines []string, err error) {
	node := v.readyNode(c)
	if node == "" || l.Params == nil {
		return nil, nil
	}
	network, err := o.t.networkID()
	if err != nil {
		return nil, err
	}
	nonce, now := l.AuthorityNonce, v.nodes[node].Home.Time
	for _, p := range l.Peers {
		if !p.Stale {
			continue
		}
		cp, next, ok := o.newest(ctx, v, network, node, p.Chain)
		fresh := ok && cp.Epoch > p.Final && now <= cp.Time+uint64(l.Params.Unbonding.Time)/2
		if !fresh {
			continue // it has yet to certify an epoch since
		}
		key, err := o.t.authorityKey(c.ID)
		if err != nil {
			return lines, err
		}
		op, err := ledger.NewTrustPeer(nonce, cp, next)
		if err != nil {
			return lines, err
		}
		op.Expires = now + uint64(trustExpiry.Milliseconds())
		if err := op.Sign(network, c.ID, key); err != nil {
			return lines, err
		}
		encoded, err := ledger.EncodeOperation(op)
		if err != nil {
			return lines, err
		}
		if _, err := o.clients[node].Submit(ctx, encoded); err != nil {
			return lines, nil // not now
		}
		nonce++
		lines = append(lines, fmt.Sprintf("%s was stale on the ledger of %s, whose authority trusts it anew from epoch %d on", p.Chain, c.ID, cp.Epoch))
	}
	return lines, nil
}

// newest is the newest certified checkpoint that a node has of a chain, with the set of
// the epoch after it.
func (o *observer) newest(ctx context.Context, v *view, network attest.Network, node, chain string) (*attest.Checkpoint, *attest.ValidatorSet, bool) {
	answer, err := o.clients[node].Certificate(ctx, chain, v.nodes[node].Ledgers[chain].Epoch)
	if err != nil {
		return nil, nil, false
	}
	cert, next, err := answer.Open(network)
	if err != nil {
		return nil, nil, false
	}
	return cert.Checkpoint(), next, true
}

// readyNode is the name of a ready node of a chain, "" if there is none.
func (v *view) readyNode(c *Chain) string {
	for _, n := range c.Nodes {
		if v.nodes[n.Name].Ready {
			return n.Name
		}
	}
	return ""
}
