package p2p

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How a [Batcher] collects, see DESIGN §2 and §9.
const (
	BatchWindow = 5 * time.Millisecond
	BatchSize   = 256
)

// ErrBatcherClosed is returned by [Batcher.Verify] after [Batcher.Close].
var ErrBatcherClosed = errors.New("p2p: the batcher is closed")

// Batcher collects items over the same message (the key) for up to [BatchWindow] or
// [BatchSize], and verifies them together. It has no goroutines of its own: whoever
// comes first waits and verifies for all. Decode before, in parallel.
//
// Safe for concurrent use. Several batches of one key may be verified at a time.
type Batcher[K comparable, T any] struct {
	verify func([]T) []error

	mu     sync.Mutex
	open   map[K]*batch[T]
	closed bool
	tasks  sync.WaitGroup
}

type batch[T any] struct {
	items []T
	full  chan struct{} // closed when nothing more is added
	done  chan struct{} // closed when errs is final
	errs  []error
}

// NewBatcher makes a batcher. verify gets at least one item and returns one error for
// each, nil for those that are good; it is called from many goroutines.
func NewBatcher[K comparable, T any](verify func([]T) []error) *Batcher[K, T] {
	return &Batcher[K, T]{verify: verify, open: make(map[K]*batch[T])}
}

// Verify verifies an item together with others of the same key, and returns the
// item's own error. When ctx ends first it returns ctx's error, but whoever came
// first for its key stays until the batch is verified: the others rely on it. If
// verify panics, the goroutine that runs it panics and the others get an error.
func (b *Batcher[K, T]) Verify(ctx context.Context, key K, item T) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrBatcherClosed
	}
	b.tasks.Add(1)
	defer b.tasks.Done()
	joined := b.open[key]
	first := joined == nil
	if first {
		joined = &batch[T]{full: make(chan struct{}), done: make(chan struct{})}
		b.open[key] = joined
	}
	place := len(joined.items)
	joined.items = append(joined.items, item)
	if len(joined.items) == BatchSize {
		b.seal(key, joined)
	}
	b.mu.Unlock()

	if first {
		b.lead(key, joined)
		return joined.errs[place]
	}
	select {
	case <-joined.done:
		return joined.errs[place]
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lead waits for company, then verifies the batch.
func (b *Batcher[K, T]) lead(key K, joined *batch[T]) {
	timer := time.NewTimer(BatchWindow)
	defer timer.Stop()
	select {
	case <-joined.full:
	case <-timer.C:
		b.mu.Lock()
		if b.open[key] == joined {
			b.seal(key, joined)
		}
		b.mu.Unlock()
	}
	defer close(joined.done)
	joined.errs = failAll(len(joined.items), errors.New("p2p: batch verification panicked"))
	errs := b.verify(joined.items)
	if len(errs) != len(joined.items) {
		errs = failAll(len(joined.items), fmt.Errorf("p2p: batch verification answered %d of %d items", len(errs), len(joined.items)))
	}
	joined.errs = errs
}

func failAll(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// seal ends the collecting; the lock is held.
func (b *Batcher[K, T]) seal(key K, joined *batch[T]) {
	delete(b.open, key)
	close(joined.full)
}

// Close verifies what is collected at once, and waits until every Verify has
// returned. Further ones fail. Close may be called again.
func (b *Batcher[K, T]) Close() {
	b.mu.Lock()
	b.closed = true
	for key, joined := range b.open {
		b.seal(key, joined)
	}
	b.mu.Unlock()
	b.tasks.Wait()
}
