package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/meshsec/meshsec/attest"
)

// state is what was reached, in memory. It never changes; each step makes another.
type state struct {
	head    *headRecord
	encoded []byte // head.encode()
	chains  []chainState
}

// chainState is what is kept in memory of a chain besides its head.
type chainState struct {
	checkpoint *attest.Checkpoint
	certified  uint64 // all epochs up to it have certificates
	pruned     uint64 // no stale marks of versions below it are left, but those of pinned nodes
	forgotten  uint64 // no journal entry below it is left, but genesis
}

// step is a change under construction.
type step struct {
	early, final []record
	head         headRecord // of the new state; the writer fills in its chain of hashes and sum
	chains       []chainState
	delta        sum
}

// newStep starts from a state, of which it has a copy.
func newStep(s *state) *step {
	n := &step{head: *s.head, chains: append([]chainState(nil), s.chains...)}
	n.head.Chains = append([]chainHead(nil), s.head.Chains...)
	return n
}

// addEarly adds a record with a key that is written once and may come before the head.
func (n *step) addEarly(key, value []byte) {
	n.early = append(n.early, record{key, value})
	n.delta.add(key, value)
}

// add adds a record, in place of an old one unless that is nil.
func (n *step) add(key, value, old []byte) {
	n.final = append(n.final, record{key, value})
	n.delta.add(key, value)
	if old != nil {
		n.delta.remove(key, old)
	}
}

// has reports whether the step adds a record under a key.
func (n *step) has(key []byte) bool {
	return slices.ContainsFunc(n.final, func(r record) bool { return r.value != nil && bytes.Equal(r.key, key) })
}

// drop removes a record that is there and counts by its key alone.
func (n *step) drop(key []byte) {
	n.final = append(n.final, record{key: key})
	n.delta.remove(key, nil)
}

// remove removes a record that has a value.
func (n *step) remove(key, value []byte) {
	n.final = append(n.final, record{key: key})
	n.delta.remove(key, value)
}

// size is about how many bytes the step writes.
func (n *step) size() (bytes int64) {
	for _, r := range n.early {
		bytes += r.size()
	}
	for _, r := range n.final {
		bytes += r.size()
	}
	return bytes
}

// request asks the writer for a step.
type request struct {
	// plan makes the step that leads on from a state; nil and no error if there is
	// nothing to do. It runs on the writer's goroutine.
	plan func(*state) (*step, error)
	done chan error // buffered
}

// change makes a step and returns when it is durable. Errors: [ErrClosed], [ErrBroken],
// [ErrDiskFull], and those of plan.
func (s *Store) change(plan func(*state) (*step, error)) error {
	r := request{plan, make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.done
	case <-s.closing:
		return ErrClosed
	}
}

// write is the writer's goroutine. Between requests it prunes.
func (s *Store) write() {
	defer close(s.written)
	for {
		select {
		case <-s.closing:
			return
		case r := <-s.requests:
			r.done <- s.run(r.plan)
			continue
		default:
		}
		if s.backlog && s.broken == nil {
			s.backlog = false
			if err := s.run(s.planPrune); err != nil {
				s.opts.Logger.Error("prune", "error", err)
			}
			continue
		}
		select {
		case <-s.closing:
			return
		case r := <-s.requests:
			r.done <- s.run(r.plan)
		}
	}
}

// run plans a step and takes it. A failure in between is final.
func (s *Store) run(plan func(*state) (*step, error)) error {
	if s.broken != nil {
		return s.broken
	}
	before := s.state.Load()
	n, err := plan(before)
	if err != nil || n == nil {
		return err
	}
	if s.folder != nil {
		if err := s.folder.checkRoom(n.size()); err != nil {
			return err
		}
	}
	after, err := s.take(before, n)
	if err != nil {
		s.broken = &BrokenError{err}
		s.opts.Logger.Error("the store refuses writes from now on", "error", err)
		return s.broken
	}
	s.state.Store(after)
	return nil
}

// take makes a step durable.
func (s *Store) take(before *state, n *step) (*state, error) {
	after := &state{head: &n.head, chains: n.chains}
	if before.encoded != nil {
		n.head.Previous = sha256.Sum256(before.encoded)
	}
	n.head.Step++
	total := sum{}
	total.v.SetBytes32(n.head.Sum[:])
	total.merge(n.delta)
	n.head.Sum = total.v.Bytes32()
	var err error
	if after.encoded, err = n.head.encode(); err != nil {
		return nil, err
	}
	if err := s.db.write(n.early, append(n.final, record{headKey, after.encoded})); err != nil {
		return nil, fmt.Errorf("write to the database: %w", err)
	}
	if s.folder != nil {
		if err := s.folder.writeHead(after.encoded); err != nil {
			return nil, fmt.Errorf("write the head file: %w", err)
		}
	}
	return after, nil
}
