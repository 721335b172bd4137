package ledger

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// PenaltyRule says how a penalty grows with the severity q, the share of the power
// that was convicted of objective faults within the correlation window (DESIGN §3.5).
// m is the multiplier.
type PenaltyRule uint8

// The rules.
const (
	Flat         PenaltyRule = iota // the base
	Quadratic                       // max(base, min(1, (m·q)²)): with m = 3 Polkadot's equivocation slash
	Proportional                    // max(base, min(1, m·q)): Ethereum's correlated slash, division last
)

var ruleNames = [...]string{"flat", "quadratic", "proportional"}

// String is the rule's name.
func (r PenaltyRule) String() string {
	if int(r) < len(ruleNames) {
		return ruleNames[r]
	}
	return fmt.Sprintf("rule %d", uint8(r))
}

// MarshalText is the rule's name.
func (r PenaltyRule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rule's name.
func (r *PenaltyRule) UnmarshalText(b []byte) error {
	for i, name := range ruleNames {
		if name == string(b) {
			*r = PenaltyRule(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a penalty rule: flat, quadratic or proportional", b)
}

// fraction is num/den, den > 0, not reduced. It is what penalties are until they
// meet an amount, so that the division comes last.
type fraction struct{ num, den *uint256.Int }

func ratioFraction(r uint64) fraction { return fraction{uint256.NewInt(r), one} }

// compare is −1, 0 or 1 as f is below, equal to or above g.
func (f fraction) compare(g fraction) int {
	var a, b uint256.Int
	if _, over := a.MulOverflow(f.num, g.den); !over {
		if _, over = b.MulOverflow(g.num, f.den); !over {
			return a.Cmp(&b)
		}
	}
	x := new(big.Int).Mul(f.num.ToBig(), g.den.ToBig())
	return x.Cmp(new(big.Int).Mul(g.num.ToBig(), f.den.ToBig()))
}

func (f fraction) atLeast(g fraction) fraction {
	if f.compare(g) < 0 {
		return g
	}
	return f
}

func (f fraction) atMost(g fraction) fraction {
	if f.compare(g) > 0 {
		return g
	}
	return f
}

// of is ⌊amount·f⌋ for f ≤ 1.
func (f fraction) of(amount *uint256.Int) *uint256.Int {
	q, _ := new(uint256.Int).MulDivOverflow(amount, f.num, f.den)
	return q
}

// scaled is f as a ratio, rounded down.
func (f fraction) scaled() uint64 { return f.of(one).Uint64() }

func (f fraction) record() Fraction { return Fraction{NewAmount(f.num), NewAmount(f.den)} }

// fraction reads a record; one that was never set is 0.
func (f *Fraction) fraction() fraction {
	if Amount(f.Den).IsZero() {
		return fraction{zero(), one}
	}
	return fraction{Amount(f.Num).Int(), Amount(f.Den).Int()}
}

// penaltyBits bounds the terms of a severity, so that their squares fit in 256 bits.
const penaltyBits = 120

// penalty is what a severity makes of a base.
func (p *Penalty) penalty(base uint64, q fraction) fraction {
	least := ratioFraction(base)
	if p.Rule == Flat {
		return least
	}
	num, den := q.num.Clone(), q.den.Clone()
	if excess := den.BitLen() - penaltyBits; excess > 0 {
		num.Rsh(num, uint(excess))
		den.Rsh(den, uint(excess))
	}
	if limit := new(uint256.Int).Div(den, uint256.NewInt(p.Multiplier)); num.Gt(limit) {
		num = den.Clone() // m·q is above 1
	} else {
		num.Mul(num, uint256.NewInt(p.Multiplier))
	}
	if p.Rule == Quadratic {
		num.Mul(num, num)
		den.Mul(den, den)
	}
	return fraction{num, den}.atLeast(least)
}

// base is what the least offence of a kind costs, scaled by One.
func (p *Penalty) base(kind attest.FaultKind) uint64 {
	switch kind {
	case attest.FaultDoubleVote:
		return uint64(p.DoubleVote)
	case attest.FaultConsensusEquivocation, attest.FaultLightClientAttack, attest.FaultEthereumSlashing:
		return uint64(p.Equivocation)
	case attest.FaultInvalidTransition, attest.FaultInvalidOperations:
		return uint64(p.Transition)
	}
	return One
}

// Base is what the least offence of a kind, by its name, costs.
func (p *Penalty) Base(kind string) Ratio {
	for k := attest.FaultDoubleVote; k <= attest.FaultEthereumSlashing; k++ {
		if k.String() == kind {
			return Ratio(p.base(k))
		}
	}
	return One
}

// least is the smallest base of any kind.
func (p *Penalty) least() uint64 { return uint64(min(p.DoubleVote, p.Equivocation, p.Transition)) }

// share is the part of the power that the offender held in the epoch of o.
func (o *Offence) share() fraction { return fraction{Amount(o.Power).Int(), Amount(o.Total).Int()} }

// severities are those of the offences of one chain. What all offenders did is sorted
// once, and offences of one moment share a result: a proof can convict hundreds who have
// dozens of older offences each, and whoever is convicted by it asks for all of theirs.
type severities struct {
	window    Window
	byEpoch   []sharedAt // all offences, in this order
	byTime    []sharedAt // and in this
	offenders int
	known     map[severityAt]fraction
}

// severityAt is what a severity is asked for.
type severityAt struct {
	epoch, time uint64
	up          bool
}

// sharedAt is an offence as a severity sees it.
type sharedAt struct {
	epoch, time uint64
	offender    int // index among all
	share       fraction
}

func newSeverities(all []*Offender, window Window) *severities {
	s := &severities{window: window, offenders: len(all), known: map[severityAt]fraction{}}
	for i, off := range all {
		for _, o := range off.Offences {
			s.byEpoch = append(s.byEpoch, sharedAt{o.Epoch, o.Time, i, o.share()})
		}
	}
	s.byTime = slices.Clone(s.byEpoch)
	slices.SortFunc(s.byEpoch, func(a, b sharedAt) int { return cmp.Compare(a.epoch, b.epoch) })
	slices.SortFunc(s.byTime, func(a, b sharedAt) int { return cmp.Compare(a.time, b.time) })
	return s
}

// at is q of an offence: the sum over distinct offenders of their largest share of
// the power in an offence within ± the window of it (DESIGN §3.5). Shares
// of one total are added before anything is divided; where totals differ, each share
// is scaled by One and rounded down, or up if that is asked for.
func (s *severities) at(epoch, time uint64, up bool) fraction {
	key := severityAt{epoch, time, up}
	q, ok := s.known[key]
	if !ok {
		q = sumShares(s.near(epoch, time), up)
		s.known[key] = q
	}
	return q
}

// near are the largest shares of those who offended near a moment, nil of the others.
func (s *severities) near(epoch, time uint64) []*fraction {
	largest := make([]*fraction, s.offenders)
	within := func(sorted []sharedAt, at, window uint64, place func(*sharedAt) uint64) {
		i, _ := slices.BinarySearchFunc(sorted, at-min(at, window), func(a sharedAt, b uint64) int { return cmp.Compare(place(&a), b) })
		for ; i < len(sorted) && distance(place(&sorted[i]), at) <= window; i++ {
			x := &sorted[i]
			if l := largest[x.offender]; l == nil || x.share.exceeds(l) {
				largest[x.offender] = &x.share
			}
		}
	}
	within(s.byEpoch, epoch, s.window.Epochs, func(x *sharedAt) uint64 { return x.epoch })
	within(s.byTime, time, uint64(s.window.Time), func(x *sharedAt) uint64 { return x.time })
	return largest
}

// exceeds orders shares of the power, equal ones by their totals, so that which of them
// counts does not depend on which was recorded first.
func (f *fraction) exceeds(g *fraction) bool {
	if f.den.Eq(g.den) {
		return f.num.Gt(g.num)
	}
	c := f.compare(*g)
	return c > 0 || c == 0 && f.den.Lt(g.den)
}

func sumShares(shares []*fraction, up bool) fraction {
	shares = slices.DeleteFunc(shares, func(s *fraction) bool { return s == nil })
	if len(shares) == 0 {
		return fraction{zero(), one}
	}
	sum, total, same := zero(), shares[0].den, true
	for _, s := range shares {
		same = same && s.den.Eq(total)
		if _, over := sum.AddOverflow(sum, s.num); over { // powers of a set stay below 2^250, those of many epochs may not
			sum.SetAllOne()
		}
	}
	if same {
		return fraction{sum, total}
	}
	sum.Clear()
	for _, s := range shares {
		sum.Add(sum, s.of(one))
		if up {
			sum.AddUint64(sum, 1)
		}
	}
	return fraction{sum, one}
}

// penalty is what an offence costs by a rule.
func (s *severities) penalty(p *Penalty, o *Offence) fraction {
	return p.penalty(p.base(attest.FaultKind(o.Kind)), s.at(o.Epoch, o.Time, false))
}

func distance(a, b uint64) uint64 { return max(a, b) - min(a, b) }
