package twin

import (
	"math/big"
	"sort"

	"github.com/meshsec/meshsec/store/ledger"
)

// rat is a ratio scaled by One as a fraction.
func rat(scaled uint64) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(scaled), big.NewInt(ledger.One))
}

func times(r *big.Rat, n *big.Int) *big.Rat { return new(big.Rat).Mul(r, new(big.Rat).SetInt(n)) }

func floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) } // r is never negative

func ceil(r *big.Rat) *big.Int {
	n := new(big.Int).Add(r.Num(), r.Denom())
	return n.Div(n.Sub(n, big.NewInt(1)), r.Denom())
}

func smaller(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func larger(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// less is a − b, or 0.
func less(a, b *big.Int) *big.Int { return larger(new(big.Int).Sub(a, b), new(big.Int)) }

// clamped is min(C, max(0, net − d)).
func clamped(c, net, d *big.Int) *big.Int { return smaller(c, less(net, d)) }

// load is Σ r·min(C, max(0, net − d)).
func load(c *big.Int, ratios []*big.Rat, nets []*big.Int, d *big.Int) *big.Rat {
	sum := new(big.Rat)
	for i, r := range ratios {
		sum.Add(sum, times(r, clamped(c, nets[i], d)))
	}
	return sum
}

// shortfall is the smallest integer d ≥ 0 for which load ≤ C. The load is a
// polygon that falls with d and bends where a lien starts to shrink (net − C) and
// where it is gone (net). The last bend above C begins the line that crosses it.
func shortfall(c *big.Int, ratios []*big.Rat, nets []*big.Int) *big.Int {
	limit := new(big.Rat).SetInt(c)
	bends := []*big.Int{new(big.Int)}
	for _, n := range nets {
		bends = append(bends, n, less(n, c))
	}
	sort.Slice(bends, func(i, j int) bool { return bends[i].Cmp(bends[j]) < 0 })
	var from, to *big.Int // load(from) > C ≥ load(to)
	for _, b := range bends {
		if load(c, ratios, nets, b).Cmp(limit) <= 0 {
			to = b
			break
		}
		from = b
	}
	if from == nil {
		return new(big.Int)
	}
	if to == nil {
		panic("twin: nothing is left and it is still too much")
	}
	high, low := load(c, ratios, nets, from), load(c, ratios, nets, to)
	// from + (to − from)·(high − C)/(high − low), up to the next integer.
	way := new(big.Rat).Sub(high, limit)
	way.Quo(way, new(big.Rat).Sub(high, low))
	way.Mul(way, new(big.Rat).SetInt(new(big.Int).Sub(to, from)))
	return new(big.Int).Add(from, ceil(way))
}

// spread shares total out in proportion to the weights: the whole parts first, and
// what is left one by one to the largest remainders, earlier ones first.
func spread(total *big.Int, weights []*big.Int) []*big.Int {
	sum := new(big.Int)
	for _, w := range weights {
		sum.Add(sum, w)
	}
	out, rest, left := make([]*big.Int, len(weights)), make([]*big.Rat, len(weights)), new(big.Int).Set(total)
	order := make([]int, len(weights))
	for i, w := range weights {
		order[i] = i
		exact := new(big.Rat)
		if sum.Sign() > 0 {
			exact.SetFrac(new(big.Int).Mul(total, w), sum)
		}
		out[i] = floor(exact)
		rest[i] = exact.Sub(exact, new(big.Rat).SetInt(out[i]))
		left.Sub(left, out[i])
	}
	sort.SliceStable(order, func(a, b int) bool { return rest[order[a]].Cmp(rest[order[b]]) > 0 })
	for _, i := range order {
		if left.Sign() == 0 {
			break
		}
		out[i].Add(out[i], big.NewInt(1))
		left.Sub(left, big.NewInt(1))
	}
	return out
}
