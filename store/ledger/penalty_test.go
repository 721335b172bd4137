package ledger

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/holiman/uint256"
	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

func frac(num, den uint64) fraction { return fraction{uint256.NewInt(num), uint256.NewInt(den)} }

// Polkadot's rule min(1, (3k/n)²), as its documentation gives it for n = 100.
func TestQuadraticPenaltyIsPolkadots(t *testing.T) {
	rule := Penalty{Rule: Quadratic, Multiplier: 3}
	for k, want := range map[uint64]string{1: "0.0009", 10: "0.09", 33: "0.9801", 34: "1", 100: "1"} {
		if got := Ratio(rule.penalty(0, frac(k, 100)).scaled()).String(); got != want {
			t.Errorf("%d of 100: %s, want %s", k, got, want)
		}
	}
	// One of three equal validators: exactly everything, which a rounded share would miss.
	if got := rule.penalty(0, frac(1, 3)); got.of(uint256.NewInt(1_000_003)).Uint64() != 1_000_003 {
		t.Errorf("a third costs %v/%v", got.num, got.den)
	}
}

func TestFlatPenaltyIsTheBase(t *testing.T) {
	rule := Penalty{Rule: Flat, Multiplier: 3}
	for _, k := range []uint64{1, 50, 100} {
		if got := rule.penalty(One/20, frac(k, 100)).scaled(); got != One/20 {
			t.Errorf("%d of 100: %v", k, Ratio(got))
		}
	}
}

// process_slashings of the Ethereum consensus specification takes
// balance · min(m·slashed, total) / total, there in steps of one increment. With the
// division last nothing is lost on the way: 32 of 3200 at m = 3 loses 0.96 and not 0.
func TestProportionalPenaltyDividesLast(t *testing.T) {
	const gwei = 1_000_000_000
	for _, x := range []struct{ balance, slashed, total, multiplier, want uint64 }{
		{32 * gwei, 32 * gwei, 3200 * gwei, 3, 960_000_000},
		{32 * gwei, 32 * gwei, 3200 * gwei, 1, 320_000_000},
		{32 * gwei, 1024 * gwei, 3200 * gwei, 3, 30_720_000_000},
		{32 * gwei, 1067 * gwei, 3200 * gwei, 3, 32 * gwei},
		{7, 1, 3, 1, 2},
		{3, 1, 3, 1, 1}, // a share rounded to 18 digits would give 0
	} {
		rule := Penalty{Rule: Proportional, Multiplier: x.multiplier}
		if got := rule.penalty(0, frac(x.slashed, x.total)).of(uint256.NewInt(x.balance)).Uint64(); got != x.want {
			t.Errorf("%+v: %d", x, got)
		}
	}
}

func TestBaseIsTheLeastPenalty(t *testing.T) {
	for _, rule := range []PenaltyRule{Flat, Quadratic, Proportional} {
		p := Penalty{Rule: rule, Multiplier: 3}
		if got := p.penalty(One/20, frac(1, 1_000_000)).scaled(); got != One/20 {
			t.Errorf("%v: %v", rule, Ratio(got))
		}
	}
}

// The rules against rational numbers, with powers of up to 2^160.
func TestPenaltyRulesAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(1, 160).Draw(t, "bits")
		den := new(uint256.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "total"))
		den.Rsh(den, uint(160-bits))
		den.AddUint64(den, 1)
		num := new(uint256.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "power"))
		num.Mod(num, new(uint256.Int).AddUint64(den, 1))
		p := Penalty{Rule: PenaltyRule(rapid.IntRange(0, 2).Draw(t, "rule")), Multiplier: rapid.Uint64Range(1, 1000).Draw(t, "multiplier")}
		base := rapid.Uint64Range(0, One).Draw(t, "base")

		want := new(big.Rat).SetFrac(new(big.Int).Mul(num.ToBig(), new(big.Int).SetUint64(p.Multiplier)), den.ToBig())
		if p.Rule == Quadratic {
			want.Mul(want, want)
		}
		limit, least := big.NewRat(1, 1), new(big.Rat).SetFrac(new(big.Int).SetUint64(base), big.NewInt(One))
		if want.Cmp(limit) > 0 {
			want = limit
		}
		if p.Rule == Flat || want.Cmp(least) < 0 {
			want = least
		}
		f := p.penalty(base, fraction{num, den})
		got := new(big.Rat).SetFrac(f.num.ToBig(), f.den.ToBig())
		off := new(big.Rat).Sub(got, want)
		tolerance := new(big.Rat) // totals of up to 120 bits are exact
		if den.BitLen() > penaltyBits {
			tolerance.SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 100))
		}
		if off.Abs(off).Cmp(tolerance) > 0 {
			t.Fatalf("%+v of %s/%s: %s, want %s", p, num.Dec(), den.Dec(), got.FloatString(30), want.FloatString(30))
		}
	})
}

func TestSeverityAddsBeforeItDivides(t *testing.T) {
	third := func(epoch, total uint64) *Offender {
		return &Offender{Offences: []*Offence{{Epoch: epoch, Time: epoch * 1000, Power: Units(total / 3), Total: Units(total)}}}
	}
	at, window := &Offence{Epoch: 5, Time: 5000}, Window{Epochs: 2, Time: 1000}
	for _, x := range []struct {
		all  []*Offender
		up   bool
		want fraction
	}{
		{nil, false, frac(0, 1)},
		{[]*Offender{third(5, 3), third(6, 3), third(9, 3)}, false, frac(2, 3)}, // the last is out of the window
		{[]*Offender{third(5, 3), third(5, 3), third(5, 3)}, false, frac(1, 1)},
		{[]*Offender{third(5, 3), third(5, 6), third(5, 9)}, false, frac(3*(One/3), One)},
		{[]*Offender{third(5, 3), third(5, 6), third(5, 9)}, true, frac(3*(One/3+1), One)},
	} {
		if got := newSeverities(x.all, window).at(at.Epoch, at.Time, x.up); got.compare(x.want) != 0 {
			t.Errorf("%d offenders: %v/%v", len(x.all), got.num, got.den)
		}
	}
	// Of one offender's offences the largest share counts, once.
	twice := third(5, 9)
	twice.Offences = append(twice.Offences, &Offence{Epoch: 6, Time: 6000, Power: Units(5), Total: Units(9)})
	if got := newSeverities([]*Offender{twice}, window).at(at.Epoch, at.Time, false); got.compare(frac(5, 9)) != 0 {
		t.Errorf("%v/%v", got.num, got.den)
	}
}

// A peer's own validators say how much power they have. Who makes up so much of it that the
// sum over many epochs exceeds 256 bits must not become cheap by that.
func TestASeverityDoesNotWrap(t *testing.T) {
	total := new(uint256.Int).Lsh(uint256.NewInt(1), 249)
	p := &Penalty{Rule: Quadratic, Multiplier: 3, DoubleVote: One / 20}
	var all []*Offender
	for range 256 {
		all = append(all, &Offender{Offences: []*Offence{NewOffence(attest.FaultDoubleVote, uint64(1+len(all)/2), total, total)}})
		if len(all) < 126 {
			continue // 2^249 · 128 is 2^256, and 2^249 · 256 is 2^257
		}
		s := newSeverities(all, Window{Epochs: 1000})
		if got := s.penalty(p, all[0].Offences[0]); got.compare(frac(1, 1)) != 0 {
			t.Fatalf("of %d who had all the power the penalty is %s/%s", len(all), got.num, got.den)
		}
	}
}

// The severities of a chain against what the design says of each alone, in any order of
// the offenders and of their offences.
func TestSeveritiesAgainstEachAlone(t *testing.T) {
	alone := func(all []*Offender, at *Offence, w Window, up bool) fraction {
		var largest []*fraction
		for _, off := range all {
			var most *fraction
			for _, o := range off.Offences {
				if s := o.share(); w.Near(at.Epoch, at.Time, o.Epoch, o.Time) && (most == nil || s.exceeds(most)) {
					most = &s
				}
			}
			largest = append(largest, most)
		}
		return sumShares(largest, up)
	}
	rapid.Check(t, func(t *rapid.T) {
		w := Window{Epochs: rapid.Uint64Range(0, 5).Draw(t, "epochs"), Time: Duration(rapid.Uint64Range(0, 5).Draw(t, "time"))}
		moment := rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Uint64Range(math.MaxUint64-5, math.MaxUint64))
		var all []*Offender
		for range rapid.IntRange(0, 5).Draw(t, "offenders") {
			off := new(Offender)
			for range rapid.IntRange(1, 5).Draw(t, "offences") {
				total := rapid.SampledFrom([]uint64{6, 9, 12}).Draw(t, "total")
				off.Offences = append(off.Offences, &Offence{
					Epoch: moment.Draw(t, "epoch"), Time: moment.Draw(t, "at"),
					Power: Units(rapid.Uint64Range(1, total).Draw(t, "power")), Total: Units(total),
				})
			}
			all = append(all, off)
		}
		q := newSeverities(all, w)
		shuffled := rapid.Permutation(all).Draw(t, "order")
		for _, off := range shuffled {
			off.Offences = rapid.Permutation(off.Offences).Draw(t, "offences in order")
		}
		again := newSeverities(shuffled, w)
		for _, off := range all {
			for _, o := range off.Offences {
				for _, up := range []bool{false, true} {
					want := alone(all, o, w, up)
					for _, s := range []*severities{q, again, q} {
						if got := s.at(o.Epoch, o.Time, up); !got.num.Eq(want.num) || !got.den.Eq(want.den) {
							t.Fatalf("%v/%v, want %v/%v", got.num, got.den, want.num, want.den)
						}
					}
				}
			}
		}
	})
}

// Who convicts hundreds for as many epochs as are recorded of each does not have every
// node compare each of their offences with each other.
func TestManyOffencesTakeNoQuadraticWork(t *testing.T) {
	const offenders = 64
	m := &machine{chains: []string{"alpha", "beta"}, spec: &ChainSpec{ID: "alpha", Params: DefaultParams()}, state: mapState{}, epoch: 1, now: 1}
	err := m.step(func() error {
		if err := save(m.tx, metaKey, new(Meta)); err != nil {
			return err
		}
		for i := range byte(offenders) {
			for epoch := range uint64(maxOffences) {
				o := NewOffence(attest.FaultDoubleVote, epoch+1, uint256.NewInt(1), uint256.NewInt(1000))
				o.Time, o.Penalty = epoch, ratioFraction(One).record()
				if _, err := m.convict("beta", id(i+1), o); err != nil {
					return err
				}
			}
		}
		allocated := testing.AllocsPerRun(1, func() {
			if err := m.queueGrown("beta", [32]byte{1}); err != nil {
				t.Error(err)
			}
		})
		if per := allocated / (offenders * maxOffences); per > 50 {
			t.Errorf("%.0f allocations for each offence", per)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The penalties of every offender depend on all of them: where hundreds are convicted at
// once, an epoch fixes those of as many as its limit has room for, and the next ones go on.
func TestFixingPenaltiesIsBoundedByTheEpoch(t *testing.T) {
	const offenders, limit = 40, 100
	m := &machine{chains: []string{"alpha", "beta"}, spec: &ChainSpec{ID: "alpha", Params: DefaultParams()}, state: mapState{}, epoch: 1, now: 1}
	m.spec.Params.Limits.Slashes = limit
	err := m.step(func() error {
		if err := save(m.tx, metaKey, new(Meta)); err != nil {
			return err
		}
		for i := range byte(offenders) {
			o := NewOffence(attest.FaultDoubleVote, 1, uint256.NewInt(1), uint256.NewInt(1000))
			if _, err := m.convict("beta", id(i+1), o); err != nil {
				return err
			}
		}
		return m.queueGrown("beta", [32]byte{1})
	})
	if err != nil {
		t.Fatal(err)
	}
	window := m.spec.Params.ChallengeWindow
	m.epoch, m.now = m.epoch+window.Epochs, m.now+uint64(window.Time)
	for done := uint64(0); done < offenders; m.epoch++ {
		var spent Spent
		for more := true; more; {
			err := m.step(func() (err error) {
				more, err = m.executeSlashes(&spent)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		meta, err := must[Meta](m.state, metaKey)
		if err != nil {
			t.Fatal(err)
		}
		if n := meta.QueueHead - done; n == 0 || n > limit/offenders+1 {
			t.Fatalf("%d executions in epoch %d", n, m.epoch)
		}
		done = meta.QueueHead
	}
}

// Offences add up that are near in epochs or near in time: a chain with fast epochs does
// not shorten the window, nor one that stood still.
func TestOffencesAreNearInEpochsOrInTime(t *testing.T) {
	w := Window{Epochs: 2, Time: 1000}
	for _, x := range []struct {
		epoch, time uint64
		near        bool
	}{{5, 9000, true}, {7, 90_000, true}, {3, 0, true}, {9, 5900, true}, {1, 4000, true}, {8, 6001, false}, {2, 3999, false}} {
		if got := w.Near(5, 5000, x.epoch, x.time); got != x.near || got != w.Near(x.epoch, x.time, 5, 5000) {
			t.Errorf("epoch %d at %d: %v", x.epoch, x.time, got)
		}
	}
}

func TestPenaltyRuleText(t *testing.T) {
	for r := Flat; r <= Proportional; r++ {
		text, err := r.MarshalText()
		var back PenaltyRule
		if err != nil || back.UnmarshalText(text) != nil || back != r {
			t.Errorf("%v became %v", r, back)
		}
	}
	if new(PenaltyRule).UnmarshalText([]byte("cubic")) == nil {
		t.Error("cubic is no rule")
	}
	if got := fmt.Sprint(PenaltyRule(9)); got != "rule 9" {
		t.Error(got)
	}
}
