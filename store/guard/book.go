package guard

import (
	"fmt"
	"maps"
	"slices"
)

// book is what a log says: a value that knows no disk. Its invariant: no slot is
// below its stream's watermark.
type book struct {
	roots map[Slot][32]byte
	marks map[stream]uint64
	// tops holds the largest epoch on record or below a watermark.
	tops map[stream]uint64
}

func newBook() *book {
	return &book{
		roots: map[Slot][32]byte{},
		marks: map[stream]uint64{},
		tops:  map[stream]uint64{},
	}
}

func (b *book) clone() *book {
	return &book{maps.Clone(b.roots), maps.Clone(b.marks), maps.Clone(b.tops)}
}

// check returns whether (slot, root) is on record already, or why it can't be.
func (b *book) check(slot Slot, root [32]byte) (known bool, err error) {
	if below := b.marks[slot.stream()]; slot.Epoch < below {
		return false, &WatermarkError{Slot: slot, Below: below}
	}
	have, known := b.roots[slot]
	if known && have != root {
		return false, &ConflictError{Slot: slot, Have: have, Want: root}
	}
	return known, nil
}

// add records a slot that check has passed.
func (b *book) add(slot Slot, root [32]byte) {
	b.roots[slot] = root
	b.reach(slot.stream(), slot.Epoch)
}

// raise lifts a watermark and forgets what is below it. It never lowers one, and
// returns whether it changed anything.
func (b *book) raise(s stream, below uint64) bool {
	if below <= b.marks[s] {
		return false
	}
	b.marks[s] = below
	b.reach(s, below-1)
	maps.DeleteFunc(b.roots, func(slot Slot, _ [32]byte) bool {
		return slot.stream() == s && slot.Epoch < below
	})
	return true
}

func (b *book) reach(s stream, epoch uint64) {
	if top, ok := b.tops[s]; !ok || top < epoch {
		b.tops[s] = epoch
	}
}

// apply replays a record of the log behind its genesis.
func (b *book) apply(r record) error {
	switch r := r.(type) {
	case signed:
		known, err := b.check(r.slot(), r.Root)
		if err != nil {
			return err
		}
		if known {
			return fmt.Errorf("%s is recorded twice", r.slot())
		}
		b.add(r.slot(), r.Root)
		return nil
	case watermark:
		if !b.raise(r.stream(), uint64(r.Below)) {
			return fmt.Errorf("the watermark %d raises nothing", uint64(r.Below))
		}
		return nil
	}
	return fmt.Errorf("a record of type %T does not belong here", r)
}

// records returns what apply needs to rebuild the book, in the order of files.
func (b *book) records() []record {
	records := make([]record, 0, len(b.marks)+len(b.roots))
	for _, s := range slices.SortedFunc(maps.Keys(b.marks), stream.compare) {
		records = append(records, newWatermark(s, b.marks[s]))
	}
	for _, slot := range slices.SortedFunc(maps.Keys(b.roots), Slot.compare) {
		records = append(records, newSigned(slot, b.roots[slot]))
	}
	return records
}
