package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// pollInterval is the time between two looks for a receipt.
const pollInterval = 250 * time.Millisecond

// session is a node that was asked where it stands, so that operations can be made
// for its home chain.
type session struct {
	node    *found
	network attest.Network
	agreed  *ledger.Manifest // nil without a configuration
	chain   string
	ledger  api.Ledger // of the home chain
	time    uint64     // of its last block, Unix milliseconds

	certified map[string]api.LedgerSummary // of each chain, the newest that the node has
}

// open asks the node for its chain and that chain's ledger. Where there is a
// configuration, the node must be of its network and chain: a signature for another
// one is void, or worse.
func (t *target) open(ctx context.Context) (*session, error) {
	f, err := t.find()
	if err != nil {
		return nil, err
	}
	status, err := f.Status(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{node: f, chain: status.Chain, time: status.Home.Time, certified: status.Ledgers}
	if s.network, err = f.networkOf(status); err != nil {
		return nil, err
	}
	if f.config != nil {
		m, err := readManifest(f.config.Manifest)
		if err != nil {
			return nil, err
		}
		if m.ID() != s.network {
			return nil, fmt.Errorf("the node at %s is of network %.8s…, the manifest %s of %.8x…: name a node of your network", f.base, status.Network, f.config.Manifest, m.ID())
		}
		s.agreed = m
		if f.config.Chain != s.chain {
			return nil, fmt.Errorf("the node at %s works for chain %s, the configuration for %s: name a node of your chain", f.base, s.chain, f.config.Chain)
		}
	}
	s.ledger, err = f.Ledger(ctx, s.chain)
	return s, err
}

// law is what proofs are judged by, as far as it is known here.
func (s *session) law() attest.Law {
	if s.agreed != nil {
		return s.agreed.Law()
	}
	return s.network
}

// networkOf is the network that a node says it is of.
func (f *found) networkOf(s api.Status) (network attest.Network, err error) {
	b, err := hex.DecodeString(s.Network)
	if err != nil || len(b) != len(network) {
		return network, fmt.Errorf("the node at %s names its network %q, which is no network id: is it a meshsec node of the same version?", f.base, s.Network)
	}
	return attest.Network(b), nil
}

func readManifest(path string) (*ledger.Manifest, error) {
	b, err := readBounded(path, ledger.MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	m, err := ledger.ParseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", path, err)
	}
	return m, nil
}

// account finds an account on the home ledger, nil if there is none.
func account(l api.Ledger, id ledger.AccountID) *ledger.AccountView {
	for i := range l.Accounts {
		if l.Accounts[i].ID == id {
			return &l.Accounts[i]
		}
	}
	return nil
}

// nonce is that of the account's next operation.
func (s *session) nonce(id ledger.AccountID) (uint64, error) {
	a := account(s.ledger, id)
	if a == nil {
		return 0, fmt.Errorf("account %v is not on the ledger of %s: its authority must deposit something first (\"meshsec deposit\")", id, s.chain)
	}
	return a.Nonce, nil
}

// expiry is how long after the home chain's last block an operation counts.
const expiry = time.Hour

// date makes an operation expire, in milliseconds of the home chain's time: what was
// refused can be made again as another operation once a block has passed, and nobody
// can replay it for long.
func (s *session) date(op *ledger.Operation) {
	op.Expires = s.time + uint64(expiry.Milliseconds())
}

// submit hands an operation to the home chain and returns its id.
func (s *session) submit(ctx context.Context, op *ledger.Operation) (id [32]byte, err error) {
	encoded, err := ledger.EncodeOperation(op)
	if err != nil {
		return id, err
	}
	id = ledger.OperationID(encoded)
	got, err := s.node.Submit(ctx, encoded)
	if err == nil && got != id {
		err = fmt.Errorf("the node at %s took another operation (%x) than the one sent (%x): do not trust it", s.node.base, got, id)
	}
	return id, err
}

// unexecuted is what became of an operation when nothing became of it in time.
type unexecuted struct {
	id    [32]byte
	cause error
}

func (e *unexecuted) Error() string {
	why := "interrupted"
	if errors.Is(e.cause, context.DeadlineExceeded) {
		why = "not executed in time"
	}
	return fmt.Sprintf("operation %x: %s, it may still be: look with \"meshsec receipt\", or send it again, which can't do it twice", e.id, why)
}

func (e *unexecuted) Unwrap() error { return e.cause }

// await asks for the receipt of an operation until there is one, or timeout has
// passed, or ctx ends.
func (s *session) await(ctx context.Context, timeout time.Duration, id [32]byte) (api.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		r, err := s.node.Receipt(ctx, id)
		switch {
		case ctx.Err() != nil:
			return r, &unexecuted{id, ctx.Err()}
		case err == nil && r.Code != ledger.CodeQueued.String():
			return r, nil
		case err != nil && !errors.Is(err, api.ErrNotFound) && !errors.Is(err, api.ErrUnavailable):
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, &unexecuted{id, ctx.Err()}
		case <-tick.C:
		}
	}
}
