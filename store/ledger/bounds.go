package ledger

import "errors"

// An epoch's work is bounded (DESIGN §3.3): by the bytes of the operations that it
// executes, and by the records that they read and write. A quarter of both is reserved
// for the operations that anybody may submit, since the safety of the peers hangs on
// them. What exceeds the bounds does not fail: it waits in one of two queues, in its
// order, and is executed at the start of a later epoch.

// maxWaiting bounds each queue.
const maxWaiting = 1 << 14

// spent is what an epoch has used of its limits.
type spent struct{ bytes, records uint64 }

// waitingList is the queue for a kind of operation.
func waitingList(k Kind) list {
	if k.open() {
		return openList
	}
	return signedList
}

// next is the first operation of meta that waits in the same queue as k.
func (meta *Meta) next(k Kind) *uint64 {
	if k.open() {
		return &meta.Open
	}
	return &meta.Signed
}

// fits reports whether an operation of a kind and size may still be executed in this
// epoch.
func (r *run) fits(k Kind, size int) bool {
	bytes, records := r.limits.Bytes, r.limits.Records
	if !k.open() {
		bytes, records = bytes/4*3, records/4*3
	}
	return r.spent.bytes+uint64(size) <= bytes && r.spent.records < records
}

// spend counts a step that was executed.
func (r *run) spend(size int) {
	r.spent.bytes += uint64(size)
	r.spent.records += uint64(r.machine.tx.touched)
}

// waits reports whether operations of a kind wait, so that later ones must too.
func (m *machine) waits(k Kind) (bool, error) {
	meta, err := must[Meta](m.state, metaKey)
	if err != nil {
		return false, err
	}
	n, err := waitingList(k).length(m.state)
	return n > *meta.next(k), err
}

// wait puts an operation at the end of its queue.
func (m *machine) wait(k Kind, encoded []byte) (*Receipt, error) {
	r := &Receipt{Operation: OperationID(encoded)}
	err := m.step(func() error {
		meta, err := must[Meta](m.tx, metaKey)
		if err != nil {
			return err
		}
		n, err := waitingList(k).push(m.tx, encoded)
		if err == nil && n-*meta.next(k) >= maxWaiting {
			err = refuse(CodeLimit, "the epoch is full, and so is the queue: send it again later")
		}
		return err
	})
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		r.Code, r.Reason = uint8(refusal.Code), []byte(refusal.Reason)
	case err != nil:
		return nil, err
	default:
		r.Code, r.Reason = uint8(CodeQueued), []byte("the epoch is full: it is executed in a later one")
	}
	return r, nil
}

// drain executes what waited since earlier epochs, as far as it fits; the open
// operations first.
func (r *run) drain() error {
	for _, kind := range []Kind{KindSubmitFault, KindDeposit} { // one of each queue
		for {
			meta, err := must[Meta](r.tree, metaKey)
			if err != nil {
				return err
			}
			queue, next := waitingList(kind), *meta.next(kind)
			n, err := queue.length(r.tree)
			if err != nil {
				return err
			}
			if next == n {
				break
			}
			encoded, err := queue.at(r.tree, next)
			if err != nil {
				return err
			}
			if !r.fits(kind, len(encoded)) {
				break
			}
			if err := r.late(kind, encoded); err != nil {
				return err
			}
		}
	}
	return nil
}

// late executes the first operation of a queue, and moves the queue on, as one step.
func (r *run) late(kind Kind, encoded []byte) error {
	m := r.machine
	receipt, err := m.apply(encoded)
	if err != nil {
		return err
	}
	r.spend(len(encoded))
	err = m.step(func() error {
		return m.totals(func(meta *Meta) {
			next := meta.next(kind)
			m.tx.set(waitingList(kind).item(*next), []byte{0}) // it is over, and takes no room
			*next++
		})
	})
	if err != nil {
		return err
	}
	return r.receipt(StepLate, receipt)
}
