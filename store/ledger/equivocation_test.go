package ledger_test

import (
	"errors"
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// crossed is a mesh of two chains whose validators stand behind each other.
func crossed(t *testing.T, change func(*ledger.Manifest)) *ledgertest.Mesh {
	t.Helper()
	m := play(t, 2, 4, change)
	crossPledge(t, m)
	for range 7 {
		round(t, m)
	}
	return m
}

// submit runs an epoch of a chain with a proof in it, which must be taken.
func submit(t *testing.T, m *ledgertest.Mesh, chain string, proof *attest.FaultProof) {
	t.Helper()
	op, err := m.SubmitFault(chain, proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, chain, op)
}

// refusedFault runs an epoch of a chain with a proof in it, which must be refused.
func refusedFault(t *testing.T, m *ledgertest.Mesh, chain string, want ledger.Code, proof *attest.FaultProof) {
	t.Helper()
	op, err := m.SubmitFault(chain, proof, ledger.AccountID{})
	must(t, err)
	refused(t, m, chain, want, op)
}

// taken is what one validator's double-signing took from its own stake on beta, and
// from the stake behind it on alpha.
func taken(t *testing.T, m *ledgertest.Mesh) (own, cross ledger.Amount) {
	t.Helper()
	for _, chain := range []string{"beta", "alpha"} {
		slashes, err := m.Reader(chain).Slashes()
		must(t, err)
		if len(slashes) != 1 || slashes[0].Validator != m.Chains[1].Validators[2].ID || slashes[0].Consumer != "beta" {
			t.Fatalf("%s: slashes %+v", chain, slashes)
		}
		if chain == "beta" {
			own = slashes[0].Amount
		} else {
			cross = slashes[0].Amount
		}
	}
	return own, cross
}

func TestAnEquivocationIsSlashedAtHomeAndOnAPeer(t *testing.T) {
	m := crossed(t, nil)
	proof, err := m.Equivocation("beta", m.Head("beta").Checkpoint.Epoch-1, 2)
	must(t, err)
	for _, chain := range ledgertest.ChainIDs[:2] {
		submit(t, m, chain, proof)
		refusedFault(t, m, chain, ledger.CodeDuplicate, proof)
	}
	for range 3 {
		round(t, m)
	}
	// A quarter of the power: (3/4)² = 0.5625, at most the ratio of each lien.
	if own, cross := taken(t, m); own != ledger.Units(300_000) || cross != ledger.Units(90_000) {
		t.Fatalf("took %v and %v", own, cross)
	}
	for _, chain := range ledgertest.ChainIDs[:2] {
		faults, err := m.Reader(chain).Faults()
		must(t, err)
		if len(faults) != 1 || faults[0].Kind != "consensus_equivocation" || !faults[0].Executed {
			t.Fatalf("%s: %+v", chain, faults)
		}
	}
}

// Its price is its own, where the rule does not make more of it.
func TestAnEquivocationHasItsOwnBase(t *testing.T) {
	m := crossed(t, func(n *ledger.Manifest) {
		for _, c := range n.Chains {
			c.Params.Penalty.Rule, c.Params.Penalty.Equivocation = ledger.Flat, ledger.One/100
		}
	})
	proof, err := m.Equivocation("beta", m.Head("beta").Checkpoint.Epoch-1, 2)
	must(t, err)
	submit(t, m, "beta", proof)
	submit(t, m, "alpha", proof)
	for range 3 {
		round(t, m)
	}
	if own, cross := taken(t, m); own != ledger.Units(6_000) || cross != ledger.Units(3_000) {
		t.Fatalf("took %v and %v", own, cross)
	}
}

// One offence per validator and epoch: a second proof of another kind, or of another
// height, is a duplicate, whichever comes first.
func TestAnEpochsOffencesCountOnce(t *testing.T) {
	for _, first := range []string{"double vote", "equivocation"} {
		t.Run(first, func(t *testing.T) {
			m := crossed(t, nil)
			at := m.Head("beta").Checkpoint.Epoch - 1
			double, err := m.DoubleVote("beta", at, 2)
			must(t, err)
			equivocation, err := m.Equivocation("beta", at, 2)
			must(t, err)
			elsewhere, err := m.Network.Equivocation(m.Set("beta", at), "beta", at, at*5-4, m.Chains[1].Validators[2])
			must(t, err)
			proofs := []*attest.FaultProof{double, equivocation, elsewhere}
			if first == "equivocation" {
				proofs[0], proofs[1] = proofs[1], proofs[0]
			}
			for _, chain := range ledgertest.ChainIDs[:2] {
				submit(t, m, chain, proofs[0])
				for _, p := range proofs[1:] {
					refusedFault(t, m, chain, ledger.CodeDuplicate, p)
				}
			}
			for range 3 {
				round(t, m)
			}
			if own, cross := taken(t, m); own != ledger.Units(300_000) || cross != ledger.Units(90_000) {
				t.Fatalf("took %v and %v", own, cross)
			}
		})
	}
}

// The dearer kind counts in whatever order the proofs come, and the two are not added
// up: nobody hides behind his own cheap offence.
func TestADearerOffenceOfTheEpochStillCounts(t *testing.T) {
	for _, order := range [][]string{{"cheap", "dear"}, {"dear", "cheap"}} {
		t.Run(order[0]+" first", func(t *testing.T) {
			m := crossed(t, func(n *ledger.Manifest) {
				for _, c := range n.Chains {
					c.Params.Penalty.Rule, c.Params.Penalty.DoubleVote, c.Params.Penalty.Equivocation = ledger.Flat, ledger.One/100, ledger.One/10
				}
			})
			at := m.Head("beta").Checkpoint.Epoch - 1
			proofs := map[string]*attest.FaultProof{}
			var err error
			proofs["cheap"], err = m.DoubleVote("beta", at, 2)
			must(t, err)
			proofs["dear"], err = m.Equivocation("beta", at, 2)
			must(t, err)
			submit(t, m, "beta", proofs[order[0]])
			if order[0] == "dear" {
				refusedFault(t, m, "beta", ledger.CodeDuplicate, proofs["cheap"])
			} else {
				for range 3 { // the cheap one is executed when the dear one comes
					round(t, m)
				}
				submit(t, m, "beta", proofs["dear"])
				refusedFault(t, m, "beta", ledger.CodeDuplicate, proofs["dear"])
			}
			for range 3 {
				round(t, m)
			}
			slashes, err := m.Reader("beta").Slashes()
			must(t, err)
			lost := new(uint256.Int)
			for _, s := range slashes {
				if s.Validator != m.Chains[1].Validators[2].ID || s.Account != s.Validator {
					t.Fatalf("slash %+v", s)
				}
				lost.Add(lost, s.Amount.Int())
			}
			if ledger.NewAmount(lost) != ledger.Units(60_000) { // a tenth of 600,000
				t.Fatalf("lost %s in %d slashes", lost.Dec(), len(slashes))
			}
		})
	}
}

// The set, and with it power and account, is that of the epoch which the height
// belongs to, not of one that suits the submitter.
func TestAnEquivocationInAnotherEpochIsRefused(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	v := m.Chains[1].Validators[2]
	for _, c := range []struct {
		name          string
		epoch, height uint64
	}{
		{"the height before", at, (at - 1) * 5},
		{"the height after", at, at*5 + 1},
		{"an earlier epoch", at - 1, at * 5},
		{"a later epoch", at + 1, at * 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			proof, err := m.Network.Equivocation(m.Set("beta", c.epoch), "beta", c.epoch, c.height, v)
			must(t, err)
			refusedFault(t, m, "alpha", ledger.CodeInvalid, proof)
			refusedFault(t, m, "beta", ledger.CodeInvalid, proof)
		})
	}
	for _, height := range []uint64{at*5 - 4, at * 5} { // the first and the last of the epoch
		proof, err := m.Network.Equivocation(m.Set("beta", at), "beta", at, height, v)
		must(t, err)
		accusation, err := attest.Peek(proof)
		must(t, err)
		if m.Manifest.Misplaced(accusation) {
			t.Errorf("height %d is not in epoch %d", height, at)
		}
	}
}

// Votes for one chain prove nothing on another, even by the same key.
func TestAnEquivocationOnAnotherChainIsRefused(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	proof, err := m.Equivocation("beta", at, 2)
	must(t, err)
	body, err := attest.DecodeEquivocation(proof.Body)
	must(t, err)
	for chain, want := range map[string]ledger.Code{"alpha": ledger.CodeInvalid, "gamma": ledger.CodeUnknown} {
		body.ChainID = []byte(chain)
		encoded, err := attest.EncodeEquivocation(body)
		must(t, err)
		relabelled := &attest.FaultProof{Kind: proof.Kind, Body: encoded}
		op, err := ledger.NewSubmitFault(&ledger.SubmitFault{Proof: *relabelled, Set: *m.Set("beta", at).ValidatorSet()})
		must(t, err)
		refused(t, m, "beta", want, op)
	}
	// With the right set: it is the signatures that are of another chain.
	v := m.Chains[1].Validators[2]
	set := m.Set("beta", at)
	other, err := m.Network.Equivocation(set, "alpha", at, at*5, v)
	must(t, err)
	body, err = attest.DecodeEquivocation(other.Body)
	must(t, err)
	body.ChainID = []byte("beta")
	encoded, err := attest.EncodeEquivocation(body)
	must(t, err)
	refusedFault(t, m, "beta", ledger.CodeInvalid, &attest.FaultProof{Kind: proof.Kind, Body: encoded})
}

// A new consensus key does not hide what the old one signed, and the old one signs
// for nobody in later epochs.
func TestARotatedConsensusKeyStillConvicts(t *testing.T) {
	m := crossed(t, nil)
	v := m.Chains[0].Validators[2]
	before := *v
	at := m.Head("alpha").Checkpoint.Epoch - 1
	proof, err := m.Equivocation("alpha", at, 2)
	must(t, err)

	fresh := newCandidate(t, "unused", "fresh")
	fresh.account = v.Account
	epoch(t, m, "alpha", fresh.register(t, m, "alpha", 1))
	v.Key, v.Consensus = fresh.key, fresh.consensus // who signs from here on
	rotated := m.Head("alpha").Checkpoint.Epoch + 1
	if _, err := m.Network.Equivocation(m.Set("alpha", rotated), "alpha", rotated, rotated*5, &before); !errors.Is(err, attest.RuleOffender) {
		t.Fatalf("the old key signs in epoch %d: %v", rotated, err)
	}
	for _, chain := range ledgertest.ChainIDs[:2] {
		submit(t, m, chain, proof)
		faults, err := m.Reader(chain).Faults()
		must(t, err)
		if len(faults) != 1 || len(faults[0].Offenders) != 1 || faults[0].Offenders[0] != v.ID {
			t.Fatalf("%s: faults %+v", chain, faults)
		}
	}
}
