package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// Record proves what a ledger held at the end of a certified epoch, 0 being the newest.
func (v *view) Record(_ context.Context, id, name string, epoch uint64) (out api.Record, err error) {
	key, err := ledger.ParseKey(name)
	if err != nil {
		return out, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	if epoch == 0 {
		epoch = v.store.Certified(id)
	}
	_, ok, err := v.store.Certificate(id, epoch)
	switch {
	case errors.Is(err, store.ErrUnknownChain), err == nil && !ok:
		return out, fmt.Errorf("certificate of %s epoch %d: %w here", id, epoch, api.ErrNotFound)
	case err != nil:
		return out, err
	}
	tree, err := v.store.TreeAt(id, epoch)
	switch {
	case errors.Is(err, store.ErrPruned):
		return out, fmt.Errorf("state of %s at epoch %d: %w here any more: the oldest one is that of epoch %d (store.keep_versions)", id, epoch, api.ErrNotFound, v.store.Head(id).Oldest)
	case errors.Is(err, store.ErrNotFound):
		return out, fmt.Errorf("state of %s at epoch %d: %w: it is not executed yet", id, epoch, api.ErrNotFound)
	case err != nil:
		return out, err
	}
	r, err := ledger.ProveRecord(tree, key)
	return api.Record{Chain: id, Epoch: epoch, ProofRecord: r}, err
}

// Certificates are those of consecutive epochs.
func (v *view) Certificates(ctx context.Context, id string, from uint64, limit int) (api.Trail, error) {
	trail, err := v.store.Trail(ctx, id, from, limit)
	if errors.Is(err, store.ErrUnknownChain) {
		err = fmt.Errorf("chain %q: %w: the network has %v", id, api.ErrNotFound, v.manifest.ChainIDs())
	}
	return api.Trail{Links: trail}, err
}
