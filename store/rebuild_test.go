package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store"
)

// damageHead makes a store that is whole but for its head file refuse to open.
func damageHead(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "head")
	b, err := os.ReadFile(path)
	must(t, err)
	b[len(b)/2] ^= 1
	must(t, os.WriteFile(path, b, 0o600))
}

func TestRebuildFollowsTheJournalOfAStoreThatWasSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, mesh := realStore(t, dir, store.Options{KeepVersions: 3})
	play(t, s, mesh, 6)
	// The peer is certified up to epoch 4, the home chain not at all.
	for epoch := uint64(1); epoch <= 4; epoch++ {
		cert := mesh.Certificate("beta", epoch)
		verified, err := attest.VerifyCertificate(mesh.ID, mesh.Set("beta", epoch), cert)
		must(t, err)
		_, err = s.PutCertificate(verified)
		must(t, err)
	}
	proof, err := mesh.DoubleVote("beta", 3, 1)
	must(t, err)
	fault, err := attest.VerifyFault(mesh.ID, mesh.Set("beta", 3), proof)
	must(t, err)
	_, err = s.PutFault(fault)
	must(t, err)
	must(t, s.Close())

	damageHead(t, dir)
	if _, err := store.Open(dir, mesh.Manifest, store.Options{}); err == nil {
		t.Fatal("a damaged store opened")
	}
	aside, err := store.SetAside(dir)
	must(t, err)
	fresh, err := store.Open(dir, mesh.Manifest, store.Options{})
	must(t, err)
	defer fresh.Close()
	must(t, fresh.Rebuild(context.Background(), aside, "alpha"))

	if got := fresh.Head("alpha"); got.Epoch != 6 || got.Root != mesh.Head("alpha").Checkpoint.Root() {
		t.Errorf("home is at epoch %d, want 6", got.Epoch)
	}
	if got := fresh.Head("beta"); got.Epoch != 4 || fresh.Certified("beta") != 4 {
		t.Errorf("the peer is at epoch %d, certified %d: want 4, nothing without a certificate", got.Epoch, fresh.Certified("beta"))
	}
	if _, ok, err := fresh.Fault(fault.ID()); err != nil || !ok {
		t.Errorf("the fault is lost: %v", err)
	}
	must(t, fresh.Verify(context.Background(), "alpha"))
	must(t, fresh.Replay(context.Background(), "beta"))
	// Again changes nothing.
	must(t, fresh.Rebuild(context.Background(), aside, "alpha"))
}

func TestRebuildRefusesDamagedTablesAndKeepsTheFreshStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, mesh := realStore(t, dir, store.Options{})
	play(t, s, mesh, 3)
	must(t, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*", "*.sst"))
	must(t, err)
	if len(tables) == 0 {
		t.Fatal("no table to damage")
	}
	b, err := os.ReadFile(tables[0])
	must(t, err)
	b[len(b)/3] ^= 1
	must(t, os.WriteFile(tables[0], b, 0o600))
	aside, err := store.SetAside(dir)
	must(t, err)
	fresh, err := store.Open(dir, mesh.Manifest, store.Options{})
	must(t, err)
	defer fresh.Close()
	if err := fresh.Rebuild(context.Background(), aside, "alpha"); err == nil {
		t.Error("damaged tables were read")
	}
	if fresh.Head("alpha").Epoch != 0 {
		t.Error("something was taken from damaged tables")
	}
	tree, err := fresh.Tree("alpha")
	must(t, err)
	if tree.Root() != fresh.Head("alpha").Ref.Hash {
		t.Error("the fresh store does not work")
	}
}
