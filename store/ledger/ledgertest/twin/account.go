package twin

import (
	"bytes"
	"math/big"
	"sort"
)

// account is one vault. in and out are all that its owner, the authority and
// rewards put in and took out; what slashes took is Σ taken.
type account struct {
	in, out *big.Int
	liens   map[string]*lien
}

type lien struct {
	ratio *big.Rat
	parts map[ID]*part
}

// part is nominal: what the owner's operations made of it. Slot 0 is bonded, the
// others are on their way out.
type part struct {
	slots   []*slot
	history []entry  // bonded, in the statements from the end of an epoch on
	over    int      // entries of it that nothing can capture any more
	taken   *big.Int // by slashes, ever
	settled *big.Int // of taken, what the nominal amounts have left behind
}

type slot struct {
	amount      *big.Int
	epoch, time uint64 // of its release
}

type entry struct {
	epoch, time uint64
	amount      *big.Int
}

func newAccount() *account {
	return &account{in: new(big.Int), out: new(big.Int), liens: map[string]*lien{}}
}

func newPart() *part {
	return &part{slots: []*slot{{amount: new(big.Int)}}, taken: new(big.Int), settled: new(big.Int)}
}

func (p *part) nominal() *big.Int {
	sum := new(big.Int)
	for _, s := range p.slots {
		sum.Add(sum, s.amount)
	}
	return sum
}

// slashed of the nominal amount.
func (p *part) slashed() *big.Int { return new(big.Int).Sub(p.taken, p.settled) }

func (a *account) consumers() []string {
	var names []string
	for c := range a.liens {
		names = append(names, c)
	}
	sort.Strings(names)
	return names
}

func (l *lien) validators() []ID {
	var ids []ID
	for v := range l.parts {
		ids = append(ids, v)
	}
	sort.Slice(ids, func(i, j int) bool { return bytes.Compare(ids[i][:], ids[j][:]) < 0 })
	return ids
}

func (a *account) collateral() *big.Int {
	c := new(big.Int).Sub(a.in, a.out)
	for _, l := range a.liens {
		for _, p := range l.parts {
			c.Sub(c, p.taken)
		}
	}
	return c
}

// net is the part less what was slashed of it: max(0, N − S). What a slash takes
// beyond the part, which was larger when it was captured, is not another part's
// loss.
func (p *part) net() *big.Int { return less(p.nominal(), p.slashed()) }

// effective is what each slot of each part of each lien comes to now: the lien
// min(C, max(0, N − S − d)), spread over its parts as slashes left them, and each
// part over its slots.
func (a *account) effective() map[string]map[ID][]*big.Int {
	c := a.collateral()
	consumers := a.consumers()
	var ratios []*big.Rat
	var nets []*big.Int
	for _, name := range consumers {
		net := new(big.Int)
		for _, p := range a.liens[name].parts {
			net.Add(net, p.net())
		}
		ratios, nets = append(ratios, a.liens[name].ratio), append(nets, net)
	}
	d := shortfall(c, ratios, nets)
	out := map[string]map[ID][]*big.Int{}
	for i, name := range consumers {
		out[name] = a.liens[name].divide(clamped(c, nets[i], d))
	}
	return out
}

// divide gives each slot its share of a lien that came to size.
func (l *lien) divide(size *big.Int) map[ID][]*big.Int {
	out := map[ID][]*big.Int{}
	validators := l.validators()
	var nets []*big.Int
	for _, v := range validators {
		nets = append(nets, l.parts[v].net())
	}
	for i, x := range spread(size, nets) {
		var slots []*big.Int
		for _, s := range l.parts[validators[i]].slots {
			slots = append(slots, s.amount)
		}
		out[validators[i]] = spread(x, slots)
	}
	return out
}

func sum(amounts []*big.Int) *big.Int {
	s := new(big.Int)
	for _, x := range amounts {
		s.Add(s, x)
	}
	return s
}

// settle makes the effective amounts the nominal ones.
func (a *account) settle() {
	for name, parts := range a.effective() {
		for v, amounts := range parts {
			p := a.liens[name].parts[v]
			for i, x := range amounts {
				p.slots[i].amount = x
			}
			p.settled = new(big.Int).Set(p.taken)
		}
	}
}

// largest is max L, and slashable Σ r·L, as the invariants have them.
func (a *account) largest() (*big.Int, *big.Rat) {
	most, load := new(big.Int), new(big.Rat)
	for name, parts := range a.effective() {
		size := new(big.Int)
		for _, amounts := range parts {
			size.Add(size, sum(amounts))
		}
		most = larger(most, size)
		load.Add(load, times(a.liens[name].ratio, size))
	}
	return most, load
}

// exposed is Σ r·L where a part counts with the most that can still be taken of
// it: r·L now, or r·captured for a statement that can still be captured, less what
// was taken.
func (a *account) exposed(capturable func(p *part) []*big.Int) *big.Rat {
	load := new(big.Rat)
	for name, parts := range a.effective() {
		l := a.liens[name]
		for v, amounts := range parts {
			most := times(l.ratio, sum(amounts))
			for _, c := range capturable(l.parts[v]) {
				still := times(l.ratio, c)
				still.Sub(still, new(big.Rat).SetInt(l.parts[v].taken))
				if still.Cmp(most) > 0 {
					most = still
				}
			}
			load.Add(load, most)
		}
	}
	return load
}

// captured is the most that the part was in the statements of these epochs.
func (p *part) captured(epochs []uint64) *big.Int {
	most := new(big.Int)
	for _, epoch := range epochs {
		c := new(big.Int)
		for _, e := range p.history {
			if e.epoch <= epoch {
				c = e.amount
			}
		}
		most = larger(most, c)
	}
	return most
}
