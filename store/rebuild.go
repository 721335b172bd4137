package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// Rebuild brings a new store as far as the journal of one that was set aside leads: it
// runs every epoch again and commits it, with its certificate, until an entry is missing,
// damaged, or comes to something else. Nothing in the old store is trusted: an entry must
// continue the chain of hashes from genesis, its outcome must be the checkpoint that was
// journalled, a certificate must verify, and without one only an epoch of home is taken,
// whose blocks were the node's own input. What is behind that, sync brings.
//
// The old store is only read. The error says why it could not be, or is the context's or
// one of Commit's; what was rebuilt until then stays.
func (s *Store) Rebuild(ctx context.Context, aside, home string) error {
	path := (&folder{path: aside}).database()
	o := s.opts.badger(path).WithReadOnly(true)
	if err := checkTables(path, o); err != nil {
		return fmt.Errorf("rebuild from %s: %w", aside, err)
	}
	db, err := openDatabase(o)
	if err != nil {
		return fmt.Errorf("rebuild from %s: %w", aside, err)
	}
	defer db.close()
	for c, id := range s.ids {
		if err := s.rebuildChain(ctx, db, c, id == home); err != nil {
			return fmt.Errorf("rebuild %s from %s: %w", id, aside, err)
		}
	}
	return s.rebuildFaults(db)
}

// rebuildChain ends without an error where the old journal does.
func (s *Store) rebuildChain(ctx context.Context, old *database, c int, home bool) error {
	id := s.ids[c]
	for ctx.Err() == nil {
		head := s.Head(id)
		e, err := oldEntry(old, c, head.Epoch+1, head.Journal)
		if err != nil || e == nil {
			return err
		}
		tree, err := s.Tree(id)
		if err != nil {
			return err
		}
		r, err := ledger.Execute(s.manifest, head.Checkpoint, tree, e.Input)
		if err != nil || r.Checkpoint.Root() != e.Checkpoint.Root() {
			return nil // it is damaged in a way that its hash does not show
		}
		certificate, err := s.oldCertificate(old, c, head.Epoch+1, e.Checkpoint.Root())
		if err != nil || certificate.IsZero() && !home {
			return err
		}
		if err := s.Commit(id, r); err != nil {
			return err
		}
		if certificate.IsZero() {
			continue
		}
		if _, err := s.PutCertificate(certificate); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// oldEntry reads the journal entry of an epoch that continues previous; nil if there is
// none.
func oldEntry(old *database, c int, epoch uint64, previous [32]byte) (*Entry, error) {
	b, err := old.get(epochKey(kindEpoch, c, epoch))
	if err != nil || b == nil {
		return nil, err
	}
	rec, err := decodeEpochRecord(b)
	if err != nil || rec.previous != previous {
		return nil, nil
	}
	var encoded []byte
	prefix := epochKey(kindJournal, c, epoch)
	err = old.each(prefix, prefix, func(_ []byte, value func(func([]byte) error) error) error {
		return value(func(part []byte) error {
			encoded = append(encoded, part...)
			return nil
		})
	})
	if err != nil || entryHash(previous, encoded) != rec.hash {
		return nil, err
	}
	e, err := DecodeEntry(encoded)
	if err != nil || e.Input == nil {
		return nil, nil
	}
	return e, nil
}

// oldCertificate reads the certificate of an epoch's checkpoint, the zero value if there
// is none that verifies.
func (s *Store) oldCertificate(old *database, c int, epoch uint64, checkpoint [32]byte) (none attest.VerifiedCertificate, err error) {
	b, err := old.get(epochKey(kindCertificate, c, epoch))
	if err != nil || b == nil {
		return none, err
	}
	set, err := s.Set(s.ids[c], epoch)
	if err != nil {
		return none, err
	}
	certificate, err := attest.DecodeCertificate(b)
	if err != nil {
		return none, nil
	}
	verified, err := attest.VerifyCertificate(s.network, set, certificate)
	if err != nil || verified.Root() != checkpoint {
		return none, nil
	}
	return verified, nil
}

// rebuildFaults takes over the proofs that verify against the sets known by now.
func (s *Store) rebuildFaults(old *database) error {
	prefix := []byte{kindFault}
	return old.each(prefix, prefix, func(_ []byte, value func(func([]byte) error) error) error {
		return value(func(b []byte) error {
			f, err := decodeFault(b)
			if err != nil {
				return nil
			}
			accusation, err := attest.Peek(f.Proof)
			if err != nil {
				return nil
			}
			set, err := s.Set(accusation.ChainID, accusation.Epoch)
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnknownChain) {
				return nil // sync brings it
			} else if err != nil {
				return err
			}
			verified, err := attest.VerifyFault(s.manifest.Law(), set, f.Proof)
			if err != nil {
				return nil
			}
			_, err = s.PutFault(verified)
			return err
		})
	})
}
