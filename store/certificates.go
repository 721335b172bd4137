package store

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// PutCertificate keeps a certificate if its signers have more power than those of the one
// that is there, and says whether it does. The epoch may be at most the one after the
// head of its chain, whose set signs it.
//
// Errors: [ErrConflict], a *[ConflictError], if there is one for another checkpoint, which is kept;
// [ErrNotFound] if the epoch's set is not known yet; [ErrUnknownChain], [ErrDiskFull], [ErrClosed], [ErrBroken].
func (s *Store) PutCertificate(v attest.VerifiedCertificate) (changed bool, err error) {
	c, err := s.chain(v.ChainID())
	if err != nil {
		return false, err
	}
	set, err := s.Set(v.ChainID(), v.Epoch())
	if err != nil {
		return false, err
	}
	encoded, err := attest.EncodeCertificate(v.Certificate())
	if err != nil {
		return false, err
	}
	err = s.change(func(now *state) (*step, error) {
		if now.head.Chains[c].forgot(v.Epoch()) {
			return nil, nil // it would be removed again
		}
		key := epochKey(kindCertificate, c, v.Epoch())
		old, err := s.db.get(key)
		if err != nil {
			return nil, err
		}
		if old != nil {
			better, err := s.better(set, v, old)
			if err != nil || !better {
				return nil, err
			}
		}
		n := newStep(now)
		n.add(key, encoded, old)
		if n.chains[c].certified, err = s.certified(c, n.chains[c].certified, v.Epoch()); err != nil {
			return nil, err
		}
		changed = true
		return n, nil
	})
	return changed && err == nil, err
}

// better reports whether a certificate has more power behind it than an encoded one.
func (s *Store) better(set *attest.Set, v attest.VerifiedCertificate, old []byte) (bool, error) {
	have, err := attest.DecodeCertificate(old)
	if err != nil {
		return false, s.corrupt(fmt.Sprintf("the certificate of %s epoch %d", v.ChainID(), v.Epoch()), err)
	}
	if root := have.Checkpoint.Root(); root != v.Root() {
		return false, &ConflictError{Chain: v.ChainID(), Epoch: v.Epoch(), Have: root, Want: v.Root()}
	}
	before, err := set.PowerOf(have.Signers)
	if err != nil {
		return false, s.corrupt(fmt.Sprintf("the certificate of %s epoch %d", v.ChainID(), v.Epoch()), err)
	}
	after, err := set.PowerOf(v.Signers())
	if err != nil {
		return false, err
	}
	return after.Gt(before), nil
}

// certified returns the last epoch up to which all have certificates, when it was last
// and one for an epoch is about to be added.
func (s *Store) certified(chain int, last, added uint64) (uint64, error) {
	if added != last+1 {
		return last, nil
	}
	for last = added; ; last++ {
		b, err := s.db.get(epochKey(kindCertificate, chain, last+1))
		if err != nil || b == nil {
			return last, err
		}
	}
}

// Certificate returns the best certificate of an epoch. ok is false if there is none.
func (s *Store) Certificate(chain string, epoch uint64) (c *attest.Certificate, ok bool, err error) {
	i, err := s.chain(chain)
	if err != nil {
		return nil, false, err
	}
	b, err := s.get(epochKey(kindCertificate, i, epoch))
	if err != nil || b == nil {
		return nil, false, err
	}
	if c, err = attest.DecodeCertificate(b); err != nil {
		return nil, false, s.corrupt(fmt.Sprintf("the certificate of %s epoch %d", chain, epoch), err)
	}
	return c, true, nil
}

// Certified returns the last epoch up to which all have certificates, 0 if the first has
// none or the chain is unknown. It comes from memory.
func (s *Store) Certified(chain string) uint64 {
	c, ok := s.index[chain]
	if !ok {
		return 0
	}
	return s.state.Load().chains[c].certified
}
