package node

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// village is some nodes with queues over one chain that orders what they submit, a
// block late, loses some of it, and executes at the end of each epoch.
type village struct {
	queues   []*queue
	epoch    uint64 // blocks
	height   uint64
	executed uint64
	mempool  []posted
	ordered  []posted // in blocks that are not executed
	undone   map[[32]byte]bool
	cache    map[[32]byte]bool // hashes that the mempool has seen; it drops them
	sent     map[[32]byte]int
	loses    func() bool
	spoils   func() bool // somebody orders rubbish in a task's name first
}

type posted struct {
	task    [32]byte
	hash    [32]byte
	rubbish bool
}

func (v *village) tasks() (out []task) {
	for id := range v.undone {
		out = append(out, task{id: id, order: id, name: string(id[:1])})
	}
	slices.SortFunc(out, func(a, b task) int { return int(a.id[0]) - int(b.id[0]) })
	return out
}

// block makes one: every node sees it, derives, and submits what is due.
func (v *village) block() {
	v.height++
	seen := make(map[[32]byte][32]byte)
	for _, p := range v.mempool {
		seen[p.task] = p.hash
	}
	v.ordered, v.mempool = append(v.ordered, v.mempool...), nil
	if v.height%v.epoch == 0 {
		for _, p := range v.ordered {
			if !p.rubbish {
				delete(v.undone, p.task)
			}
		}
		v.ordered, v.executed = nil, v.height
	}
	for i, q := range v.queues {
		q.block(v.height, seen)
		q.derived(v.height, v.executed, v.tasks(), func(order [32]byte) int { return (i + int(order[0])) % len(v.queues) })
		for _, t := range q.due(v.height) {
			hash := [32]byte{t.id[0], byte(i), 1, byte(t.variant)} // reporters differ, so do the bytes
			q.sent(t.id, v.height, hash)
			v.sent[t.id]++
			if !v.loses() && !v.cache[hash] {
				v.mempool = append(v.mempool, posted{t.id, hash, false})
			}
			v.cache[hash] = true // also when it is lost later
			if v.spoils() {
				v.mempool = append(v.mempool, posted{t.id, [32]byte{t.id[0], 255}, true})
			}
		}
	}
	// Rubbish comes last in the block, so it is what the nodes see of the task.
	slices.SortStableFunc(v.mempool, func(a, b posted) int {
		switch {
		case a.rubbish == b.rubbish:
			return 0
		case a.rubbish:
			return 1
		}
		return -1
	})
}

func newVillage(nodes int, epoch uint64, tasks int) *village {
	v := &village{
		epoch: epoch, undone: make(map[[32]byte]bool), cache: make(map[[32]byte]bool), sent: make(map[[32]byte]int),
		loses: func() bool { return false }, spoils: func() bool { return false },
	}
	for range nodes {
		v.queues = append(v.queues, newQueue())
	}
	for i := range tasks {
		v.undone[[32]byte{byte(i)}] = true
	}
	return v
}

func TestOneNodeSubmitsWhereAllCould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tasks := rapid.IntRange(1, 20).Draw(t, "tasks")
		v := newVillage(rapid.IntRange(1, 9).Draw(t, "nodes"), rapid.Uint64Range(1, 12).Draw(t, "epoch"), tasks)
		for range 3 * v.epoch {
			v.block()
		}
		if len(v.undone) > 0 {
			t.Fatalf("%d tasks are not done after three epochs", len(v.undone))
		}
		for id, n := range v.sent {
			if n != 1 {
				t.Errorf("task %d was submitted %d times", id[0], n)
			}
		}
	})
}

func TestNoTaskIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newVillage(rapid.IntRange(1, 6).Draw(t, "nodes"), rapid.Uint64Range(1, 8).Draw(t, "epoch"), rapid.IntRange(1, 8).Draw(t, "tasks"))
		lossy := rapid.IntRange(0, 60).Draw(t, "blocks that lose")
		v.loses = func() bool { return int(v.height) < lossy && rapid.Bool().Draw(t, "lost") }
		spoiled := rapid.IntRange(0, 60).Draw(t, "blocks with rubbish")
		v.spoils = func() bool { return int(v.height) < spoiled }
		limit := 60 + 20*sameBytes*patience + 64*v.epoch
		for len(v.undone) > 0 && v.height < limit {
			v.block()
		}
		if len(v.undone) > 0 {
			t.Fatalf("%d tasks are not done after %d blocks", len(v.undone), v.height)
		}
	})
}

func TestRubbishInATasksNameDelaysItOnce(t *testing.T) {
	q := newQueue()
	mine := []task{{id: [32]byte{1}, order: [32]byte{1}}}
	first := func([32]byte) int { return 0 }
	rubbish := map[[32]byte][32]byte{{1}: {9}}
	q.block(1, rubbish)
	q.derived(1, 0, mine, first)
	if len(q.due(1)) != 0 {
		t.Fatal("submitted what was seen ordered")
	}
	// The epoch was executed up to block 5, and the task is still there.
	q.derived(5, 5, mine, first)
	height := uint64(5)
	for len(q.due(height)) == 0 {
		height++
		q.block(height, rubbish)
		if height > 10 {
			t.Fatal("rubbish silences the task")
		}
	}
}

func TestUnsentTasksComeAgain(t *testing.T) {
	q := newQueue()
	mine := []task{{id: [32]byte{1}}}
	q.derived(1, 0, mine, func([32]byte) int { return 2 })
	if len(q.due(3)) != 0 || len(q.due(4)) != 1 {
		t.Error("rank 2 must wait three blocks")
	}
	q.sent([32]byte{1}, 4, [32]byte{7})
	if len(q.due(4+patience-1)) != 0 || len(q.due(4+patience)) != 1 {
		t.Errorf("what is not ordered must be submitted again after %d blocks", patience)
	}
	q.block(5, map[[32]byte][32]byte{{1}: {8}})
	if len(q.due(4+patience)) != 0 || len(q.open()) != 0 {
		t.Error("what somebody else had ordered is submitted again")
	}
	q.derived(6, 5, nil, nil)
	if len(q.entries) != 0 || len(q.seen) != 0 {
		t.Error("what is done is remembered")
	}
}
