package ledger_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/ledger"
)

// What random histories are made of. A script belongs to one account, whose
// amounts are 64ths of what it deposited first, or as much as there is room for.
type script struct {
	collateral uint64
	steps      []step
}

type step struct {
	epoch     int
	kind      ledger.Kind
	consumer  int // index of the chain
	validator int
	amount    uint64
	room      bool // the amount is a small number about what is possible, less 1
	ratio     ledger.Ratio
}

// offence is a double vote of a validator, back epochs before it is submitted.
type offence struct {
	consumer, epoch, back, validator int
	reporter                         int  // script, or −1 for somebody unknown
	later                            bool // prove the peer's newest reference too
}

// twinRatios: the bounds, what divides nothing, and what is usual.
var twinRatios = []ledger.Ratio{ledger.One / 1000, ledger.One / 100, ledger.One / 20, ledger.One / 10, ledger.One / 5, ledger.One / 3, ledger.One / 2, ledger.One/3*2 + 1, ledger.One}

var twinKinds = []ledger.Kind{
	ledger.KindPledge, ledger.KindPledge, ledger.KindPledge, ledger.KindPledge, ledger.KindPledge,
	ledger.KindRelease, ledger.KindRelease, ledger.KindWithdraw, ledger.KindDeposit,
}

func drawScript(chains, epochs int) *rapid.Generator[script] {
	return rapid.Custom(func(t *rapid.T) script {
		s := script{collateral: rapid.OneOf(rapid.Uint64Range(1, 100), rapid.Uint64Range(30, 10_000), rapid.Uint64Range(30, 1<<40)).Draw(t, "collateral")}
		var pledges []step
		epoch := 1
		for range rapid.IntRange(2, 7).Draw(t, "steps") {
			st := step{
				epoch: epoch, kind: rapid.SampledFrom(twinKinds).Draw(t, "kind"),
				consumer:  max(0, rapid.IntRange(-3, chains-1).Draw(t, "consumer")), // more often at home
				validator: rapid.IntRange(0, 2).Draw(t, "validator"),
				room:      rapid.IntRange(0, 2).Draw(t, "room") == 0,
			}
			epoch += rapid.IntRange(0, epochs/5).Draw(t, "wait")
			if st.kind == ledger.KindRelease && len(pledges) > 0 {
				last := pledges[len(pledges)-1]
				st.consumer, st.validator = last.consumer, last.validator
			}
			if st.room {
				st.amount = uint64(rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "about"))
			} else {
				st.amount = 1 + s.collateral*rapid.Uint64Range(1, 25).Draw(t, "64ths")/64
			}
			if st.kind == ledger.KindPledge {
				st.ratio = rapid.SampledFrom(twinRatios).Draw(t, "ratio")
				// Mostly the ratio that the lien has.
				if i := slices.IndexFunc(pledges, func(p step) bool { return p.consumer == st.consumer }); i >= 0 && st.amount%8 != 0 {
					st.ratio = pledges[i].ratio
				}
				pledges = append(pledges, st)
			}
			s.steps = append(s.steps, st)
		}
		return s
	})
}

func drawOffence(chains, scripts, epochs int) *rapid.Generator[offence] {
	return rapid.Custom(func(t *rapid.T) offence {
		return offence{
			consumer:  rapid.IntRange(0, chains-1).Draw(t, "consumer"),
			epoch:     rapid.IntRange(3, epochs-2).Draw(t, "epoch"),
			back:      rapid.IntRange(0, 1).Draw(t, "back"),
			validator: rapid.IntRange(0, 2).Draw(t, "validator"),
			reporter:  rapid.IntRange(-1, scripts-1).Draw(t, "reporter"),
			later:     rapid.Bool().Draw(t, "later"),
		}
	})
}
