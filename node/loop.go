package node

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time. It is read in the loop, in the API's fault times, and
// nowhere else; what the ledgers call time comes from blocks.
type Clock func() time.Time

// loop is the one goroutine that owns the council. Others hand it functions to run
// with [ask]; what the council wants done goes to the clerk. It never waits for
// anything but its next event, so that asking it is quick.
type loop struct {
	council *council
	clock   Clock
	calls   chan func(*council, time.Time)
	effects *mailbox[effect]
	done    chan struct{}
}

func newLoop(c *council, clock Clock) *loop {
	return &loop{
		council: c, clock: clock,
		calls:   make(chan func(*council, time.Time)),
		effects: newMailbox[effect](),
		done:    make(chan struct{}),
	}
}

func (l *loop) run(ctx context.Context) {
	defer close(l.done)
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case call := <-l.calls:
			call(l.council, l.clock())
		case <-wake.C:
		}
		now := l.clock()
		if next := l.council.tick(now); !next.IsZero() {
			wake.Reset(next.Sub(now))
		} else {
			wake.Stop()
		}
		l.effects.put(l.council.take()...)
	}
}

// ask runs f in the loop and returns its answer; the error is the context's, or that
// the loop has ended.
func ask[T any](ctx context.Context, l *loop, f func(c *council, now time.Time) T) (answer T, err error) {
	ready := make(chan T, 1)
	call := func(c *council, now time.Time) { ready <- f(c, now) }
	select {
	case l.calls <- call:
		return <-ready, nil // once taken, a call is run
	case <-ctx.Done():
		return answer, ctx.Err()
	case <-l.done:
		return answer, context.Canceled
	}
}

// tell is ask for what has no answer.
func tell(ctx context.Context, l *loop, f func(c *council, now time.Time)) error {
	_, err := ask(ctx, l, func(c *council, now time.Time) struct{} {
		f(c, now)
		return struct{}{}
	})
	return err
}

// mailbox is an unbounded queue for one reader: whoever puts something in never
// waits. What goes in is bounded by who puts it there.
type mailbox[T any] struct {
	mu    sync.Mutex
	items []T
	some  chan struct{} // holds a token while there are items
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{some: make(chan struct{}, 1)} }

func (m *mailbox[T]) put(items ...T) {
	if len(items) == 0 {
		return
	}
	m.mu.Lock()
	m.items = append(m.items, items...)
	m.mu.Unlock()
	select {
	case m.some <- struct{}{}:
	default:
	}
}

// take waits for items and takes all; none when ctx ends.
func (m *mailbox[T]) take(ctx context.Context) []T {
	select {
	case <-ctx.Done():
		return nil
	case <-m.some:
		return m.drain()
	}
}

// drain takes all items without waiting; there may be none.
func (m *mailbox[T]) drain() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}
