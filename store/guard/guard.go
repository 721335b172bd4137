package guard

import (
	"fmt"
	"io"
	"sync"
)

// Guard is an open guard. All methods are safe for concurrent use.
type Guard struct {
	key     [48]byte
	network string
	disk    disk
	lock    io.Closer

	// mu orders records: it is held while one is written and synced, since the
	// next is chained to it, but never while a signature is made.
	mu   sync.Mutex
	book *book
	head head
	log  file  // nil when closed
	fail error // not nil from the first failed write on
}

// Sign calls sign and returns its result, once (slot, root) is on disk. A root
// that is on record already is signed again without a second record. Nothing is
// signed and the error is
//
//   - [ErrConflict], a *[ConflictError], if the slot has another root,
//   - [ErrBelowWatermark], a *[WatermarkError], if the epoch was pruned,
//   - [ErrSlot] if the slot can't be written down,
//   - [ErrBroken] if writing fails or has failed before, [ErrClosed] after Close.
//
// An error of sign is returned as it is. The record stays then, and so it does
// if sign panics: nobody can know that no signature got out.
//
// sign runs without any lock, possibly in several goroutines for one slot, and then
// for the same root.
func (g *Guard) Sign(slot Slot, root [32]byte, sign func() ([]byte, error)) ([]byte, error) {
	if err := g.record(slot, root); err != nil {
		return nil, err
	}
	return sign()
}

// record returns nil once (slot, root) is on disk.
func (g *Guard) record(slot Slot, root [32]byte) error {
	if err := slot.validate(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.usable(); err != nil {
		return err
	}
	known, err := g.book.check(slot, root)
	if err != nil || known {
		return err
	}
	if err := g.append(newSigned(slot, root)); err != nil {
		return g.poison(err)
	}
	g.book.add(slot, root)
	return nil
}

// Prune forgets all slots of a chain and kind with an epoch below the given one, and
// refuses them from now on, whether they were ever signed or not. It rewrites the
// log, so that its size follows what is left. A watermark is never lowered: that is
// no error and changes nothing. Errors are ErrSlot, ErrBroken and ErrClosed.
func (g *Guard) Prune(chain, kind string, below uint64) error {
	s := stream{Chain: chain, Kind: kind}
	if err := s.validate(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.usable(); err != nil {
		return err
	}
	if below <= g.book.marks[s] {
		return nil
	}
	next := g.book.clone()
	next.raise(s, below)
	return g.replace(next)
}

// Watermark returns the first epoch of a chain and kind that is not refused as pruned.
func (g *Guard) Watermark(chain, kind string) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.book.marks[stream{Chain: chain, Kind: kind}]
}

// Highest returns the largest epoch of a chain and kind that is on record or below
// the watermark: from the next one on nothing was signed with this guard. It never
// decreases. ok is false if there is none, which means that nothing was ever signed.
func (g *Guard) Highest(chain, kind string) (epoch uint64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	epoch, ok = g.book.tops[stream{Chain: chain, Kind: kind}]
	return epoch, ok
}

// Len returns the number of slots on record, the pruned ones not counted.
func (g *Guard) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.book.roots)
}

// Close gives the lock back. Signatures that are being made are on record and may
// still be used. A second Close does nothing.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.log == nil {
		return nil
	}
	err := g.log.Close()
	g.log = nil
	if e := g.lock.Close(); err == nil {
		err = e
	}
	if e := g.disk.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("close guard: %w", err)
	}
	return nil
}

// usable returns why nothing may be written. It needs mu.
func (g *Guard) usable() error {
	if g.log == nil {
		return ErrClosed
	}
	return g.fail
}

// poison makes all later calls fail. It needs mu.
func (g *Guard) poison(cause error) error {
	g.fail = &BrokenError{Cause: cause}
	return g.fail
}
