package store

import "fmt"

// partSize is how much of a journal entry is in one record.
const partSize = 64 << 10

// JournalBytes returns the journal entry of an epoch as [DecodeEntry] reads it, to be
// sent to a peer. Errors: [ErrNotFound], [ErrPruned], [ErrUnknownChain], [ErrCorrupt].
func (s *Store) JournalBytes(chain string, epoch uint64) ([]byte, error) {
	c, err := s.chain(chain)
	if err != nil {
		return nil, err
	}
	b, _, err := s.journalBytes(c, epoch)
	return b, err
}

// Journal returns the journal entry of an epoch. Errors are those of JournalBytes.
func (s *Store) Journal(chain string, epoch uint64) (*Entry, error) {
	c, err := s.chain(chain)
	if err != nil {
		return nil, err
	}
	e, _, err := s.journal(c, epoch)
	return e, err
}

// journal reads an entry and its epoch's record. The entry is the one that the record,
// which the sum protects, has the hash of.
func (s *Store) journal(chain int, epoch uint64) (*Entry, *epochRecord, error) {
	b, rec, err := s.journalBytes(chain, epoch)
	if err != nil {
		return nil, nil, err
	}
	e, err := DecodeEntry(b)
	if err != nil {
		return nil, nil, s.corrupt(fmt.Sprintf("%s epoch %d", s.ids[chain], epoch), err)
	}
	e.Previous = rec.previous
	return e, rec, nil
}

func (s *Store) journalBytes(chain int, epoch uint64) ([]byte, *epochRecord, error) {
	if s.state.Load().head.Chains[chain].forgot(epoch) {
		return nil, nil, ErrPruned
	}
	return s.readEntry(chain, epoch)
}

// readEntry reads the bytes of an entry that must be there.
func (s *Store) readEntry(chain int, epoch uint64) ([]byte, *epochRecord, error) {
	rec, err := s.epochRecord(chain, epoch)
	if err != nil {
		return nil, nil, err
	}
	b := make([]byte, 0, rec.size)
	prefix := epochKey(kindJournal, chain, epoch)
	err = s.each(prefix, prefix, func(_ []byte, value func(func([]byte) error) error) error {
		return value(func(part []byte) error {
			b = append(b, part...)
			return nil
		})
	})
	if err != nil {
		return nil, nil, err
	}
	if entryHash(rec.previous, b) != rec.hash {
		return nil, nil, s.corrupt(fmt.Sprintf("the journal entry of %s epoch %d does not have its hash", s.ids[chain], epoch), nil)
	}
	return b, rec, nil
}

// forgot reports whether an epoch is before the journal's beginning; genesis never is.
func (h *chainHead) forgot(epoch uint64) bool { return epoch > 0 && epoch < h.Base }

// checkLink returns why the entry of an epoch does not continue the one before, which
// is nil at genesis and where the journal begins later, or does not contain what its checkpoint commits to; or "".
func checkLink(epoch uint64, e *Entry, rec, before *epochRecord) string {
	c := e.Checkpoint
	switch {
	case c.Epoch != epoch:
		return fmt.Sprintf("the checkpoint is one of epoch %d", c.Epoch)
	case c.Root() != rec.checkpoint:
		return "the checkpoint is not the one on record"
	case c.ValidatorsRoot != rec.validators:
		return "the validators root is not the one on record"
	case epoch == 0 && e.Previous != [32]byte{}:
		return "the journal does not start with genesis"
	case epoch == 0:
		return ""
	case before == nil:
		return contradiction(e, rec.ref)
	case e.Previous != before.hash:
		return "the journal is broken: the entry before has another hash"
	case c.Parent != before.checkpoint:
		return "the checkpoint does not continue the one before"
	}
	return contradiction(e, rec.ref)
}
