package store

import (
	"context"
	"fmt"

	"github.com/meshsec/meshsec/store/trie"
)

// Verify reads all of a chain's journal, from where it begins to its head, and checks that each
// entry continues the one before and contains what its checkpoint commits to, that the
// validator sets are those of the checkpoints, and that all of the head's state tree is
// readable. It takes about as long as reading it. Errors: [ErrCorrupt], which names the first
// epoch that is wrong, [ErrUnknownChain], [ErrClosed], and the context's.
func (s *Store) Verify(ctx context.Context, chain string) error {
	c, err := s.chain(chain)
	if err != nil {
		return err
	}
	head := s.Head(chain)
	for e := head.Base; e <= head.Epoch; e++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := s.verifyJournal(c, e, e); err != nil {
			return err
		}
		if _, err := s.Set(chain, e+1); err != nil {
			return err
		}
	}
	err = trie.New(nodes{s, c}, head.Ref).Walk(func(_, _ []byte) error { return ctx.Err() })
	if err != nil && ctx.Err() == nil {
		return s.corrupt(fmt.Sprintf("the state tree of %s at epoch %d", chain, head.Epoch), err)
	}
	return err
}

// verifyJournal checks the entries of a chain from an epoch to another and that the first
// continues the one before it, unless the journal begins with it. It returns the last one.
func (s *Store) verifyJournal(chain int, from, to uint64) (*Entry, error) {
	var before *epochRecord
	if from > s.state.Load().head.Chains[chain].Base {
		var err error
		if before, err = s.epochRecord(chain, from-1); err != nil {
			return nil, err
		}
	}
	var last *Entry
	for epoch := from; epoch <= to; epoch++ {
		e, rec, err := s.journal(chain, epoch)
		if err != nil {
			return nil, err
		}
		if reason := checkLink(epoch, e, rec, before); reason != "" {
			return nil, s.corrupt(fmt.Sprintf("%s epoch %d: %s", s.ids[chain], epoch, reason), nil)
		}
		last, before = e, rec
	}
	return last, nil
}
