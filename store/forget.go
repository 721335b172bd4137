package store

import (
	"encoding/binary"
	"fmt"

	"github.com/meshsec/meshsec/store/ledger"
)

// moveBase lets a chain's journal begin later, once what is between is older than what is
// kept. The state that it begins with then must be kept beforehand: Next is chosen when
// it is the head, and becomes Base when it is old enough and certified. So the journal has
// between one and two times of what is to be kept.
func (s *Store) moveBase(n *step, chain int, time uint64) {
	h, c := &n.head.Chains[chain], &n.chains[chain]
	keep := s.opts.Keep
	switch {
	case keep == ledger.Window{}:
		if h.Next > 0 { // nothing more is to be forgotten
			c.pruned, s.backlog = min(c.pruned, h.Next), true
			h.Next, h.NextTime = 0, 0
		}
	case h.Next == 0:
		h.Next, h.NextTime = h.Epoch, time
	case c.certified >= h.Next && keep.Passed(h.Next, h.NextTime, h.Epoch, time):
		c.pruned, s.backlog = min(c.pruned, h.Base), true // its nodes can go; pruning may not have come so far
		h.Base, h.Next, h.NextTime = h.Next, h.Epoch, time
	}
}

// addForget adds to a step the removal of what is left of one epoch before the journal's
// beginning, genesis excepted: its receipts, of which at most limit go at once, then its
// journal entry and certificate. Epoch records and sets stay, a few hundred bytes each:
// they say who could sign what, for the fault proofs that are kept.
func (s *Store) addForget(n *step, chain, limit int) error {
	h, c := &n.head.Chains[chain], &n.chains[chain]
	if h.Base == 0 || c.forgotten >= h.Base || limit <= 0 {
		return nil
	}
	epoch := h.Base
	from := epochKey(kindJournal, chain, max(c.forgotten, 1))
	err := s.db.each(chainKey(kindJournal, chain), from, func(key []byte, _ func(func([]byte) error) error) error {
		epoch = binary.BigEndian.Uint64(key[chainSize:])
		return errStop
	})
	if err != nil {
		return err
	}
	if c.forgotten = min(epoch, h.Base); epoch >= h.Base {
		return nil
	}
	s.backlog = true // for the rest of it, and what follows
	rest, err := s.forgetReceipts(n, chain, epoch, limit)
	if err != nil || rest {
		return err
	}
	prefix := epochKey(kindJournal, chain, epoch)
	err = s.db.each(prefix, prefix, func(key []byte, value func(func([]byte) error) error) error {
		return value(func(v []byte) error {
			n.remove(append([]byte(nil), key...), v)
			return nil
		})
	})
	if err != nil {
		return err
	}
	certificate := epochKey(kindCertificate, chain, epoch)
	old, err := s.db.get(certificate)
	if err == nil && old != nil {
		n.remove(certificate, old)
	}
	return err
}

// forgetReceipts removes at most limit of an epoch's receipts, and says whether there
// are more.
func (s *Store) forgetReceipts(n *step, chain int, epoch uint64, limit int) (more bool, err error) {
	b, _, err := s.readEntry(chain, epoch)
	if err != nil {
		return false, err
	}
	e, err := DecodeEntry(b)
	if err != nil {
		return false, s.corrupt(fmt.Sprintf("%s epoch %d", s.ids[chain], epoch), err)
	}
	o := &outcome{chain: chain}
	if err := o.addReceipts(e); err != nil {
		return false, err
	}
	for _, r := range o.early {
		old, err := s.db.get(r.key)
		if err != nil {
			return false, err
		}
		if old == nil {
			continue
		}
		if limit--; limit < 0 {
			return true, nil
		}
		n.remove(r.key, old)
	}
	return false, nil
}
