package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// ErrFollowed says that a chain is past genesis, so that no snapshot can be taken.
var ErrFollowed = errors.New("store: the chain is followed already: import into a new store")

// Import reads a snapshot of a chain of which the store has nothing but the genesis, so
// that the next epoch to commit is the one after it. All of it is verified before
// anything is written: its certificates against what is trusted, which without more is
// the manifest's genesis, and every record against the certified root. It holds no more
// than a few records in memory and reads the file twice.
//
// The journal then begins with that epoch; earlier ones are [ErrPruned].
//
// Errors: [ErrSnapshot]; [ErrFollowed]; [ErrUnknownChain]; those of reading; the context's;
// [ErrDiskFull], [ErrClosed], [ErrBroken].
func (s *Store) Import(ctx context.Context, file io.ReadSeeker, trust ledger.Trust) (*Snapshot, uint64, error) {
	v, err := s.verifySnapshot(ctx, file, trust)
	if err != nil {
		return nil, 0, err
	}
	c, err := s.chain(v.Chain)
	if err != nil {
		return nil, 0, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, 0, err
	}
	err = s.change(func(now *state) (*step, error) {
		if now.head.Chains[c].Epoch != 0 {
			return nil, fmt.Errorf("%s is at epoch %d: %w", v.Chain, now.head.Chains[c].Epoch, ErrFollowed)
		}
		n, err := s.planImport(ctx, now, c, v, file)
		if err != nil {
			return nil, errors.Join(err, s.abandon(now))
		}
		return n, nil
	})
	return v.Snapshot, v.records, err
}

// abandon removes the early records of a step that is not going to be finished. If that
// fails, the next Open does it, and nothing more is written until then.
func (s *Store) abandon(now *state) error {
	left, err := s.db.count(now.head, len(s.ids))
	if err == nil {
		err = s.db.sweep(left)
	}
	if err != nil {
		s.broken = &BrokenError{err}
	}
	return err
}

// planImport writes the snapshot's tree and makes the step that moves the head to it.
func (s *Store) planImport(ctx context.Context, now *state, c int, v *verifiedSnapshot, file io.Reader) (*step, error) {
	n := newStep(now)
	tap := &tap{store: s, step: n}
	// Nothing of the genesis tree is used from here on.
	prefix := chainKey(kindNode, c)
	err := s.db.each(prefix, prefix, func(key []byte, _ func(func([]byte) error) error) error {
		k, err := trie.ParseNodeKey(key[chainSize:])
		if err != nil {
			return err
		}
		return tap.add(staleKey(c, v.Epoch, k), []byte{})
	})
	if err != nil {
		return nil, err
	}
	r := newSnapshotReader(file)
	if _, _, err := r.head(); err != nil {
		return nil, err
	}
	b := trie.NewBuilder(v.Epoch, func(x trie.Node) error { return tap.add(nodeKey(c, x.Key), x.Bytes) })
	if _, err := r.records(ctx, b.Add); err != nil {
		return nil, err
	}
	ref, err := b.Finish()
	if err == nil {
		err = tap.flush()
	}
	if err != nil {
		return nil, err
	}
	if ref != v.ref {
		return nil, badSnapshot("the file was changed while it was read")
	}
	return n, s.addSnapshot(n, c, v)
}

// addSnapshot adds all but the tree to a step, and moves the chain's head.
func (s *Store) addSnapshot(n *step, c int, v *verifiedSnapshot) error {
	checkpoint := v.certificate.Checkpoint()
	o := &outcome{chain: c}
	o.addJournal(v.Epoch, v.encoded)
	if err := o.addReceipts(v.entry); err != nil {
		return err
	}
	for _, r := range o.early {
		n.addEarly(r.key, r.value)
	}
	rec := epochRecord{
		hash: entryHash(v.entry.Previous, v.encoded), previous: v.entry.Previous, checkpoint: v.certificate.Root(),
		validators: checkpoint.ValidatorsRoot, ref: v.ref, size: uint32(len(v.encoded)),
	}
	signers, err := attest.DecodeValidatorSet(v.signers)
	if err != nil {
		return err
	}
	certificate, err := attest.EncodeCertificate(v.certificate.Certificate())
	if err != nil {
		return err
	}
	n.add(epochKey(kindEpoch, c, v.Epoch), rec.encode(), nil)
	if v.Epoch > 1 { // of the epoch before it is known who signs the next one, and little else
		before := epochRecord{hash: v.entry.Previous, checkpoint: checkpoint.Parent, validators: signers.Root()}
		n.add(epochKey(kindEpoch, c, v.Epoch-1), before.encode(), nil)
	}
	for _, set := range []struct {
		root    [32]byte
		encoded []byte
	}{{signers.Root(), v.signers}, {checkpoint.ValidatorsRoot, v.next}} {
		if err := s.addSet(n, c, set.root, set.encoded); err != nil {
			return err
		}
	}
	key := epochKey(kindCertificate, c, v.Epoch)
	old, err := s.db.get(key)
	if err != nil {
		return err
	}
	n.add(key, certificate, old)
	h := &n.head.Chains[c]
	h.Epoch, h.Journal, h.Checkpoint, h.State = v.Epoch, rec.hash, rec.checkpoint, newRefText(v.ref)
	h.Oldest, h.Base, h.Imported = v.Epoch, v.Epoch, v.Epoch
	n.chains[c] = chainState{checkpoint: checkpoint, certified: v.Epoch}
	s.backlog = true
	return nil
}

// addSet adds a validator set unless it is there, or in the step already.
func (s *Store) addSet(n *step, c int, root [32]byte, encoded []byte) error {
	key := setKey(c, root)
	old, err := s.db.get(key)
	if err != nil || old != nil || n.has(key) {
		return err
	}
	n.add(key, encoded, nil)
	return nil
}

// tap writes early records of a step as they come, so that they need not be held.
type tap struct {
	store *Store
	step  *step
	held  []record
	size  int64
}

// tapSize is how many bytes a tap holds.
const tapSize = 1 << 20

func (t *tap) add(key, value []byte) error {
	r := record{key, value}
	t.held, t.size = append(t.held, r), t.size+r.size()
	t.step.delta.add(key, value)
	if t.size < tapSize {
		return nil
	}
	return t.flush()
}

func (t *tap) flush() error {
	if len(t.held) == 0 {
		return nil
	}
	if t.store.folder != nil {
		if err := t.store.folder.checkRoom(t.size); err != nil {
			return err
		}
	}
	err := t.store.db.write(t.held, nil)
	t.held, t.size = nil, 0
	return err
}
