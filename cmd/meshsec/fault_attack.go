package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
)

// attack makes the proof of one attack on light clients, who were shown the block l.
func (in *raw) attack(ctx context.Context, l *comet.LightBlock) (*built, error) {
	chainID := l.Header.ChainID
	if in.chain.rpc == "" {
		return nil, &evidence.Missing{What: fmt.Sprintf("the block of an attack on light clients is compared with those of its chain: give the --rpc of a node of %s", chainID)}
	}
	law, err := in.law(ctx)
	if err != nil {
		return nil, err
	}
	epoch, err := in.epochOf(ctx, chainID, uint64(l.Header.Height))
	if err != nil {
		return nil, err
	}
	certificate, err := in.certificateOf(ctx, chainID, epoch)
	if err != nil {
		return nil, err
	}
	sets, err := in.setsOf(ctx, chainID, epoch)
	if err != nil {
		return nil, err
	}
	e, err := in.compared(ctx, certificate, l)
	if err != nil {
		return nil, err
	}
	b, err := in.built(evidence.ProveAttack(law, e, sets...))
	if err != nil {
		return nil, err
	}
	b.law = law
	return b, nil
}

// compared asks the chain for its own headers and commit.
func (in *raw) compared(ctx context.Context, certificate *attest.Certificate, l *comet.LightBlock) (attest.AttackEvidence, error) {
	c, err := in.chain.dial(ctx, l.Header.ChainID)
	if err != nil {
		return attest.AttackEvidence{}, &evidence.Missing{What: err.Error()}
	}
	defer c.Close()
	e, err := chain.AttackEvidence(ctx, c, certificate, l)
	switch {
	case errors.Is(err, chain.ErrOutOfReach):
		err = fmt.Errorf("%w: %w", evidence.ErrNoFault, err)
	case ofChain(err):
		err = &evidence.Missing{What: explain(err)}
	}
	return e, err
}

// certificateOf is that of an epoch, which more than 2/3 of its set have signed: in a file
// or the node's.
func (in *raw) certificateOf(ctx context.Context, chainID string, epoch uint64) (*attest.Certificate, error) {
	if c := evidence.Certificate(chainID, epoch, in.sets...); c != nil {
		return c, nil
	}
	f, err := in.ask()
	if err != nil {
		return nil, err
	}
	answer, err := f.Certificate(ctx, chainID, epoch)
	if errors.Is(err, api.ErrNotFound) {
		return nil, &evidence.Missing{What: fmt.Sprintf("epoch %d of %s has no certificate yet: try again when it has", epoch, chainID)}
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate of %s epoch %d is in no file: %s; or give it with --validators, as a node answers about it", chainID, epoch, explain(err))
	}
	c, err := attest.DecodeCertificate(answer.Certificate)
	if err != nil || string(c.Checkpoint.ChainID) != chainID || c.Checkpoint.Epoch != epoch {
		return nil, fmt.Errorf("the certificate of %s that the node at %s gives can't be read, ask another one", chainID, f.base)
	}
	return c, nil
}
