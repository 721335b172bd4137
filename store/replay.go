package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// Replay runs a chain's journal again, from genesis or the state that the journal begins
// with to the head, in memory and with
// this program's rules, and compares everything that comes of it: steps, receipts and
// roots, the chain of hashes, and the receipts that can be asked for. It costs what the
// epochs cost. Errors: [ErrDiverged], a *[ReplayError] with the first epoch and step that
// differ; [ErrCorrupt]; [ErrUnknownChain]; [ErrClosed]; and the context's.
func (s *Store) Replay(ctx context.Context, chain string) error {
	c, err := s.chain(chain)
	if err != nil {
		return err
	}
	head := s.Head(chain)
	var parent *ledger.Result
	tree := &overlay{s: trie.NewStore(), below: nodes{s, c}, base: head.Base}
	var before *epochRecord
	for epoch := head.Base; epoch <= head.Epoch; epoch++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		want, rec, err := s.journal(c, epoch)
		if err != nil {
			return err
		}
		if reason := checkLink(epoch, want, rec, before); reason != "" {
			return &ReplayError{Chain: chain, Epoch: epoch, Step: -1, Reason: reason}
		}
		if epoch > 0 && epoch == head.Base { // it is what the rest starts from
			parent, before = &ledger.Result{Checkpoint: want.Checkpoint, Ref: rec.ref}, rec
			continue
		}
		got, err := s.again(chain, parent, tree, want)
		if err != nil {
			return &ReplayError{Chain: chain, Epoch: epoch, Step: -1, Reason: "it does not run", Cause: err}
		}
		if d := difference(got, want, rec); d != nil {
			d.Chain, d.Epoch = chain, epoch
			return d
		}
		if err := s.checkReceipts(c, epoch, got); err != nil {
			return err
		}
		tree.s.Apply(got.Changes)
		tree.s.Prune(epoch)
		parent, before = got, rec
	}
	return nil
}

// overlay is the nodes made in memory since a version that is stored.
type overlay struct {
	s     *trie.Store
	below nodes
	base  uint64
}

// Node implements [trie.Reader].
func (o *overlay) Node(k trie.NodeKey) ([]byte, error) {
	if o.base > 0 && k.Version <= o.base {
		return o.below.Node(k)
	}
	return o.s.Node(k)
}

// again runs an epoch on top of the one before it, nil for genesis.
func (s *Store) again(chain string, parent *ledger.Result, nodes trie.Reader, e *Entry) (*ledger.Result, error) {
	switch {
	case parent == nil:
		return ledger.Genesis(s.manifest, chain)
	case e.Input == nil:
		return nil, errors.New("it has no input")
	}
	return ledger.Execute(s.manifest, parent.Checkpoint, trie.New(nodes, parent.Ref), e.Input)
}

// checkReceipts compares the receipts that can be asked for with those of a result.
func (s *Store) checkReceipts(chain int, epoch uint64, r *ledger.Result) error {
	o := &outcome{chain: chain}
	if err := o.addReceipts(&Entry{Transcript: r.Transcript, Receipts: r.Receipts, Checkpoint: r.Checkpoint}); err != nil {
		return err
	}
	for i, want := range o.early {
		have, err := s.get(want.key)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, want.value) {
			return &ReplayError{Chain: s.ids[chain], Epoch: epoch, Step: -1, Reason: fmt.Sprintf("the receipt of operation %d on record is %x, not %x", i, have, want.value)}
		}
	}
	return nil
}

// difference returns the first thing in which a result is not what the journal has; nil
// if it is the same.
func difference(got *ledger.Result, want *Entry, rec *epochRecord) *ReplayError {
	if d := differentStep(steps(got.Transcript), steps(want.Transcript)); d != nil {
		return d
	}
	a, b := got.Checkpoint, want.Checkpoint
	for _, field := range []struct {
		name      string
		got, want [32]byte
	}{
		{"ledger root", a.LedgerRoot, b.LedgerRoot},
		{"state tree", got.Ref.Hash, rec.ref.Hash},
		{"validators root", a.ValidatorsRoot, b.ValidatorsRoot},
		{"operations root", a.OpsRoot, b.OpsRoot},
		{"checkpoint", a.Root(), b.Root()},
	} {
		if field.got != field.want {
			return &ReplayError{Step: -1, Reason: fmt.Sprintf("the %s is %x, not %x", field.name, field.got, field.want)}
		}
	}
	return nil
}

func steps(t *ledger.Transcript) []*ledger.Step {
	if t == nil {
		return nil
	}
	return t.Steps
}

func differentStep(got, want []*ledger.Step) *ReplayError {
	n := min(len(got), len(want))
	for i := range n {
		if *got[i] != *want[i] {
			return &ReplayError{Step: i, Reason: fmt.Sprintf("it is %s, not %s", describe(got[i]), describe(want[i]))}
		}
	}
	if len(got) != len(want) {
		return &ReplayError{Step: n, Reason: fmt.Sprintf("there are %d steps, not %d", len(got), len(want))}
	}
	return nil
}

// describe puts a step into words.
func describe(s *ledger.Step) string {
	return fmt.Sprintf("{kind %d, height %d, time %d, operation %x, receipt %x, root %x}",
		s.Kind, s.Height, s.Time, s.Operation, s.Receipt, s.Root)
}
