package ledger

import (
	"math/big"
	"testing"

	"github.com/holiman/uint256"
	"pgregory.net/rapid"
)

// stake is one part of a lien in a test: 150@10 % behind v1 and v2.
type stake struct {
	consumer  string
	validator byte
	amount    uint64
	ratio     uint64
}

const percent = One / 100

func id(b byte) (v AccountID) { v[0] = b; return v }

func newVault(collateral uint64, stakes ...stake) *vault {
	v := &vault{id: id(255), account: new(Account), collateral: uint256.NewInt(collateral)}
	for _, s := range stakes {
		l := v.lienFor(s.consumer, s.ratio)
		p, _ := l.partFor(id(s.validator))
		p.bonded.AddUint64(&p.bonded, s.amount)
	}
	v.repair()
	return v
}

// take slashes a part by an amount.
func (v *vault) take(consumer string, validator byte, amount uint64) {
	p := v.lien(consumer).part(id(validator))
	p.slashed.AddUint64(&p.slashed, amount)
	v.collateral.SubUint64(v.collateral, amount)
	v.repair()
}

// Published by Mesh Security; the numbers are collateral, liens, Σ r·L and what
// is free after the slash.
func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name       string
		before     *vault
		consumer   string
		validator  byte
		amount     uint64
		collateral uint64
		liens      map[string]uint64
		parts      map[byte]uint64
		slashable  uint64
		free       uint64
	}{
		{"1", newVault(200, stake{"home", 9, 190, 10 * percent}, stake{"h1", 1, 100, 10 * percent}, stake{"h1", 2, 50, 10 * percent}),
			"h1", 1, 10, 190, map[string]uint64{"home": 190, "h1": 140}, map[byte]uint64{1: 90, 2: 50}, 33, 0},
		{"2", newVault(200, stake{"home", 9, 200, 10 * percent}, stake{"h1", 1, 200, 10 * percent}),
			"h1", 1, 20, 180, map[string]uint64{"home": 180, "h1": 180}, nil, 36, 0},
		{"3", newVault(200, stake{"home", 9, 190, 10 * percent}, stake{"h1", 1, 150, 10 * percent}),
			"h1", 1, 15, 185, map[string]uint64{"home": 185, "h1": 135}, nil, 32, 0},
		{"7", newVault(200, stake{"home", 9, 190, 10 * percent}, stake{"h1", 1, 100, 10 * percent}, stake{"h1", 2, 50, 10 * percent}),
			"home", 9, 19, 181, map[string]uint64{"home": 171, "h1": 150}, nil, 0, 10},
		// Where the published two-branch repair leaves 40 under 52 slashable.
		{"two liens at the edge", newVault(200, stake{"a", 1, 200, 80 * percent}, stake{"b", 2, 80, 50 * percent}),
			"a", 1, 160, 40, map[string]uint64{"a": 25, "b": 40}, nil, 40, 0},
		// Where it reverts because a dust lien can't bear its share.
		{"dust in the way", newVault(200, stake{"a", 1, 200, 80 * percent}, stake{"b", 2, 78, 50 * percent}, stake{"dust", 3, 1, 50 * percent}),
			"a", 1, 160, 40, nil, nil, 0, 0},
	} {
		if err := c.before.check(); err != nil {
			t.Fatalf("%s: before: %v", c.name, err)
		}
		v := c.before
		v.take(c.consumer, c.validator, c.amount)
		if v.collateral.Uint64() != c.collateral {
			t.Errorf("%s: collateral %s, want %d", c.name, v.collateral.Dec(), c.collateral)
		}
		for consumer, want := range c.liens {
			if got := v.lien(consumer).amount(); got.Uint64() != want {
				t.Errorf("%s: lien to %s is %s, want %d", c.name, consumer, got.Dec(), want)
			}
		}
		for validator, want := range c.parts {
			if got := v.lien(c.consumer).part(id(validator)).effective; got.Uint64() != want {
				t.Errorf("%s: part behind %d is %s, want %d", c.name, validator, got.Dec(), want)
			}
		}
		if got := v.slashable(); c.slashable != 0 && got.Div(got, one).Uint64() != c.slashable {
			t.Errorf("%s: slashable %s, want %d", c.name, got.Dec(), c.slashable)
		}
		if got := v.free(); got.Uint64() != c.free {
			t.Errorf("%s: free %s, want %d", c.name, got.Dec(), c.free)
		}
		if m := v.maxLien(); m.Gt(v.collateral) {
			t.Errorf("%s: I1 broken: %s over %s", c.name, m.Dec(), v.collateral.Dec())
		}
		if got := ceil(v.slashable()); got.Gt(v.collateral) {
			t.Errorf("%s: I2 broken: %s over %s", c.name, got.Dec(), v.collateral.Dec())
		}
	}
}

// drawVault draws a vault that keeps I1 and I2, as pledges would make it.
func drawVault(t *rapid.T) *vault {
	collateral := rapid.Uint64Range(1, 2000).Draw(t, "collateral")
	v := newVault(collateral)
	for range rapid.IntRange(1, 8).Draw(t, "parts") {
		s := stake{
			consumer:  rapid.SampledFrom([]string{"home", "h1", "h2", "h3"}).Draw(t, "consumer"),
			validator: rapid.ByteRange(1, 3).Draw(t, "validator"),
			amount:    rapid.Uint64Range(1, collateral).Draw(t, "amount"),
			ratio:     rapid.Uint64Range(1, One).Draw(t, "ratio"),
		}
		l := v.lien(s.consumer)
		if l != nil {
			s.ratio = l.ratio
		}
		l = v.lienFor(s.consumer, s.ratio)
		p, _ := l.partFor(id(s.validator))
		p.bonded.AddUint64(&p.bonded, s.amount)
		v.assume()
		if v.check() != nil { // it would have been refused
			p.bonded.SubUint64(&p.bonded, s.amount)
			v.assume()
		}
	}
	v.repair()
	return v
}

// hit is a slash of a part by a share of what it was at the start.
type hit struct {
	lien, part int
	share      uint64
}

func drawHits(t *rapid.T, v *vault) []hit {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) hit {
		i := rapid.IntRange(0, len(v.liens)-1).Draw(t, "lien")
		return hit{i, rapid.IntRange(0, len(v.liens[i].parts)-1).Draw(t, "part"), rapid.Uint64Range(0, v.liens[i].ratio).Draw(t, "share")}
	}), 1, 6, func(h hit) [2]int { return [2]int{h.lien, h.part} }).Draw(t, "hits")
}

func (v *vault) hit(h hit, captured *uint256.Int) {
	p := v.liens[h.lien].parts[h.part]
	v.take(v.liens[h.lien].consumer, p.validator[0], share(captured, h.share).Uint64())
}

func (v *vault) clone() *vault {
	c := &vault{id: v.id, account: new(Account), collateral: v.collateral.Clone()}
	for _, l := range v.liens {
		copied := decodeLien(l.consumer, encodeLien(l))
		c.liens = append(c.liens, &copied)
		c.account.Consumers = append(c.account.Consumers, Name{[]byte(l.consumer)})
	}
	c.repair()
	return c
}

func (v *vault) captures(hits []hit) []*uint256.Int {
	out := make([]*uint256.Int, len(hits))
	for i, h := range hits {
		out[i] = v.liens[h.lien].parts[h.part].effective.Clone()
	}
	return out
}

func TestRepairRestoresBothInvariantsAfterAnySlashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawVault(t)
		hits := drawHits(t, v)
		captured := v.captures(hits)
		for i, h := range hits {
			v.hit(h, captured[i])
			if m := v.maxLien(); m.Gt(v.collateral) {
				t.Fatalf("I1: %s over %s", m.Dec(), v.collateral.Dec())
			}
			if s := v.slashable(); s.Gt(new(uint256.Int).Mul(v.collateral, one)) {
				t.Fatalf("I2: %s over %s", s.Dec(), v.collateral.Dec())
			}
		}
	})
}

func TestSlashIsIndependentOfOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawVault(t)
		hits := drawHits(t, v)
		captured := v.captures(hits)
		order := rapid.Permutation(indices(len(hits))).Draw(t, "order")
		w := v.clone()
		for i, h := range hits {
			v.hit(h, captured[i])
		}
		for _, i := range order {
			w.hit(hits[i], captured[i])
		}
		if !v.collateral.Eq(w.collateral) {
			t.Fatalf("collateral %s or %s", v.collateral.Dec(), w.collateral.Dec())
		}
		for i, l := range v.liens {
			for j, p := range l.parts {
				if q := w.liens[i].parts[j]; !p.effective.Eq(&q.effective) {
					t.Fatalf("lien to %s behind %d: %s or %s", l.consumer, p.validator[0], p.effective.Dec(), q.effective.Dec())
				}
			}
		}
	})
}

func indices(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// TestRepairAgreesWithTheDumbTwin recomputes the liens with big rationals, the
// smallest d by trying them all, and the spread by handing out units one by one.
func TestRepairAgreesWithTheDumbTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawVault(t)
		hits := drawHits(t, v)
		captured := v.captures(hits)
		for i, h := range hits {
			v.hit(h, captured[i])
		}
		want := twinRepair(v)
		for i, l := range v.liens {
			for j, p := range l.parts {
				if p.effective.Uint64() != want[i][j] {
					t.Fatalf("lien to %s behind %d is %s, the twin says %d", l.consumer, p.validator[0], p.effective.Dec(), want[i][j])
				}
			}
		}
	})
}

func twinRepair(v *vault) [][]uint64 {
	c := v.collateral.Uint64()
	nominal := make([][]uint64, len(v.liens))
	sums := make([]uint64, len(v.liens))
	for i, l := range v.liens {
		for _, p := range l.parts {
			n := p.bonded.Uint64() - min(p.bonded.Uint64(), p.slashed.Uint64())
			nominal[i] = append(nominal[i], n)
			sums[i] += n
		}
	}
	lien := func(i int, d uint64) uint64 { return min(c, sums[i]-min(sums[i], d)) }
	d := uint64(0)
	for ; ; d++ {
		total := new(big.Rat)
		for i, l := range v.liens {
			r := new(big.Rat).SetFrac(new(big.Int).SetUint64(l.ratio), big.NewInt(One))
			total.Add(total, r.Mul(r, new(big.Rat).SetInt(new(big.Int).SetUint64(lien(i, d)))))
		}
		if total.Cmp(new(big.Rat).SetInt(new(big.Int).SetUint64(c))) <= 0 {
			break
		}
	}
	out := make([][]uint64, len(v.liens))
	for i := range v.liens {
		out[i] = twinSpread(lien(i, d), nominal[i])
	}
	return out
}

func twinSpread(total uint64, weights []uint64) []uint64 {
	sum := uint64(0)
	for _, w := range weights {
		sum += w
	}
	out := make([]uint64, len(weights))
	if sum == 0 {
		return out
	}
	rests := make([]*big.Rat, len(weights))
	for i, w := range weights {
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(new(big.Int).SetUint64(total), new(big.Int).SetUint64(w)), new(big.Int).SetUint64(sum))
		floor := new(big.Int).Div(exact.Num(), exact.Denom())
		out[i] = floor.Uint64()
		rests[i] = exact.Sub(exact, new(big.Rat).SetInt(floor))
	}
	left := total
	for _, x := range out {
		left -= x
	}
	for ; left > 0; left-- {
		best := 0
		for i := range rests {
			if rests[i].Cmp(rests[best]) > 0 {
				best = i
			}
		}
		out[best]++
		rests[best].SetInt64(-1)
	}
	return out
}

func TestSpreadConservesAndStaysBelowItsWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		big160 := rapid.Custom(func(t *rapid.T) uint256.Int {
			v := new(uint256.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 19).Draw(t, "bytes"))
			return *v
		})
		weights := rapid.SliceOfN(big160, 1, 6).Draw(t, "weights")
		sum := zero()
		for _, w := range weights {
			sum.Add(sum, &w)
		}
		total := sum.Clone()
		if !sum.IsZero() {
			drawn := big160.Draw(t, "total")
			total.Mod(&drawn, new(uint256.Int).AddUint64(sum, 1))
		}
		got := zero()
		for i, s := range spread(total, weights) {
			if s.Gt(&weights[i]) {
				t.Fatalf("share %s of weight %s", s.Dec(), weights[i].Dec())
			}
			got.Add(got, &s)
		}
		if !got.Eq(total) {
			t.Fatalf("%s handed out of %s", got.Dec(), total.Dec())
		}
	})
}

// 1000·0.5·(1−0.4) = 300, and a cap of 5 scales requests of 10 and 40 to 1 and 4.
func TestConversion(t *testing.T) {
	st := &Statement{Entries: []Entry{{Validator: id(1), Amount: Units(1000)}}}
	got, _, _ := convert(st, &Terms{Price: One / 2, Discount: 40 * percent, Cap: One}, uint256.NewInt(10_000))
	if got[id(1)].Uint64() != 300 {
		t.Errorf("1000 became %s", got[id(1)].Dec())
	}
	st = &Statement{Entries: []Entry{{Validator: id(1), Amount: Units(10)}, {Validator: id(2), Amount: Units(40)}}}
	got, _, _ = convert(st, &Terms{Price: One, Cap: One / 2}, uint256.NewInt(10))
	if got[id(1)].Uint64() != 1 || got[id(2)].Uint64() != 4 {
		t.Errorf("capped to %s and %s", got[id(1)].Dec(), got[id(2)].Dec())
	}
	got, _, _ = convert(st, &Terms{Price: One}, uint256.NewInt(10))
	if !got[id(1)].IsZero() || !got[id(2)].IsZero() {
		t.Errorf("a cap of zero leaves %s and %s", got[id(1)].Dec(), got[id(2)].Dec())
	}
}

func TestAmountAndRatioText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Ratio(rapid.Uint64().Draw(t, "ratio"))
		var back Ratio
		if err := back.UnmarshalText([]byte(r.String())); err != nil || back != r {
			t.Fatalf("%s came back as %v, %v", r, back, err)
		}
		a := NewAmount(new(uint256.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "amount")))
		var again Amount
		if err := again.UnmarshalText([]byte(a.String())); err != nil || again != a {
			t.Fatalf("%s came back as %v, %v", a, again, err)
		}
	})
	bad := []string{"", "-1", "+1", "1e3", "01", "00", "0x1", "1 ", "1.", ".5", "0.1234567890123456789", "1.5.5", "00.5"}
	for _, s := range bad {
		if new(Ratio).UnmarshalText([]byte(s)) == nil {
			t.Errorf("ratio %q was accepted", s)
		}
		if new(Amount).UnmarshalText([]byte(s)) == nil {
			t.Errorf("amount %q was accepted", s)
		}
	}
	if new(Amount).UnmarshalText([]byte(new(uint256.Int).AddUint64(MaxAmount, 1).Dec())) == nil {
		t.Error("an amount above the maximum was accepted")
	}
}
