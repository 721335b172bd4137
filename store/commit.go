package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// Commit makes the outcome of a chain's next epoch the head: journal entry, receipts,
// nodes of the tree, and the set that signs the next epoch. When it returns without an
// error all of that is durable; otherwise none of it is visible. An epoch of any size
// is taken. The result must not be changed any more.
//
// Errors: [ErrOrder] if the epoch is not the one after the head, [ErrResult] if the
// result contradicts itself or the head, [ErrUnknownChain], [ErrDiskFull], [ErrClosed], [ErrBroken].
func (s *Store) Commit(chain string, r *ledger.Result) error {
	c, err := s.chain(chain)
	if err != nil {
		return err
	}
	head := &s.state.Load().head.Chains[c]
	if r == nil || r.Checkpoint == nil {
		return &ResultError{chain, head.Epoch + 1, "there is no checkpoint"}
	}
	if r.Checkpoint.Epoch != head.Epoch+1 {
		return &OrderError{chain, head.Epoch, r.Checkpoint.Epoch}
	}
	o, err := newOutcome(c, chain, head, r)
	if err != nil {
		return err
	}
	return s.change(func(now *state) (*step, error) {
		if h := now.head.Chains[c]; h.Journal != o.record.previous {
			return nil, &OrderError{chain, h.Epoch, r.Checkpoint.Epoch}
		}
		n := newStep(now)
		if err := s.addOutcome(n, o); err != nil {
			return nil, err
		}
		return n, s.addPrune(n, c, s.piece)
	})
}

// outcome is a result that was checked, in the form in which it is stored.
type outcome struct {
	chain      int
	checkpoint *attest.Checkpoint
	record     epochRecord
	set        []byte
	early      []record
}

// newOutcome checks a result against the head that it continues, nil for genesis.
func newOutcome(chain int, id string, head *chainHead, r *ledger.Result) (*outcome, error) {
	c := r.Checkpoint
	refuse := func(format string, a ...any) (*outcome, error) {
		return nil, &ResultError{id, c.Epoch, fmt.Sprintf(format, a...)}
	}
	e := &Entry{Input: r.Input, Transcript: r.Transcript, Receipts: r.Receipts, Checkpoint: c}
	switch {
	case string(c.ChainID) != id:
		return refuse("the checkpoint is one of chain %q", c.ChainID)
	case r.Set == nil:
		return refuse("there is no validator set")
	case r.Set.Root() != c.ValidatorsRoot:
		return refuse("the validator set is not the one in the checkpoint")
	case (len(r.Changes.Put) > 0 || len(r.Changes.Stale) > 0) && r.Changes.Version != c.Epoch:
		return refuse("the tree has version %d", r.Changes.Version)
	case head != nil && c.Parent != head.Checkpoint:
		return refuse("the checkpoint's parent is not the head")
	}
	if head != nil {
		e.Previous = head.Journal
		if reason := contradiction(e, r.Ref); reason != "" {
			return refuse("%s", reason)
		}
	}
	encoded, err := e.Encode()
	if err != nil {
		return nil, err
	}
	set, err := r.Set.MarshalSSZ()
	if err != nil {
		return nil, fmt.Errorf("store: encode validator set: %w", err)
	}
	o := &outcome{
		chain: chain,
		set:   set,
		record: epochRecord{
			hash: entryHash(e.Previous, encoded), previous: e.Previous, checkpoint: c.Root(),
			validators: c.ValidatorsRoot, ref: r.Ref, size: uint32(len(encoded)),
		},
	}
	if o.checkpoint, err = cloneCheckpoint(c); err != nil {
		return nil, err
	}
	o.addNodes(c.Epoch, r.Changes)
	o.addJournal(c.Epoch, encoded)
	return o, o.addReceipts(e)
}

// contradiction returns why the parts of an entry do not belong together, or "".
func contradiction(e *Entry, ref trie.Ref) string {
	switch {
	case e.Input == nil || e.Transcript == nil:
		return "it has no input or no transcript"
	case !bytes.Equal(e.Input.ChainID, e.Checkpoint.ChainID) || e.Input.Epoch != e.Checkpoint.Epoch:
		return "the input is one of another epoch"
	case e.Checkpoint.LedgerRoot != ref.Hash:
		return "the tree is not the one in the checkpoint"
	}
	root, err := e.Transcript.HashTreeRoot()
	if err != nil || root != e.Checkpoint.OpsRoot {
		return "the transcript is not the one in the checkpoint"
	}
	operations := operationSteps(e.Transcript)
	if len(operations) != len(e.Receipts) {
		return fmt.Sprintf("there are %d receipts for %d operations", len(e.Receipts), len(operations))
	}
	for i, r := range e.Receipts {
		if root, err := r.HashTreeRoot(); err != nil || root != operations[i].Receipt || r.Operation != operations[i].Operation {
			return fmt.Sprintf("receipt %d is not the one in the transcript", i)
		}
	}
	return ""
}

// operationSteps returns the steps that are about operations, which have receipts.
func operationSteps(t *ledger.Transcript) []*ledger.Step {
	if t == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.Steps), func(s *ledger.Step) bool { return s.Kind == ledger.StepEnd })
}

func (o *outcome) add(key, value []byte) { o.early = append(o.early, record{key, value}) }

func (o *outcome) addNodes(epoch uint64, changes trie.Changes) {
	for _, n := range changes.Put {
		o.add(nodeKey(o.chain, n.Key), n.Bytes)
	}
	for _, k := range changes.Stale {
		o.add(staleKey(o.chain, epoch, k), []byte{})
	}
}

func (o *outcome) addJournal(epoch uint64, encoded []byte) {
	i := 0
	for part := range slices.Chunk(encoded, partSize) {
		o.add(partKey(o.chain, epoch, i), part)
		i++
	}
}

func (o *outcome) addReceipts(e *Entry) error {
	steps := operationSteps(e.Transcript)
	for i, r := range e.Receipts {
		b, err := r.MarshalSSZ()
		if err != nil {
			return fmt.Errorf("store: encode receipt %d: %w", i, err)
		}
		key := receiptKey(o.chain, r.Operation, r.Code != 0, e.Checkpoint.Epoch, i)
		o.add(key, append(binary.BigEndian.AppendUint64(nil, steps[i].Height), b...))
	}
	return nil
}

// addOutcome adds an epoch to a step and moves the chain's head.
func (s *Store) addOutcome(n *step, o *outcome) error {
	for _, r := range o.early {
		n.addEarly(r.key, r.value)
	}
	epoch := o.checkpoint.Epoch
	n.add(epochKey(kindEpoch, o.chain, epoch), o.record.encode(), nil)
	if err := s.addSet(n, o.chain, o.record.validators, o.set); err != nil {
		return err
	}
	h := &n.head.Chains[o.chain]
	h.Epoch, h.Journal, h.Checkpoint, h.State = epoch, o.record.hash, o.record.checkpoint, newRefText(o.record.ref)
	if keep := s.opts.KeepVersions; epoch >= keep {
		h.Oldest = max(h.Oldest, epoch-keep+1)
	}
	n.chains[o.chain].checkpoint = o.checkpoint
	if epoch > 0 {
		s.moveBase(n, o.chain, o.checkpoint.Time)
	}
	return nil
}

// cloneCheckpoint returns a copy that shares nothing.
func cloneCheckpoint(c *attest.Checkpoint) (*attest.Checkpoint, error) {
	b, err := c.MarshalSSZ()
	if err != nil {
		return nil, fmt.Errorf("store: encode checkpoint: %w", err)
	}
	clone := new(attest.Checkpoint)
	return clone, clone.UnmarshalSSZ(b)
}
