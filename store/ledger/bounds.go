package ledger

import (
	"slices"

	"github.com/meshsec/meshsec/attest"
)

// An epoch's work is bounded (DESIGN §3.3): by the bytes of the operations that it
// executes, and by the records that they read and write. A quarter of both is reserved
// for the operations that anybody may submit, since the safety of the peers hangs on
// them. What exceeds the bounds does not fail: it waits in one of two queues, in its
// order, and is executed at the start of a later epoch. There a quarter is reserved for
// each of the queues, so that no flood of the one keeps the other waiting for ever.

// maxWaiting bounds the operations in each queue, and waitingEpochs their bytes, in
// epochs' worth of the limit.
const (
	maxWaiting    = 1 << 14
	waitingEpochs = 8
)

// What exceeds the bounds, or is refused, is a step all the same, and so is each look at
// the slashes that are due. These limits keep an epoch's steps within its [Transcript],
// whatever is ordered: of a block attest.MaxBlockOperations count.
const (
	MaxEpochBlocks  = 1 << 10
	MaxLimitSlashes = 1 << 18
)

// room is how much may be ordered in an epoch before an operation of the block at a height
// does not count any more, see [attest.EpochRoom].
func (s *ChainSpec) room(height uint64) uint64 {
	return attest.EpochRoom((height-1)%s.EpochBlocks+1, s.EpochBlocks)
}

// Append adds the next block of the epoch, with those of its operations for which the epoch
// has room. A block that has none left is left out, but for the last one.
func (in *EpochInput) Append(spec *ChainSpec, b Block) {
	var ordered uint64
	for _, before := range in.Blocks {
		for _, op := range before.Operations {
			ordered += attest.OrderedSize(len(op.Data))
		}
	}
	room, n := spec.room(b.Height), 0
	for ; n < len(b.Operations) && ordered < room; n++ {
		ordered += attest.OrderedSize(len(b.Operations[n].Data))
	}
	b.Operations = slices.Clone(b.Operations[:n]) // the others can be forgotten
	if n > 0 || b.Height%spec.EpochBlocks == 0 {
		in.Blocks = append(in.Blocks, &b)
	}
}

// waitingList is the queue for a kind of operation.
func waitingList(k Kind) list {
	if k.open() {
		return openList
	}
	return signedList
}

// waiting is the queue for a kind of operation.
func (meta *Meta) waiting(k Kind) *Waiting {
	if k.open() {
		return &meta.Open
	}
	return &meta.Signed
}

// quarters is how much of an epoch operations of a kind may fill, with all before them.
func (k Kind) quarters() uint64 {
	if k.open() {
		return 4
	}
	return 3
}

// fits reports whether an operation of a size may still be executed within so many
// quarters of this epoch.
func (r *run) fits(quarters uint64, size int) bool {
	bytes, records := r.limits.Bytes, r.limits.Records
	if quarters < 4 {
		bytes, records = bytes/4*quarters, records/4*quarters
	}
	return r.spent.Bytes+uint64(size) <= bytes && r.spent.Records < records
}

// spend counts a step that was executed.
func (r *run) spend(size int) {
	r.spent.Bytes += uint64(size)
	r.spent.Records += uint64(r.machine.tx.cost())
}

// waits reports whether operations of a kind wait, so that later ones must too.
func (m *machine) waits(k Kind) (bool, error) {
	meta, err := must[Meta](m.state, metaKey)
	if err != nil {
		return false, err
	}
	n, err := waitingList(k).length(m.state)
	return n > meta.waiting(k).Next, err
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
		if err != nil {
			return err
		}
		w := meta.waiting(k)
		w.Bytes += uint64(len(encoded))
		if n-w.Next >= maxWaiting || w.Bytes > waitingEpochs*m.params.Limits.Bytes {
			return refuse(CodeLimit, "the epoch is full, and so is the queue: send it again later")
		}
		return save(m.tx, metaKey, meta)
	})
	if err == nil {
		r.Code, r.Reason = uint8(CodeQueued), []byte("the epoch is full: it is executed in a later one")
	}
	return r, r.refused(err)
}

// turns is the order in which the queues, of which it names one kind each, are looked at
// for what runs next, and how much of the epoch that may fill. First is the quarter of the
// signed operations, then come the open ones, which leave nothing if they are a flood.
var turns = [...]struct {
	kind     Kind
	quarters uint64
}{{KindDeposit, 1}, {KindSubmitFault, KindSubmitFault.quarters()}, {KindDeposit, KindDeposit.quarters()}}

// drain executes what waited since earlier epochs, as far as it fits.
func (r *run) drain() error {
	for {
		if done, err := r.nextLate(); err != nil || !done {
			return err
		}
	}
}

// nextLate executes the operation whose turn it is, if one waits that fits.
func (r *run) nextLate() (done bool, err error) {
	for _, t := range turns {
		if done, err = r.late(t.kind, t.quarters); err != nil || done {
			return done, err
		}
	}
	return false, nil
}

// late executes the first operation of a queue, if there is one and it fits into so many
// quarters of the epoch, and moves the queue on, as one step.
func (r *run) late(kind Kind, quarters uint64) (done bool, err error) {
	err = r.witnessed(StepWitness{Kind: StepLate, Open: kind.open()}, func() (err error) {
		done, err = r.takeLate(kind, quarters)
		return err
	})
	return done, err
}

func (r *run) takeLate(kind Kind, quarters uint64) (done bool, err error) {
	m := r.machine
	meta, err := must[Meta](m.state, metaKey)
	if err != nil {
		return false, err
	}
	queue, next := waitingList(kind), meta.waiting(kind).Next
	n, err := queue.length(m.state)
	if err != nil || next == n {
		return false, err
	}
	encoded, err := queue.at(m.state, next)
	if err != nil || !r.fits(quarters, len(encoded)) {
		return false, err
	}
	receipt, err := m.apply(encoded)
	if err != nil {
		return false, err
	}
	r.spend(len(encoded))
	err = m.step(func() error {
		m.tx.set(queue.item(next), []byte{0}) // it is over, and takes no room
		return m.totals(func(meta *Meta) {
			w := meta.waiting(kind)
			w.Next, w.Bytes = next+1, w.Bytes-uint64(len(encoded))
		})
	})
	if err != nil {
		return false, err
	}
	return true, r.receipt(StepLate, receipt)
}
