package twin

import (
	"fmt"
	"math/big"
)

// clone is a copy that can be thrown away.
func (a *account) clone() *account {
	c := &account{in: new(big.Int).Set(a.in), out: new(big.Int).Set(a.out), liens: map[string]*lien{}}
	for name, l := range a.liens {
		x := &lien{ratio: l.ratio, parts: map[ID]*part{}}
		for v, p := range l.parts {
			q := &part{history: append([]entry{}, p.history...), over: p.over, taken: new(big.Int).Set(p.taken), settled: p.settled}
			for _, s := range p.slots {
				q.slots = append(q.slots, &slot{new(big.Int).Set(s.amount), s.epoch, s.time})
			}
			x.parts[v] = q
		}
		c.liens[name] = x
	}
	return c
}

// Part is one part of one lien.
type Part struct {
	Amount, Bonded *big.Int // effective
	Taken          *big.Int // by slashes, ever
	Ratio          *big.Rat
}

// Account is one account with its derived figures.
type Account struct {
	Collateral, Largest, Slashable, Free *big.Int
	Exposed                              *big.Rat
	Parts                                map[string]map[ID]Part
}

// Bonded of one part.
func (a Account) Bonded(consumer string, validator ID) *big.Int {
	if p, ok := a.Parts[consumer][validator]; ok {
		return p.Bonded
	}
	return new(big.Int)
}

// Room is what can about be pledged: up to I1, or I2 if that is less and the lien
// is new.
func (a Account) Room(consumer string, ratio uint64) *big.Int {
	size := new(big.Int)
	for _, p := range a.Parts[consumer] {
		size.Add(size, p.Amount)
	}
	room := new(big.Rat).SetInt(a.Collateral)
	room.Sub(room, a.Exposed)
	if room.Sign() <= 0 {
		return new(big.Int)
	}
	return smaller(less(a.Collateral, size), floor(room.Quo(room, rat(ratio))))
}

// Account is one account; all is zero if there is none.
func (l *Ledger) Account(id ID) Account {
	a := l.accounts[id]
	if a == nil {
		a = newAccount()
	}
	most, load := a.largest()
	now := a.clone()
	now.settle()
	l.dropMatured(now)
	bound, _ := now.largest()
	exposed := now.exposed(l.capturable)
	v := Account{
		Collateral: a.collateral(), Largest: most, Slashable: ceil(load), Exposed: exposed,
		Free: less(a.collateral(), larger(bound, ceil(exposed))), Parts: map[string]map[ID]Part{},
	}
	for name, parts := range a.effective() {
		v.Parts[name] = map[ID]Part{}
		for validator, amounts := range parts {
			v.Parts[name][validator] = Part{sum(amounts), amounts[0], a.liens[name].parts[validator].taken, a.liens[name].ratio}
		}
	}
	return v
}

// Accounts are all accounts.
func (l *Ledger) Accounts() map[ID]Account {
	out := map[ID]Account{}
	for id := range l.accounts {
		out[id] = l.Account(id)
	}
	return out
}

// Totals are the ledger's sums.
type Totals struct{ Deposited, Collateral, Withdrawn, Burned *big.Int }

// Totals adds everything up.
func (l *Ledger) Totals() Totals {
	t := Totals{l.deposited, new(big.Int), l.withdrawn, l.burned}
	for _, a := range l.accounts {
		t.Collateral.Add(t.Collateral, a.collateral())
	}
	return t
}

// Statements are what the statements say: for each consumer and validator what is
// bonded behind it. A convicted one is not in them.
func (l *Ledger) Statements() map[string]map[ID]*big.Int {
	out := map[string]map[ID]*big.Int{}
	for _, a := range l.accounts {
		for consumer, parts := range a.effective() {
			if out[consumer] == nil {
				out[consumer] = map[ID]*big.Int{}
			}
			for v, amounts := range parts {
				if l.tombstoned(consumer, v) || amounts[0].Sign() == 0 {
					continue
				}
				if out[consumer][v] == nil {
					out[consumer][v] = new(big.Int)
				}
				out[consumer][v].Add(out[consumer][v], amounts[0])
			}
		}
	}
	return out
}

// Check says what is wrong with a ledger: the invariants and conservation, exactly.
func (l *Ledger) Check() error {
	t := l.Totals()
	sum := new(big.Int).Add(t.Collateral, t.Withdrawn)
	if sum.Add(sum, t.Burned).Cmp(t.Deposited) != 0 {
		return fmt.Errorf("%v accounted for, %v deposited", sum, t.Deposited)
	}
	for id, a := range l.accounts {
		c := a.collateral()
		most, load := a.largest()
		switch {
		case c.Sign() < 0:
			return fmt.Errorf("account %v has %v", id, c)
		case most.Cmp(c) > 0:
			return fmt.Errorf("account %v: a lien of %v over %v (I1)", id, most, c)
		case load.Cmp(new(big.Rat).SetInt(c)) > 0:
			return fmt.Errorf("account %v: %v slashable of %v (I2)", id, load, c)
		}
	}
	return nil
}
