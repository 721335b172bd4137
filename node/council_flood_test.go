package node

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
)

// Of any proofs, verified at the same time and from wherever they come, the council keeps
// those that prove something new, so that there is one of each offence, and no more proofs
// than offences. What the home ledger was handed is kept as well, and not published.
func TestCouncilKeepsProofsThatProveSomethingNew(t *testing.T) {
	base := newHall(t, []uint64{1, 1, 1, 1}, 0)
	sign := func(cp *attest.Checkpoint, by []int) *attest.Certificate {
		bits, message := attest.NewBits(base.set.Len()), cp.SigningRoot(testNet)
		var signatures []bls.Signature
		for _, i := range by {
			bits.Set(i)
			signatures = append(signatures, base.keys[base.set.At(i).Key].Sign(message[:]))
		}
		sum, err := bls.Aggregate(signatures)
		if err != nil {
			t.Fatal(err)
		}
		return &attest.Certificate{Checkpoint: *cp, Signers: bits, Signature: sum.Bytes()}
	}
	rapid.Check(t, func(t *rapid.T) {
		base.open(0)
		c := base.council
		offences, published := make(map[offence]bool), 0
		for range rapid.IntRange(1, 12).Draw(t, "proofs") {
			epoch := rapid.Uint64Range(1, 2).Draw(t, "epoch")
			by := rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 3, rapid.ID).Draw(t, "by")
			variant := rapid.ByteRange(0, 5).Draw(t, "variant")
			proof, err := attest.BuildDoubleVote(base.set,
				sign(base.checkpoint("b", epoch, variant), by), sign(base.checkpoint("b", epoch, variant+1), by))
			if err != nil {
				t.Fatal(err)
			}
			accusation, err := attest.Peek(proof)
			if err != nil {
				t.Fatal(err)
			}
			f, err := attest.VerifyFault(testNet, base.set, proof)
			if err != nil {
				t.Fatal(err)
			}
			fresh := false
			for _, o := range f.Offenders() {
				slot := offence{f.Kind(), f.ChainID(), f.Epoch(), o.Account}
				fresh = fresh || !offences[slot]
				offences[slot] = true
			}
			if look := c.lookFault(accusation, base.set, len(f.Proof().Body)); fresh != (look == goOn) {
				t.Fatalf("before its signatures: %d, new %v", look, fresh)
			}
			known, handed := c.faults[f.ID()], false
			switch rapid.IntRange(0, 2).Draw(t, "from") {
			case 0:
				if got := c.fault(f); fresh != (got == taken) {
					t.Fatalf("from the mesh: %d, new %v", got, fresh)
				}
			case 1:
				c.proofs(base.set, proof)
			case 2:
				handed = rapid.Bool().Draw(t, "handed")
				c.report(f, ledger.AccountID{}, handed)
			}
			kept := 0
			for _, e := range c.take() {
				if k, ok := e.(keepFault); ok {
					kept++
					if k.made && !fresh {
						t.Fatal("what proves nothing new is published")
					}
				}
			}
			if want := fresh || handed && !known; want != (kept == 1) || kept > 1 {
				t.Fatalf("kept %d times, new %v, handed %v, known %v", kept, fresh, handed, known)
			}
			if fresh {
				published++
			}
		}
		if published > len(offences) {
			t.Fatalf("%d proofs of %d offences", published, len(offences))
		}
	})
}

// Who signed a certified checkpoint that is wrong, and another wrong one beside it, which
// is proven first, shields nobody who vouched for the certified one: its proof is of use,
// once. Any number of others beside it are not.
func TestADecoyDoesNotShieldTheCertifiedCheckpoint(t *testing.T) {
	h := newHall(t, []uint64{1, 1, 1}, 0)
	c := h.council
	const epoch = 1
	certified, decoy := h.checkpoint("b", epoch, 1).Root(), h.checkpoint("b", epoch, 2).Root()
	c.chambers["b"].head, c.chambers["b"].roots[epoch] = epoch, certified
	everybody := attest.NewBits(h.set.Len())
	for i := range h.set.Len() {
		everybody.Set(i)
		c.proven[offence{attest.FaultInvalidTransition, "b", epoch, h.set.At(i).Account}] = 0
	}
	look := func(root [32]byte) finding {
		return c.lookFault(attest.Accusation{
			Kind: attest.FaultInvalidTransition, ChainID: "b", Epoch: epoch, ValidatorsRoot: h.set.Root(), Accused: everybody,
			Refutes: attest.Refuted{ChainID: "b", Epoch: epoch, Root: root},
		}, h.set, 0)
	}
	if look(certified) != goOn || look(decoy) != useless {
		t.Errorf("the certified one: %d, another: %d", look(certified), look(decoy))
	}
	c.refuted[attest.Refuted{ChainID: "b", Epoch: epoch, Root: certified}] = true
	if look(certified) != useless {
		t.Error("a second proof against the certified one is of use")
	}
	c.chambers["b"].disputed[epoch] = decoy // that is, another result was executed here
	if look(decoy) != goOn {
		t.Error("the proof against what differs from our own result is of no use")
	}
}
