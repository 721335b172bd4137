package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

var memory = store.Options{InMemory: true}

func TestCommittedEpochCanBeReadBack(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", memory)
	var previous [32]byte
	for epoch := uint64(1); epoch <= 12; epoch++ {
		before := s.Head("alpha")
		r, err := w.nextOf(s, "alpha")
		must(t, err)
		must(t, s.Commit("alpha", r))
		h := s.Head("alpha")
		if h.Epoch != epoch || h.Root != r.Checkpoint.Root() || h.Ref != r.Ref || !reflect.DeepEqual(h.Checkpoint, r.Checkpoint) {
			t.Fatalf("epoch %d: head %+v", epoch, h)
		}
		e, err := s.Journal("alpha", epoch)
		must(t, err)
		previous = before.Journal
		want := &store.Entry{Input: r.Input, Transcript: r.Transcript, Receipts: r.Receipts, Checkpoint: r.Checkpoint, Previous: previous}
		a, err := want.Encode()
		must(t, err)
		b, err := e.Encode()
		must(t, err)
		if string(a) != string(b) || e.Previous != previous {
			t.Fatalf("epoch %d: journal has %+v, want %+v", epoch, e, want)
		}
		set, err := s.Set("alpha", epoch+1)
		must(t, err)
		if set.Root() != r.Checkpoint.ValidatorsRoot {
			t.Fatalf("epoch %d: wrong set", epoch+1)
		}
		if again, _ := s.Set("alpha", epoch+1); again != set {
			t.Fatal("the set was parsed twice")
		}
	}
	if h := s.Head("beta"); h.Epoch != 0 || h.Checkpoint == nil {
		t.Fatalf("beta moved: %+v", h)
	}
	must(t, s.Verify(context.Background(), "alpha"))
}

func TestCommitRefusesWhatDoesNotContinueTheHead(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", memory)
	w.commit(t, s, 2)
	for name, c := range map[string]struct {
		change func(*ledger.Result)
		want   error
	}{
		"an epoch skipped":     {func(r *ledger.Result) { r.Checkpoint.Epoch++ }, store.ErrOrder},
		"an epoch again":       {func(r *ledger.Result) { r.Checkpoint.Epoch-- }, store.ErrOrder},
		"another parent":       {func(r *ledger.Result) { r.Checkpoint.Parent[0] ^= 1 }, store.ErrResult},
		"another chain":        {func(r *ledger.Result) { r.Checkpoint.ChainID = []byte("beta") }, store.ErrResult},
		"another set":          {func(r *ledger.Result) { r.Set = w.set("alpha", 99) }, store.ErrResult},
		"no set":               {func(r *ledger.Result) { r.Set = nil }, store.ErrResult},
		"no input":             {func(r *ledger.Result) { r.Input = nil }, store.ErrResult},
		"another input":        {func(r *ledger.Result) { r.Input.Epoch = 1 }, store.ErrResult},
		"another tree":         {func(r *ledger.Result) { r.Ref.Hash[0] ^= 1 }, store.ErrResult},
		"another version":      {func(r *ledger.Result) { r.Changes.Version-- }, store.ErrResult},
		"another transcript":   {func(r *ledger.Result) { r.Transcript.Steps[0].Height++ }, store.ErrResult},
		"a receipt too many":   {func(r *ledger.Result) { r.Receipts = append(r.Receipts, new(ledger.Receipt)) }, store.ErrResult},
		"no checkpoint":        {func(r *ledger.Result) { r.Checkpoint = nil }, store.ErrResult},
		"no transcript at all": {func(r *ledger.Result) { r.Transcript = nil }, store.ErrResult},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := w.nextOf(s, "alpha")
			must(t, err)
			c.change(r)
			if err := s.Commit("alpha", r); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
	if err := s.Commit("gamma", new(ledger.Result)); !errors.Is(err, store.ErrUnknownChain) {
		t.Fatalf("unknown chain: %v", err)
	}
	w.commit(t, s, 1) // nothing of the above did harm
}

func TestTwoWritersOfOneChainDoNotBothWin(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", memory)
	var results [2]*ledger.Result // both continue the same head, before either is committed
	for i := range results {
		r, err := w.nextOf(s, "alpha")
		must(t, err)
		results[i] = r
	}
	errs := make(chan error)
	for _, r := range results {
		go func() { errs <- s.Commit("alpha", r) }()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), store.ErrOrder) {
		t.Fatalf("got %v and %v", a, b)
	}
}

func TestEpochLargerThanATransactionIsCommitted(t *testing.T) {
	for name, opts := range map[string]store.Options{"in memory": memory, "on disk": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.size = func(_ string, epoch uint64) int {
				if epoch == 2 {
					return 15_000
				}
				return 10
			}
			dir := filepath.Join(t.TempDir(), "store")
			s := w.opened(t, dir, opts)
			w.commit(t, s, 3)
			want, err := fingerprint(s)
			must(t, err)
			if opts.InMemory {
				return
			}
			must(t, s.Close())
			s = w.opened(t, dir, opts)
			got, err := fingerprint(s)
			must(t, err)
			if got != want {
				t.Fatal("it is another store after opening it again")
			}
		})
	}
}

func TestUnfinishedEpochLeavesNoTrace(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{})
	w.commit(t, s, 3)
	for _, share := range []int{0, 1, 2, 3} {
		want, err := fingerprint(s)
		must(t, err)
		records, err := s.Records()
		must(t, err)
		r, err := w.nextOf(s, "alpha")
		must(t, err)
		total, err := s.CommitHalf("alpha", r, 0)
		must(t, err)
		_, err = s.CommitHalf("alpha", r, total*share/3)
		must(t, err)
		if got, _ := fingerprint(s); got != want {
			t.Fatal("what is not committed can be seen")
		}
		must(t, s.Close())
		s = w.opened(t, dir, store.Options{})
		if got, _ := fingerprint(s); got != want {
			t.Fatal("an unfinished epoch changed something")
		}
		if got, _ := s.Records(); got != records {
			t.Fatalf("%d records, want %d", got, records)
		}
		// Another outcome than the one that was not finished can follow.
		w.size = func(string, uint64) int { return 5 + share }
		w.commit(t, s, 1)
	}
}

// The twin is trie.Store, which is what a store on disk has to do.
func TestPruneKeepsExactlyTheLastVersions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, keep := range []uint64{1, 2, 7} {
		w := newWorld()
		s := w.opened(t, "", store.Options{InMemory: true, KeepVersions: keep})
		sizes := map[uint64]int{0: 20}
		w.size = func(_ string, epoch uint64) int { return sizes[epoch] }
		twin := trie.NewStore()
		g, err := w.genesis("alpha")
		must(t, err)
		twin.Apply(g.Changes)
		for epoch := uint64(1); epoch <= 40; epoch++ {
			sizes[epoch] = rng.IntN(60) * rng.IntN(3) // nothing changes in some
			r, err := w.nextOf(s, "alpha")
			must(t, err)
			must(t, s.Commit("alpha", r))
			twin.Apply(r.Changes)
			must(t, s.PruneAll())
			oldest := epoch - min(epoch, keep-1)
			twin.Prune(oldest)
			if got := s.Head("alpha").Oldest; got != oldest {
				t.Fatalf("keep %d, epoch %d: oldest %d, want %d", keep, epoch, got, oldest)
			}
			keys, _, err := s.NodeKeys("alpha")
			must(t, err)
			if len(keys) != twin.Len() {
				t.Fatalf("keep %d, epoch %d: %d nodes, want %d", keep, epoch, len(keys), twin.Len())
			}
			for e := uint64(0); e <= epoch; e++ {
				tree, err := s.TreeAt("alpha", e)
				if e < oldest {
					if !errors.Is(err, store.ErrPruned) {
						t.Fatalf("keep %d, epoch %d of %d: %v", keep, e, epoch, err)
					}
					continue
				}
				must(t, err)
				must(t, tree.Walk(func(_, _ []byte) error { return nil }))
			}
			if _, err := s.TreeAt("alpha", epoch+1); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("epoch ahead: %v", err)
			}
		}
		if _, stale, _ := s.NodeKeys("alpha"); keep == 1 && stale != 0 {
			t.Fatalf("%d stale marks are left", stale)
		}
	}
}

func TestPruneCatchesUpAfterKeepingLess(t *testing.T) {
	w := newWorld()
	w.size = func(string, uint64) int { return 800 }
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{KeepVersions: 100})
	w.commit(t, s, 12)
	must(t, s.Close())
	s = w.opened(t, dir, store.Options{KeepVersions: 2})
	w.commit(t, s, 1) // says what is kept
	must(t, s.PruneAll())
	nodes, stale, err := s.NodeKeys("alpha")
	must(t, err)
	if stale == 0 || stale > 3000 || len(nodes) > 5000 {
		t.Fatalf("%d nodes and %d stale marks are left", len(nodes), stale)
	}
	want, err := fingerprint(s)
	must(t, err)
	must(t, s.Close())
	s = w.opened(t, dir, store.Options{KeepVersions: 2})
	if got, err := fingerprint(s); got != want {
		t.Fatalf("another store after pruning and opening: %v", err)
	}
}
