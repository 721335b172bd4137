package ledger_test

import (
	"crypto/ed25519"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// Whatever was ordered, faults, failures and trust among it: what can still be taken of an
// account is there, and when nobody does any more than leave, everybody gets out with all
// that is left, though its peers have fallen silent.
func TestInTheEndEverybodyLeaves(t *testing.T) {
	n := hasty(t)
	fewer(t, 6)
	kinds := map[ledger.Kind]int{}
	for range twinRounds(t) {
		rapid.Check(t, func(rt *rapid.T) {
			mesh, err := ledgertest.Play(n)
			must(t, err)
			u := &unruly{adapter{t, rt}, rt, mesh, kinds}
			for range 12 {
				u.round()
				for _, c := range mesh.Chains {
					owed(u.t, mesh, c.ID)
				}
			}
			u.leave(mesh.Chains[u.pick("ledger", len(mesh.Chains))])
		})
	}
	t.Logf("accepted: %v", kinds)
}

// leave has everybody release and withdraw what it can, on one ledger.
func (u *unruly) leave(c *ledgertest.Chain) {
	keys := []ed25519.PrivateKey{twinKey(0), twinKey(1)}
	for _, v := range c.Validators {
		keys = append(keys, v.Account)
	}
	var left ledger.LienView
	for range 80 {
		r := u.mesh.Reader(c.ID)
		liens, err := r.Liens()
		must(u.t, err)
		var ops []*ledger.Operation
		for _, key := range keys {
			id := ledger.AccountOf(key)
			account, ok, err := r.Account(id)
			must(u.t, err)
			if !ok || account.Collateral.IsZero() {
				continue
			}
			signed := signedBy(u.t, u.mesh, c.ID, key)
			i := slices.IndexFunc(liens, func(l ledger.LienView) bool { return l.Account == id && !l.Bonded.IsZero() })
			if i < 0 {
				ops = append(ops, signed(ledger.NewWithdraw(id, account.Nonce, account.Collateral)))
				continue
			}
			left = liens[i]
			ops = append(ops, signed(ledger.NewRelease(id, account.Nonce, left.Consumer, left.Validator, left.Bonded)))
		}
		if len(ops) == 0 {
			return
		}
		u.epoch(c, ops)
	}
	liens, err := u.mesh.Reader(c.ID).Liens()
	must(u.t, err)
	u.t.Fatalf("%s: locked for ever: %+v, last %+v", c.ID, liens, left)
}

// owed checks that every account has what can be taken of it: behind an offender what he
// has captured and not paid, behind others all that they may yet capture.
func owed(t testing.TB, m *ledgertest.Mesh, chain string) {
	t.Helper()
	r := m.Reader(chain)
	liens, err := r.Liens()
	must(t, err)
	sums := map[ledger.AccountID]*big.Int{}
	for _, l := range liens {
		record := lienRecord(t, m, chain, l)
		ratio := new(big.Int).SetUint64(record.Ratio)
		i := slices.IndexFunc(record.Parts, func(p ledger.Part) bool { return p.Validator == l.Validator })
		p := record.Parts[i]
		debt := new(big.Int)
		for _, c := range p.Captured {
			paid := whole(p.Taken) // but for what draws had left out of it
			for _, d := range p.Drawn {
				if d.Epoch <= c.Epoch {
					paid.Sub(whole(p.Taken), whole(d.Taken))
				}
			}
			owes := new(big.Int).Mul(whole(c.Amount), ratio)
			if owes.Sub(owes, paid.Mul(paid, big.NewInt(ledger.One))); owes.Cmp(debt) > 0 {
				debt = owes
			}
		}
		off, err := r.Offender(l.Consumer, l.Validator)
		must(t, err)
		if now := new(big.Int).Mul(whole(l.Amount), ratio); off == nil && now.Cmp(debt) > 0 {
			debt = now
		}
		if debt.Sign() > 0 {
			add(sums, l.Account, debt)
		}
	}
	for id, collateral := range collateralOf(t, r) {
		if sum := sums[id]; sum != nil && sum.Cmp(new(big.Int).Mul(collateral, big.NewInt(ledger.One))) > 0 {
			t.Fatalf("%s: account %v has %v, and can owe %v/10^18", chain, id, collateral, sum)
		}
	}
}

func lienRecord(t testing.TB, m *ledgertest.Mesh, chain string, l ledger.LienView) *ledger.Lien {
	t.Helper()
	key, err := ledger.ParseKey("lien/" + l.Account.String() + "/" + l.Consumer)
	must(t, err)
	value, ok, err := m.Tree(chain).Get(key)
	must(t, err)
	record := new(ledger.Lien)
	if !ok || record.UnmarshalSSZ(value) != nil {
		t.Fatalf("no lien of %v to %s", l.Account, l.Consumer)
	}
	return record
}
