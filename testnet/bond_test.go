package testnet

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// bondedStage is fake nodes with the keys of a real build; the fakes execute
// deposits and pledges as soon as they get them.
func bondedStage(t *testing.T) (*Testnet, map[string]*fakeNode) {
	t.Helper()
	n := build(t, Shape{Mode: Processes, Chains: 2, Validators: 2})
	fakes, nodes := stage(t)
	for i, c := range n.Chains {
		var accounts []ledger.AccountView
		for j, v := range c.Nodes {
			v.API = fakes.Chains[i].Nodes[j].API
			accounts = append(accounts, ledger.AccountView{ID: v.Account})
		}
		first := nodes[c.Nodes[0].Name]
		first.ledgers[c.ID] = api.Ledger{Accounts: accounts, Totals: ledger.Totals{Deposited: ledger.Units(2 * genesisCollateral)}}
		first.onSubmit = func(f *fakeNode, encoded []byte) { execute(t, f, c.ID, encoded) }
	}
	return n, nodes
}

// execute does to a fake ledger what an operation would, nonces included.
func execute(t *testing.T, f *fakeNode, chain string, encoded []byte) {
	op, err := ledger.DecodeOperation(encoded)
	if err != nil {
		t.Error(err)
		return
	}
	l := f.ledgers[chain]
	switch ledger.Kind(op.Kind) {
	case ledger.KindDeposit:
		sum := l.Totals.Deposited.Int()
		l.Totals.Deposited = ledger.NewAmount(sum.Add(sum, ledger.Units(depositAmount).Int()))
	case ledger.KindPledge:
		for i := range l.Accounts {
			if l.Accounts[i].ID == op.Account && l.Accounts[i].Nonce == op.Nonce {
				l.Accounts[i].Nonce++
			}
		}
	}
	f.ledgers[chain] = l
}

func TestBondingIsDoneOnce(t *testing.T) {
	n, nodes := bondedStage(t)
	for range 2 { // the second time there is nothing left to do
		var done, all int
		err := newObserver(n).bond(t.Context(), time.Minute, func(d, a int) error {
			done, all = d, a
			return nil
		})
		if err != nil || done != all || all != 2*(2+2) {
			t.Fatalf("%d of %d, %v", done, all, err)
		}
	}
	for _, c := range n.Chains {
		if got := len(nodes[c.Nodes[0].Name].submitted); got != 4 {
			t.Errorf("%s got %d operations, not 2 deposits and 2 pledges", c.ID, got)
		}
	}
}

func TestBondingGoesOnWhereItWas(t *testing.T) {
	n, nodes := bondedStage(t)
	plan, err := n.newBonding(n.Chains[0])
	if err != nil {
		t.Fatal(err)
	}
	first := nodes["alpha-0"]
	for _, op := range plan.ops[:3] { // before somebody pulled the plug
		execute(t, first, "alpha", op.encoded)
	}
	if err := newObserver(n).bond(t.Context(), time.Minute, func(int, int) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(first.submitted) != 1 || string(first.submitted[0]) != string(plan.ops[3].encoded) {
		t.Errorf("%d operations were submitted again", len(first.submitted))
	}
}

func TestBondingThatGetsNowhereSaysHowMuchIsMissing(t *testing.T) {
	n, nodes := bondedStage(t)
	nodes["beta-0"].onSubmit = nil // swallows everything
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rounds := 0
	err := newObserver(n).bond(ctx, time.Minute, func(int, int) error {
		if rounds++; rounds == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || err.Error() != "4 of 8 deposits and pledges are missing: context canceled" {
		t.Errorf("bond: %v", err)
	}
}
