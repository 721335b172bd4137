package ledger

import (
	"bytes"
	"slices"
	"strings"

	"github.com/holiman/uint256"
)

// maxHistory is how many changes of a part are kept for capture; Part.Captured
// holds no more.
const maxHistory = 64

// maxEntries is how many validators a statement names; Statement.Entries holds no more.
const maxEntries = 512

// loadVault reads an account and its liens; nil if there is no such account.
func loadVault(v View, id AccountID) (*vault, error) {
	a, err := load[Account](v, accountKey(id))
	if err != nil || a == nil {
		return nil, err
	}
	out := &vault{id: id, account: a, collateral: Amount(a.Collateral).Int()}
	liens := make([]lien, len(a.Consumers))
	out.liens = make([]*lien, len(liens))
	for i, name := range a.Consumers {
		rec, err := must[Lien](v, lienKey(id, string(name.ID)))
		if err != nil {
			return nil, err
		}
		liens[i] = decodeLien(string(name.ID), rec)
		out.liens[i] = &liens[i]
	}
	out.repair()
	return out, nil
}

func decodeLien(consumer string, rec *Lien) lien {
	l := lien{consumer: consumer, ratio: rec.Ratio, statedRatio: rec.Ratio, loaded: rec, parts: make([]*part, len(rec.Parts))}
	for i := range rec.Parts {
		r := &rec.Parts[i]
		p := &part{
			validator: r.Validator,
			bonded:    *Amount(r.Bonded).Int(),
			slashed:   *Amount(r.Slashed).Int(),
			taken:     *Amount(r.Taken).Int(),
			accepts:   *Amount(r.Accepts).Int(),
			unbonding: make([]unbonding, len(r.Unbonding)),
			captured:  r.Captured,
			drawn:     r.Drawn,
		}
		for j, u := range r.Unbonding {
			p.unbonding[j] = unbonding{*Amount(u.Amount).Int(), u.Epoch, u.Time}
		}
		l.parts[i] = p
	}
	return l
}

// unchanged reports whether encodeLien would make the record that was loaded.
func (l *lien) unchanged() bool {
	if l.loaded == nil || l.ratio != l.loaded.Ratio || len(l.parts) != len(l.loaded.Parts) {
		return false
	}
	for i, p := range l.parts {
		if !p.is(&l.loaded.Parts[i]) {
			return false
		}
	}
	return true
}

// is reports whether p is what r records.
func (p *part) is(r *Part) bool {
	if p.validator != r.Validator || len(p.unbonding) != len(r.Unbonding) || !slices.Equal(p.captured, r.Captured) || !slices.Equal(p.drawn, r.Drawn) ||
		NewAmount(&p.bonded) != r.Bonded || NewAmount(&p.slashed) != r.Slashed ||
		NewAmount(&p.taken) != r.Taken || NewAmount(&p.accepts) != r.Accepts {
		return false
	}
	for i, u := range p.unbonding {
		if s := r.Unbonding[i]; NewAmount(&u.amount) != s.Amount || u.epoch != s.Epoch || u.time != s.Time {
			return false
		}
	}
	return true
}

func encodeLien(l *lien) *Lien {
	rec := &Lien{Ratio: l.ratio, Parts: make([]Part, len(l.parts))}
	for i, p := range l.parts {
		r := Part{
			Validator: p.validator,
			Bonded:    NewAmount(&p.bonded),
			Slashed:   NewAmount(&p.slashed),
			Taken:     NewAmount(&p.taken),
			Accepts:   NewAmount(&p.accepts),
			Unbonding: make([]Unbonding, len(p.unbonding)),
			Captured:  p.captured,
			Drawn:     p.drawn,
		}
		for j, u := range p.unbonding {
			r.Unbonding[j] = Unbonding{NewAmount(&u.amount), u.epoch, u.time}
		}
		rec.Parts[i] = r
	}
	return rec
}

// lienFor finds or makes the lien to consumer.
func (v *vault) lienFor(consumer string, ratio uint64) *lien {
	if l := v.lien(consumer); l != nil {
		return l
	}
	l := &lien{consumer: consumer, ratio: ratio}
	i, _ := slices.BinarySearchFunc(v.liens, consumer, func(l *lien, c string) int { return strings.Compare(l.consumer, c) })
	v.liens = slices.Insert(v.liens, i, l)
	v.account.Consumers = slices.Insert(v.account.Consumers, i, Name{ID: []byte(consumer)})
	return l
}

// partFor finds or makes the part behind validator; made tells which.
func (l *lien) partFor(validator AccountID) (p *part, made bool) {
	if p := l.part(validator); p != nil {
		return p, false
	}
	p = &part{validator: validator}
	i, _ := slices.BinarySearchFunc(l.parts, validator, func(p *part, v AccountID) int {
		return bytes.Compare(p.validator[:], v[:])
	})
	l.parts = slices.Insert(l.parts, i, p)
	return p, true
}

// saveVault repairs v and writes it: the account, its liens, the history of every
// part whose bonded amount changed, and the statements that these amounts are in.
// byOwner refuses a change that the history or a statement has no room for. A slash can't
// be refused: it merges the two oldest entries into one that captures the larger amount,
// and gives up what has no line in a statement.
func (m *machine) saveVault(v *vault, byOwner bool) error {
	v.repair()
	if !byOwner {
		if err := m.giveUp(v); err != nil {
			return err
		}
	}
	for _, l := range v.liens {
		for _, p := range l.parts {
			same := NewAmount(&p.effectiveBonded) == p.stated()
			if same && l.ratio == l.statedRatio {
				continue
			}
			if err := m.restate(l, p); err != nil {
				return err
			}
			if same {
				continue
			}
			if err := m.remember(l.consumer, p, byOwner); err != nil {
				return err
			}
		}
		if l.unchanged() {
			continue
		}
		if err := save(m.tx, lienKey(v.id, l.consumer), encodeLien(l)); err != nil {
			return err
		}
	}
	v.account.Collateral = NewAmount(v.collateral)
	return save(m.tx, accountKey(v.id), v.account)
}

// giveUp releases at once what came back to a part of which nothing was left, if the
// statement has no line for it: it gave no power, so that nothing of it can be captured.
// More collateral brings such a part back, and so can the rounding of a cut.
func (m *machine) giveUp(v *vault) error {
	for {
		given := false
		for _, l := range v.liens {
			lines := 0 // that the parts of l need
			for _, p := range l.parts {
				if p.effectiveBonded.IsZero() || p.stated() != (Amount{}) {
					continue
				}
				st, err := m.statement(l.consumer)
				if err != nil {
					return err
				}
				if _, found := st.line(p.validator); found {
					continue
				}
				if lines++; len(st.Entries)+lines > maxEntries {
					p.bonded.Clear()
					given = true
				}
			}
		}
		if !given {
			return nil
		}
		v.repair()
	}
}

// remember appends the part's bonded amount to its history.
func (m *machine) remember(consumer string, p *part, byOwner bool) error {
	entry := Captured{m.epoch, m.now, NewAmount(&p.effectiveBonded)}
	if n := len(p.captured); n > 0 && p.captured[n-1].Epoch == m.epoch {
		p.captured = append(p.captured[:n-1:n-1], entry)
		return nil
	}
	if err := p.forget(m.maturity(), consumer); err != nil {
		return err
	}
	p.captured = append(slices.Clip(p.captured), entry)
	if n := len(p.captured); n > maxHistory {
		if byOwner {
			return refuse(CodeLimit, "this part changed in %d epochs within the unbonding time: wait", maxHistory)
		}
		first, second := p.captured[0], &p.captured[1]
		if Amount(first.Amount).Int().Gt(Amount(second.Amount).Int()) {
			second.Amount = first.Amount
		}
		second.Epoch, second.Time = first.Epoch, first.Time
		p.captured = p.captured[1:]
	}
	return nil
}

// maxDrawn is how many draws of a backstop are told apart; Part.Drawn holds no more.
const maxDrawn = 16

// draw writes down what has been taken of a backstop by now.
func (p *part) draw(epoch uint64) {
	kept := p.drawn
	if n := len(kept); n > 0 && kept[n-1].Epoch == epoch {
		kept = kept[:n-1]
	}
	p.drawn = append(slices.Clip(kept), Drawn{epoch, NewAmount(&p.taken)})
	if len(p.drawn) > maxDrawn {
		p.drawn = p.drawn[1:]
	}
}

// drawnBy is what had been taken of a backstop when the statement of our epoch was made.
func (p *part) drawnBy(epoch uint64) *uint256.Int {
	for i := len(p.drawn) - 1; i >= 0; i-- {
		if p.drawn[i].Epoch <= epoch {
			return Amount(p.drawn[i].Taken).Int()
		}
	}
	return zero()
}

// stated is what the part contributes to its statement as it was loaded.
func (p *part) stated() Amount {
	if n := len(p.captured); n > 0 {
		return p.captured[n-1].Amount
	}
	return Amount{}
}

// restate brings the part's bonded amount and ratio into the statement about the
// lien's consumer. A tombstoned validator stays out of it.
func (m *machine) restate(l *lien, p *part) error {
	if off, err := load[Offender](m.tx, offenderKey(l.consumer, p.validator)); err != nil || off != nil {
		return err
	}
	st, err := m.statement(l.consumer)
	if err != nil {
		return err
	}
	i, found := st.line(p.validator)
	if !found {
		if len(st.Entries) == maxEntries {
			return refuse(CodeLimit, "the statement about %s already names %d validators", l.consumer, maxEntries)
		}
		st.Entries = slices.Insert(st.Entries, i, Entry{Validator: p.validator})
	}
	e := &st.Entries[i]
	move := func(field *[32]byte, from, to *uint256.Int) {
		x := Amount(*field).Int()
		*field = NewAmount(x.Sub(x.Add(x, to), from))
	}
	before := p.stated().Int()
	move(&e.Amount, before, &p.effectiveBonded)
	move(&e.Slashable, share(before, l.statedRatio), share(&p.effectiveBonded, l.ratio))
	move(&st.Amount, before, &p.effectiveBonded)
	if Amount(e.Amount).IsZero() {
		st.Entries = slices.Delete(st.Entries, i, i+1)
	}
	return save(m.tx, StatementKey(l.consumer), st)
}

// line finds the entry of a validator, or where it would be.
func (st *Statement) line(validator AccountID) (i int, found bool) {
	return slices.BinarySearchFunc(st.Entries, validator, func(e Entry, v AccountID) int {
		return bytes.Compare(e.Validator[:], v[:])
	})
}

// statement reads the statement about consumer, an empty one if there is none.
func (m *machine) statement(consumer string) (*Statement, error) {
	st, err := load[Statement](m.tx, StatementKey(consumer))
	if err == nil && st == nil {
		st = &Statement{Provider: []byte(m.spec.ID), Consumer: []byte(consumer)}
	}
	return st, err
}

// unstate removes a tombstoned validator from the statement about its chain.
func (m *machine) unstate(consumer string, validator AccountID) error {
	st, err := m.statement(consumer)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(st.Entries, func(e Entry) bool { return e.Validator == validator })
	if i < 0 {
		return nil
	}
	sum := Amount(st.Amount).Int()
	st.Amount = NewAmount(sum.Sub(sum, Amount(st.Entries[i].Amount).Int()))
	st.Entries = slices.Delete(st.Entries, i, i+1)
	return save(m.tx, StatementKey(consumer), st)
}
