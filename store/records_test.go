package store_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

func TestCertificateWithMorePowerReplaces(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", memory)
	w.commit(t, s, 1)
	c := s.Head("alpha").Checkpoint
	for _, step := range []struct {
		signers []int
		changed bool
		kept    int
	}{
		{[]int{1, 2, 3, 4}, true, 4},
		{[]int{1, 2, 3, 4}, false, 4},    // the same
		{[]int{0, 1, 2, 3}, false, 4},    // less power
		{[]int{0, 1, 2, 3, 4}, true, 5},  // more
		{[]int{1, 2, 3, 4}, false, 5},    // less
		{[]int{0, 1, 2, 3, 4}, false, 5}, // the same
	} {
		changed, err := s.PutCertificate(w.certificate(t, s, c, step.signers...))
		must(t, err)
		kept, ok, err := s.Certificate("alpha", 1)
		must(t, err)
		if changed != step.changed || !ok || attest.Bits(kept.Signers).Count() != step.kept || s.Certified("alpha") != 1 {
			t.Fatalf("%v: changed %v, kept %x", step.signers, changed, kept.Signers)
		}
	}
}

func TestConflictingCertificateIsRefused(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", memory)
	w.commit(t, s, 1)
	c := *s.Head("alpha").Checkpoint
	_, err := s.PutCertificate(w.certificate(t, s, &c, 0, 1, 2, 3))
	must(t, err)
	other := c
	other.BlockHash[0] ^= 1
	changed, err := s.PutCertificate(w.certificate(t, s, &other, 0, 1, 2, 3, 4))
	var conflict *store.ConflictError
	if changed || !errors.Is(err, store.ErrConflict) || !errors.As(err, &conflict) {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if conflict.Have != c.Root() || conflict.Want != other.Root() {
		t.Fatalf("%+v", conflict)
	}
	kept, _, err := s.Certificate("alpha", 1)
	must(t, err)
	if kept.Checkpoint.Root() != c.Root() {
		t.Fatal("the certificate was replaced")
	}
}

func TestCertifiedHasNoGaps(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{})
	w.commit(t, s, 6)
	for _, step := range []struct{ epoch, certified uint64 }{{2, 0}, {4, 0}, {1, 2}, {6, 2}, {5, 2}, {3, 6}} {
		e, err := s.Journal("alpha", step.epoch)
		must(t, err)
		_, err = s.PutCertificate(w.certificate(t, s, e.Checkpoint, 0, 1, 2, 3))
		must(t, err)
		if got := s.Certified("alpha"); got != step.certified {
			t.Fatalf("with epoch %d: certified %d, want %d", step.epoch, got, step.certified)
		}
		must(t, s.Close())
		s = w.opened(t, dir, store.Options{})
		if got := s.Certified("alpha"); got != step.certified {
			t.Fatalf("opened with epoch %d: certified %d, want %d", step.epoch, got, step.certified)
		}
	}
	// The next epoch's set is known, so its certificate can come before its operations.
	next := *s.Head("alpha").Checkpoint
	next.Epoch++
	_, err := s.PutCertificate(w.certificate(t, s, &next, 0, 1, 2, 3))
	must(t, err)
	if got := s.Certified("alpha"); got != 7 {
		t.Fatalf("certified %d, want 7", got)
	}
	if _, ok, err := s.Certificate("alpha", 8); ok || err != nil {
		t.Fatalf("epoch 8: %v, %v", ok, err)
	}
	if _, err := s.Set("alpha", 8); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("set of epoch 8: %v", err)
	}
	if _, err := s.Set("alpha", 0); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("set of epoch 0: %v", err)
	}
}

func TestFaultsAreKeptOnceAndInOrder(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{})
	w.commit(t, s, 3)
	var want []attest.VerifiedFault
	for epoch := uint64(1); epoch <= 3; epoch++ {
		for validator := range 2 {
			want = append(want, w.fault(t, s, chains[validator], epoch, validator))
		}
	}
	for _, f := range append(want, want...) {
		_, known, err := s.Fault(f.ID())
		must(t, err)
		added, err := s.PutFault(f)
		must(t, err)
		if added == known {
			t.Fatalf("known %v, added %v", known, added)
		}
	}
	must(t, s.Close())
	s = w.opened(t, dir, store.Options{})
	var got []store.Fault
	for cursor := uint64(0); ; {
		page, err := s.Faults(cursor, 4)
		must(t, err)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		cursor = page[len(page)-1].Cursor + 1
	}
	if len(got) != len(want) {
		t.Fatalf("%d faults, want %d", len(got), len(want))
	}
	for i, f := range got {
		if f.Cursor != uint64(i) || f.ID != want[i].ID() || !reflect.DeepEqual(f.Proof, want[i].Proof()) {
			t.Fatalf("fault %d is %+v", i, f)
		}
		proof, ok, err := s.Fault(f.ID)
		must(t, err)
		if !ok || !reflect.DeepEqual(proof, f.Proof) {
			t.Fatalf("fault %d by id: %v", i, proof)
		}
	}
}

// The twin goes through the whole journal.
func TestReceiptIsTheFirstSuccessOrTheLastFailure(t *testing.T) {
	w := newWorld()
	s := w.opened(t, "", memory)
	want := map[[32]byte]store.Outcome{}
	for range 60 {
		r, err := w.nextOf(s, "alpha")
		must(t, err)
		must(t, s.Commit("alpha", r))
		for i, receipt := range r.Receipts {
			if old, ok := want[receipt.Operation]; !ok || old.Receipt.Code != 0 {
				want[receipt.Operation] = store.Outcome{Epoch: r.Checkpoint.Epoch, Height: r.Transcript.Steps[i].Height, Receipt: receipt}
			}
		}
		for operation, o := range want {
			got, ok, err := s.Receipt("alpha", operation)
			must(t, err)
			if !ok || !reflect.DeepEqual(got, o) {
				t.Fatalf("%x: got %+v %+v, want %+v %+v", operation, got, got.Receipt, o, o.Receipt)
			}
		}
	}
	for operation := range want {
		if _, ok, err := s.Receipt("beta", operation); ok || err != nil {
			t.Fatalf("on the other chain: %v, %v", ok, err)
		}
	}
	r, err := w.nextOf(s, "alpha")
	must(t, err)
	for len(r.Receipts) == 0 {
		must(t, s.Commit("alpha", r))
		r, err = w.nextOf(s, "alpha")
		must(t, err)
	}
	before := map[*ledger.Receipt]store.Outcome{}
	for _, receipt := range r.Receipts {
		before[receipt], _, _ = s.Receipt("alpha", receipt.Operation)
	}
	total, err := s.CommitHalf("alpha", r, 1<<20)
	must(t, err)
	for receipt, o := range before {
		if got, _, _ := s.Receipt("alpha", receipt.Operation); !reflect.DeepEqual(got, o) {
			t.Fatalf("a receipt of %d early records that are not committed can be seen", total)
		}
	}
}
