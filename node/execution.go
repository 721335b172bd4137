package node

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// execution runs epochs and keeps what comes of them. The home chain's goroutine
// and the followers share it; each chain has one of them only.
type execution struct {
	manifest *ledger.Manifest
	self     string
	store    *store.Store
	loop     *loop
	faults   *faultLog
	metrics  *metrics
	misdeed  *misdeed
	log      *slog.Logger
}

// run executes the epoch after a chain's head. Nothing is stored.
func (x *execution) run(in *ledger.EpochInput) (*ledger.Result, error) {
	chain := string(in.ChainID)
	tree, err := x.store.Tree(chain)
	if err == nil && chain == x.self {
		err = x.misdeed.spoil(in.Epoch, tree)
	}
	if err != nil {
		return nil, err
	}
	return ledger.Execute(x.manifest, x.store.Head(chain).Checkpoint, tree, in)
}

// commit stores a result, with its certificate where that came first, and tells the
// council.
func (x *execution) commit(ctx context.Context, r *ledger.Result, cert *attest.VerifiedCertificate) error {
	c := r.Checkpoint
	chain := string(c.ChainID)
	if err := x.store.Commit(chain, r); err != nil {
		return fmt.Errorf("store epoch %d of %s: %w", c.Epoch, chain, err)
	}
	if cert != nil {
		if _, err := x.store.PutCertificate(*cert); err != nil {
			return fmt.Errorf("store the certificate of epoch %d of %s: %w", c.Epoch, chain, err)
		}
	}
	reader, err := x.reader(chain)
	if err != nil {
		return err
	}
	if !x.faults.idle(chain) {
		if err := x.faults.executed(chain, reader); err != nil {
			return err
		}
		if err := x.reportSlashes(chain, c.Epoch, reader); err != nil {
			return err
		}
	}
	var claims []*attest.CrossClaim
	if chain == x.self {
		if claims, err = reader.Claims(); err != nil {
			return err
		}
	}
	set, err := x.store.Set(chain, c.Epoch+1)
	if err != nil {
		return err
	}
	x.report(chain, r, cert)
	return tell(ctx, x.loop, func(k *council, _ time.Time) { k.executed(c, set, claims, cert) })
}

// reader reads a chain's ledger at its head.
func (x *execution) reader(chain string) (*ledger.Reader, error) {
	tree, err := x.store.Tree(chain)
	if err != nil {
		return nil, err
	}
	return ledger.NewReader(x.manifest, chain, tree)
}

func (x *execution) report(chain string, r *ledger.Result, cert *attest.VerifiedCertificate) {
	failed := 0
	for _, receipt := range r.Receipts {
		if receipt.Code != 0 {
			failed++
			x.log.Debug("operation failed", "chain", chain, "operation", fmt.Sprintf("%x", receipt.Operation), "reason", string(receipt.Reason))
		}
	}
	x.metrics.operations.WithLabelValues(chain, "ok").Add(float64(len(r.Receipts) - failed))
	x.metrics.operations.WithLabelValues(chain, "failed").Add(float64(failed))
	x.log.Info("executed", "chain", chain, "epoch", r.Checkpoint.Epoch, "height", r.Checkpoint.Height,
		"operations", len(r.Receipts), "failed", failed, "root", fmt.Sprintf("%.4x", r.Checkpoint.LedgerRoot), "certified", cert != nil)
}

// reportSlashes says what an epoch took from whom.
func (x *execution) reportSlashes(chain string, epoch uint64, r *ledger.Reader) error {
	slashes, err := r.Slashes()
	if err != nil {
		return err
	}
	for _, s := range slashes {
		if s.Epoch != epoch {
			continue
		}
		x.metrics.slashes.WithLabelValues(chain).Inc()
		x.log.Warn("slashed", "chain", chain, "epoch", epoch, "account", s.Account, "amount", s.Amount, "captured", s.Captured,
			"consumer", s.Consumer, "validator", s.Validator, "fault", fmt.Sprintf("%x", []byte(s.Fault)))
	}
	return nil
}

// differingStep says where two transcripts part.
func differingStep(ours, theirs *ledger.Transcript) string {
	for i := range min(len(ours.Steps), len(theirs.Steps)) {
		a, b := ours.Steps[i], theirs.Steps[i]
		switch {
		case *a == *b:
			continue
		case a.Kind != b.Kind || a.Operation != b.Operation || a.Height != b.Height || a.Time != b.Time:
			return fmt.Sprintf("the first difference is step %d: here %s, there %s", i, stepName(a), stepName(b))
		case a.Receipt != b.Receipt:
			return fmt.Sprintf("the first difference is the receipt of step %d, %s", i, stepName(a))
		}
		return fmt.Sprintf("the first difference is the root after step %d, %s", i, stepName(a))
	}
	if len(ours.Steps) != len(theirs.Steps) {
		return fmt.Sprintf("the steps are equal up to the end of the shorter: here %d, there %d", len(ours.Steps), len(theirs.Steps))
	}
	return "all steps are equal"
}

func stepName(s *ledger.Step) string {
	if s.Kind == ledger.StepEnd {
		return "the end of the epoch"
	}
	return fmt.Sprintf("operation %x in block %d", s.Operation, s.Height)
}
