package node

import (
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// What is said to be barred the ledger refuses as expired, and what is not it records,
// unless it expires in the very epoch of the submission.
func TestWhatIsBarredTheLedgerRefuses(t *testing.T) {
	const offender = 1
	said := map[string]int{}
	for age := range 16 {
		for _, chain := range []string{"alpha", "beta"} {
			o := newOffice(t, 2, 2)
			o.epoch("alpha")
			o.epoch("beta")
			for range age {
				_, err := o.mesh.Epoch(chain)
				check(t, err)
			}
			proof, err := o.mesh.DoubleVote("alpha", 1, offender)
			check(t, err)
			a, err := attest.Peek(proof)
			check(t, err)
			why, err := barred(o.mesh.Reader(chain), o.mesh.Manifest.Chain(chain), proof.ID(), a)
			check(t, err)
			op, err := o.mesh.SubmitFault(chain, proof, ledger.AccountID{9})
			check(t, err)
			r, err := o.mesh.Epoch(chain, op)
			check(t, err)
			expired := ledger.Code(r.Receipts[0].Code) == ledger.CodeExpired
			if !expired && r.Receipts[0].Code != 0 {
				t.Fatalf("%s after %d epochs: %s", chain, age, r.Receipts[0].Reason)
			}
			if why != "" {
				said[chain]++
				if !expired || !strings.Contains(why, "older than the evidence age") {
					t.Errorf("%s after %d epochs: %q, and the ledger says %q", chain, age, why, r.Receipts[0].Reason)
				}
			} else if expired && said[chain] > 0 {
				t.Errorf("%s after %d epochs: not barred any more", chain, age)
			}
			// Recorded or refused: recorded is never barred, refused stays so.
			why, err = barred(o.mesh.Reader(chain), o.mesh.Manifest.Chain(chain), proof.ID(), a)
			check(t, err)
			if (why != "") != expired {
				t.Errorf("%s after %d epochs: %q after the submission, expired %v", chain, age, why, expired)
			}
		}
	}
	if said["alpha"] == 0 || said["beta"] == 0 || said["alpha"] == 16 {
		t.Errorf("barred in %v of 16 cases", said)
	}
}

func TestAnUnknownChainIsBarred(t *testing.T) {
	o := newOffice(t, 2, 2)
	why, err := barred(o.mesh.Reader("alpha"), o.mesh.Manifest.Chain("alpha"), [32]byte{1}, attest.Accusation{ChainID: "omega", Epoch: 1})
	check(t, err)
	if why != "the ledger does not know the chain omega" {
		t.Error(why)
	}
	// An epoch that is still to come is not.
	why, err = barred(o.mesh.Reader("alpha"), o.mesh.Manifest.Chain("alpha"), [32]byte{1}, attest.Accusation{ChainID: "beta", Epoch: 99})
	check(t, err)
	if why != "" {
		t.Error(why)
	}
}

// Of the proofs of one fork the first one halts the chain, and the others are barred.
func TestASecondProofOfAForkIsBarred(t *testing.T) {
	o := newOffice(t, 2, 4)
	for range 3 {
		o.epoch("alpha")
		o.epoch("beta")
	}
	const at = 2
	barredFork := func(validators ...int) (why string, op *ledger.Operation) {
		t.Helper()
		proof, err := o.mesh.Attack(attest.AttackFork, "beta", at, at*5-2, validators...)
		check(t, err)
		a, err := attest.Peek(proof)
		check(t, err)
		why, err = barred(o.mesh.Reader("alpha"), o.mesh.Manifest.Chain("alpha"), proof.ID(), a)
		check(t, err)
		op, err = o.mesh.SubmitFault("alpha", proof, ledger.AccountID{})
		check(t, err)
		return why, op
	}
	why, first := barredFork(0, 1, 2)
	if why != "" {
		t.Errorf("the first one is barred: %s", why)
	}
	r, err := o.mesh.Epoch("alpha", first)
	check(t, err)
	if r.Receipts[0].Code != 0 {
		t.Fatalf("%s", r.Receipts[0].Reason)
	}
	if why, _ = barredFork(0, 1, 2); why != "" {
		t.Errorf("what is recorded is barred: %s", why)
	}
	if why, _ = barredFork(1, 2, 3); !strings.Contains(why, "beta is halted already") {
		t.Errorf("another one: %q", why)
	}
}
