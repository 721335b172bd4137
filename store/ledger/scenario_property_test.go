package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/holiman/uint256"
	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/trie"
)

// drawScenario draws accounts, steps and a set of faults of one moment that follow
// them. There are few names, small amounts and tight accounts, so that they meet,
// rounding shows, and a slash cuts other liens.
func drawScenario(t *rapid.T) (*Scenario, []scenarioFault) {
	consumer := rapid.SampledFrom([]string{"home", "h1", "h2", "h3"})
	validator := rapid.SampledFrom([]AccountID{scenarioID("v1"), scenarioID("v2"), Backstop})
	owner := rapid.SampledFrom([]AccountID{scenarioID("u"), scenarioID("w"), scenarioID("x")})
	ratio := rapid.Custom(func(t *rapid.T) Ratio {
		if rapid.Bool().Draw(t, "round") {
			return Ratio(rapid.Uint64Range(1, 8).Draw(t, "twentieths") * One / 20)
		}
		return Ratio(rapid.Uint64Range(One/1000, One).Draw(t, "ratio"))
	})
	amount := rapid.Custom(func(t *rapid.T) Amount { return Units(rapid.Uint64Range(0, 1000).Draw(t, "amount")) })
	s := &Scenario{
		unbonding: 60_000, consumers: []string{"h1", "h2", "h3", "home"},
		names: map[AccountID]string{Backstop: "the backstop"},
	}
	for _, name := range []string{"u", "w", "x", "v1", "v2"} {
		s.names[scenarioID(name)] = name
	}
	for _, name := range []string{"u", "w"} {
		collateral := rapid.Uint64Range(100, 2000).Draw(t, "collateral")
		a := scenarioAccount{id: scenarioID(name), collateral: Units(collateral)}
		for _, c := range rapid.SliceOfNDistinct(consumer, 1, 4, rapid.ID).Draw(t, "consumers") {
			l := scenarioLien{consumer: c, ratio: ratio.Draw(t, "ratio")}
			validators := rapid.SliceOfNDistinct(validator, 1, 3, rapid.ID[AccountID]).Draw(t, "validators")
			for _, v := range validators {
				most := collateral/uint64(len(validators)) + 1 // now and then too much
				l.stakes = append(l.stakes, scenarioStake{v, Units(rapid.Uint64Range(most-most/4, most).Draw(t, "stake"))})
			}
			a.liens = append(a.liens, l)
		}
		s.accounts = append(s.accounts, a)
	}
	var stood []scenarioFault // parts that the opening names
	for _, a := range s.accounts {
		for _, l := range a.liens {
			for _, p := range l.stakes {
				stood = append(stood, scenarioFault{l.consumer, p.validator, l.ratio})
			}
		}
	}
	somewhere := rapid.Custom(func(t *rapid.T) scenarioFault {
		if rapid.IntRange(0, 9).Draw(t, "anywhere") == 9 {
			return scenarioFault{consumer.Draw(t, "consumer"), validator.Draw(t, "validator"), ratio.Draw(t, "ratio")}
		}
		f := rapid.SampledFrom(stood).Draw(t, "part")
		if rapid.Bool().Draw(t, "other ratio") {
			f.ratio = ratio.Draw(t, "ratio")
		}
		return f
	})
	faults := rapid.SliceOfN(somewhere, 1, 8)

	s.steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) scenarioStep {
		step := scenarioStep{action: rapid.SampledFrom([]string{
			actionSlash, actionSlash, actionPledge, actionRelease, actionAdvance, actionDeposit, actionWithdraw,
		}).Draw(t, "action")}
		switch step.action {
		case actionSlash:
			step.faults = faults.Draw(t, "faults")
		case actionAdvance:
			step.wait = Duration(rapid.Uint64Range(0, 40).Draw(t, "seconds") * 1000)
		default:
			step.account, step.amount = owner.Draw(t, "owner"), amount.Draw(t, "amount")
			p := somewhere.Draw(t, "part")
			step.consumer, step.validator, step.ratio = p.consumer, p.validator, p.ratio
		}
		return step
	}), 0, 12).Draw(t, "steps")
	return s, faults.Draw(t, "last faults")
}

// upTo runs the whole scenario and keeps its ledger.
func upTo(t *rapid.T, s *Scenario) *scenarioRun {
	t.Helper()
	r := s.start()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	for i := range s.steps {
		if err := r.step(&s.steps[i]); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// after is the ledger at the end of r.
func (r *scenarioRun) after() ScenarioStep { return r.result.Steps[len(r.result.Steps)-1] }

// The faults of one list, in any order, and captured together but executed in any
// groups, each in an epoch of its own, end in the same ledger.
func TestScenarioFaultsOfOneMomentCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, faults := drawScenario(t)
		last := func(faults []scenarioFault) *scenarioRun {
			c := *s
			c.steps = append(slices.Clone(s.steps), scenarioStep{action: actionSlash, faults: faults})
			return upTo(t, &c)
		}
		want := last(faults).after()

		shuffled := last(rapid.Permutation(faults).Draw(t, "order")).after()
		shuffled.Detail = want.Detail
		if !reflect.DeepEqual(shuffled, want) {
			t.Fatalf("in one order:\n%s\nin another:\n%s", asText(want), asText(shuffled))
		}

		grouped := upTo(t, s)
		err := grouped.machine.step(func() error {
			parts, err := grouped.capture(faults)
			if err != nil {
				return err
			}
			parts = rapid.Permutation(parts).Draw(t, "parts")
			for len(parts) > 0 {
				n := rapid.IntRange(1, len(parts)).Draw(t, "group")
				grouped.machine.epoch++
				if err := grouped.slash(parts[:n]); err != nil {
					return err
				}
				parts = parts[n:]
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := grouped.show(); err != nil {
			t.Fatal(err)
		}
		got := grouped.after()
		for i := range got.Accounts { // what is free also depends on what can be captured of the epochs between
			got.Accounts[i].Free = want.Accounts[i].Free
		}
		if got, want := asText(got.Accounts), asText(want.Accounts); got != want {
			t.Fatalf("at once:\n%s\nin groups:\n%s", want, got)
		}
	})
}

func TestScenarioStepsKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, faults := drawScenario(t)
		s.steps = append(s.steps, scenarioStep{action: actionSlash, faults: faults})
		r, err := s.Run()
		if err != nil {
			t.Fatal(err)
		}
		if err := sound(r); err != nil {
			t.Fatal(err)
		}
	})
}

func TestScenarioRefusedStepsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, _ := drawScenario(t)
		r := s.start()
		if err := r.open(); err != nil {
			t.Fatal(err)
		}
		for i := range s.steps {
			before, root := r.after(), r.machine.state.(*trie.Tree).Root()
			if err := r.step(&s.steps[i]); err != nil {
				t.Fatal(err)
			}
			after := r.after()
			if len(after.Refused) == 0 {
				continue
			}
			if r.machine.state.(*trie.Tree).Root() != root || asText(after.Accounts) != asText(before.Accounts) || after.Totals != before.Totals {
				t.Fatalf("step %d was refused (%+v) and changed\n%s\nto\n%s", i+1, after.Refused, asText(before), asText(after))
			}
		}
	})
}

// TestScenarioDebtsAgreeWithTheDumbTwin recomputes what every slash takes from the
// result alone, with rationals: the largest debt over all faults so far, each from the
// part as it stood after the step before, less what was taken.
func TestScenarioDebtsAgreeWithTheDumbTwin(t *testing.T) {
	type offence struct{ captured, ratio *big.Rat }
	rat := func(text string) *big.Rat {
		r, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		s, faults := drawScenario(t)
		s.steps = append(s.steps, scenarioStep{action: actionSlash, faults: faults})
		s.steps = slices.DeleteFunc(s.steps, func(s scenarioStep) bool { // a lien's view does not say which part unbonds
			return s.action == actionRelease || s.action == actionAdvance
		})
		r, err := s.Run()
		if err != nil {
			t.Fatal(err)
		}
		offences, taken := map[[3]string][]offence{}, map[[3]string]*big.Int{}
		for i, step := range s.steps {
			got := map[[3]string]string{}
			for _, x := range r.Steps[i+1].Slashes {
				got[[3]string{x.Account, x.Consumer, x.Validator}] = x.Amount.String()
			}
			want := map[[3]string]string{}
			for _, a := range r.Steps[i].Accounts {
				for _, l := range a.Liens {
					parts := map[string]Amount{"": l.Backstop}
					maps.Copy(parts, l.Stakes)
					for validator, amount := range parts {
						part := [3]string{a.ID, l.Consumer, validator}
						hit := false
						for _, f := range step.faults {
							if f.consumer == l.Consumer && (f.validator == Backstop && validator == "" || f.validator == scenarioID(validator)) {
								offences[part], hit = append(offences[part], offence{rat(amount.String()), rat(f.ratio.String())}), true
							}
						}
						if !hit {
							continue
						}
						debt := new(big.Int)
						for _, o := range offences[part] {
							ratio := rat(l.Ratio.String())
							if o.ratio.Cmp(ratio) < 0 {
								ratio = o.ratio
							}
							d := new(big.Rat).Mul(ratio, o.captured)
							if floor := new(big.Int).Div(d.Num(), d.Denom()); floor.Cmp(debt) > 0 {
								debt = floor
							}
						}
						if taken[part] == nil {
							taken[part] = new(big.Int)
						}
						if more := new(big.Int).Sub(debt, taken[part]); more.Sign() > 0 {
							want[part] = more.String()
							taken[part] = debt
						}
					}
				}
			}
			if !maps.Equal(got, want) {
				t.Fatalf("step %d took %v, the twin says %v", i+1, got, want)
			}
		}
	})
}

func asText(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sound checks every step of a result with arithmetic of its own: I1, I2, the sums,
// and that nothing is lost or made.
func sound(r *ScenarioResult) error {
	for _, step := range r.Steps {
		collateral, slashed := new(big.Int), new(big.Int)
		for _, a := range step.Accounts {
			if err := soundAccount(a); err != nil {
				return fmt.Errorf("step %d, account %s: %w", step.Step, a.ID, err)
			}
			collateral.Add(collateral, bigOf(a.Collateral))
			slashed.Add(slashed, bigOf(a.Slashed))
		}
		if s := step.Totals; bigOf(s.Collateral).Cmp(collateral) != 0 || gone(s).Cmp(slashed) != 0 {
			return fmt.Errorf("step %d: collateral %v, slashed %v, totals %+v", step.Step, collateral, slashed, s)
		}
		sum := collateral.Add(collateral, slashed)
		if sum.Add(sum, bigOf(step.Totals.Withdrawn)).Cmp(bigOf(step.Totals.Deposited)) != 0 {
			return fmt.Errorf("step %d: %v are there or gone of %v deposited", step.Step, sum, step.Totals.Deposited)
		}
		taken := new(big.Int)
		for _, s := range step.Slashes {
			taken.Add(taken, bigOf(s.Amount))
		}
		if step.Step > 0 {
			before := gone(r.Steps[step.Step-1].Totals)
			if before.Add(before, taken).Cmp(gone(step.Totals)) != 0 {
				return fmt.Errorf("step %d lists slashes of %v", step.Step, taken)
			}
		}
	}
	return nil
}

func soundAccount(a ScenarioAccount) error {
	largest, slashable, slashed := new(big.Int), new(big.Rat), new(big.Int)
	for _, l := range a.Liens {
		sum := new(big.Int).Add(bigOf(l.Backstop), bigOf(l.Unbonding))
		for _, s := range l.Stakes {
			sum.Add(sum, bigOf(s))
		}
		if sum.Cmp(bigOf(l.Amount)) != 0 {
			return fmt.Errorf("the lien to %s is %v, its parts %v", l.Consumer, l.Amount, sum)
		}
		if sum.Cmp(largest) > 0 {
			largest = sum
		}
		r, ok := new(big.Rat).SetString(l.Ratio.String())
		if !ok {
			return fmt.Errorf("ratio %v", l.Ratio)
		}
		slashable.Add(slashable, r.Mul(r, new(big.Rat).SetInt(sum)))
		slashed.Add(slashed, bigOf(l.Slashed))
	}
	collateral := bigOf(a.Collateral)
	stated, ok := new(big.Rat).SetString(a.Slashable)
	free := new(big.Rat).SetInt(bigOf(a.Free))
	switch {
	case bigOf(a.MaxLien).Cmp(largest) != 0 || !ok || stated.Cmp(slashable) != 0 || bigOf(a.Slashed).Cmp(slashed) != 0:
		return fmt.Errorf("it says max lien %v, slashable %s, slashed %v; from its liens %v, %v, %v", a.MaxLien, a.Slashable, a.Slashed, largest, slashable, slashed)
	case largest.Cmp(collateral) > 0:
		return fmt.Errorf("I1: %v over %v", largest, collateral)
	case slashable.Cmp(new(big.Rat).SetInt(collateral)) > 0:
		return fmt.Errorf("I2: %v over %v", slashable, collateral)
	case free.Sign() > 0 && free.Add(free, new(big.Rat).SetInt(largest)).Cmp(new(big.Rat).SetInt(collateral)) > 0:
		return fmt.Errorf("%v are free beside a lien of %v and a collateral of %v", a.Free, largest, collateral)
	}
	return nil
}

// gone is what slashes took: it burned, or waits in the escrow where a backstop paid.
func gone(s Totals) *big.Int { return new(big.Int).Add(bigOf(s.Burned), bigOf(s.Escrow)) }

func bigOf(a Amount) *big.Int { return a.Int().ToBig() }

// FuzzParseScenario holds that a file is refused in one line, or runs and keeps the
// invariants.
func FuzzParseScenario(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "scenarios", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseScenario(b)
		if err != nil {
			if text := err.Error(); slices.ContainsFunc([]rune(text), func(c rune) bool { return c < ' ' || c == 0x7f }) {
				t.Fatalf("not one line: %q", text)
			}
			return
		}
		if len(s.steps) > 200 || len(s.accounts) > 200 { // all true, but slow
			return
		}
		r, err := s.Run()
		if err != nil {
			t.Fatal(err)
		}
		if err := sound(r); err != nil {
			t.Fatal(err)
		}
	})
}

// The exact figure, however large.
func TestScaledText(t *testing.T) {
	huge := new(uint256.Int).Mul(MaxAmount, uint256.NewInt(64))
	for _, c := range []struct {
		scaled *uint256.Int
		want   string
	}{
		{zero(), "0"},
		{uint256.NewInt(1), "0.000000000000000001"},
		{uint256.NewInt(One), "1"},
		{uint256.NewInt(4_500_000_000_000_000_000), "4.5"},
		{new(uint256.Int).Mul(huge, one), huge.Dec()},
	} {
		if got := scaledText(c.scaled); got != c.want {
			t.Errorf("%s is %s, want %s", c.scaled.Dec(), got, c.want)
		}
	}
}
