package ledger

import (
	"fmt"
	"strings"

	"github.com/holiman/uint256"
)

// show adds the ledger as it is now to the last step.
func (r *scenarioRun) show() error {
	step := &r.result.Steps[len(r.result.Steps)-1]
	reader := &Reader{spec: r.machine.spec, view: r.machine.state}
	var err error
	if step.Totals, err = reader.Totals(); err != nil {
		return err
	}
	ids, err := accountList.accounts(r.machine.state)
	if err != nil {
		return err
	}
	step.Accounts = make([]ScenarioAccount, len(ids))
	for i, id := range ids {
		v, err := loadVault(r.machine.state, id)
		if err != nil {
			return err
		}
		step.Accounts[i] = r.accountView(v)
	}
	return nil
}

func (r *scenarioRun) accountView(v *vault) ScenarioAccount {
	view := ScenarioAccount{
		ID: r.names[v.id], Collateral: NewAmount(v.collateral), MaxLien: NewAmount(v.maxLien()),
		Slashable: scaledText(v.slashable()), Free: NewAmount(v.free()), Liens: []ScenarioLien{},
	}
	slashed := zero()
	for _, l := range v.liens {
		lien, taken := r.lienView(l)
		view.Liens = append(view.Liens, lien)
		slashed.Add(slashed, taken)
	}
	view.Slashed = NewAmount(slashed)
	return view
}

func (r *scenarioRun) lienView(l *lien) (view ScenarioLien, taken *uint256.Int) {
	amount := l.amount()
	view = ScenarioLien{Consumer: l.consumer, Ratio: Ratio(l.ratio), Amount: NewAmount(&amount), Stakes: map[string]Amount{}}
	unbonding, taken := zero(), zero()
	for _, p := range l.parts {
		if p.validator == Backstop {
			view.Backstop = NewAmount(&p.effectiveBonded)
		} else {
			view.Stakes[r.names[p.validator]] = NewAmount(&p.effectiveBonded)
		}
		for _, u := range p.effectiveUnbonding {
			unbonding.Add(unbonding, &u)
		}
		taken.Add(taken, &p.taken)
	}
	view.Unbonding, view.Slashed = NewAmount(unbonding), NewAmount(taken)
	return view, taken
}

// scaledText is an integer scaled by One as a decimal, exact and without trailing
// zeros.
func scaledText(scaled *uint256.Int) string {
	whole, rest := zero(), zero()
	whole.DivMod(scaled, one, rest)
	if rest.IsZero() {
		return whole.Dec()
	}
	return whole.Dec() + strings.TrimRight(fmt.Sprintf(".%018d", rest.Uint64()), "0")
}

// detail is one line about what a step does.
func (r *scenarioRun) detail(s *scenarioStep) string {
	who := r.names[s.account]
	behind := func(consumer string, validator AccountID) string {
		return fmt.Sprintf("%s of %s", r.names[validator], consumer)
	}
	switch s.action {
	case actionSlash:
		faults := make([]string, len(s.faults))
		for i, f := range s.faults {
			faults[i] = fmt.Sprintf("%s by %v", behind(f.consumer, f.validator), f.ratio)
		}
		if len(faults) == 0 {
			return "nobody"
		}
		return strings.Join(faults, ", ")
	case actionPledge:
		return fmt.Sprintf("%s, %v behind %s at %v", who, s.amount, behind(s.consumer, s.validator), s.ratio)
	case actionRelease:
		return fmt.Sprintf("%s, %v from behind %s", who, s.amount, behind(s.consumer, s.validator))
	case actionAdvance:
		return s.wait.Span().String()
	}
	return fmt.Sprintf("%s, %v", who, s.amount)
}
