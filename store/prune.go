package store

import (
	"context"
	"encoding/binary"
	"slices"
)

// maxPruned bounds the nodes or receipts that one step removes.
const maxPruned = 4096

// Prune removes now what only trees that are no longer kept use, and what is left of epochs
// before the journal's beginning. It need not be called:
// commits do it piece by piece, and the writer when it has nothing else to do. It returns
// when nothing is left to remove.
func (s *Store) Prune(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more := false
		err := s.change(func(now *state) (*step, error) {
			n, err := s.planPrune(now)
			more = n != nil
			return n, err
		})
		if err != nil || !more {
			return err
		}
	}
}

// planPrune removes a bounded number of records, of whatever chain; nil if there are none.
func (s *Store) planPrune(now *state) (*step, error) {
	n := newStep(now)
	for c := range s.ids {
		if err := s.addPrune(n, c, s.piece-len(n.final)/2); err != nil {
			return nil, err
		}
		if err := s.addForget(n, c, s.piece-len(n.final)/2); err != nil {
			return nil, err
		}
	}
	if len(n.final) == 0 {
		return nil, nil
	}
	return n, nil
}

// pins reports whether a node that is not used from a version on belongs to the tree
// that the journal begins with, or will.
func (h *chainHead) pins(stale uint64, node []byte) bool {
	made := binary.BigEndian.Uint64(node)
	for _, kept := range [...]uint64{h.Base, h.Next} {
		if kept > 0 && made <= kept && kept < stale {
			return true
		}
	}
	return false
}

// addPrune adds to a step the removal of at most limit nodes of a chain that the oldest
// readable tree of the step's head, and those after it, do not use. It looks for marks
// from where it ended last on: Badger would have to step over all that were ever removed.
func (s *Store) addPrune(n *step, chain, limit int) error {
	h := n.head.Chains[chain]
	oldest := h.Oldest
	from := &n.chains[chain].pruned
	err := s.db.each(chainKey(kindStale, chain), epochKey(kindStale, chain, *from), func(key []byte, _ func(func([]byte) error) error) error {
		version, node := parseStale(key)
		if version > oldest {
			return errStop
		}
		*from = version
		if h.pins(version, node) {
			return nil
		}
		if limit--; limit < 0 {
			s.backlog = true
			return errStop
		}
		n.drop(append(chainKey(kindNode, chain), node...))
		n.drop(slices.Clone(key))
		return nil
	})
	if err == nil && limit >= 0 {
		*from = oldest // this step may add marks of that version, none of an earlier one
	}
	return err
}
