package ledger_test

import (
	"errors"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// onBeacon makes beta a beacon chain, of which an epoch is one of the ledger's: epoch e
// of the ledger is its epoch 99+e.
func onBeacon(m *ledger.Manifest) { ledgertest.Beacon(m, "beta") }

const beaconEpochs = 99

// votedTwice is the proof that validators of beta voted twice for one target, which is
// of an epoch of the ledger.
func votedTwice(t *testing.T, m *ledgertest.Mesh, epoch uint64, by ...int) *attest.FaultProof {
	t.Helper()
	return surrounded(t, m, epoch, epoch, epoch, by...)
}

// surrounded has the targets of both votes in epochs of the ledger, and calls it an
// offence of one of them. The sources are such that the second lies in the first.
func surrounded(t *testing.T, m *ledgertest.Mesh, epoch, outer, inner uint64, by ...int) *attest.FaultProof {
	t.Helper()
	set := m.Set("beta", epoch)
	var who []*ledgertest.Validator
	for _, i := range by {
		who = append(who, m.Chains[1].Validators[i])
	}
	a, err := m.Vote(set, "beta", beaconEpochs-2, beaconEpochs+outer, 0, who...)
	must(t, err)
	b, err := m.Vote(set, "beta", beaconEpochs-1, beaconEpochs+inner, 1, who...)
	must(t, err)
	proof, err := ledgertest.Slashing(set, "beta", epoch, a, b)
	must(t, err)
	return proof
}

// proposedTwice is the proof that a validator of beta made two blocks for the last slot
// of an epoch.
func proposedTwice(t *testing.T, m *ledgertest.Mesh, epoch uint64, by int) *attest.FaultProof {
	t.Helper()
	set, slot := m.Set("beta", epoch), (beaconEpochs+epoch)*5+4
	a, err := m.Block(set, "beta", slot, 0, m.Chains[1].Validators[by])
	must(t, err)
	b, err := m.Block(set, "beta", slot, 1, m.Chains[1].Validators[by])
	must(t, err)
	proof, err := ledgertest.Slashing(set, "beta", epoch, a, b)
	must(t, err)
	return proof
}

func TestAnEthereumSlashingIsSlashedAtHomeAndOnAPeer(t *testing.T) {
	for name, prove := range map[string]func(*ledgertest.Mesh, uint64) *attest.FaultProof{
		"votes":    func(m *ledgertest.Mesh, at uint64) *attest.FaultProof { return votedTwice(t, m, at, 2) },
		"surround": func(m *ledgertest.Mesh, at uint64) *attest.FaultProof { return surrounded(t, m, at, at, at-3, 2) },
		"blocks":   func(m *ledgertest.Mesh, at uint64) *attest.FaultProof { return proposedTwice(t, m, at, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			m := crossed(t, onBeacon)
			proof := prove(m, m.Head("beta").Checkpoint.Epoch-1)
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
			faults, err := m.Reader("alpha").Faults()
			must(t, err)
			if len(faults) != 1 || faults[0].Kind != "ethereum_slashing" || !faults[0].Executed {
				t.Fatalf("%+v", faults)
			}
		})
	}
}

// Its base is that of an equivocation, which it is to a beacon chain, and the penalty may
// be Ethereum's own: a multiple of the share of the power that was slashed.
func TestAnEthereumSlashingCostsWhatAnEquivocationDoes(t *testing.T) {
	for _, k := range []struct {
		rule       ledger.PenaltyRule
		own, cross uint64
	}{
		{ledger.Flat, 6_000, 3_000},
		{ledger.Proportional, 150_000, 75_000}, // a quarter
	} {
		t.Run(k.rule.String(), func(t *testing.T) {
			m := crossed(t, func(n *ledger.Manifest) {
				onBeacon(n)
				for _, c := range n.Chains {
					p := &c.Params.Penalty
					p.Rule, p.Multiplier, p.Equivocation, p.DoubleVote = k.rule, 1, ledger.One/100, ledger.One
				}
			})
			proof := votedTwice(t, m, m.Head("beta").Checkpoint.Epoch-1, 2)
			submit(t, m, "beta", proof)
			submit(t, m, "alpha", proof)
			for range 3 {
				round(t, m)
			}
			if own, cross := taken(t, m); own != ledger.Units(k.own) || cross != ledger.Units(k.cross) {
				t.Fatalf("took %v and %v", own, cross)
			}
			v, err := m.Reader("beta").Conviction(proof.ID())
			must(t, err)
			if v == nil || v.Kind != "ethereum_slashing" || v.Convicted[0].Base != ledger.One/100 || v.Penalty.Base(v.Kind) != ledger.One/100 {
				t.Fatalf("%+v", v)
			}
		})
	}
}

// One offence per validator and epoch, whichever two of its signatures are brought, and
// in whatever order.
func TestAnEpochsSlashingsCountOnce(t *testing.T) {
	for first := range 3 {
		m := crossed(t, onBeacon)
		at := m.Head("beta").Checkpoint.Epoch - 1
		double, err := m.DoubleVote("beta", at, 2)
		must(t, err)
		proofs := []*attest.FaultProof{votedTwice(t, m, at, 2), proposedTwice(t, m, at, 2), double}
		proofs[0], proofs[first] = proofs[first], proofs[0]
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
	}
}

// A surround is brought for both of its epochs: who signed both votes pays the dearer of
// the two and not their sum.
func TestASurroundOfTwoEpochsIsPaidOnce(t *testing.T) {
	m := crossed(t, onBeacon)
	at := m.Head("beta").Checkpoint.Epoch - 1
	submit(t, m, "beta", surrounded(t, m, at, at, at-2, 2))
	submit(t, m, "beta", surrounded(t, m, at-2, at, at-2, 2))
	submit(t, m, "alpha", surrounded(t, m, at-2, at, at-2, 2))
	submit(t, m, "alpha", surrounded(t, m, at, at, at-2, 2))
	for range 3 {
		round(t, m)
	}
	for chain, want := range map[string]uint64{"beta": 300_000, "alpha": 90_000} {
		slashes, err := m.Reader(chain).Slashes()
		must(t, err)
		sum := uint64(0)
		for _, s := range slashes {
			sum += s.Amount.Int().Uint64()
		}
		if sum != want {
			t.Errorf("%s: took %d, want %d: %+v", chain, sum, want, slashes)
		}
	}
}

// The set, and with it power and account, is that of an epoch in which one of the two
// was signed, not one that suits the submitter, or the offender who chose the slot.
func TestASlashingInAnotherEpochIsRefused(t *testing.T) {
	m := crossed(t, onBeacon)
	at := m.Head("beta").Checkpoint.Epoch - 1
	for name, proof := range map[string]*attest.FaultProof{
		"before":      surrounded(t, m, at-1, at, at, 2),
		"after":       surrounded(t, m, at+1, at, at, 2),
		"in between":  surrounded(t, m, at-1, at, at-2, 2),
		"of no epoch": surrounded(t, m, at, at+1, at+1, 2),
	} {
		t.Run(name, func(t *testing.T) {
			refusedFault(t, m, "alpha", ledger.CodeInvalid, proof)
			refusedFault(t, m, "beta", ledger.CodeInvalid, proof)
		})
	}
}

// On a chain that is no beacon chain, or that the proof was relabelled for, nothing
// convicts.
func TestASlashingOnAnotherChainIsRefused(t *testing.T) {
	m := crossed(t, onBeacon)
	at := m.Head("beta").Checkpoint.Epoch - 1
	body, err := attest.DecodeEthereumSlashing(votedTwice(t, m, at, 2).Body)
	must(t, err)
	body.ChainID, body.ValidatorsRoot = []byte("alpha"), m.Set("alpha", at).Root()
	encoded, err := attest.EncodeEthereumSlashing(body)
	must(t, err)
	refusedFault(t, m, "beta", ledger.CodeInvalid, &attest.FaultProof{Kind: uint8(attest.FaultEthereumSlashing), Body: encoded})

	// Signed for another beacon chain.
	other := ledgertest.New(2, 4, func(n *ledger.Manifest) {
		onBeacon(n)
		n.Chain("beta").Ethereum.GenesisValidatorsRoot[0] ^= 1
	})
	set := m.Set("beta", at)
	v := m.Chains[1].Validators[2]
	a, err := other.Vote(set, "beta", 1, beaconEpochs+at, 0, v)
	must(t, err)
	b, err := other.Vote(set, "beta", 1, beaconEpochs+at, 1, v)
	must(t, err)
	proof, err := ledgertest.Slashing(set, "beta", at, a, b)
	must(t, err)
	refusedFault(t, m, "alpha", ledger.CodeInvalid, proof)
}

// An aggregate convicts all who are in both, and a third of the power halts the chain on
// its peers; who is in one of them only goes free.
func TestAnAggregateConvictsAllWhoSignedBoth(t *testing.T) {
	m := crossed(t, onBeacon)
	at := m.Head("beta").Checkpoint.Epoch - 1
	set := m.Set("beta", at)
	v := m.Chains[1].Validators
	a, err := m.Vote(set, "beta", 1, beaconEpochs+at, 0, v[0], v[1], v[2])
	must(t, err)
	b, err := m.Vote(set, "beta", 1, beaconEpochs+at, 1, v[1], v[2], v[3])
	must(t, err)
	proof, err := ledgertest.Slashing(set, "beta", at, a, b)
	must(t, err)
	submit(t, m, "alpha", proof)
	faults, err := m.Reader("alpha").Faults()
	must(t, err)
	guilty := map[ledger.AccountID]bool{v[1].ID: true, v[2].ID: true}
	if len(faults) != 1 || len(faults[0].Offenders) != 2 || !guilty[faults[0].Offenders[0]] || !guilty[faults[0].Offenders[1]] {
		t.Fatalf("%+v", faults)
	}
	peer, err := m.Reader("alpha").Peer("beta")
	must(t, err)
	if peer.Halted == 0 {
		t.Error("half of the power is convicted, and the chain goes on")
	}
	// A validator of another chain is in no aggregate.
	stranger := *m.Chains[0].Validators[0]
	stranger.Beacon = v[0].Key
	if _, err := m.Vote(set, "beta", 1, beaconEpochs+at, 0, v[0], &stranger); !errors.Is(err, attest.RuleOffender) {
		t.Errorf("a stranger in an aggregate: %v", err)
	}
}
