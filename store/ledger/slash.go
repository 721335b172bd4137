package ledger

import (
	"github.com/holiman/uint256"
)

// stepCost is how many records a step of long work may touch before it is cut. A slash
// over more liens than the limits of an epoch goes on in the next ones from its cursor
// (DESIGN §3.3).
const stepCost = 100

// executeSlashes runs one step of the queued executions whose challenge window has
// passed, in their order, and tells whether there may be more for this epoch.
func (m *machine) executeSlashes(spent *Spent) (more bool, err error) {
	meta, err := must[Meta](m.tx, metaKey)
	if err != nil {
		return false, err
	}
	for m.maySlash(spent) {
		done, err := m.execute(meta.QueueHead, spent)
		if err != nil {
			return false, err
		}
		switch done {
		case waiting:
			return false, m.saveHead(meta.QueueHead)
		case finished:
			meta.QueueHead++
		}
	}
	return spent.Slashes < m.params.Limits.Slashes, m.saveHead(meta.QueueHead)
}

// maySlash reports whether the epoch and the step have room for another lien.
func (m *machine) maySlash(spent *Spent) bool {
	return spent.Slashes < m.params.Limits.Slashes && m.tx.cost() < stepCost
}

func (m *machine) saveHead(head uint64) error {
	return m.totals(func(meta *Meta) { meta.QueueHead = head })
}

// progress is what became of a look at an execution.
type progress int

const (
	waiting  progress = iota // none is queued there, or its window has not passed
	running                  // the step is full, and liens are left
	finished                 // the last one was
)

// execute slashes the next liens of the queue's execution i, as many as have room.
func (m *machine) execute(i uint64, spent *Spent) (progress, error) {
	e, err := load[Execution](m.tx, queueList.item(i))
	if err != nil || e == nil || !m.params.ChallengeWindow.Passed(e.Epoch, e.Time, m.epoch, m.now) {
		return waiting, err
	}
	chain, offender := string(e.Chain), AccountID(e.Account)
	off, err := m.start(e, spent)
	if err != nil {
		return waiting, err
	}
	liens := lienList(chain, offender)
	n, err := liens.length(m.tx)
	if err != nil {
		return waiting, err
	}
	if n == 0 {
		spent.Slashes++ // that there is nothing is found out
	}
	for owes := e.owes(off); e.Cursor < n && m.maySlash(spent); e.Cursor++ {
		account, err := liens.at(m.tx, e.Cursor)
		if err != nil {
			return waiting, err
		}
		if err := m.slash(AccountID(account), chain, offender, e.Fault, owes); err != nil {
			return waiting, err
		}
		spent.Slashes++
	}
	if e.Cursor < n {
		return running, save(m.tx, queueList.item(i), e)
	}
	e.Done = 1
	if err := save(m.tx, queueList.item(i), e); err != nil {
		return waiting, err
	}
	frozen, err := counter(m.tx, frozenKey(chain, offender))
	if err != nil {
		return waiting, err
	}
	setCounter(m.tx, frozenKey(chain, offender), frozen-1)
	return finished, nil
}

// start fixes the penalties of an execution that has none yet: what comes to light from
// now on queues another one. All offenders of the chain are looked at for it, which the
// epoch spends like as many liens. It returns the offender, nil for a backstop, whose Draw
// is fixed from the beginning.
func (m *machine) start(e *Execution, spent *Spent) (*Offender, error) {
	if AccountID(e.Account) == Backstop {
		return nil, nil
	}
	chain, offender := string(e.Chain), AccountID(e.Account)
	off, err := must[Offender](m.tx, offenderKey(chain, offender))
	if err != nil || len(e.Penalties) > 0 {
		return off, err
	}
	_, all, err := offenders(m.tx, chain)
	if err != nil {
		return nil, err
	}
	spent.Slashes += uint64(len(all)) - 1 // he has his own liens
	q := newSeverities(all, m.params.Correlation)
	for _, o := range off.Offences {
		o.Penalty = o.Penalty.fraction().atLeast(q.penalty(&m.params.Penalty, o)).record()
		e.Penalties = append(e.Penalties, o.Penalty)
	}
	off.Queued = 0
	return off, save(m.tx, offenderKey(chain, offender), off)
}

// due is what a part owes in all, and what that was computed from.
type due struct {
	debt, captured *uint256.Int
	ratio          uint64
}

// charge is one offence as a part answers for it.
type charge struct {
	captured *uint256.Int
	penalty  fraction
}

// worst is the largest ⌊min(penalty, r)·captured⌋ over all offences (DESIGN §3.2).
func worst(charges []charge, ratio uint64) due {
	d, limit := due{debt: zero(), captured: zero()}, ratioFraction(ratio)
	for _, c := range charges {
		f := c.penalty.atMost(limit)
		if x := f.of(c.captured); x.Gt(d.debt) {
			d = due{debt: x, captured: c.captured, ratio: f.scaled()}
		}
	}
	return d
}

// owes is what an execution says that a part owes: of an offender by his offences, of a
// backstop, where off is nil, by its draw.
func (e *Execution) owes(off *Offender) func(*lien, *part) due {
	if off == nil {
		return e.Draw.due
	}
	charges := make([]charge, len(e.Penalties))
	for i, penalty := range e.Penalties {
		charges[i].penalty = penalty.fraction()
	}
	return func(l *lien, p *part) due {
		for i := range charges {
			charges[i].captured = off.captured(off.Offences[i], p)
		}
		return worst(charges, l.ratio)
	}
}

// slash takes from one part what it owes beyond what was taken before.
func (m *machine) slash(account AccountID, chain string, offender AccountID, fault [32]byte, owes func(*lien, *part) due) error {
	v, err := loadVault(m.tx, account)
	if err != nil {
		return err
	}
	if v == nil {
		return damaged("account %v has a lien and is missing", account)
	}
	l := v.lien(chain)
	if l == nil || l.part(offender) == nil {
		return damaged("account %v is listed behind %v of %s and has no lien", account, offender, chain)
	}
	p := l.part(offender)
	owed := owes(l, p)
	if !owed.debt.Gt(&p.taken) {
		return nil
	}
	take := new(uint256.Int).Sub(owed.debt, &p.taken)
	if take.Gt(v.collateral) { // I2 covers every debt; a rule that broke it must not mint
		take = v.collateral.Clone()
	}
	before := p.taken
	v.collateral.Sub(v.collateral, take)
	p.slashed.Add(&p.slashed, take)
	p.taken.Add(&p.taken, take)
	if offender == Backstop {
		p.draw(m.epoch)
	}
	if err := m.saveVault(v, false); err != nil {
		return err
	}
	rec := &Slash{
		Fault: fault, Account: account, Consumer: []byte(chain), Validator: offender,
		Captured: NewAmount(owed.captured), Ratio: owed.ratio, Amount: NewAmount(take), Epoch: m.epoch,
	}
	if offender == Backstop {
		return m.compensate(rec, take)
	}
	reward, err := m.reward(account, chain, offender, &before, &p.taken, fault)
	if err != nil {
		return err
	}
	rec.Reward = NewAmount(reward)
	return m.burn(rec, new(uint256.Int).Sub(take, reward))
}

// burn destroys collateral that was taken from a vault, and records the slash.
func (m *machine) burn(rec *Slash, burned *uint256.Int) error {
	rec.Burned = NewAmount(burned)
	if err := m.recordSlash(rec); err != nil {
		return err
	}
	return m.totals(func(meta *Meta) {
		meta.Collateral = NewAmount(new(uint256.Int).Sub(Amount(meta.Collateral).Int(), burned))
		meta.Burned = NewAmount(new(uint256.Int).Add(Amount(meta.Burned).Int(), burned))
	})
}

func (m *machine) recordSlash(rec *Slash) error {
	n, err := slashList.length(m.tx)
	if err != nil {
		return err
	}
	if err := save(m.tx, slashList.item(n), rec); err != nil {
		return err
	}
	setCounter(m.tx, slashList, n+1)
	return nil
}

// captured is what an offence captures of a part: the largest of what it was in
// the statements that the offence refers to. Statements made after the offender was
// convicted leave him out, so that they gave him no power: what stood behind him then
// is not captured.
func (off *Offender) captured(o *Offence, p *part) *uint256.Int {
	largest := zero()
	for _, ref := range []uint64{o.Reference, o.Later} {
		if ref == 0 || ref-1 >= off.Since {
			continue
		}
		if a := p.at(ref - 1); a.Gt(largest) {
			largest = a
		}
	}
	return largest
}

// reward pays the reporter of the fault his share of what the offender's own stake at
// home lost, and tells how much that was: the share of all that it has lost so far, less
// the share of what it had lost before, so that what is paid in all does not depend on how
// the faults were grouped into executions. A reporter without an account here, or who
// is the offender himself, gets nothing.
func (m *machine) reward(account AccountID, chain string, offender AccountID, before, after *uint256.Int, fault [32]byte) (*uint256.Int, error) {
	if chain != m.spec.ID || account != offender {
		return zero(), nil
	}
	f, err := must[Fault](m.tx, faultKey(fault))
	if err != nil {
		return nil, err
	}
	if AccountID(f.Reporter) == offender {
		return zero(), nil
	}
	v, err := loadVault(m.tx, f.Reporter)
	if err != nil || v == nil {
		return zero(), err
	}
	rate := uint64(m.params.ReporterReward)
	reward := new(uint256.Int).Sub(share(after, rate), share(before, rate))
	v.collateral.Add(v.collateral, reward)
	return reward, m.saveVault(v, false)
}
