package twin

import (
	"math/big"

	"github.com/meshsec/meshsec/store/ledger"
)

// Rules are what a ledger's manifest fixes.
type Rules struct {
	Home   string
	Params ledger.Params
	Time   uint64 // of genesis
	Peers  []string
	// Pledgeable tells whether a consumer has such a validator.
	Pledgeable func(consumer string, validator ID) bool
}

// Ledger is what a history comes to.
type Ledger struct {
	Accepted []bool // by event: whether an operation was; true for what is none

	rules       Rules
	epoch, time uint64 // of the events under way
	accounts    map[ID]*account
	followed    map[string]uint64 // time of the last accepted checkpoint of a peer
	halted      map[string]moment // peers that have failed or fallen silent, and since when
	offences    []*offence        // in the order in which they were recorded
	waiting     []*execution
	burned      *big.Int
	withdrawn   *big.Int
	deposited   *big.Int
}

// offence is one fault of one offender.
type offence struct {
	fault    *Fault
	offender Offender
	executed *big.Rat // penalty
	recorded uint64   // our epoch
}

// moment is a time in an epoch.
type moment struct{ epoch, time uint64 }

// execution is a slash of one offender that waits for its window.
type execution struct {
	chain       string
	validator   ID
	fault       *Fault
	epoch, time uint64
}

// Replay computes a ledger from its history. Genesis is the part of it before the
// first End.
func Replay(rules Rules, history []Event) *Ledger {
	l := &Ledger{
		rules: rules, time: rules.Time, accounts: map[ID]*account{}, followed: map[string]uint64{},
		halted: map[string]moment{},
		burned: new(big.Int), withdrawn: new(big.Int), deposited: new(big.Int),
	}
	for _, e := range history {
		l.Accepted = append(l.Accepted, l.event(e))
	}
	return l
}

func (l *Ledger) event(e Event) bool {
	switch e := e.(type) {
	case Block:
		l.time = e.Time
	case Followed:
		l.followed[e.Chain] = e.Time
	case End:
		l.end()
	case Deposit:
		return l.deposit(e)
	case Fault:
		l.fault(&e)
	case Amend:
		return l.amend(e)
	case Withdraw:
		return l.owner(e.Account, func(a *account) bool { return l.withdraw(a, e.Amount) })
	case Pledge:
		return l.owner(e.Account, func(a *account) bool { return l.pledge(a, e) })
	case Release:
		return l.owner(e.Account, func(a *account) bool { return l.release(a, e) })
	}
	return true
}

func (l *Ledger) deposit(e Deposit) bool {
	if e.Amount.Sign() == 0 {
		return false
	}
	a := l.accounts[e.Account]
	if a == nil {
		a = newAccount()
		l.accounts[e.Account] = a
	}
	a.settle()
	a.in.Add(a.in, e.Amount)
	l.note(a)
	l.deposited.Add(l.deposited, e.Amount)
	return true
}

// owner runs an operation of an account's owner on a copy that is settled and
// without what has matured, which takes the account's place if the operation is
// accepted.
func (l *Ledger) owner(id ID, run func(*account) bool) bool {
	a := l.accounts[id]
	if a == nil {
		return false
	}
	a = a.clone()
	a.settle()
	l.dropMatured(a)
	if !run(a) {
		return false
	}
	l.note(a)
	l.accounts[id] = a
	return true
}

func (l *Ledger) dropMatured(a *account) {
	for name, x := range a.liens {
		for validator, p := range x.parts {
			kept := p.slots[:1]
			for _, s := range p.slots[1:] {
				if !l.over(name, validator, s.epoch, s.time) {
					kept = append(kept, s)
				}
			}
			p.slots = kept
			l.forget(name, validator, p)
		}
	}
}

// over reports whether what was given up then has left, and answers for nothing
// any more: the unbonding time and as many epochs have passed, for a peer this
// ledger has followed it that far, and no slash of the validator waits.
func (l *Ledger) over(consumer string, validator ID, epoch, time uint64) bool {
	u := l.rules.Params.Unbonding
	switch {
	case l.epoch-epoch < u.Epochs || l.time-time < uint64(u.Time), l.frozen(consumer, validator):
		return false
	case consumer == l.rules.Home:
		return true
	}
	if at, ok := l.halted[consumer]; ok { // it is not followed: our own clock counts from there
		since := moment{max(epoch, at.epoch), max(time, at.time)}
		return l.epoch-since.epoch >= u.Epochs && l.time-since.time >= uint64(u.Time)
	}
	return l.followed[consumer] >= time+uint64(u.Time)
}

func (l *Ledger) withdraw(a *account, amount *big.Int) bool {
	if amount.Sign() == 0 {
		return false
	}
	most, _ := a.largest()
	free := less(a.collateral(), larger(most, ceil(a.exposed(l.capturable))))
	a.out.Add(a.out, amount)
	if amount.Cmp(free) > 0 {
		return false
	}
	l.withdrawn.Add(l.withdrawn, amount)
	return true
}

func (l *Ledger) pledge(a *account, e Pledge) bool {
	if !l.rules.Pledgeable(e.Consumer, e.Validator) || l.tombstoned(e.Consumer, e.Validator) || l.stopped(e.Consumer) ||
		e.Amount.Sign() == 0 || e.Ratio == 0 || e.Ratio > ledger.One {
		return false
	}
	x := a.liens[e.Consumer]
	if x == nil {
		x = &lien{ratio: new(big.Rat), parts: map[ID]*part{}}
		a.liens[e.Consumer] = x
	}
	if rat(e.Ratio).Cmp(x.ratio) < 0 && !l.gone(x) {
		return false
	}
	p := x.parts[e.Validator]
	if p == nil {
		p = newPart()
		x.parts[e.Validator] = p
	}
	bonded := new(big.Int).Add(p.slots[0].amount, e.Amount)
	if l.rules.tooSmall(bonded, rat(e.Ratio)) {
		return false
	}
	p.slots[0].amount, x.ratio = bonded, rat(e.Ratio)
	// I1 and I2 hold after it; nominal amounts, since repair would hide a breach.
	c := a.collateral()
	for _, x := range a.liens {
		size := new(big.Int)
		for _, p := range x.parts {
			size.Add(size, p.nominal())
		}
		if size.Cmp(c) > 0 {
			return false
		}
	}
	return l.exposedNominal(a).Cmp(new(big.Rat).SetInt(c)) <= 0
}

// exposedNominal is exposed of a settled account, without a repair.
func (l *Ledger) exposedNominal(a *account) *big.Rat {
	rich := a.clone() // so rich that nothing needs repair
	for _, x := range rich.liens {
		for _, p := range x.parts {
			rich.in.Add(rich.in, p.nominal())
		}
	}
	return rich.exposed(l.capturable)
}

func (l *Ledger) release(a *account, e Release) bool {
	x := a.liens[e.Consumer]
	if l.frozen(e.Consumer, e.Validator) || e.Amount.Sign() == 0 || x == nil || x.parts[e.Validator] == nil {
		return false
	}
	p := x.parts[e.Validator]
	bonded := p.slots[0].amount
	left := new(big.Int).Sub(bonded, e.Amount)
	if left.Sign() < 0 || left.Sign() > 0 && l.rules.tooSmall(left, x.ratio) {
		return false
	}
	p.slots[0].amount = left
	p.slots = append(p.slots, &slot{amount: e.Amount, epoch: l.epoch, time: l.time})
	return len(p.slots)-1 <= 16
}

// tooSmall tells whether a part is below the smallest, or so small that its least
// slash would round to nothing.
func (r *Rules) tooSmall(bonded *big.Int, ratio *big.Rat) bool {
	least := rat(uint64(min(r.Params.Penalty.DoubleVote, r.Params.Penalty.Equivocation, r.Params.Penalty.Transition)))
	if ratio.Cmp(least) < 0 {
		least = ratio
	}
	return bonded.Cmp(r.Params.MinLien.Int().ToBig()) < 0 || floor(times(least, bonded)).Sign() == 0
}

// forget counts the entries of a part's history that are over, and stay so when
// the next slash waits. They are kept, so that a slash that should not reach back to
// them, and does, shows.
func (l *Ledger) forget(consumer string, validator ID, p *part) {
	for p.over+1 < len(p.history) && l.over(consumer, validator, p.history[p.over+1].epoch, p.history[p.over+1].time) {
		p.over++
	}
}

// capturable are the amounts with which a part stood in statements that an offence
// could still capture: the one in force, and those whose successor is not over.
func (l *Ledger) capturable(p *part) []*big.Int {
	var out []*big.Int
	for _, e := range p.history[p.over:] {
		out = append(out, e.amount)
	}
	return out
}

// gone reports whether nothing is left of a lien, nor can be captured of it.
func (l *Ledger) gone(x *lien) bool {
	for _, p := range x.parts {
		if p.nominal().Sign() > 0 {
			return false
		}
		for _, c := range l.capturable(p) {
			if c.Sign() > 0 {
				return false
			}
		}
	}
	return true
}

func (l *Ledger) tombstoned(chain string, validator ID) bool {
	for _, o := range l.offences {
		if o.fault.Chain == chain && o.offender.Validator == validator {
			return true
		}
	}
	return false
}

// frozen reports whether a slash of this validator waits.
func (l *Ledger) frozen(consumer string, validator ID) bool {
	for _, x := range l.waiting {
		if x.chain == consumer && x.validator == validator {
			return true
		}
	}
	return false
}

// fault records a proof, and queues a slash of everybody whose debt it raises.
func (l *Ledger) fault(f *Fault) {
	for _, o := range f.Offenders {
		l.offences = append(l.offences, &offence{fault: f, offender: o, executed: new(big.Rat), recorded: l.epoch})
	}
	for _, o := range l.offences {
		if l.penalty(o).Cmp(o.executed) > 0 {
			l.queue(o, f)
		}
	}
	if f.Chain != l.rules.Home && l.failed(f) {
		l.halt(f.Chain)
	}
}

// amend adds a statement to offences that know none as new, and queues the slash of the
// difference. It is not accepted if there are none.
func (l *Ledger) amend(e Amend) (accepted bool) {
	for _, o := range l.offences {
		f := o.fault
		if f.Chain != e.Chain || f.Epoch != e.Epoch || o.offender.Validator != e.Validator || len(f.Later) > 0 {
			continue
		}
		newer := true
		for _, s := range f.Statements {
			newer = newer && s < e.Statement
		}
		if newer {
			f.Later = []uint64{e.Statement}
			l.queue(o, f)
			accepted = true
		}
	}
	return accepted
}

func (l *Ledger) halt(chain string) {
	if !l.stopped(chain) {
		l.halted[chain] = moment{l.epoch, l.time}
	}
}

func (l *Ledger) stopped(chain string) bool {
	_, ok := l.halted[chain]
	return ok
}

// near reports whether two faults add up.
func (l *Ledger) near(f, at *Fault) bool {
	w := l.rules.Params.Correlation
	return f.Chain == at.Chain &&
		(max(f.Epoch, at.Epoch)-min(f.Epoch, at.Epoch) <= w.Epochs || max(f.Since, at.Since)-min(f.Since, at.Since) <= uint64(w.Time))
}

// failed reports whether a third of a chain's power was convicted near an offence that is
// near to a fault. Where shares had to be rounded, each counts one unit more.
func (l *Ledger) failed(f *Fault) bool {
	for _, o := range l.offences {
		if l.near(o.fault, f) && l.severity(o.fault, true).Cmp(big.NewRat(1, 3)) >= 0 {
			return true
		}
	}
	return false
}

func (l *Ledger) queue(o *offence, f *Fault) {
	for _, x := range l.waiting {
		if x.chain == o.fault.Chain && x.validator == o.offender.Validator {
			return
		}
	}
	l.waiting = append(l.waiting, &execution{o.fault.Chain, o.offender.Validator, f, l.epoch, l.time})
}

// severity is the sum of the largest share of each offender near a fault:
// exact where all are shares of one total, else each rounded down to 18 digits, or up.
func (l *Ledger) severity(at *Fault, up bool) *big.Rat {
	largest := map[ID]Offender{}
	for _, o := range l.offences {
		if !l.near(o.fault, at) {
			continue
		}
		old, known := largest[o.offender.Validator]
		if !known || o.offender.share().Cmp(old.share()) > 0 {
			largest[o.offender.Validator] = o.offender
		}
	}
	totals := map[string]bool{}
	for _, o := range largest {
		totals[o.Total.String()] = true
	}
	q := new(big.Rat)
	for _, o := range largest {
		share := o.share()
		if len(totals) > 1 {
			units := floor(times(share, big.NewInt(ledger.One)))
			if up {
				units.Add(units, big.NewInt(1))
			}
			share.SetFrac(units, big.NewInt(ledger.One))
		}
		q.Add(q, share)
	}
	return q
}

func (o Offender) share() *big.Rat { return new(big.Rat).SetFrac(o.Power, o.Total) }

// penalty of an offence, by all that is recorded: with q the severity near it,
// max(base, min(1, (3q)²)).
func (l *Ledger) penalty(of *offence) *big.Rat {
	p := l.severity(of.fault, false)
	p.Mul(p, big.NewRat(3, 1))
	p.Mul(p, p)
	if p.Cmp(big.NewRat(1, 1)) > 0 {
		p.SetInt64(1)
	}
	if base := rat(of.fault.Base); p.Cmp(base) < 0 {
		return base
	}
	return p
}

// end executes the slashes whose window has passed, and notes what the statements
// of this epoch say.
func (l *Ledger) end() {
	for _, chain := range l.rules.Peers {
		heard, ok := l.followed[chain]
		if !ok {
			heard = l.rules.Time
		}
		if l.time > heard+uint64(l.rules.Params.Unbonding.Time)/2 { // silent for too long
			l.halt(chain)
		}
	}
	var rest []*execution
	for _, x := range l.waiting {
		if !l.rules.Params.ChallengeWindow.Passed(x.epoch, x.time, l.epoch, l.time) {
			rest = append(rest, x)
			continue
		}
		for _, o := range l.offences {
			if o.fault.Chain == x.chain && o.offender.Validator == x.validator {
				if p := l.penalty(o); p.Cmp(o.executed) > 0 {
					o.executed = p
				}
			}
		}
		for id, a := range l.accounts {
			if a.liens[x.chain] != nil && a.liens[x.chain].parts[x.validator] != nil {
				l.slash(id, a, x)
			}
		}
	}
	l.waiting = rest
	l.epoch++
}

// naming are the statements of an offence that name the offender: those from before the
// epoch in which this ledger convicted him first.
func (l *Ledger) naming(of *offence) (epochs []uint64) {
	first := of.recorded
	for _, o := range l.offences {
		if o.fault.Chain == of.fault.Chain && o.offender.Validator == of.offender.Validator {
			first = min(first, o.recorded)
		}
	}
	for _, statements := range [][]uint64{of.fault.Statements, of.fault.Later} {
		for _, e := range statements {
			if e < first {
				epochs = append(epochs, e)
			}
		}
	}
	return epochs
}

// note writes down what the parts of an account come to from the end of this epoch
// on. What was noted before in the same epoch never was in a statement.
func (l *Ledger) note(a *account) {
	for name, parts := range a.effective() {
		for v, amounts := range parts {
			p := a.liens[name].parts[v]
			n := len(p.history)
			if n == 0 && amounts[0].Sign() == 0 || n > 0 && p.history[n-1].amount.Cmp(amounts[0]) == 0 {
				continue
			}
			if n > 0 && p.history[n-1].epoch == l.epoch {
				p.history = p.history[:n-1]
			} else {
				l.forget(name, v, p)
			}
			p.history = append(p.history, entry{l.epoch, l.time, amounts[0]})
		}
	}
}

// slash takes the debt of one part that is not paid yet: the largest over all
// executed offences of ⌊min(penalty, r)·captured⌋.
func (l *Ledger) slash(id ID, a *account, why *execution) {
	x := a.liens[why.chain]
	p := x.parts[why.validator]
	debt := new(big.Int)
	for _, o := range l.offences {
		if o.fault.Chain != why.chain || o.offender.Validator != why.validator {
			continue
		}
		r := o.executed
		if x.ratio.Cmp(r) < 0 {
			r = x.ratio
		}
		debt = larger(debt, floor(times(r, p.captured(l.naming(o)))))
	}
	take := less(debt, p.taken)
	p.taken.Add(p.taken, take)
	l.note(a)
	reward := new(big.Int)
	if reporter := l.accounts[why.fault.Reporter]; reporter != nil && why.fault.Reporter != id && why.chain == l.rules.Home && id == why.validator {
		rate := rat(uint64(l.rules.Params.ReporterReward))
		reward.Sub(floor(times(rate, p.taken)), floor(times(rate, new(big.Int).Sub(p.taken, take))))
		reporter.in.Add(reporter.in, reward)
		l.note(reporter)
	}
	l.burned.Add(l.burned, new(big.Int).Sub(take, reward))
}
