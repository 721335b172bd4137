package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/p2p"
)

var errOdd = errors.New("odd")

// TestBatcherGivesEachItemItsOwnAnswer compares with verifying one by one.
func TestBatcherGivesEachItemItsOwnAnswer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := rapid.SliceOfN(rapid.IntRange(0, 100), 1, 600).Draw(rt, "items")
		keys := rapid.IntRange(1, 4).Draw(rt, "keys")
		gap := rapid.SampledFrom([]time.Duration{0, time.Millisecond / 10, 3 * time.Millisecond}).Draw(rt, "gap")
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			largest := 0
			b := p2p.NewBatcher[int](func(batch []int) []error {
				mu.Lock()
				largest = max(largest, len(batch))
				mu.Unlock()
				errs := make([]error, len(batch))
				for i, n := range batch {
					if n%keys != batch[0]%keys {
						panic("keys are mixed")
					}
					if n%2 == 1 {
						errs[i] = fmt.Errorf("%d is %w", n, errOdd)
					}
				}
				return errs
			})
			defer b.Close()
			var callers sync.WaitGroup
			for _, n := range items {
				callers.Go(func() {
					began := time.Now()
					err := b.Verify(t.Context(), n%keys, n)
					if (n%2 == 1) != errors.Is(err, errOdd) || err != nil && err.Error() != fmt.Sprintf("%d is odd", n) {
						t.Errorf("%d: %v", n, err)
					}
					if took := time.Since(began); took > p2p.BatchWindow {
						t.Errorf("%d took %v", n, took)
					}
				})
				if gap > 0 {
					<-time.After(gap)
				}
			}
			callers.Wait()
			if largest > p2p.BatchSize {
				t.Errorf("a batch of %d", largest)
			}
			if gap == 0 && keys == 1 && len(items) >= p2p.BatchSize && largest != p2p.BatchSize {
				t.Errorf("the largest batch of %d items had %d", len(items), largest)
			}
		})
	})
}

func TestBatcherDoesNotWaitWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := p2p.NewBatcher[string](func(batch []int) []error { return make([]error, len(batch)) })
		defer b.Close()
		began := time.Now()
		var callers sync.WaitGroup
		for i := range p2p.BatchSize {
			callers.Go(func() { _ = b.Verify(t.Context(), "k", i) })
		}
		callers.Wait()
		if time.Since(began) != 0 {
			t.Errorf("a full batch waited %v", time.Since(began))
		}
	})
}

func TestBatcherCloseVerifiesWhatIsCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := p2p.NewBatcher[string](func(batch []int) []error { return make([]error, len(batch)) })
		result := make(chan error, 2)
		for i := range 2 {
			go func() { result <- b.Verify(t.Context(), "k", i) }()
		}
		synctest.Wait()
		began := time.Now()
		b.Close()
		if time.Since(began) != 0 || <-result != nil || <-result != nil {
			t.Error("Close did not verify at once")
		}
		if err := b.Verify(t.Context(), "k", 1); !errors.Is(err, p2p.ErrBatcherClosed) {
			t.Errorf("after Close: %v", err)
		}
		b.Close()
	})
}

func TestBatcherSurvivesItsVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := p2p.NewBatcher[string](func(batch []int) []error {
			if batch[0] == 0 {
				panic("oh")
			}
			return nil // too few answers
		})
		defer b.Close()
		results := make(chan error, 2)
		for range 2 {
			go func() {
				defer func() {
					if p := recover(); p != nil {
						results <- fmt.Errorf("panic: %v", p)
					}
				}()
				results <- b.Verify(t.Context(), "k", 0)
			}()
		}
		for range 2 {
			if <-results == nil {
				t.Error("a panic verified something")
			}
		}
		if err := b.Verify(t.Context(), "k", 1); err == nil {
			t.Error("too few answers verified something")
		}
	})
}

func TestBatcherCallerMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		b := p2p.NewBatcher[string](func(batch []int) []error { <-hold; return make([]error, len(batch)) })
		go func() { _ = b.Verify(t.Context(), "k", 0) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Verify(ctx, "k", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(hold)
		b.Close()
	})
}
