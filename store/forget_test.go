package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// keeping is a store that keeps a journal of 5 epochs at least and the trees of 2.
func keeping() store.Options {
	return store.Options{KeepVersions: 2, Keep: ledger.Window{Epochs: 5}}
}

// forgotten checks that of a chain nothing is on disk of epochs between genesis and the
// beginning of its journal, and everything from there on.
func forgotten(t *testing.T, s *store.Store, chain string) {
	t.Helper()
	h := s.Head(chain)
	must(t, s.PruneAll())
	for what, epochs := range map[string]func(string) ([]uint64, error){"journal": s.JournalEpochs, "receipts": s.ReceiptEpochs, "certificates": s.CertificateEpochs} {
		have, err := epochs(chain)
		must(t, err)
		for _, e := range have {
			if e > 0 && e < h.Base {
				t.Fatalf("%s: %s of epoch %d are kept, the journal begins with %d", chain, what, e, h.Base)
			}
		}
		for e := h.Base; e <= h.Epoch && what == "journal"; e++ {
			if !slices.Contains(have, e) {
				t.Fatalf("%s: epoch %d is missing", chain, e)
			}
		}
	}
	trees := []uint64{h.Epoch - 1, h.Epoch}
	for _, pinned := range []uint64{h.Base, s.NextBase(chain)} {
		if pinned > 0 {
			trees = append(trees, pinned)
		}
	}
	exactly(t, s, chain, trees...)
}

func TestWhatNoWindowNeedsIsForgotten(t *testing.T) {
	w := newWorld()
	whole := w.opened(t, "", memory)
	dir := filepath.Join(t.TempDir(), "store")
	s := w.opened(t, dir, keeping())
	for range 3 {
		for range 12 {
			w.fill(t, whole, 1)
			w.fill(t, s, 1)
			h := s.Head("alpha")
			if h.Epoch > 11 && h.Base+5 > h.Epoch || h.Base+11 < h.Epoch {
				t.Fatalf("at epoch %d the journal begins with %d", h.Epoch, h.Base)
			}
			forgotten(t, s, "alpha")
			forgotten(t, s, "beta")
		}
		// Beta has no certificates: nothing of it is certain enough to begin with.
		if s.Head("alpha").Base == 0 || s.Head("beta").Base != 0 {
			t.Fatalf("the journals begin with %d and %d", s.Head("alpha").Base, s.Head("beta").Base)
		}
		for _, chain := range chains {
			a, b := whole.Head(chain), s.Head(chain)
			if a.Root != b.Root || a.Ref != b.Ref || a.Journal != b.Journal {
				t.Fatalf("%s: another state", chain)
			}
			must(t, s.Verify(context.Background(), chain))
			if a.Epoch != whole.Certified("alpha") || whole.Certified("alpha") != s.Certified("alpha") {
				t.Fatalf("certified up to %d", s.Certified("alpha"))
			}
			for epoch := uint64(1); epoch <= a.Epoch+1; epoch++ {
				if _, err := s.Set(chain, epoch); err != nil {
					t.Fatalf("the set of epoch %d: %v", epoch, err)
				}
			}
		}
		if _, err := s.Journal("alpha", 1); !errors.Is(err, store.ErrPruned) {
			t.Fatalf("journal of epoch 1: %v", err)
		}
		if changed, err := s.PutCertificate(w.certificate(t, whole, past(t, whole, 1), 0, 1, 2, 3, 4)); changed || err != nil {
			t.Fatalf("a certificate of a forgotten epoch: %v, %v", changed, err)
		}
		must(t, s.Close())
		s = w.opened(t, dir, keeping())
	}
	// Whoever wants to keep everything from now on does.
	must(t, s.Close())
	s = w.opened(t, dir, store.Options{KeepVersions: 2})
	base := s.Head("alpha").Base
	w.fill(t, s, 20)
	if s.Head("alpha").Base != base || s.NextBase("alpha") != 0 {
		t.Fatalf("the journal begins with %d, it was %d", s.Head("alpha").Base, base)
	}
	forgotten(t, s, "alpha")
}

// past is an epoch's checkpoint of alpha.
func past(t *testing.T, s *store.Store, epoch uint64) *attest.Checkpoint {
	t.Helper()
	e, err := s.Journal("alpha", epoch)
	must(t, err)
	return e.Checkpoint
}

func TestAForgottenJournalIsReplayedFromWhereItBegins(t *testing.T) {
	s, mesh := realStore(t, "", store.Options{InMemory: true, KeepVersions: 2, Keep: ledger.Window{Epochs: 4}})
	for range 14 {
		play(t, s, mesh, 1)
		certify(t, s, mesh)
	}
	must(t, s.PruneAll())
	for _, c := range mesh.Chains {
		h := s.Head(c.ID)
		if h.Base < 5 || h.Root != mesh.Head(c.ID).Checkpoint.Root() {
			t.Fatalf("%s: head %+v", c.ID, h)
		}
		must(t, s.Replay(context.Background(), c.ID))
		must(t, s.Verify(context.Background(), c.ID))
	}
}

// However little one step may remove, in the end it is all gone.
func TestAnEpochWithManyReceiptsIsForgottenPieceByPiece(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", store.Options{InMemory: true, KeepVersions: 2, Keep: ledger.Window{Epochs: 3}})
	must(t, s.PruneInPieces(1))
	for range 12 {
		w.fill(t, s, 1)
		must(t, s.Verify(context.Background(), "alpha"))
	}
	if s.Head("alpha").Base < 5 {
		t.Fatalf("the journal begins with %d", s.Head("alpha").Base)
	}
	forgotten(t, s, "alpha")
}

func TestTheHorizonCoversEveryWindow(t *testing.T) {
	m := &ledger.Manifest{}
	for _, days := range []ledger.Duration{21, 28} {
		p := ledger.DefaultParams()
		p.Unbonding.Time = days * 24 * 3_600_000
		m.Chains = append(m.Chains, &ledger.ChainSpec{Params: p})
	}
	h := m.Horizon()
	for _, c := range m.Chains {
		p := c.Params
		for _, d := range []ledger.Duration{p.Unbonding.Time, p.EvidenceAge.Time, p.StatementExpiry + p.EvidenceAge.Time + p.ChallengeWindow.Time, p.Correlation.Time} {
			if d >= h.Time {
				t.Errorf("a window of %v is longer than the horizon %v", d.Span(), h.Time.Span())
			}
		}
		for _, n := range []uint64{p.Unbonding.Epochs, p.Correlation.Epochs, p.ChallengeWindow.Epochs, p.EvidenceAge.Epochs} {
			if n >= h.Epochs {
				t.Errorf("a window of %d epochs, the horizon has %d", n, h.Epochs)
			}
		}
	}
}
