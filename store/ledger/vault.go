package ledger

import (
	"bytes"
	"slices"

	"github.com/holiman/uint256"
)

// vault is one account with all its liens, and the rules of DESIGN §3.1 and 3.2.
// It is loaded, changed and saved as a whole.
type vault struct {
	id         AccountID
	account    *Account
	collateral *uint256.Int
	liens      []*lien // sorted by consumer
}

// lien is a Lien in the making.
type lien struct {
	consumer    string
	ratio       uint64
	statedRatio uint64  // as it was loaded
	loaded      *Lien   // the record, nil of a new one
	parts       []*part // sorted by validator
	nominal     uint256.Int
}

// part is a Part in the making. The effective amounts are what counts now; see
// vault.repair.
type part struct {
	validator AccountID
	bonded    uint256.Int // nominal
	unbonding []unbonding // nominal
	slashed   uint256.Int
	taken     uint256.Int
	accepts   uint256.Int // of the backstop; else 0
	captured  []Captured  // the record's own, copied before an entry changes
	drawn     []Drawn     // of the backstop; the record's own, copied before it changes

	effective          uint256.Int // of the whole part
	effectiveBonded    uint256.Int // its share that gives power
	effectiveUnbonding []uint256.Int
}

type unbonding struct {
	amount      uint256.Int
	epoch, time uint64
}

var one = uint256.NewInt(One)

func zero() *uint256.Int { return new(uint256.Int) }

// nominal is the part as the owner's operations made it, less what slashes took:
// max(0, N − S).
func (p *part) nominal() (n uint256.Int) {
	n = p.bonded
	for i := range p.unbonding {
		n.Add(&n, &p.unbonding[i].amount)
	}
	if n.Lt(&p.slashed) {
		return uint256.Int{}
	}
	n.Sub(&n, &p.slashed)
	return n
}

// amount is the effective lien.
func (l *lien) amount() (sum uint256.Int) {
	for _, p := range l.parts {
		sum.Add(&sum, &p.effective)
	}
	return sum
}

// part finds the part behind validator, nil if there is none.
func (l *lien) part(validator AccountID) *part {
	i, ok := slices.BinarySearchFunc(l.parts, validator, func(p *part, v AccountID) int {
		return bytes.Compare(p.validator[:], v[:])
	})
	if !ok {
		return nil
	}
	return l.parts[i]
}

// lien finds the lien to consumer, nil if there is none.
func (v *vault) lien(consumer string) *lien {
	for _, l := range v.liens {
		if l.consumer == consumer {
			return l
		}
	}
	return nil
}

// repair computes the effective liens from nominal amounts, slashes and the
// collateral C alone: with the smallest integer d ≥ 0 for which
//
//	Σ r·min(C, max(0, N − S − d)) ≤ C
//
// the lien is min(C, max(0, N − S − d)), and the cut is spread over its parts in
// proportion to them. It restores I1 and I2 whatever was slashed, in whatever
// order (DESIGN §3.2).
func (v *vault) repair() {
	var largest, limit uint256.Int
	for _, l := range v.liens {
		l.nominal.Clear()
		for _, p := range l.parts {
			n := p.nominal()
			l.nominal.Add(&l.nominal, &n)
		}
		if l.nominal.Gt(&largest) {
			largest = l.nominal
		}
	}
	limit.Mul(v.collateral, one)
	cut := func(n, d *uint256.Int) (r uint256.Int) {
		if n.Gt(d) {
			r.Sub(n, d)
		}
		if r.Gt(v.collateral) {
			r.Set(v.collateral)
		}
		return r
	}
	fits := func(d *uint256.Int) bool {
		var sum, ratio uint256.Int
		for _, l := range v.liens {
			r := cut(&l.nominal, d)
			sum.Add(&sum, r.Mul(&r, ratio.SetUint64(l.ratio)))
		}
		return !sum.Gt(&limit)
	}
	// The sum falls with d: search for the smallest that fits.
	var low, mid uint256.Int
	high := largest
	if fits(&low) {
		if !largest.Gt(v.collateral) { // nothing is cut, as nearly always
			v.assume()
			return
		}
		high = low
	}
	for low.Lt(&high) {
		mid.Sub(&high, &low) // their sum may exceed 256 bits in a state that somebody shows
		mid.Rsh(&mid, 1)
		mid.Add(&mid, &low)
		if fits(&mid) {
			high = mid
		} else {
			low.AddUint64(&mid, 1)
		}
	}
	for _, l := range v.liens {
		weights := make([]uint256.Int, len(l.parts))
		for j, p := range l.parts {
			weights[j] = p.nominal()
		}
		effective := cut(&l.nominal, &high)
		for j, e := range spread(&effective, weights) {
			l.parts[j].divide(e)
		}
	}
}

// divide sets the part's effective amount and its division into bonded and
// unbonding, in proportion to the nominal ones.
func (p *part) divide(effective uint256.Int) {
	if len(p.unbonding) == 0 {
		p.effective, p.effectiveBonded, p.effectiveUnbonding = effective, effective, nil
		return
	}
	weights := make([]uint256.Int, 1+len(p.unbonding))
	weights[0] = p.bonded
	for i := range p.unbonding {
		weights[1+i] = p.unbonding[i].amount
	}
	shares := spread(&effective, weights)
	p.effective, p.effectiveBonded, p.effectiveUnbonding = effective, shares[0], shares[1:]
}

// spread divides total over weights in proportion to them: each gets the floor of
// its share, and the units left go to the largest remainders, the first of equals
// first. No share exceeds its weight if total does not exceed their sum.
func spread(total *uint256.Int, weights []uint256.Int) []uint256.Int {
	var sum uint256.Int
	for i := range weights {
		sum.Add(&sum, &weights[i])
	}
	if sum.IsZero() || sum.Eq(total) { // nothing to divide, or nothing is cut
		return slices.Clone(weights)
	}
	type remainder struct {
		share *uint256.Int
		rest  uint256.Int
	}
	shares, rests := make([]uint256.Int, len(weights)), make([]remainder, len(weights))
	left := *total
	for i := range weights {
		w, share := &weights[i], &shares[i]
		share.MulDivOverflow(total, w, &sum) // total·w may exceed 256 bits, the share does not exceed total
		rests[i].share = share
		rests[i].rest.MulMod(total, w, &sum)
		left.Sub(&left, share)
	}
	slices.SortStableFunc(rests, func(a, b remainder) int { return b.rest.Cmp(&a.rest) })
	for i := 0; !left.IsZero(); i++ {
		rests[i].share.AddUint64(rests[i].share, 1)
		left.SubUint64(&left, 1)
	}
	return shares
}

// assume takes the nominal amounts as the effective ones, so that check tells
// whether they could stand as they are.
func (v *vault) assume() {
	for _, l := range v.liens {
		for _, p := range l.parts {
			p.divide(p.nominal())
		}
	}
}

// over reports whether nothing of the lien is left, nor can be captured.
func (l *lien) over() bool {
	for _, p := range l.parts {
		if !p.over() {
			return false
		}
	}
	return true
}

// over reports whether nothing of the part is left, nor can be captured.
func (p *part) over() bool {
	n := p.nominal()
	return n.IsZero() && (len(p.captured) == 0 || len(p.captured) == 1 && Amount(p.captured[0].Amount).IsZero())
}

// settle makes the effective amounts the nominal ones and forgets the slashes: an
// operation of the owner starts from what counts now.
func (v *vault) settle() {
	for _, l := range v.liens {
		for _, p := range l.parts {
			p.bonded = p.effectiveBonded
			for i := range p.unbonding {
				p.unbonding[i].amount = p.effectiveUnbonding[i]
			}
			p.slashed.Clear()
		}
	}
}

// maxLien is the left side of I1.
func (v *vault) maxLien() *uint256.Int {
	largest := zero()
	for _, l := range v.liens {
		if a := l.amount(); a.Gt(largest) {
			largest.Set(&a)
		}
	}
	return largest
}

// slashable is Σ r·L, scaled by One: the left side of I2.
func (v *vault) slashable() *uint256.Int {
	sum := zero()
	for _, l := range v.liens {
		a := l.amount()
		sum.Add(sum, a.Mul(&a, uint256.NewInt(l.ratio)))
	}
	return sum
}

// claims is Σ of what can still be slashed, scaled by One: per part the larger of
// r·L and the largest r·captured that is not paid yet. Pledge and Withdraw must
// leave it covered (DESIGN §3.2).
func (v *vault) claims() *uint256.Int {
	sum := zero()
	var claim, paid, debt uint256.Int
	for _, l := range v.liens {
		r := uint256.NewInt(l.ratio)
		for _, p := range l.parts {
			claim.Mul(&p.effective, r)
			paid.Mul(&p.taken, one)
			for _, c := range p.captured {
				if debt.Mul(Amount(c.Amount).Int(), r); debt.Gt(&paid) {
					if debt.Sub(&debt, &paid); debt.Gt(&claim) {
						claim = debt
					}
				}
			}
			sum.Add(sum, &claim)
		}
	}
	return sum
}

// free is the collateral that may leave: C − max(max L, ⌈claims⌉), 0 if negative.
func (v *vault) free() *uint256.Int {
	bound := v.maxLien()
	if c := ceil(v.claims()); c.Gt(bound) {
		bound = c
	}
	if bound.Gt(v.collateral) {
		return zero()
	}
	return bound.Sub(v.collateral, bound)
}

// check tells which invariant does not hold, nil if both do.
func (v *vault) check() error {
	if m := v.maxLien(); m.Gt(v.collateral) {
		return refuse(CodeVault, "the largest lien %s exceeds the collateral %s by %s (I1)",
			m.Dec(), v.collateral.Dec(), zero().Sub(m, v.collateral).Dec())
	}
	if c, limit := v.claims(), zero().Mul(v.collateral, one); c.Gt(limit) {
		return refuse(CodeVault, "all liens together can lose %s, more than the collateral %s by %s (I2)",
			scaledText(c), v.collateral.Dec(), scaledText(zero().Sub(c, limit)))
	}
	return nil
}

// at is what the part contributed to the statement of our epoch.
func (p *part) at(epoch uint64) *uint256.Int {
	for i := len(p.captured) - 1; i >= 0; i-- {
		if p.captured[i].Epoch <= epoch {
			return Amount(p.captured[i].Amount).Int()
		}
	}
	return zero()
}

// ceil divides by One, rounding up.
func ceil(scaled *uint256.Int) *uint256.Int {
	q, r := zero(), zero()
	q.DivMod(scaled, one, r)
	if !r.IsZero() {
		q.AddUint64(q, 1)
	}
	return q
}

// share is ⌊amount·ratio⌋ with ratio scaled by One.
func share(amount *uint256.Int, ratio uint64) *uint256.Int {
	s := new(uint256.Int).Mul(amount, uint256.NewInt(ratio))
	return s.Div(s, one)
}
