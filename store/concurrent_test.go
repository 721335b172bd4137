package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/meshsec/meshsec/store"
)

// Readers of everything go on beside a writer for each chain, and never see an epoch by
// half. Run it with -race.
func TestReadersSeeWholeEpochsBesideWriters(t *testing.T) {
	w := newWorld()
	s := w.opened(t, t.TempDir(), store.Options{KeepVersions: 50})
	w.fill(t, s, 1)
	writing, stop := context.WithCancel(context.Background())
	var writers, readers sync.WaitGroup
	for _, chain := range chains {
		writers.Go(func() {
			for range 25 {
				r, err := w.nextOf(s, chain)
				if err == nil {
					err = s.Commit(chain, r)
				}
				if err == nil {
					_, err = s.PutCertificate(w.certificate(t, s, r.Checkpoint, 0, 1, 2, 3))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		for range 2 {
			readers.Go(func() {
				for writing.Err() == nil {
					if err := readHead(s, chain); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	writers.Go(func() {
		for epoch := uint64(1); epoch < 6; epoch++ {
			if _, err := s.PutFault(w.fault(t, s, "alpha", 1, int(epoch)%5)); err != nil {
				t.Error(err)
			}
			if err := s.Prune(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	writers.Wait()
	stop()
	readers.Wait()
	for _, chain := range chains {
		if got := s.Head(chain).Epoch; got != 26 {
			t.Errorf("%s is at epoch %d", chain, got)
		}
	}
}

// readHead reads all that belongs to a chain's head.
func readHead(s *store.Store, chain string) error {
	h := s.Head(chain)
	e, err := s.Journal(chain, h.Epoch)
	if err != nil {
		return err
	}
	if e.Checkpoint.Root() != h.Root {
		return errors.New("the journal is not that of the head")
	}
	for _, r := range e.Receipts {
		if _, ok, err := s.Receipt(chain, r.Operation); !ok || err != nil {
			return errors.Join(errors.New("a receipt is missing"), err)
		}
	}
	set, err := s.Set(chain, h.Epoch+1)
	if err != nil {
		return err
	}
	if set.Root() != h.Checkpoint.ValidatorsRoot {
		return errors.New("the set is not that of the head")
	}
	tree, err := s.TreeAt(chain, h.Epoch)
	if err != nil {
		return err
	}
	if tree.Root() != h.Ref.Hash {
		return errors.New("the tree is not that of the head")
	}
	return tree.Walk(func(_, _ []byte) error { return nil })
}

func TestCloseWaitsForReaders(t *testing.T) {
	w := newWorld()
	s := w.opened(t, t.TempDir(), store.Options{})
	w.commit(t, s, 3)
	var readers sync.WaitGroup
	begun := make(chan struct{}, 4)
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				err := readHead(s, "alpha")
				if i == 0 {
					begun <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for range 4 {
		<-begun
	}
	must(t, s.Close())
	readers.Wait()
}

// Nothing of an open store keeps a bubble of virtual time from going on or from ending.
func TestStoreRunsInVirtualTime(t *testing.T) {
	w := newWorld()
	validators() // before the bubble: it outlives it
	publicKeys()
	synctest.Test(t, func(t *testing.T) {
		s, err := w.open("", memory)
		must(t, err)
		w.commit(t, s, 3)
		begin := time.Now()
		<-time.After(time.Hour)
		if time.Since(begin) != time.Hour {
			t.Error("the time is not virtual")
		}
		w.commit(t, s, 1)
		must(t, s.Close())
	})
}
