package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// play plays a mesh of real ledgers, and commits what comes of it to a store, whose own
// trees are executed on.
func play(t *testing.T, s *store.Store, mesh *ledgertest.Mesh, epochs int) {
	t.Helper()
	for range epochs {
		for _, c := range mesh.Chains {
			ops, err := mesh.Relay(c.ID)
			must(t, err)
			r, err := mesh.Epoch(c.ID, ops...)
			must(t, err)
			tree, err := s.Tree(c.ID)
			must(t, err)
			own, err := ledger.Execute(mesh.Manifest, s.Head(c.ID).Checkpoint, tree, r.Input)
			must(t, err)
			if own.Checkpoint.Root() != r.Checkpoint.Root() {
				t.Fatalf("%s epoch %d: another outcome on the stored tree", c.ID, r.Checkpoint.Epoch)
			}
			must(t, s.Commit(c.ID, own))
		}
	}
}

func realStore(t *testing.T, dir string, opts store.Options) (*store.Store, *ledgertest.Mesh) {
	t.Helper()
	network := ledgertest.New(2, 3, nil)
	mesh, err := ledgertest.Play(network)
	must(t, err)
	s, err := store.Open(dir, network.Manifest, opts)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s, mesh
}

func TestReplayOfTheJournalGivesTheSameRoots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, mesh := realStore(t, dir, store.Options{KeepVersions: 3})
	play(t, s, mesh, 8)
	for range 2 {
		for _, c := range mesh.Chains {
			if s.Head(c.ID).Epoch != 8 || s.Head(c.ID).Root != mesh.Head(c.ID).Checkpoint.Root() {
				t.Fatalf("%s is at %+v", c.ID, s.Head(c.ID))
			}
			must(t, s.Replay(context.Background(), c.ID))
			must(t, s.Verify(context.Background(), c.ID))
		}
		must(t, s.Close())
		var err error
		s, err = store.Open(dir, mesh.Manifest, store.Options{KeepVersions: 3})
		must(t, err)
		defer s.Close()
	}
}

func TestReplayNamesTheFirstStepThatDiffers(t *testing.T) {
	s, mesh := realStore(t, "", memory)
	play(t, s, mesh, 4)
	// A ledger with other rules, say, has another root after the second step of epoch 5.
	ops, err := mesh.Relay("alpha")
	must(t, err)
	r, err := mesh.Epoch("alpha", ops...)
	must(t, err)
	r.Transcript.Steps[1].Root[0] ^= 1
	if r.Checkpoint.OpsRoot, err = r.Transcript.HashTreeRoot(); err != nil {
		t.Fatal(err)
	}
	must(t, s.Commit("alpha", r))
	must(t, s.Verify(context.Background(), "alpha"))
	err = s.Replay(context.Background(), "alpha")
	var d *store.ReplayError
	if !errors.Is(err, store.ErrDiverged) || !errors.As(err, &d) || d.Chain != "alpha" || d.Epoch != 5 || d.Step != 1 {
		t.Fatalf("got %v", err)
	}
	must(t, s.Replay(context.Background(), "beta"))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Replay(ended, "beta"); !errors.Is(err, context.Canceled) {
		t.Fatalf("canceled: %v", err)
	}
}

func TestOpenWritesTheManifestsGenesis(t *testing.T) {
	s, mesh := realStore(t, "", memory)
	for _, c := range mesh.Chains {
		g, err := ledger.Genesis(mesh.Manifest, c.ID)
		must(t, err)
		if h := s.Head(c.ID); h.Root != g.Checkpoint.Root() || h.Ref != g.Ref {
			t.Fatalf("%s: head %+v", c.ID, h)
		}
		set, err := s.Set(c.ID, 1)
		must(t, err)
		if set.Root() != g.Set.Root() {
			t.Fatal("the first set is another")
		}
		tree, err := s.Tree(c.ID)
		must(t, err)
		r, err := ledger.NewReader(mesh.Manifest, c.ID, tree)
		must(t, err)
		if _, err := r.Totals(); err != nil {
			t.Fatal(err)
		}
	}
	if s.Network() != mesh.Manifest.ID() {
		t.Fatal("another network")
	}
}
