package ledger

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// Of more offences than are recorded, those are kept that outweigh the others, in
// whatever order they become known; each epoch counts with its dearest.
func TestTheGreatestOffencesAreKeptInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &Penalty{
			Rule: rapid.SampledFrom([]PenaltyRule{Flat, Quadratic, Proportional}).Draw(t, "rule"), Multiplier: 3,
			DoubleVote: One / 20, Equivocation: Ratio(rapid.SampledFrom([]uint64{One / 50, One / 20, One / 10}).Draw(t, "equivocation")),
		}
		total := rapid.Uint64Range(10, 1000).Draw(t, "total")
		var all []*Offence
		for epoch := range uint64(rapid.IntRange(maxOffences-2, maxOffences+30).Draw(t, "epochs")) {
			power := Units(rapid.Uint64Range(1, min(total, 9)).Draw(t, "power"))
			for _, kind := range rapid.SampledFrom([][]attest.FaultKind{
				{attest.FaultDoubleVote}, {attest.FaultConsensusEquivocation}, {attest.FaultDoubleVote, attest.FaultConsensusEquivocation},
			}).Draw(t, "kinds") {
				all = append(all, NewOffence(kind, epoch+1, power.Int(), Units(total).Int()))
			}
		}
		shadowed := func(o *Offence, among []*Offence) bool {
			return slices.ContainsFunc(among, func(x *Offence) bool {
				return x.Epoch == o.Epoch && p.base(attest.FaultKind(x.Kind)) > p.base(attest.FaultKind(o.Kind))
			})
		}
		order := func(a, b *Offence) int {
			switch {
			case a.outweighs(b, p):
				return -1
			case b.outweighs(a, p):
				return 1
			}
			return 0 // of one price, in one epoch: the first to be known counts
		}
		want := slices.DeleteFunc(slices.Clone(all), func(o *Offence) bool { return shadowed(o, all) })
		slices.SortFunc(want, order)
		want = slices.CompactFunc(want, func(a, b *Offence) bool { return order(a, b) == 0 })
		want = want[:min(len(want), maxOffences)]

		off := &Offender{}
		for _, o := range rapid.Permutation(all).Draw(t, "order") {
			if !off.IsNew(p, o) {
				continue
			}
			if len(off.Offences) == maxOffences {
				i, _ := off.least(p, o)
				off.Offences = slices.Delete(off.Offences, i, i+1)
			}
			off.Offences = append(off.Offences, o)
		}
		got := slices.DeleteFunc(slices.Clone(off.Offences), func(o *Offence) bool { return shadowed(o, off.Offences) })
		slices.SortFunc(got, order)
		if !slices.EqualFunc(got, want, func(a, b *Offence) bool { return order(a, b) == 0 }) {
			t.Fatalf("%d are kept, %d outweigh the others", len(got), len(want))
		}
	})
}
