package node

import (
	"context"
	"errors"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// source is what peers may ask this node for: what is in the store, and the votes
// that the council holds.
type source struct {
	manifest *ledger.Manifest
	store    *store.Store
	loop     *loop
}

var _ p2p.Source = (*source)(nil)

// Heads are the last certified epochs.
func (s *source) Heads(context.Context) ([]p2p.Head, error) {
	var heads []p2p.Head
	for _, chain := range s.manifest.ChainIDs() {
		epoch := s.store.Certified(chain)
		cert, ok, err := s.store.Certificate(chain, epoch)
		if err != nil {
			return nil, err
		}
		if ok {
			heads = append(heads, p2p.Head{Chain: chain, Epoch: epoch, Root: cert.Checkpoint.Root()})
		}
	}
	return heads, nil
}

// Certificates are those of consecutive epochs.
func (s *source) Certificates(ctx context.Context, chain string, from uint64, limit int) ([]*attest.Certificate, error) {
	var out []*attest.Certificate
	for epoch := from; len(out) < limit && ctx.Err() == nil; epoch++ {
		cert, ok, err := s.store.Certificate(chain, epoch)
		if err != nil || !ok {
			return out, err
		}
		out = append(out, cert)
	}
	return out, ctx.Err()
}

// Epochs are journal entries of consecutive executed epochs.
func (s *source) Epochs(ctx context.Context, chain string, from uint64, limit, maxBytes int) ([][]byte, error) {
	var out [][]byte
	head, size := s.store.Head(chain).Epoch, 0
	for epoch := from; epoch <= head && len(out) < limit && size <= maxBytes && ctx.Err() == nil; epoch++ {
		entry, err := s.store.JournalBytes(chain, epoch)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrPruned):
			return out, nil
		case err != nil:
			return nil, err
		}
		out = append(out, entry)
		size += len(entry)
	}
	return out, ctx.Err()
}

// Faults are the proofs that this node knows, in the order in which it learned them.
func (s *source) Faults(_ context.Context, after uint64, limit int) ([]p2p.FaultRecord, error) {
	list, err := s.store.Faults(after, limit) // positions count from 1, cursors from 0
	if err != nil {
		return nil, err
	}
	out := make([]p2p.FaultRecord, len(list))
	for i, f := range list {
		out[i] = p2p.FaultRecord{Position: f.Cursor + 1, Proof: f.Proof}
	}
	return out, nil
}

// Votes are what the council holds of an epoch.
func (s *source) Votes(ctx context.Context, chain string, epoch uint64, limit int) ([]*attest.Attestation, []*attest.CrossAttestation, error) {
	type votes struct {
		own   []*attest.Attestation
		cross []*attest.CrossAttestation
	}
	v, err := ask(ctx, s.loop, func(c *council, _ time.Time) votes {
		own, cross := c.votesOf(chain, epoch)
		return votes{own, cross}
	})
	own := v.own[:min(limit, len(v.own))]
	return own, v.cross[:min(limit-len(own), len(v.cross))], err
}
