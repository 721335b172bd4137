package node

import (
	"slices"

	"github.com/meshsec/meshsec/store/ledger"
)

// How long the submitter waits, in home-chain blocks. The home chain's own height
// is its only clock: while the chain stands still there is nothing to submit to.
const (
	patience    = 10   // until something submitted and not seen in a block is submitted again
	sameBytes   = 4    // submissions with the same bytes, which a mempool knows from each other
	longestWait = 1024 // bound of the back-off for what was ordered and failed
)

// task is one thing that the home chain should be told. Its id names what is to be
// done, not the bytes that do it: every node that finds the same thing undone
// derives the same id.
type task struct {
	id    [32]byte
	order [32]byte // seed of the rank; tasks with one order go to the chain together, in sequence
	name  string   // for logs
	chain string   // the peer that it is about
	epoch uint64
	build func() (*ledger.Operation, error)
}

// turn is a task to submit now. A home chain drops a transaction that it has seen,
// so each variant needs other bytes, and the same variant the same.
type turn struct {
	task
	variant uint
}

// queue decides when this node submits which task. It is a value machine: its
// methods take home-chain heights, and do nothing but change it.
//
//	derived ── rank·1.5 blocks ──▶ due ──▶ sent ──▶ ordered ──▶ executed: gone
//	   │                            ▲        │          │
//	   └── ordered by another ──────┼────────┼──────────┤
//	                                └────────┘          │
//	                                 patience           │
//	                                ▲                   │
//	                                └── still derived ──┘
//	                                    back-off
//
// A task goes away when it is no longer derived from the executed ledger. One that
// was ordered and is still derived after the execution failed; from then on only
// what this node submits itself counts as ordered, so that nobody can silence a
// task by ordering rubbish in its name.
type queue struct {
	entries map[[32]byte]*entry
	inOrder []*entry          // as derived
	seen    map[[32]byte]seen // ordered by anyone and not executed yet
}

type entry struct {
	task
	due     uint64   // height from which on it may be submitted
	sent    uint64   // height at which this node submitted it last; 0 = never
	own     [32]byte // hash of what it submitted
	ordered uint64   // height of the block that has it; 0 = none
	failed  uint     // how often it was ordered in vain
	sends   uint     // submissions since then
	variant uint
}

// seen is an operation that a block brought for a task.
type seen struct {
	height uint64
	hash   [32]byte // of the operation
}

func newQueue() *queue {
	return &queue{entries: make(map[[32]byte]*entry), seen: make(map[[32]byte]seen)}
}

// block takes note of the tasks that a home-chain block has operations for.
func (q *queue) block(height uint64, ordered map[[32]byte][32]byte) {
	for id, hash := range ordered {
		s := seen{height, hash}
		q.seen[id] = s
		if e := q.entries[id]; e != nil {
			e.note(s)
		}
	}
}

func (e *entry) note(s seen) {
	if e.ordered == 0 && (e.failed == 0 || s.hash == e.own) {
		e.ordered = s.height
	}
}

// derived replaces the tasks by what was derived from the home ledger as executed
// up to a height, while the chain is at tip. rank is this node's for an order.
func (q *queue) derived(tip, executed uint64, tasks []task, rank func(order [32]byte) int) {
	entries := make(map[[32]byte]*entry, len(tasks))
	q.inOrder = q.inOrder[:0]
	for _, t := range tasks {
		if entries[t.id] != nil {
			continue
		}
		e := q.entries[t.id]
		switch {
		case e == nil:
			e = &entry{due: tip + turnAfter(rank(t.order))}
			if s, ok := q.seen[t.id]; ok && s.height > executed {
				e.note(s)
			}
		case e.ordered != 0 && e.ordered <= executed:
			e.failed++
			e.variant++
			e.ordered, e.sent, e.sends = 0, 0, 0
			e.due = tip + turnAfter(rank(t.order)) + backOff(e.failed)
		}
		e.task = t
		entries[t.id] = e
		q.inOrder = append(q.inOrder, e)
	}
	q.entries = entries
	for id, s := range q.seen {
		if s.height <= executed {
			delete(q.seen, id)
		}
	}
}

// due are the tasks to submit at tip, in order. Whoever submits one calls sent.
func (q *queue) due(tip uint64) []turn {
	var out []turn
	for _, e := range q.inOrder {
		waiting := e.sent != 0 && tip < e.sent+patience
		if e.ordered == 0 && tip >= e.due && !waiting {
			out = append(out, turn{e.task, e.variant})
		}
	}
	return out
}

// sent notes that this node has submitted a task at tip, as an operation with
// that hash. A zero hash means that it could not: it is tried again later.
func (q *queue) sent(id [32]byte, tip uint64, hash [32]byte) {
	e := q.entries[id]
	if e == nil {
		return
	}
	e.sent, e.own = max(tip, 1), hash
	if e.sends++; e.sends%sameBytes == 0 {
		e.variant++
	}
}

// open are the names of the tasks that are not ordered yet, sorted.
func (q *queue) open() []string {
	var names []string
	for _, e := range q.inOrder {
		if e.ordered == 0 {
			names = append(names, e.name)
		}
	}
	slices.Sort(names)
	return names
}

// turnAfter is how many blocks the validator of a rank waits: one and a half for
// each before it, so that a block can show their work.
func turnAfter(rank int) uint64 { return (uint64(rank)*3 + 1) / 2 }

func backOff(failed uint) uint64 {
	if failed > 10 {
		return longestWait
	}
	return min(uint64(1)<<failed, longestWait)
}
