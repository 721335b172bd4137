package node

import (
	"slices"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// Of one offence there can be as many proofs as the epoch has steps that are wrong, each
// with half a megabyte: few of them are kept.
func TestFewProofsOfOneOffenceAreKept(t *testing.T) {
	m, err := ledgertest.Play(ledgertest.New(2, 4, nil))
	if err != nil {
		t.Fatal(err)
	}
	c := newCouncil(m.Manifest.Law(), "alpha", nil, nil)
	set := m.Set("beta", 1)
	proof := func(garbage int) attest.VerifiedFault {
		t.Helper()
		op := &ledger.Operation{Kind: uint8(ledger.KindSubmitFault), Body: make([]byte, garbage)}
		lie, err := m.Lie("beta", func(t *ledger.Transcript, _ *attest.Checkpoint) { t.Steps[0].Receipt[0] ^= 1 }, op)
		if err != nil {
			t.Fatal(err)
		}
		f, err := attest.VerifyFault(m.Manifest.Law(), set, lie.Proof)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	useful := func(f attest.VerifiedFault) bool {
		a, err := attest.Peek(f.Proof())
		if err != nil {
			t.Fatal(err)
		}
		return c.lookFault(a, set, len(f.Proof().Body)) == goOn
	}
	var kept []int
	for _, garbage := range []int{100_000, 100_000, 90_000, 60_000, 40_000, 39_000, 30_000, 10_000, 9_000, 1000} {
		f := proof(garbage)
		if useful(f) {
			kept = append(kept, garbage)
			c.fault(f)
			if useful(f) {
				t.Errorf("%d: of use twice", garbage)
			}
		}
	}
	if !slices.Equal(kept, []int{100_000, 40_000, 10_000, 1000}) {
		t.Errorf("kept are %v", kept)
	}
}
