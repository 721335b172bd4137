package node_test

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// setOf is who signs an epoch of a chain, as a node tells it.
func (m *member) setOf(chain string, epoch uint64) *attest.Set {
	t := m.world.t
	t.Helper()
	answer, err := m.api().Certificate(t.Context(), chain, epoch)
	must(t, err)
	encoded, err := attest.DecodeValidatorSet(answer.Set)
	must(t, err)
	set, err := attest.NewSet(encoded)
	must(t, err)
	return set
}

// votes are the targets of two votes of a beacon chain, in epochs of the ledger, and what
// else tells them from other pairs. The sources are such that the second lies in the first,
// if the targets differ.
type votes struct {
	outer, inner uint64
	variant      byte
}

// prove is the proof that a validator of beta signed both, as an offence of an epoch.
func (v votes) prove(w *world, set *attest.Set, epoch uint64, by *ledgertest.Validator) *attest.FaultProof {
	w.t.Helper()
	const ahead = 99 // by so many is the beacon chain's epoch that of the ledger
	a, err := w.network.Vote(set, "beta", ahead-2, ahead+v.outer, v.variant, by)
	must(w.t, err)
	b, err := w.network.Vote(set, "beta", ahead-1, ahead+v.inner, v.variant+1, by)
	must(w.t, err)
	proof, err := ledgertest.Slashing(set, "beta", epoch, a, b)
	must(w.t, err)
	swapped, err := ledgertest.Slashing(set, "beta", epoch, b, a)
	must(w.t, err)
	if swapped.ID() != proof.ID() {
		w.t.Error("in another order it is another proof")
	}
	return proof
}

// A validator of a beacon chain votes twice there. Somebody without a node brings the two
// votes to one node, and whatever stands behind that validator answers for them, at home
// and abroad.
func TestAnEthereumSlashingThatIsReportedIsSlashedOnEveryLedger(t *testing.T) {
	for name, distance := range map[string]struct{ first, second uint64 }{"double": {0, 1}, "surround": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { slashed(t, distance.first, distance.second) })
		})
	}
}

// slashed takes how many epochs lie between the targets of the votes that are brought, and
// between those of the pairs that are brought later.
func slashed(t *testing.T, first, second uint64) {
	reporter := ledger.AccountOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	w := newWorld(t, 2, 4, func(m *ledger.Manifest) {
		ledgertest.Beacon(m, "beta")
		beta := m.Chain("beta")
		beta.Accounts = append(beta.Accounts, &ledger.GenesisAccount{ID: reporter, Collateral: ledger.Units(1)})
	})
	w.start()
	lender, offender, desk := w.of("alpha")[0], w.of("beta")[1], w.of("beta")[2]
	pledge, err := ledger.NewPledge(lender.validator.ID, 0, "beta", offender.validator.ID, ledger.Units(400_000), ledger.One/20)
	lender.succeed(lender.submit(t, lender.validator.Account, pledge, err))
	w.await("the pledge is power on beta", w.everywhere(func(m *member) bool {
		return slices.ContainsFunc(m.ledger("beta").Power, func(p ledger.PowerView) bool {
			return p.Account == offender.validator.ID && p.Power.Int().Gt(p.Own.Int())
		})
	}))
	epoch := offender.status().Ledgers["beta"].Executed + 1
	w.await("an epoch signed with it is certified", w.everywhere(certified(epoch)))

	set := desk.setOf("beta", epoch)
	misplaced := votes{epoch, epoch, 4}.prove(w, set, epoch-1, offender.validator)
	if _, err := desk.api().Report(t.Context(), misplaced, reporter); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("as an offence of another epoch: %v", err)
	}
	proof := votes{epoch, epoch - first, 0}.prove(w, set, epoch, offender.validator)
	report, err := desk.api().Report(t.Context(), proof, reporter)
	must(t, err)
	if [32]byte(report.ID) != proof.ID() || len(report.Operation) != 32 || report.Reason != "" {
		t.Fatalf("%+v", report)
	}
	behind := map[string]uint64{"alpha": 400_000, "beta": ledgertest.Stake}
	for _, chain := range w.network.Manifest.ChainIDs() {
		w.await("what stands behind the offender on "+chain+" is frozen", w.everywhere(func(m *member) bool {
			return slices.ContainsFunc(m.ledger(chain).Liens, func(l ledger.LienView) bool {
				return l.Consumer == "beta" && l.Validator == offender.validator.ID && l.Frozen == ledger.Units(behind[chain])
			})
		}))
	}

	stranger := w.adversary()
	again := func(variant byte) *attest.FaultProof {
		return votes{epoch, epoch - second, variant}.prove(w, set, epoch, offender.validator)
	}
	stranger.repeat(proof, again(2))
	w.await("the fault is executed on every ledger", w.everywhere(func(m *member) bool {
		return m.executedFaults("alpha") == 1 && m.executedFaults("beta") == 1
	}))
	stranger.repeat(proof, again(4))

	for _, m := range w.members {
		// Both are what the ratio of the lien allows: with a quarter of the power and more,
		// the penalty is above it.
		m.paid("alpha", lender.validator.ID, offender.validator.ID, 20_000, 0)
		m.paid("beta", offender.validator.ID, offender.validator.ID, 300_000, 15_000)
		if !slices.ContainsFunc(m.ledger("beta").Accounts, func(a ledger.AccountView) bool {
			return a.ID == reporter && a.Collateral == ledger.Units(15_001)
		}) {
			t.Errorf("%s: the reporter does not have his reward and what he had", m.name)
		}
		v, err := m.api().Conviction(t.Context(), "beta", proof.ID())
		must(t, err)
		if v.Kind != attest.FaultEthereumSlashing.String() || v.Epoch != epoch || v.Reporter != reporter || !v.Known ||
			len(v.Convicted) != 1 || v.Convicted[0].Account != offender.validator.ID {
			t.Errorf("%s: %+v", m.name, v)
		}
	}
	w.conserved()
	w.agree(lowest(w))
	w.timed(epoch, attest.FaultEthereumSlashing.String())
}

// repeat brings a proof again, and another one of the same offence: to every node, and by
// the mesh. Neither changes anything, and nobody is blamed.
func (a *adversary) repeat(proof, again *attest.FaultProof) {
	t := a.t
	t.Helper()
	if again.ID() == proof.ID() {
		t.Fatal("the second proof is the first")
	}
	seen := make(map[*member]uint64)
	for _, m := range a.members {
		seen[m] = m.judged(p2p.NothingNew)
	}
	must(t, a.mesh.PublishFault(t.Context(), again))
	a.await("everybody has seen the second proof", a.everywhere(func(m *member) bool { return m.judged(p2p.NothingNew) > seen[m] }))
	for _, m := range a.members {
		for _, c := range []struct {
			proof  *attest.FaultProof
			reason string
		}{{proof, "recorded already since epoch"}, {again, "convicted for that epoch already, by another proof"}} {
			answer, err := m.api().Report(t.Context(), c.proof, ledger.AccountID{1})
			if err != nil || len(answer.Operation) != 0 || !strings.Contains(answer.Reason, c.reason) {
				t.Errorf("%s: brought again: %+v, %v", m.name, answer, err)
			}
		}
		for _, chain := range a.network.Manifest.ChainIDs() {
			if n := len(m.ledger(chain).Faults); n != 1 {
				t.Errorf("%s: %d faults on %s", m.name, n, chain)
			}
		}
		if n := m.knownFaults(); n != 1 {
			t.Errorf("%s keeps %d proofs", m.name, n)
		}
		if n := m.blamed(); n != 0 {
			t.Errorf("%s blamed somebody %d times", m.name, n)
		}
	}
}

// paid checks that one slash was taken on a ledger, and from whom how much.
func (m *member) paid(chain string, account, validator ledger.AccountID, amount, reward uint64) {
	t := m.world.t
	t.Helper()
	slashes := m.ledger(chain).Slashes
	if len(slashes) != 1 {
		t.Errorf("%s: slashes on %s: %+v", m.name, chain, slashes)
		return
	}
	s := slashes[0]
	if s.Account != account || s.Validator != validator || s.Amount != ledger.Units(amount) || s.Reward != ledger.Units(reward) {
		t.Errorf("%s: slash on %s = %+v, want %d with a reward of %d", m.name, chain, s, amount, reward)
	}
}
