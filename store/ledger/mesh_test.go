package ledger_test

import (
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// play starts a mesh or ends the test.
func play(t testing.TB, chains, validators int, change func(*ledger.Manifest)) *ledgertest.Mesh {
	t.Helper()
	n := ledgertest.New(chains, validators, change)
	if err := n.Manifest.Validate(); err != nil {
		t.Fatal(err)
	}
	m, err := ledgertest.Play(n)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// epoch runs an epoch in which every operation must succeed.
func epoch(t testing.TB, m *ledgertest.Mesh, chain string, ops ...*ledger.Operation) *ledger.Result {
	t.Helper()
	r, err := m.Epoch(chain, ops...)
	if err != nil {
		t.Fatal(err)
	}
	for i, receipt := range r.Receipts {
		if receipt.Code != 0 {
			t.Fatalf("%s epoch %d, operation %d (%v): %v: %s", chain, r.Checkpoint.Epoch, i,
				ledger.Kind(ops[i].Kind), ledger.Code(receipt.Code), receipt.Reason)
		}
	}
	conserved(t, m, chain)
	return r
}

// round runs one epoch of every chain with what its nodes would relay.
func round(t testing.TB, m *ledgertest.Mesh) {
	t.Helper()
	relayed := make([][]*ledger.Operation, len(m.Chains))
	for i, c := range m.Chains {
		ops, err := m.Relay(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		relayed[i] = ops
	}
	for i, c := range m.Chains {
		epoch(t, m, c.ID, relayed[i]...)
	}
}

// conserved checks that nothing was made or lost, by the totals and by a recount.
func conserved(t testing.TB, m *ledgertest.Mesh, chain string) {
	t.Helper()
	recount(t, chain, m.Reader(chain))
}

func recount(t testing.TB, chain string, r *ledger.Reader) {
	t.Helper()
	totals, err := r.Totals()
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := r.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	sum := new(uint256.Int)
	for _, a := range accounts {
		sum.Add(sum, a.Collateral.Int())
	}
	if ledger.NewAmount(sum) != totals.Collateral {
		t.Fatalf("%s: accounts hold %s, the totals say %s", chain, sum.Dec(), totals.Collateral)
	}
	for _, x := range []ledger.Amount{totals.Escrow, totals.Withdrawn, totals.Burned} {
		sum.Add(sum, x.Int())
	}
	if ledger.NewAmount(sum) != totals.Deposited {
		t.Fatalf("%s: %s accounted for, %s deposited", chain, sum.Dec(), totals.Deposited)
	}
}

// crossPledge has every validator deposit 400,000 and pledge 300,000 at 0.3 to the
// validator of its index on each other chain.
func crossPledge(t testing.TB, m *ledgertest.Mesh) {
	t.Helper()
	for _, c := range m.Chains {
		var ops []*ledger.Operation
		for i, v := range c.Validators {
			d, err := ledger.NewDeposit(uint64(i), v.ID, ledger.Units(400_000))
			must(t, err)
			must(t, d.Sign(m.ID, c.ID, c.Authority))
			ops = append(ops, d)
			nonce := uint64(0)
			for _, other := range m.Chains {
				if other.ID == c.ID {
					continue
				}
				ops = append(ops, pledge(t, m, c.ID, v, nonce, other.ID, other.Validators[i].ID, 300_000, ledger.One/10*3))
				nonce++
			}
		}
		epoch(t, m, c.ID, ops...)
	}
}

func pledge(t testing.TB, m *ledgertest.Mesh, chain string, v *ledgertest.Validator, nonce uint64, consumer string, to ledger.AccountID, amount uint64, ratio ledger.Ratio) *ledger.Operation {
	t.Helper()
	op, err := ledger.NewPledge(v.ID, nonce, consumer, to, ledger.Units(amount), ratio)
	must(t, err)
	must(t, op.Sign(m.ID, chain, v.Account))
	return op
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCrossStakeBecomesPowerAndADoubleVoteIsSlashedOnEveryLedger(t *testing.T) {
	m := play(t, 3, 4, nil)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	for _, c := range m.Chains {
		power, err := m.Reader(c.ID).Power()
		must(t, err)
		for _, p := range power {
			// 600,000 own, and 300,000 less 10 % from each of two peers.
			if p.Own != ledger.Units(600_000) || p.Power != ledger.Units(1_140_000) {
				t.Fatalf("%s: own %v, power %v", c.ID, p.Own, p.Power)
			}
		}
		peers, err := m.Reader(c.ID).Peers()
		must(t, err)
		for _, p := range peers {
			in, err := m.Reader(c.ID).Import(p.Chain)
			must(t, err)
			if string(in.Statement.Provider) != p.Chain || string(in.Statement.Consumer) != c.ID || len(in.Statement.Entries) != 4 {
				t.Fatalf("%s: statement of %s: %q about %q, %d entries", c.ID, p.Chain, in.Statement.Provider, in.Statement.Consumer, len(in.Statement.Entries))
			}
			if p.Final+4 < m.Head(p.Chain).Checkpoint.Epoch || p.Imported == 0 || p.Halted != "" {
				t.Fatalf("%s: %+v", c.ID, p)
			}
		}
	}

	at := m.Head("beta").Checkpoint.Epoch - 1
	proof, err := m.DoubleVote("beta", at, 2)
	must(t, err)
	reporter := m.Chains[1].Validators[0].ID
	for _, c := range m.Chains {
		op, err := m.SubmitFault(c.ID, proof, reporter)
		must(t, err)
		epoch(t, m, c.ID, op)
		frozen := ledger.Units(300_000)
		if c.ID == "beta" {
			frozen = ledger.Units(600_000)
		}
		liens, err := m.Reader(c.ID).Liens()
		must(t, err)
		found := 0
		for _, l := range liens {
			if l.Consumer == "beta" && l.Validator == m.Chains[1].Validators[2].ID {
				found++
				if l.Frozen != frozen || !l.Slashed.IsZero() {
					t.Fatalf("%s: %+v", c.ID, l)
				}
			} else if !l.Frozen.IsZero() {
				t.Fatalf("%s: frozen without a reason: %+v", c.ID, l)
			}
		}
		if found != 1 {
			t.Fatalf("%s: %d liens behind the offender", c.ID, found)
		}
		// The same proof again changes nothing.
		again, err := m.Epoch(c.ID, op)
		must(t, err)
		if code := ledger.Code(again.Receipts[0].Code); code != ledger.CodeDuplicate {
			t.Fatalf("%s: second submission: %v", c.ID, code)
		}
	}
	for range 3 {
		round(t, m)
	}
	for _, c := range m.Chains {
		slashes, err := m.Reader(c.ID).Slashes()
		must(t, err)
		if len(slashes) != 1 {
			t.Fatalf("%s: %d slashes", c.ID, len(slashes))
		}
		s := slashes[0]
		// A quarter of the power: (3/4)² = 0.5625, at most the lien's ratio.
		want := ledger.SlashView{
			Fault: s.Fault, Account: m.Chains[index(m, c.ID)].Validators[2].ID, Consumer: "beta",
			Validator: m.Chains[1].Validators[2].ID, Captured: ledger.Units(300_000), Ratio: ledger.One / 10 * 3,
			Amount: ledger.Units(90_000), Burned: ledger.Units(90_000), Epoch: s.Epoch,
		}
		if c.ID == "beta" {
			want.Captured, want.Ratio = ledger.Units(600_000), ledger.One/2
			want.Amount, want.Burned, want.Reward = ledger.Units(300_000), ledger.Units(285_000), ledger.Units(15_000)
		}
		if string(s.Fault) == "" || s.Account != want.Account || s.Captured != want.Captured || s.Ratio != want.Ratio ||
			s.Amount != want.Amount || s.Burned != want.Burned || s.Reward != want.Reward || s.Validator != want.Validator {
			t.Fatalf("%s: slash\n got %+v\nwant %+v", c.ID, s, want)
		}
		faults, err := m.Reader(c.ID).Faults()
		must(t, err)
		if len(faults) != 1 || !faults[0].Executed {
			t.Fatalf("%s: faults %+v", c.ID, faults)
		}
	}
	power, err := m.Reader("beta").Power()
	must(t, err)
	if len(power) != 3 {
		t.Fatalf("the tombstoned validator still counts: %+v", power)
	}
}

func index(m *ledgertest.Mesh, chain string) int {
	for i, c := range m.Chains {
		if c.ID == chain {
			return i
		}
	}
	return -1
}
