package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// view is the node as the API sees it. It reads what others own: the store, the
// mesh, and the atomics that they publish.
type view struct {
	cfg       Config
	version   string
	manifest  *ledger.Manifest
	key       *[48]byte
	account   ledger.AccountID
	store     *store.Store
	mesh      *p2p.Node
	home      *home
	syncer    *syncer
	execution *execution
	faults    *faultLog
	divergent *divergence
	desk      *desk
	loop      *loop
	judging   sync.Mutex // held while a proof is verified
}

var _ api.Backend = (*view)(nil)

// Status is the node at this moment.
func (v *view) Status() api.Status {
	network := v.store.Network()
	s := api.Status{
		Version: v.version, Network: fmt.Sprintf("%x", network), Name: v.cfg.Name, Chain: v.cfg.Chain,
		Peers: len(v.mesh.Peers()), Ledgers: make(map[string]api.LedgerSummary), Diverged: v.divergent.reason(),
	}
	atTip := false
	if h := v.home.view.Load(); h != nil {
		s.Home, atTip = h.Home, h.atTip
	}
	for _, id := range v.manifest.ChainIDs() {
		s.Ledgers[id] = v.summary(id)
	}
	if v.key != nil {
		s.Validator = v.validator()
	}
	s.Warnings = append(v.divergent.warnings(), v.concerns()...)
	s.Reason = v.missing(&s, atTip)
	s.Ready = s.Reason == ""
	return s
}

// concerns are what an operator should know about the peers of the home chain.
func (v *view) concerns() (out []string) {
	r, err := v.execution.reader(v.cfg.Chain)
	if err != nil {
		return nil // the store says so elsewhere
	}
	peers, err := r.Peers()
	if err != nil {
		return nil
	}
	for _, p := range peers {
		if p.Halted != "" {
			out = append(out, fmt.Sprintf("%s is halted on the ledger of %s: %s", p.Chain, v.cfg.Chain, p.Halted))
		}
		if p.Warning != "" {
			out = append(out, p.Warning)
		}
	}
	return out
}

// missing says what the node still waits for; empty when it is ready.
func (v *view) missing(s *api.Status, atTip bool) string {
	alone := len(v.cfg.P2P.Peers) == 0
	switch {
	case s.Diverged != "":
		return "diverged: " + s.Diverged
	case s.Home.Error != "":
		return "the home chain does not answer: " + s.Home.Error
	case s.Home.Height == 0:
		return "no block of the home chain was read yet"
	case !atTip && v.store.Head(v.cfg.Chain).Checkpoint.Height+2*v.manifest.Chain(v.cfg.Chain).EpochBlocks < s.Home.Height:
		return "the home chain's blocks are being read"
	case s.Peers == 0 && !alone:
		return "no peer is connected"
	case v.syncer.rounds.Load() == 0 && !alone:
		return "no peer was asked yet what it knows"
	}
	for _, id := range v.manifest.ChainIDs() {
		if n := v.syncer.behind(id); n > 1 && !v.divergent.stopped(id) { // what is no longer followed is in the warnings
			return fmt.Sprintf("%s is %d epochs behind", id, n)
		}
	}
	return ""
}

func (v *view) summary(id string) api.LedgerSummary {
	s := api.LedgerSummary{Epoch: v.store.Certified(id), Executed: v.store.Head(id).Epoch}
	if entry, err := v.store.Journal(id, s.Epoch); err == nil {
		root := entry.Checkpoint.Root()
		s.LedgerRoot, s.Certificate = entry.Checkpoint.LedgerRoot[:], root[:]
	}
	return s
}

func (v *view) validator() *api.Validator {
	out := &api.Validator{Account: v.account, Key: v.key[:]}
	if set, err := v.store.Set(v.cfg.Chain, v.store.Head(v.cfg.Chain).Epoch+1); err == nil {
		_, out.Active = set.Index(*v.key)
	}
	return out
}

// Ledger is a chain's newest executed state.
func (v *view) Ledger(_ context.Context, id string) (out api.Ledger, err error) {
	if v.manifest.Chain(id) == nil {
		return out, fmt.Errorf("chain %q: %w: the network has %v", id, api.ErrNotFound, v.manifest.ChainIDs())
	}
	r, err := v.execution.reader(id)
	if err != nil {
		return out, err
	}
	meta, err := r.Meta()
	if err != nil {
		return out, err
	}
	entry, err := v.store.Journal(id, meta.Epoch)
	if err != nil {
		return out, err
	}
	out = api.Ledger{Chain: id, Epoch: meta.Epoch, Root: entry.Checkpoint.LedgerRoot[:], AuthorityNonce: meta.AuthorityNonce}
	errs := make([]error, 10)
	out.Totals, errs[0] = r.Totals()
	out.Accounts, errs[1] = r.Accounts()
	out.Liens, errs[2] = r.Liens()
	out.Peers, errs[3] = r.Peers()
	out.Power, errs[4] = r.Power()
	out.Faults, errs[5] = r.Faults()
	out.Slashes, errs[6] = r.Slashes()
	out.Jailed, errs[7] = r.Jailed()
	out.Params, errs[8] = r.Params()
	out.Pending, errs[9] = r.Pending()
	return out, errors.Join(errs...)
}

// Certificate is one with the set that signed it, and that of the next epoch.
func (v *view) Certificate(_ context.Context, id string, epoch uint64) (out api.Certificate, err error) {
	cert, set, err := v.certificate(id, epoch)
	if err != nil {
		return out, err
	}
	next, err := v.store.Set(id, epoch+1)
	if err != nil {
		return out, err
	}
	errs := make([]error, 3)
	out.Certificate, errs[0] = attest.EncodeCertificate(cert)
	out.Set, errs[1] = attest.EncodeValidatorSet(set.ValidatorSet())
	out.Next, errs[2] = attest.EncodeValidatorSet(next.ValidatorSet())
	return out, errors.Join(errs...)
}

// certificate is one with the set that signed it.
func (v *view) certificate(id string, epoch uint64) (*attest.Certificate, *attest.Set, error) {
	cert, ok, err := v.store.Certificate(id, epoch)
	switch {
	case errors.Is(err, store.ErrUnknownChain), err == nil && !ok:
		return nil, nil, fmt.Errorf("certificate of %s epoch %d: %w here yet", id, epoch, api.ErrNotFound)
	case err != nil:
		return nil, nil, err
	}
	set, err := v.store.Set(id, epoch)
	return cert, set, err
}

// Checkpoint is a certified one.
func (v *view) Checkpoint(_ context.Context, id string, epoch uint64) (out api.Checkpoint, err error) {
	cert, set, err := v.certificate(id, epoch)
	if err != nil {
		return out, err
	}
	signed, err := set.PowerOf(cert.Signers)
	if err != nil {
		return out, err
	}
	c := &cert.Checkpoint
	root := c.Root()
	return api.Checkpoint{
		Chain: id, Epoch: epoch, Height: c.Height, Time: c.Time, Certificate: root[:],
		LedgerRoot: c.LedgerRoot[:], OpsRoot: c.OpsRoot[:], ValidatorsRoot: c.ValidatorsRoot[:],
		SignedPower: ledger.NewAmount(signed), TotalPower: ledger.NewAmount(set.Total()),
		Signers: attest.Bits(cert.Signers).Count(), Validators: set.Len(),
	}, nil
}

// Faults are those that this node knows.
func (v *view) Faults(_ context.Context, from uint64, limit int) ([]api.Fault, error) {
	list, err := v.store.Faults(from, limit)
	if err != nil {
		return nil, err
	}
	out := make([]api.Fault, len(list))
	for i, f := range list {
		if out[i], err = v.fault(f.ID, f.Proof); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Fault is one of them.
func (v *view) Fault(_ context.Context, id [32]byte) (api.Fault, error) {
	proof, ok, err := v.store.Fault(id)
	if err != nil {
		return api.Fault{}, err
	}
	if !ok {
		return api.Fault{}, fmt.Errorf("fault %x: %w here", id, api.ErrNotFound)
	}
	return v.fault(id, proof)
}

func (v *view) fault(id [32]byte, proof *attest.FaultProof) (out api.Fault, err error) {
	accusation, err := attest.Peek(proof)
	if err != nil {
		return out, err
	}
	set, err := v.store.Set(accusation.ChainID, accusation.Epoch)
	pruned := errors.Is(err, store.ErrPruned) // from before the snapshot that we began with
	if err != nil && !pruned {
		return out, err
	}
	encoded, err := attest.EncodeFaultProof(proof)
	if err != nil {
		return out, err
	}
	times := v.faults.of(id)
	out = api.Fault{
		ID: id[:], Kind: accusation.Kind.String(), Chain: accusation.ChainID, Epoch: accusation.Epoch, Forked: accusation.Forked, Proof: encoded,
		Seen: times.seen, Frozen: times.frozen, Executed: times.executed,
	}
	if out.Refused, err = v.refusals(id, accusation); err != nil {
		return out, err
	}
	for i := range accusation.Accused.Ones() {
		if pruned {
			break // the names are in that set
		}
		out.Offenders = append(out.Offenders, set.At(i).Account)
	}
	return out, nil
}

// Submit hands an operation to the home chain.
func (v *view) Submit(ctx context.Context, operation []byte) (id [32]byte, err error) {
	if _, err := ledger.DecodeOperation(operation); err != nil {
		return id, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	c, err := v.home.connected()
	if err == nil {
		err = c.Submit(ctx, operation)
	}
	switch {
	case errors.Is(err, chain.ErrTooLarge), errors.Is(err, chain.ErrRejected):
		return id, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	case err != nil:
		return id, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	return sha256.Sum256(operation), nil
}

// Receipt is what became of an operation on the home chain's ledger.
func (v *view) Receipt(_ context.Context, id [32]byte) (api.Receipt, error) {
	o, ok, err := v.store.Receipt(v.cfg.Chain, id)
	if err != nil {
		return api.Receipt{}, err
	}
	if !ok {
		return api.Receipt{}, fmt.Errorf("operation %x: %w among the executed ones", id, api.ErrNotFound)
	}
	return api.Receipt{
		ID: id[:], Chain: v.cfg.Chain, Epoch: o.Epoch, Height: o.Height,
		OK: o.Receipt.Code == 0, Code: ledger.Code(o.Receipt.Code).String(), Reason: string(o.Receipt.Reason),
	}, nil
}
