package ledger_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

func TestAnAttackOnLightClientsIsSlashedAtHomeAndOnAPeer(t *testing.T) {
	for _, kind := range []attest.Attack{attest.AttackLunatic, attest.AttackEquivocation} {
		t.Run(kind.String(), func(t *testing.T) {
			m := crossed(t, nil)
			at := m.Head("beta").Checkpoint.Epoch - 1
			proof, err := m.Attack(kind, "beta", at, at*5-2, 2)
			must(t, err)
			other, err := m.Attack(kind, "beta", at, at*5, 2)
			must(t, err)
			for _, chain := range ledgertest.ChainIDs[:2] {
				submit(t, m, chain, proof)
				refusedFault(t, m, chain, ledger.CodeDuplicate, proof)
				refusedFault(t, m, chain, ledger.CodeDuplicate, other)
			}
			for range 3 {
				round(t, m)
			}
			if own, cross := taken(t, m); own != ledger.Units(300_000) || cross != ledger.Units(90_000) {
				t.Fatalf("took %v and %v", own, cross)
			}
			faults, err := m.Reader("alpha").Faults()
			must(t, err)
			if len(faults) != 1 || faults[0].Kind != "light_client_attack" || !faults[0].Executed || faults[0].Forked || len(faults[0].Offenders) != 1 {
				t.Fatalf("%+v", faults)
			}
		})
	}
}

// A third of the power attacks: the chain has failed, as by any other offence.
func TestAnAttackOfAThirdHaltsTheChain(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	proof, err := m.Attack(attest.AttackLunatic, "beta", at, at*5, 0, 3)
	must(t, err)
	submit(t, m, "alpha", proof)
	if view := peerView(t, m, "alpha", "beta"); view.Halted != ledger.HaltConvicted.String() || view.Backstop == "" {
		t.Fatalf("%+v", view)
	}
}

// The set, and with it power and account, is that of the epoch of the height, whose
// certificate names the chain's block.
func TestAnAttackInAnotherEpochIsRefused(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	headers := append(m.Headers("beta", at-1), m.Headers("beta", at)...)
	slices.Reverse(headers)
	forged := *headers[6]
	forged.App = []byte("made up")
	build := func(epoch uint64, back []int) *attest.FaultProof {
		e := attest.AttackEvidence{Certificate: m.Certificate("beta", epoch), Conflicting: &forged}
		e.Headers = headers[back[0] : back[1]+1]
		e.ConflictingCommit = m.HomeCommit("beta", &forged, 1, m.Chains[1].Validators[2])
		proof, err := attest.BuildLightClientAttack(m.Set("beta", epoch), e)
		must(t, err)
		return proof
	}
	refusedFault(t, m, "alpha", ledger.CodeInvalid, build(at, []int{0, 6})) // a height of the epoch before
	submit(t, m, "alpha", build(at-1, []int{5, 6}))
}

// What convicts nobody halts the chain on the ledgers of its peers, once, and takes
// nothing from anybody.
func TestAForkHaltsTheChainAndConvictsNobody(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	proof, err := m.Attack(attest.AttackFork, "beta", at, at*5-2, 0, 1, 2)
	must(t, err)
	other, err := m.Attack(attest.AttackFork, "beta", at, at*5-2, 1, 2, 3)
	must(t, err)

	refusedFault(t, m, "beta", ledger.CodeDuplicate, proof) // its own ledger goes on
	submit(t, m, "alpha", proof)
	view := peerView(t, m, "alpha", "beta")
	if view.Halted != ledger.HaltForked.String() || !view.Virtual.IsZero() || view.Stale || view.Overturned != view.Final+1 || view.Backstop != "" {
		t.Fatalf("%+v", view)
	}
	for _, p := range []*attest.FaultProof{proof, other} {
		refusedFault(t, m, "alpha", ledger.CodeDuplicate, p)
	}
	faults, err := m.Reader("alpha").Faults()
	must(t, err)
	if len(faults) != 1 || !faults[0].Forked || !faults[0].Executed || faults[0].Offenders == nil || len(faults[0].Offenders) != 0 {
		t.Fatalf("%+v", faults)
	}
	conviction, err := m.Reader("alpha").Conviction(proof.ID())
	must(t, err)
	if conviction == nil || len(conviction.Convicted) != 0 || len(conviction.Slashes) != 0 || conviction.Pending != nil {
		t.Fatalf("%+v", conviction)
	}
	for range 4 {
		epoch(t, m, "alpha")
		epoch(t, m, "beta")
	}
	slashes, err := m.Reader("alpha").Slashes()
	must(t, err)
	if len(slashes) != 0 {
		t.Fatalf("slashes %+v", slashes)
	}

	// The authority trusts a checkpoint of later: the fork that it knows of does not halt
	// the chain again, whatever else there is of it. A new one does.
	trusted := m.Head("beta").Checkpoint.Epoch
	epoch(t, m, "alpha", trust(t, m, "alpha", "beta", trusted))
	refusedFault(t, m, "alpha", ledger.CodeDuplicate, proof)
	refusedFault(t, m, "alpha", ledger.CodeDuplicate, other)
	round(t, m)
	round(t, m)
	submit(t, m, "alpha", fork(t, m, trusted+1))
	if view = peerView(t, m, "alpha", "beta"); view.Halted != ledger.HaltForked.String() {
		t.Fatalf("%+v", view)
	}
	// Who is convicted on top of it makes it a failure that the backstops answer for.
	lunatic, err := m.Attack(attest.AttackLunatic, "beta", at, at*5, 0, 1, 2)
	must(t, err)
	submit(t, m, "alpha", lunatic)
	if view = peerView(t, m, "alpha", "beta"); view.Halted != ledger.HaltConvicted.String() || view.Backstop == "" {
		t.Fatalf("%+v", view)
	}
}

func fork(t *testing.T, m *ledgertest.Mesh, epoch uint64) *attest.FaultProof {
	t.Helper()
	proof, err := m.Attack(attest.AttackFork, "beta", epoch, epoch*5, 0, 1, 3)
	must(t, err)
	return proof
}

// A peer that is silent is halted for less: a fork takes the place of that.
func TestAForkOverturnsWhatAStalePeerLeft(t *testing.T) {
	m := crossed(t, func(n *ledger.Manifest) {
		for _, c := range n.Chains {
			c.Params.Unbonding.Time, c.Params.EvidenceAge.Time = 400_000, 250_000
		}
	})
	at := m.Head("beta").Checkpoint.Epoch - 1
	for !peerView(t, m, "alpha", "beta").Stale {
		epoch(t, m, "alpha")
	}
	submit(t, m, "alpha", fork(t, m, at))
	if view := peerView(t, m, "alpha", "beta"); view.Halted != ledger.HaltForked.String() || view.Overturned == 0 {
		t.Fatalf("%+v", view)
	}
}

// Nothing useless is looked at more closely: the signatures of these are wrong.
func TestUselessForksAreRefusedBeforeSignatures(t *testing.T) {
	m := crossed(t, nil)
	at := m.Head("beta").Checkpoint.Epoch - 1
	broken := func(proof *attest.FaultProof) *attest.FaultProof {
		body, err := attest.DecodeLightClientAttack(proof.Body)
		must(t, err)
		for _, p := range body.Precommits {
			p.Signature[0] ^= 1
		}
		encoded, err := attest.EncodeLightClientAttack(body)
		must(t, err)
		return &attest.FaultProof{Kind: proof.Kind, Body: encoded}
	}
	proof := fork(t, m, at)
	refusedFault(t, m, "alpha", ledger.CodeInvalid, broken(proof))
	refusedFault(t, m, "beta", ledger.CodeDuplicate, broken(proof))
	submit(t, m, "alpha", proof)
	refusedFault(t, m, "alpha", ledger.CodeDuplicate, broken(proof))
	if view := peerView(t, m, "alpha", "beta"); !strings.Contains(view.Halted, "forked") {
		t.Fatalf("%+v", view)
	}
}
