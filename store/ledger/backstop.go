package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// The backstop is the third layer of the waterfall (DESIGN §3.5): what providers lent
// to a chain as a whole, drawn when a third of its power was convicted. Each ledger
// writes down in its Cover what stands behind its chain; when the chain fails, its
// providers' ledgers have that record proven from the checkpoint that captures, wait
// until the evidence age has passed, so that all offenders are known, and then draw on
// every backstop in proportion.
//
// A third that offended in several epochs failed several times, each time with what stood
// behind the chain then: which of them comes to light first decides nothing. A backstop
// pays the largest of what these failures ask for.

// settlesPerStep bounds the failures that one step gives up.
const settlesPerStep = 16

// openFailure begins the failure of a peer around an offence in one of its epochs, about the
// checkpoint that captures. There is one for each.
func (m *machine) openFailure(chain string, checkpoint uint64, fault [32]byte, at moment) error {
	if _, err := failureList(chain).push(m.tx, binary.LittleEndian.AppendUint64(nil, checkpoint)); err != nil {
		return err
	}
	return save(m.tx, failureKey(chain, checkpoint), &Failure{
		Fault: fault, Epoch: at.epoch, Since: at.time, Recorded: m.epoch, Time: m.now, Checkpoint: checkpoint,
	})
}

// failures are those of a chain from the i-th on, at most n of them.
func failures(v View, chain string, i, n uint64) (out []*Failure, err error) {
	length, err := failureList(chain).length(v)
	if err != nil {
		return nil, err
	}
	for ; i < length && uint64(len(out)) < n; i++ {
		checkpoint, err := counter(v, failureList(chain).item(i))
		if err != nil {
			return nil, err
		}
		f, err := must[Failure](v, failureKey(chain, checkpoint))
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// failing reports whether a failure of a chain is not settled yet.
func failing(v View, chain string) (bool, error) {
	settled, err := counter(v, settledKey(chain))
	if err != nil {
		return false, err
	}
	n, err := failureList(chain).length(v)
	return settled < n, err
}

// proveCover brings the Cover of a failed chain.
func (m *machine) proveCover(p *ProveCover) error {
	chain := string(p.Chain)
	if _, err := m.peer(chain); err != nil {
		return err
	}
	f, err := load[Failure](m.tx, failureKey(chain, p.Checkpoint))
	switch {
	case err != nil:
		return err
	case f == nil:
		return refuse(CodeUnknown, "no failure of %s is about epoch %d", chain, p.Checkpoint)
	case f.Covered != 0:
		return refuse(CodeDuplicate, "the cover of %s at epoch %d is proven already", chain, p.Checkpoint)
	case f.Settled != 0:
		return refuse(CodeExpired, "the cover of %s at epoch %d was not proven in time", chain, p.Checkpoint)
	}
	cp, err := load[PeerCheckpoint](m.tx, checkpointKey(chain, f.Checkpoint))
	if err != nil {
		return err
	}
	if cp == nil {
		return damaged("checkpoint %d of %s, which a failure names, is missing", f.Checkpoint, chain)
	}
	cover := new(Cover)
	if f.Checkpoint > 0 { // a genesis checkpoint has no ledger root, and nothing stood behind it
		value, present, err := proven(cp.LedgerRoot, CoverKey, p.Proof)
		if err != nil {
			return err
		}
		if present && cover.UnmarshalSSZ(value) != nil {
			return refuse(CodeInvalid, "the proven record is not a cover")
		}
	} else if len(p.Proof) != 0 {
		return refuse(CodeMalformed, "nothing is to be proven of epoch 0")
	}
	f.Covered = 1
	for _, s := range cover.Statements { // what the pool counts is what is captured
		if string(s.Provider) == m.spec.ID {
			f.Reference = s.Epoch + 1
		}
	}
	if err := save(m.tx, failureCoverKey(chain, f.Checkpoint), cover); err != nil {
		return err
	}
	return save(m.tx, failureKey(chain, f.Checkpoint), f)
}

// settleFailure settles the next failures of a chain, in their order: it queues the
// execution of the backstops of one, once nothing can be added to the offences that count
// and that of the one before has finished, so that other slashes have their turn between
// two; and it gives up those whose Cover nobody could prove in one unbonding time, so
// that they lock nothing for ever.
func (m *machine) settleFailure(chain string) error {
	settled, err := counter(m.tx, settledKey(chain))
	if err != nil {
		return err
	}
	next, err := failures(m.tx, chain, settled, settlesPerStep)
	if err != nil {
		return err
	}
	for i, f := range next {
		wait := m.params.EvidenceAge
		if f.Covered == 0 {
			wait = m.params.Unbonding
		}
		if !wait.Passed(f.Recorded, f.Time, m.epoch, m.now) {
			return nil
		}
		if f.Covered != 0 {
			if running, err := counter(m.tx, frozenKey(chain, Backstop)); err != nil || running > 0 {
				return err
			}
		}
		f.Settled = 1
		if err := save(m.tx, failureKey(chain, f.Checkpoint), f); err != nil {
			return err
		}
		setCounter(m.tx, settledKey(chain), settled+uint64(i)+1)
		if f.Covered != 0 {
			return m.drawBackstops(chain, f)
		}
	}
	return nil
}

// drawBackstops queues the execution of the backstops behind a chain.
func (m *machine) drawBackstops(chain string, f *Failure) error {
	cover, err := must[Cover](m.tx, failureCoverKey(chain, f.Checkpoint))
	if err != nil {
		return err
	}
	paid, err := m.crossStakePays(chain, f, cover)
	if err != nil {
		return err
	}
	return m.queue(&Execution{
		Chain: []byte(chain), Account: Backstop, Fault: f.Fault, Epoch: f.Recorded, Time: f.Time,
		Draw: Draw{Reference: f.Reference, Covered: cover.Value, Paid: NewAmount(paid), Pool: cover.Pool},
	})
}

// crossStakePays is F: what the cross-stake on the offenders of a failure pays. A
// statement says Σ v and Σ r·v of a validator, so that Σ min(penalty, r)·v is taken as
// min(penalty·Σ v, Σ r·v): exact when the penalty reaches every ratio, as the
// quadratic rule's does for a third, and otherwise more, which spares the backstops.
func (m *machine) crossStakePays(chain string, f *Failure, cover *Cover) (*uint256.Int, error) {
	ids, all, err := offenders(m.tx, chain)
	if err != nil {
		return nil, err
	}
	sum, q := zero(), newSeverities(all, m.params.Correlation)
	for i, off := range all {
		i, found := slices.BinarySearchFunc(cover.Entries, ids[i], func(e *CoverEntry, v AccountID) int {
			return bytes.Compare(e.Validator[:], v[:])
		})
		if !found {
			continue
		}
		var worst fraction
		counts := false
		for _, o := range off.Offences {
			if m.params.Correlation.Near(f.Epoch, f.Since, o.Epoch, o.Time) {
				p := q.penalty(&m.params.Penalty, o)
				if !counts || p.compare(worst) > 0 {
					worst, counts = p, true
				}
			}
		}
		if !counts {
			continue
		}
		e := cover.Entries[i]
		pays := worst.of(Amount(e.Virtual).Int())
		if limit := Amount(e.Slashable).Int(); pays.Gt(limit) {
			pays = limit
		}
		sum.Add(sum, pays)
	}
	return sum, nil
}

// captured is what a draw captures of a backstop.
func (d *Draw) captured(p *part) *uint256.Int {
	if d.Reference == 0 {
		return zero()
	}
	return p.at(d.Reference - 1)
}

// due is what a backstop pays in all: ⌊clamp((min(V, accepted) − F)/B, 0, 1)·r·captured⌋, and
// what draws had taken before that was captured, which they left out of it.
func (d *Draw) due(l *lien, p *part) due {
	owed := due{debt: zero(), captured: d.captured(p)}
	gap := Amount(d.Covered).Int()
	if p.accepts.Lt(gap) {
		gap.Set(&p.accepts)
	}
	paid, pool := Amount(d.Paid).Int(), Amount(d.Pool).Int()
	if !gap.Gt(paid) || pool.IsZero() {
		return owed
	}
	share := fraction{gap.Sub(gap, paid), pool}.atMost(ratioFraction(One))
	// r·captured stays below 2^220, so that only the division at the end rounds.
	owed.debt = share.of(new(uint256.Int).Mul(owed.captured, uint256.NewInt(l.ratio)))
	owed.debt.Div(owed.debt, one)
	if !owed.debt.IsZero() {
		owed.debt.Add(owed.debt, p.drawnBy(d.Reference-1))
	}
	owed.ratio = share.of(uint256.NewInt(l.ratio)).Uint64()
	return owed
}

// compensate moves what a backstop paid into the escrow for its consumer, and records
// the slash.
func (m *machine) compensate(rec *Slash, take *uint256.Int) error {
	rec.Compensation = NewAmount(take)
	if err := m.recordSlash(rec); err != nil {
		return err
	}
	if err := m.moveEscrow(string(rec.Consumer), func(held *uint256.Int) { held.Add(held, take) }); err != nil {
		return err
	}
	return m.totals(func(meta *Meta) {
		meta.Collateral = NewAmount(new(uint256.Int).Sub(Amount(meta.Collateral).Int(), take))
		meta.Escrow = NewAmount(new(uint256.Int).Add(Amount(meta.Escrow).Int(), take))
	})
}

func (m *machine) moveEscrow(consumer string, change func(*uint256.Int)) error {
	held, err := escrow(m.tx, consumer)
	if err != nil {
		return err
	}
	change(held)
	a := NewAmount(held)
	m.tx.set(escrowKey(consumer), a[:])
	return nil
}

// escrow is what waits for the authority to pay it out on behalf of consumer.
func escrow(v View, consumer string) (*uint256.Int, error) {
	b, ok, err := v.Get(escrowKey(consumer))
	if err != nil || !ok {
		return zero(), err
	}
	if len(b) != len(Amount{}) {
		return nil, damaged("the escrow for %s is not an amount", consumer)
	}
	return Amount(b).Int(), nil
}

// releaseEscrow pays compensation out, into an account of this ledger.
func (m *machine) releaseEscrow(r *ReleaseEscrow) error {
	consumer, amount := string(r.Consumer), Amount(r.Amount).Int()
	held, err := escrow(m.tx, consumer)
	if err != nil {
		return err
	}
	if amount.IsZero() || amount.Gt(held) {
		return refuse(CodeVault, "the escrow for %s holds %s, %s can't be released", consumer, held.Dec(), amount.Dec())
	}
	v, err := m.openAccount(r.Account)
	if err != nil {
		return err
	}
	v.collateral.Add(v.collateral, amount)
	if err := m.saveVault(v, true); err != nil {
		return err
	}
	if err := m.moveEscrow(consumer, func(held *uint256.Int) { held.Sub(held, amount) }); err != nil {
		return err
	}
	return m.totals(func(meta *Meta) {
		meta.Escrow = NewAmount(new(uint256.Int).Sub(Amount(meta.Escrow).Int(), amount))
		meta.Collateral = NewAmount(new(uint256.Int).Add(Amount(meta.Collateral).Int(), amount))
	})
}

// writeCover writes this chain's Cover, if it changed. Its entries are about the set of
// the next epoch.
func (m *machine) writeCover(set *attest.ValidatorSet) error {
	own, err := ownStake(m.tx, m.spec.ID)
	if err != nil {
		return err
	}
	cover := &Cover{Value: m.params.CoveredValue}
	pool := zero()
	entries := map[AccountID]*CoverEntry{}
	for _, chain := range m.chains {
		in, terms, err := counting(m.tx, m.params, chain, m.now)
		if err != nil {
			return err
		}
		if in == nil {
			continue
		}
		virtual, slashable, backstop := convert(&in.Statement, terms, own)
		pool.Add(pool, backstop)
		cover.Statements = append(cover.Statements, Counted{[]byte(chain), in.Epoch})
		for id, x := range virtual {
			e := entries[id]
			if e == nil {
				e = &CoverEntry{Validator: id}
				entries[id] = e
			}
			e.Virtual = NewAmount(x.Add(x, Amount(e.Virtual).Int()))
			e.Slashable = NewAmount(new(uint256.Int).Add(slashable[id], Amount(e.Slashable).Int()))
		}
	}
	cover.Pool = NewAmount(pool)
	for _, v := range set.Validators {
		if e := entries[v.Account]; e != nil {
			cover.Entries = append(cover.Entries, e)
		}
	}
	slices.SortFunc(cover.Entries, func(a, b *CoverEntry) int { return bytes.Compare(a.Validator[:], b.Validator[:]) })
	b, err := cover.MarshalSSZ()
	if err != nil {
		return err
	}
	old, _, err := m.tx.Get(CoverKey)
	if err != nil || bytes.Equal(old, b) {
		return err
	}
	m.tx.set(CoverKey, b)
	return nil
}

// state is one word for a failure that is on its way to be settled.
func (f *Failure) state() string {
	switch {
	case f.Settled != 0 && f.Covered == 0:
		return "given up"
	case f.Settled != 0:
		return "settled"
	case f.Covered != 0:
		return "frozen"
	}
	return "unproven"
}
