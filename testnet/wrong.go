package testnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
)

var wrongEpoch = crime{name: "wrong epoch", any: attest.FaultInvalidTransition.String(), commit: (*trial).certifyWrong}

// wrongAhead is how many epochs ahead of the last certified one the wrong one is, so that
// all who are to sign it are told in time.
const wrongAhead = 3

// certifyTimeout bounds the wait for the certificate of the wrong epoch.
const certifyTimeout = 2 * time.Minute

// InvalidTransition makes all nodes of a chain that are ready certify, in one epoch, a
// state that no operation led to, and tells nobody else. It waits until every node of the
// other chains has the proof, and their ledgers have halted that chain, and frozen and
// slashed what stood behind its validators. Then it checks that these ledgers lost or
// made no amount, and that they agree again. The chain itself goes on from its wrong
// state, and none of the others follows it.
func (t *Testnet) InvalidTransition(ctx context.Context, chain string, s *Screen) (*FaultReport, error) {
	c, err := t.chain(chain)
	if err != nil {
		return nil, err
	}
	if err := t.mustRun(ctx); err != nil {
		return nil, err
	}
	r, err := t.trial(ctx, wrongEpoch, c, 0, s)
	if err != nil {
		return nil, err
	}
	if err := r.withoutItself(c); err != nil {
		return nil, err
	}
	return r.run(ctx)
}

// withoutItself leaves the chain itself out of the ledgers that it has consequences on.
func (r *trial) withoutItself(c *Chain) error {
	r.ledgers = slices.DeleteFunc(slices.Clone(r.o.t.Chains), func(other *Chain) bool { return other == c })
	if len(r.ledgers) == 0 {
		return fmt.Errorf("%s has no peer that could find out: this takes a network of two chains", c.ID)
	}
	return nil
}

// certifyWrong tells the nodes of the chain, and waits for their certificate.
func (r *trial) certifyWrong(ctx context.Context) (func() error, error) {
	r.epoch += wrongAhead
	told := 0
	for _, n := range r.witnesses {
		if n.Chain != r.chain {
			continue
		}
		err := r.o.clients[n.Name].Misbehave(ctx, r.epoch)
		if errors.Is(err, api.ErrNotFound) {
			return nil, fmt.Errorf("%s can't be told to misbehave: it was not started by this version's `meshsec testnet up`", n.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("tell %s to certify a wrong epoch: %w", n.Name, err)
		}
		told++
	}
	if 3*told <= 2*len(r.chain.Nodes) {
		return nil, fmt.Errorf("%d of %d nodes of %s are ready, more than 2/3 must certify the wrong epoch: wait for the others", told, len(r.chain.Nodes), r.chain.ID)
	}
	liars := r.witnesses
	r.witnesses = slices.DeleteFunc(slices.Clone(r.witnesses), func(n Service) bool { return n.Chain == r.chain })
	if len(r.witnesses) == 0 {
		return nil, fmt.Errorf("no node of another chain is ready to find out")
	}
	r.s.begin(fmt.Sprintf("%d nodes of %s certify a wrong result of epoch %d", told, r.chain.ID, r.epoch))
	ctx, cancel := context.WithTimeout(ctx, certifyTimeout)
	defer cancel()
	err := poll(ctx, 200*time.Millisecond, func() (bool, error) {
		for _, n := range liars {
			if n.Chain != r.chain {
				continue
			}
			if _, err := r.o.clients[n.Name].Checkpoint(ctx, r.chain.ID, r.epoch); err == nil {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("epoch %d of %s is not certified: %w", r.epoch, r.chain.ID, err)
	}
	r.second = time.Now()
	r.s.end("it is certified")
	return func() error { return nil }, nil
}
