package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node/api"
)

// equivocation makes the proof of one double vote.
func (in *raw) equivocation(ctx context.Context, v *evidence.DoubleVote) (*built, error) {
	law, err := in.law(ctx)
	if err != nil {
		return nil, err
	}
	epoch, err := in.epochOf(ctx, v.ChainID, v.Height)
	if err != nil {
		return nil, err
	}
	sets, err := in.setsOf(ctx, v.ChainID, epoch)
	if err != nil {
		return nil, err
	}
	b, err := in.built(v.Prove(law, epoch, sets...))
	if err != nil {
		return nil, err
	}
	b.law = law
	return b, nil
}

// epochOf is the epoch of a height, by the manifest or by a certificate of the node: an
// epoch ends at a multiple of its length.
func (in *raw) epochOf(ctx context.Context, chainID string, height uint64) (uint64, error) {
	if in.manifest != nil {
		spec := in.manifest.Chain(chainID)
		if spec == nil {
			return 0, &evidence.Missing{What: fmt.Sprintf("the evidence is of chain %s, and the network has %v: give the manifest of a network of that chain", chainID, in.manifest.ChainIDs())}
		}
		return spec.EpochOf(height), nil
	}
	f, err := in.ask()
	if err != nil {
		return 0, err
	}
	status, err := f.Status(ctx)
	if err != nil {
		return 0, err
	}
	summary, known := status.Ledgers[chainID]
	if !known {
		return 0, &evidence.Missing{What: fmt.Sprintf("the evidence is of chain %s, and the network has %v: ask a node of a network of that chain", chainID, ledgersOf(status))}
	}
	answer, err := f.Certificate(ctx, chainID, summary.Epoch)
	if errors.Is(err, api.ErrNotFound) {
		return 0, &evidence.Missing{What: fmt.Sprintf("the node at %s has no certificate of %s yet, which tells how long its epochs are: give the network's --manifest", f.base, chainID)}
	}
	if err != nil {
		return 0, err
	}
	c, err := attest.DecodeCertificate(answer.Certificate)
	if err != nil || c.Checkpoint.Epoch == 0 || c.Checkpoint.Height%c.Checkpoint.Epoch != 0 || c.Checkpoint.Height == 0 {
		return 0, fmt.Errorf("the certificate of %s that the node at %s gives can't be read, ask another one", chainID, f.base)
	}
	return (height-1)/(c.Checkpoint.Height/c.Checkpoint.Epoch) + 1, nil
}
