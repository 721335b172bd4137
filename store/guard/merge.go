package guard

// merge adds valid entries of an interchange file to the book. What is refused
// afterwards does not depend on their order. changed says whether the book is
// another than before.
func (b *book) merge(entries []keyRecord) (m Merge, changed bool) {
	seen := make(map[Slot][32]byte)
	clash := make(map[Slot]bool)
	marks := make(map[stream]uint64)
	raise := func(s stream, below uint64) { marks[s] = max(marks[s], below) }

	for _, entry := range entries {
		for _, w := range entry.Watermarks {
			raise(w.stream(), uint64(*w.Below))
		}
		for _, s := range entry.Signed {
			slot := s.slot()
			if s.Root == nil {
				raise(slot.stream(), slot.Epoch+1)
				continue
			}
			have, ok := b.roots[slot]
			if !ok {
				have, ok = seen[slot]
			}
			switch {
			case !ok:
				seen[slot] = *s.Root
			case have != *s.Root && !clash[slot]:
				clash[slot] = true
				m.Conflicts = append(m.Conflicts, &ConflictError{Slot: slot, Have: have, Want: *s.Root})
				raise(slot.stream(), slot.Epoch+1)
			}
		}
	}

	for s, below := range marks {
		changed = b.raise(s, below) || changed
	}
	for slot, root := range seen {
		if slot.Epoch >= b.marks[slot.stream()] {
			b.add(slot, root)
			m.Added++
		}
	}
	return m, changed || m.Added > 0
}
