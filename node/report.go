package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// Conviction is what a chain's ledger knows of a fault.
func (v *view) Conviction(_ context.Context, chain string, id [32]byte) (ledger.ConvictionView, error) {
	if v.manifest.Chain(chain) == nil {
		return ledger.ConvictionView{}, fmt.Errorf("chain %q: %w: the network has %v", chain, api.ErrNotFound, v.manifest.ChainIDs())
	}
	r, err := v.execution.reader(chain)
	if err != nil {
		return ledger.ConvictionView{}, err
	}
	out, err := r.Conviction(id)
	if err != nil {
		return ledger.ConvictionView{}, err
	}
	if out == nil {
		return ledger.ConvictionView{}, fmt.Errorf("fault %x: %w on the ledger of %s", id, api.ErrNotFound, chain)
	}
	return *out, nil
}

// Report judges a proof that somebody brings. The home chain has it before the mesh
// does: whoever hears of it can submit it with a reporter of his own. A chain that
// can't be reached ends it, so that it can be brought again.
func (v *view) Report(ctx context.Context, proof *attest.FaultProof, reporter ledger.AccountID) (out api.Report, err error) {
	if reporter == (ledger.AccountID{}) {
		reporter = v.desk.reporter
	}
	f, err := v.judge(proof)
	if err != nil {
		return out, err
	}
	id := f.ID()
	out = api.Report{ID: id[:], Reporter: reporter}
	operation, why, err := v.accusation(f, reporter)
	if err != nil {
		return out, err
	}
	out.Reason = why
	if operation != nil {
		sent, err := v.Submit(ctx, operation)
		if err != nil {
			return out, fmt.Errorf("the proof is good, but was not handed on: %w", err)
		}
		out.Operation = sent[:]
	}
	return out, tell(ctx, v.loop, func(c *council, _ time.Time) { c.report(f, reporter, operation != nil) })
}

// judge verifies a proof, one after the other: callers together occupy one core.
func (v *view) judge(proof *attest.FaultProof) (f attest.VerifiedFault, err error) {
	v.judging.Lock()
	defer v.judging.Unlock()
	accusation, err := attest.Peek(proof)
	if err != nil {
		return f, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	if v.manifest.Misplaced(accusation) {
		return f, fmt.Errorf("%w: height %d is not in epoch %d of %s", api.ErrInvalid, accusation.Height, accusation.Epoch, accusation.ChainID)
	}
	set, err := v.store.Set(accusation.ChainID, accusation.Epoch)
	switch {
	case errors.Is(err, store.ErrUnknownChain):
		return f, fmt.Errorf("%w: chain %q is not in the network, which has %v", api.ErrInvalid, accusation.ChainID, v.manifest.ChainIDs())
	case errors.Is(err, store.ErrNotFound):
		return f, fmt.Errorf("%w: the set of %s epoch %d is not known here yet: try again later", api.ErrUnavailable, accusation.ChainID, accusation.Epoch)
	case errors.Is(err, store.ErrPruned):
		return f, fmt.Errorf("%w: %s epoch %d is before all that this node keeps: bring the proof to another node", api.ErrUnavailable, accusation.ChainID, accusation.Epoch)
	case err != nil:
		return f, err
	}
	if f, err = attest.VerifyFault(v.manifest.Law(), set, proof); err != nil {
		return f, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return f, nil
}

// accusation is the encoded operation that tells the home ledger of a fault; where
// there is none, why says why it is not needed, or not yet.
func (v *view) accusation(f attest.VerifiedFault, reporter ledger.AccountID) (operation []byte, why string, err error) {
	r, err := v.execution.reader(v.cfg.Chain)
	if err != nil {
		return nil, "", err
	}
	meta, err := r.Meta()
	if err != nil {
		return nil, "", err
	}
	params, err := r.Params()
	if err != nil {
		return nil, "", err
	}
	t, why, err := v.desk.fault(r, meta, params, f, reporter)
	if err != nil || why != "" {
		return nil, why, err
	}
	op, err := t.build()
	if err != nil {
		return nil, "", err
	}
	// As the submitter dates its first variant, so that a mempool takes both for one.
	op.Expires = meta.Time + uint64(operationLife.Milliseconds())
	operation, err = ledger.EncodeOperation(op)
	return operation, "", err
}
