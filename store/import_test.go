package store_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// certify keeps the certificates of all epochs of a mesh that have none.
func certify(t *testing.T, s *store.Store, mesh *ledgertest.Mesh) {
	t.Helper()
	for _, c := range mesh.Chains {
		for epoch := s.Certified(c.ID) + 1; epoch <= s.Head(c.ID).Epoch; epoch++ {
			v, err := attest.VerifyCertificate(mesh.ID, mesh.Set(c.ID, epoch), mesh.Certificate(c.ID, epoch))
			must(t, err)
			_, err = s.PutCertificate(v)
			must(t, err)
		}
	}
}

// exported is a snapshot of a chain with the certificates from an epoch on.
func exported(t *testing.T, s *store.Store, chain string, epoch, from uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	h, n, err := s.Export(context.Background(), &b, chain, epoch, from)
	must(t, err)
	if h.Chain != chain || epoch != 0 && h.Epoch != epoch || n == 0 {
		t.Fatalf("exported %+v with %d records", h, n)
	}
	return b.Bytes()
}

// playBoth has two stores follow the same mesh.
func playBoth(t *testing.T, a, b *store.Store, mesh *ledgertest.Mesh, epochs int) {
	t.Helper()
	for range epochs {
		play(t, a, mesh, 1)
		for _, c := range mesh.Chains {
			in, err := a.Journal(c.ID, a.Head(c.ID).Epoch)
			must(t, err)
			tree, err := b.Tree(c.ID)
			must(t, err)
			r, err := ledger.Execute(mesh.Manifest, b.Head(c.ID).Checkpoint, tree, in.Input)
			must(t, err)
			must(t, b.Commit(c.ID, r))
			x, y := a.Head(c.ID), b.Head(c.ID)
			if x.Root != y.Root || x.Ref.Hash != y.Ref.Hash || x.Journal != y.Journal {
				t.Fatalf("%s epoch %d: the two stores differ", c.ID, x.Epoch)
			}
		}
	}
}

func TestAStoreContinuesFromASnapshot(t *testing.T) {
	original, mesh := realStore(t, "", store.Options{InMemory: true, KeepVersions: 100})
	play(t, original, mesh, 6)
	certify(t, original, mesh)
	dir := filepath.Join(t.TempDir(), "store")
	opts := store.Options{KeepVersions: 3}
	s, err := store.Open(dir, mesh.Manifest, opts)
	must(t, err)
	for _, c := range mesh.Chains {
		file := exported(t, original, c.ID, 5, 1)
		h, n, err := s.Import(context.Background(), bytes.NewReader(file), ledger.Trust{})
		must(t, err)
		if h.Epoch != 5 || n == 0 || s.Head(c.ID).Base != 5 || s.Head(c.ID).Root != mesh.Past(c.ID, 5).Checkpoint.Root() || s.Certified(c.ID) != 5 {
			t.Fatalf("%s: imported %d records, the head is %+v", c.ID, n, s.Head(c.ID))
		}
		if _, _, err := s.Import(context.Background(), bytes.NewReader(file), ledger.Trust{}); !errors.Is(err, store.ErrFollowed) {
			t.Fatalf("imported twice: %v", err)
		}
		// The epoch that the original has beyond it.
		e, err := original.Journal(c.ID, 6)
		must(t, err)
		tree, err := s.Tree(c.ID)
		must(t, err)
		r, err := ledger.Execute(mesh.Manifest, s.Head(c.ID).Checkpoint, tree, e.Input)
		must(t, err)
		must(t, s.Commit(c.ID, r))
	}
	for range 2 { // once more after a restart
		playBoth(t, original, s, mesh, 5)
		certify(t, s, mesh)
		must(t, s.PruneAll())
		for _, c := range mesh.Chains {
			head := s.Head(c.ID)
			if s.Certified(c.ID) != head.Epoch {
				t.Errorf("%s: certified up to %d of %d", c.ID, s.Certified(c.ID), head.Epoch)
			}
			must(t, s.Verify(context.Background(), c.ID))
			must(t, s.Replay(context.Background(), c.ID))
			// What is before the snapshot is not there, and nothing says that it is damaged.
			if _, err := s.Journal(c.ID, 3); !errors.Is(err, store.ErrPruned) {
				t.Errorf("journal of epoch 3: %v", err)
			}
			if _, err := s.Set(c.ID, 3); !errors.Is(err, store.ErrPruned) {
				t.Errorf("set of epoch 3: %v", err)
			}
			for _, epoch := range []uint64{5, 6} {
				set, err := s.Set(c.ID, epoch)
				if err != nil || set.Root() != mesh.Set(c.ID, epoch).Root() {
					t.Errorf("set of epoch %d: %v", epoch, err)
				}
			}
			if _, err := s.TreeAt(c.ID, 5); err != nil {
				t.Errorf("the state that the journal begins with: %v", err)
			}
			if _, err := s.TreeAt(c.ID, 6); !errors.Is(err, store.ErrPruned) {
				t.Errorf("tree of epoch 6: %v", err)
			}
			exactly(t, s, c.ID, 5, head.Epoch-2, head.Epoch-1, head.Epoch)
		}
		must(t, s.Close())
		s, err = store.Open(dir, mesh.Manifest, opts)
		must(t, err)
		defer s.Close()
	}
}

// exactly checks that of a chain's trees those of some epochs are stored and nothing else.
func exactly(t *testing.T, s *store.Store, chain string, epochs ...uint64) {
	t.Helper()
	have, _, err := s.NodeKeys(chain)
	must(t, err)
	want, err := s.Reachable(chain, epochs...)
	must(t, err)
	for k := range want {
		if !have[k] {
			t.Fatalf("%s: node %s is missing", chain, k)
		}
	}
	if len(have) != len(want) {
		t.Fatalf("%s: %d nodes are stored, the trees of epochs %v have %d", chain, len(have), epochs, len(want))
	}
}

func TestASnapshotNeedsSomethingTrusted(t *testing.T) {
	original, mesh := realStore(t, "", memory)
	play(t, original, mesh, 4)
	certify(t, original, mesh)
	root := mesh.Set("beta", 4).Root()
	file := exported(t, original, "beta", 0, 3)
	for _, tc := range []struct {
		name  string
		trust ledger.Trust
		want  string // empty: taken
	}{
		{"genesis", ledger.Trust{}, "begin with epoch 3, trusted is genesis"},
		{"another checkpoint", ledger.Trust{Checkpoint: &ledger.CheckpointName{Chain: "beta", Epoch: 3}}, "checkpoint of epoch 3 is"},
		{"another set", ledger.Trust{ValidatorsRoot: &[32]byte{}}, "signed by the validator set"},
		{"the set", ledger.Trust{ValidatorsRoot: &root}, ""},
		{"a checkpoint", ledger.Trust{Checkpoint: &ledger.CheckpointName{Chain: "beta", Epoch: 3, Root: mesh.Past("beta", 3).Checkpoint.Root()}}, ""},
	} {
		s, err := store.Open("", mesh.Manifest, memory)
		must(t, err)
		_, _, err = s.Import(context.Background(), bytes.NewReader(file), tc.trust)
		if tc.want == "" && err != nil || tc.want != "" && (!errors.Is(err, store.ErrSnapshot) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		must(t, s.Close())
	}
	other := ledgertest.New(2, 3, func(m *ledger.Manifest) { m.Name = "other" })
	s, err := store.Open("", other.Manifest, memory)
	must(t, err)
	defer s.Close()
	if _, _, err := s.Import(context.Background(), bytes.NewReader(file), ledger.Trust{ValidatorsRoot: &root}); !errors.Is(err, store.ErrSnapshot) {
		t.Errorf("another network's: %v", err)
	}
}

func TestACutOrDamagedSnapshotWritesNothing(t *testing.T) {
	original, mesh := realStore(t, "", memory)
	play(t, original, mesh, 3)
	certify(t, original, mesh)
	file := exported(t, original, "alpha", 0, 1)
	s, err := store.Open("", mesh.Manifest, memory)
	must(t, err)
	defer s.Close()
	before, err := s.Records()
	must(t, err)
	refused := func(what string, i int, b []byte) {
		t.Helper()
		_, _, err := s.Import(context.Background(), bytes.NewReader(b), ledger.Trust{})
		if !errors.Is(err, store.ErrSnapshot) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%s at %d: %v", what, i, err)
		}
	}
	step := len(file)/150 + 1
	for i := 0; i < len(file); i += step {
		refused("cut", i, file[:i])
		damaged := slices.Clone(file)
		damaged[i] ^= 0x10
		refused("changed", i, damaged)
	}
	refused("longer", len(file), append(slices.Clone(file), 0))
	if after, err := s.Records(); err != nil || after != before || s.Head("alpha").Epoch != 0 {
		t.Fatalf("%d records before, %d after (%v)", before, after, err)
	}
	// A file that changes between the two readings, as on a failing disk, leaves nothing.
	_, _, err = s.Import(context.Background(), &changing{Reader: bytes.NewReader(file), second: file[:len(file)-40]}, ledger.Trust{})
	if !errors.Is(err, store.ErrSnapshot) {
		t.Fatalf("a changing file: %v", err)
	}
	if after, err := s.Records(); err != nil || after != before {
		t.Fatalf("%d records before, %d after (%v)", before, after, err)
	}
	_, _, err = s.Import(context.Background(), bytes.NewReader(file), ledger.Trust{})
	must(t, err)
	must(t, s.Verify(context.Background(), "alpha"))
}

// changing is a file that is another one when it is read again.
type changing struct {
	*bytes.Reader
	second []byte
}

func (c *changing) Seek(offset int64, whence int) (int64, error) {
	c.Reader = bytes.NewReader(c.second)
	return c.Reader.Seek(offset, whence)
}

// FuzzSnapshot: whatever a file holds, it is refused or it is what was exported.
func FuzzSnapshot(f *testing.F) {
	network := ledgertest.New(2, 1, nil)
	mesh, err := ledgertest.Play(network)
	must(f, err)
	open := func(t testing.TB) *store.Store {
		s, err := store.Open("", network.Manifest, memory)
		must(t, err)
		return s
	}
	source := open(f)
	r, err := mesh.Epoch("alpha")
	must(f, err)
	must(f, source.Commit("alpha", r))
	v, err := attest.VerifyCertificate(mesh.ID, mesh.Set("alpha", 1), mesh.Certificate("alpha", 1))
	must(f, err)
	_, err = source.PutCertificate(v)
	must(f, err)
	var b bytes.Buffer
	_, _, err = source.Export(context.Background(), &b, "alpha", 1, 1)
	must(f, err)
	must(f, source.Close())
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:100])
	target := open(f) // it stays as it is
	f.Cleanup(func() { target.Close() })
	f.Fuzz(func(t *testing.T, file []byte) {
		root, err := target.VerifySnapshot(context.Background(), bytes.NewReader(file))
		switch {
		case err == nil && root != r.Checkpoint.Root():
			t.Fatal("a state that nobody certified was accepted")
		case err != nil && !errors.Is(err, store.ErrSnapshot):
			t.Fatal(err)
		}
	})
}

func TestAnImportThatIsKilledLeavesTheStoreAsItWas(t *testing.T) {
	original, mesh := realStore(t, "", memory)
	play(t, original, mesh, 3)
	certify(t, original, mesh)
	file := exported(t, original, "alpha", 0, 1)
	dir := filepath.Join(t.TempDir(), "store")
	s, err := store.Open(dir, mesh.Manifest, store.Options{})
	must(t, err)
	before, err := s.Records()
	must(t, err)
	must(t, s.ImportHalf(context.Background(), bytes.NewReader(file)))
	if half, err := s.Records(); err != nil || half <= before {
		t.Fatalf("%d records before, %d after half of it (%v)", before, half, err)
	}
	must(t, s.Close())
	s, err = store.Open(dir, mesh.Manifest, store.Options{})
	must(t, err)
	defer s.Close()
	if after, err := s.Records(); err != nil || after != before || s.Head("alpha").Epoch != 0 {
		t.Fatalf("%d records before, %d after (%v)", before, after, err)
	}
	_, _, err = s.Import(context.Background(), bytes.NewReader(file), ledger.Trust{})
	must(t, err)
	must(t, s.Verify(context.Background(), "alpha"))
}
