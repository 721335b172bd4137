package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/store/trie"
)

// scenarioChain is whose ledger a scenario runs on. It is no chain id, so that no
// consumer of a scenario is it.
const scenarioChain = "scenario/ledger"

// scenarioRun is a scenario under way.
type scenarioRun struct {
	*Scenario
	machine *machine
	charges map[scenarioPart][]scenarioCharge // of the faults so far
	result  ScenarioResult
}

// scenarioPart names a part of a lien.
type scenarioPart struct {
	account   AccountID
	consumer  string
	validator AccountID
}

type scenarioCharge struct {
	charge
	time uint64
}

// Run answers the scenario. What breaks a rule is refused, changes nothing, and is
// in the result; an error means a mistake in the ledger itself.
func (s *Scenario) Run() (*ScenarioResult, error) {
	r := s.start()
	if err := r.open(); err != nil {
		return nil, fmt.Errorf("run scenario, opening: %w", err)
	}
	for i := range s.steps {
		if err := r.step(&s.steps[i]); err != nil {
			return nil, fmt.Errorf("run scenario, step %d: %w", i+1, err)
		}
	}
	return &r.result, nil
}

// start makes the machine over an empty ledger.
func (s *Scenario) start() *scenarioRun {
	spec := &ChainSpec{ID: scenarioChain, Params: Params{Unbonding: Window{Time: s.unbonding}, MinLien: Units(1)}} // in force, as no others are set
	return &scenarioRun{
		Scenario: s,
		machine:  &machine{chains: s.consumers, spec: spec, state: trie.New(trie.NewStore(), trie.Ref{}), dust: true},
		charges:  map[scenarioPart][]scenarioCharge{},
	}
}

// open is step 0. A lien that the vault does not allow is refused, the others stand.
func (r *scenarioRun) open() error {
	r.result.Steps = append(r.result.Steps, ScenarioStep{Action: actionOpen, Detail: "the accounts and their liens"})
	err := r.machine.step(func() error {
		if err := save(r.machine.tx, metaKey, new(Meta)); err != nil {
			return err
		}
		return r.follow()
	})
	if err != nil {
		return err
	}
	for i := range r.accounts {
		a := &r.accounts[i]
		if err := r.machine.step(func() error { return r.openAccount(a) }); err != nil {
			return err
		}
		for j := range a.liens {
			l := &a.liens[j]
			if err := r.attempt(a.id, l.consumer, func() error { return r.openLien(a.id, l) }); err != nil {
				return err
			}
		}
	}
	return r.show()
}

func (r *scenarioRun) openAccount(a *scenarioAccount) error {
	if !a.collateral.IsZero() {
		return r.machine.deposit(&Deposit{a.id, a.collateral})
	}
	v, err := r.machine.openAccount(a.id)
	if err != nil {
		return err
	}
	return r.machine.saveVault(v, true)
}

func (r *scenarioRun) openLien(id AccountID, l *scenarioLien) error {
	v, err := loadVault(r.machine.tx, id)
	if err != nil {
		return err
	}
	for _, s := range l.stakes {
		if s.amount.IsZero() {
			continue
		}
		if err := r.machine.addPart(v, l.consumer, s.validator, s.amount.Int(), uint64(l.ratio), accepted(s.validator)); err != nil {
			return err
		}
	}
	v.assume()
	if err := v.check(); err != nil {
		return err
	}
	return r.machine.saveVault(v, true)
}

// step runs one step in an epoch of its own.
func (r *scenarioRun) step(s *scenarioStep) error {
	r.machine.epoch++
	r.machine.now += uint64(s.wait)
	slashed, err := slashList.length(r.machine.state)
	if err != nil {
		return err
	}
	r.result.Steps = append(r.result.Steps, ScenarioStep{Step: len(r.result.Steps), Action: s.action, Detail: r.detail(s)})
	if err := r.attempt(s.account, s.consumer, func() error { return r.act(s) }); err != nil {
		return err
	}
	if s.action == actionSlash {
		if err := r.showSlashes(slashed); err != nil {
			return err
		}
	}
	return r.show()
}

// attempt runs f as a transaction. A refusal goes into the result of the step.
func (r *scenarioRun) attempt(account AccountID, consumer string, f func() error) error {
	err := r.machine.step(f)
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	step := &r.result.Steps[len(r.result.Steps)-1]
	out := ScenarioRefusal{
		Step: step.Step, Action: step.Action, Consumer: consumer,
		Code: refusal.Code.String(), Reason: r.named(refusal.Reason),
	}
	if account != (AccountID{}) {
		out.Account = r.names[account]
	}
	step.Refused = append(step.Refused, out)
	return nil
}

// named is a text of the ledger with names in place of ids.
func (r *scenarioRun) named(text string) string {
	for id, name := range r.names { // in any order: an id is longer than a name, so none becomes part of another
		text = strings.ReplaceAll(text, id.String(), name)
	}
	return text
}

func (r *scenarioRun) act(s *scenarioStep) error {
	m := r.machine
	switch s.action {
	case actionSlash:
		parts, err := r.capture(s.faults)
		if err != nil {
			return err
		}
		return r.slash(parts)
	case actionAdvance:
		return r.mature()
	case actionDeposit:
		return m.deposit(&Deposit{s.account, s.amount})
	}
	v, err := loadVault(m.tx, s.account)
	if err != nil {
		return err
	}
	if v == nil {
		return refuse(CodeUnknown, "there is no account %v: deposit first", s.account)
	}
	return m.owned(v, func() error {
		switch s.action {
		case actionPledge:
			if err := r.admit(s.consumer, s.validator); err != nil {
				return err
			}
			return m.pledge(v, &Pledge{[]byte(s.consumer), s.validator, s.amount, uint64(s.ratio), NewAmount(accepted(s.validator))})
		case actionRelease:
			return m.release(v, &Release{[]byte(s.consumer), s.validator, s.amount})
		case actionWithdraw:
			return m.withdraw(v, &Withdraw{s.amount})
		}
		return fmt.Errorf("unknown action %q", s.action)
	})
}

// capture charges every part behind the faults with what it is now. The faults are
// of one moment: nothing is taken before all is captured, and of those of one validator
// the dearest counts. It returns the parts in the order of the faults, each once.
func (r *scenarioRun) capture(faults []scenarioFault) ([]scenarioPart, error) {
	var parts []scenarioPart
	for _, f := range dearest(faults) {
		accounts, err := lienList(f.consumer, f.validator).accounts(r.machine.tx)
		if err != nil {
			return nil, err
		}
		for _, id := range accounts {
			v, err := loadVault(r.machine.tx, id)
			if err != nil {
				return nil, err
			}
			key := scenarioPart{id, f.consumer, f.validator}
			captured := v.lien(f.consumer).part(f.validator).effective
			r.charges[key] = append(r.charges[key], scenarioCharge{charge{&captured, ratioFraction(uint64(f.ratio))}, r.machine.now})
			parts = append(parts, key)
		}
	}
	return parts, nil
}

// dearest is one fault of each validator, in their order: the one with the largest ratio.
func dearest(faults []scenarioFault) []scenarioFault {
	var out []scenarioFault
	index := map[scenarioPart]int{} // without an account
	for _, f := range faults {
		key := scenarioPart{consumer: f.consumer, validator: f.validator}
		i, known := index[key]
		switch {
		case !known:
			index[key] = len(out)
			out = append(out, f)
		case f.ratio > out[i].ratio:
			out[i].ratio = f.ratio
		}
	}
	return out
}

// slash takes from each part what it owes for the faults so far.
func (r *scenarioRun) slash(parts []scenarioPart) error {
	for _, key := range parts {
		owes := func(l *lien, _ *part) due {
			var out []charge
			for _, c := range r.charges[key] {
				out = append(out, c.charge)
			}
			// Of charges of one debt the first is named: the same in any order of faults.
			slices.SortFunc(out, func(a, b charge) int {
				return cmp.Or(b.penalty.compare(a.penalty), b.captured.Cmp(a.captured))
			})
			return worst(out, l.ratio)
		}
		if err := r.machine.slash(key.account, key.consumer, key.validator, [32]byte{}, owes); err != nil {
			return err
		}
	}
	return nil
}

// mature does for every account what the next operation of its owner would: what
// was released long enough ago leaves, and what can't be captured any more is
// forgotten. An account of which nothing leaves is not settled by it.
func (r *scenarioRun) mature() error {
	m := r.machine
	if err := r.follow(); err != nil {
		return err
	}
	for key, charges := range r.charges {
		r.charges[key] = slices.DeleteFunc(charges, func(c scenarioCharge) bool {
			return m.params.Unbonding.Passed(0, c.time, m.epoch, m.now)
		})
	}
	ids, err := accountList.accounts(m.tx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		v, err := loadVault(m.tx, id)
		if err != nil {
			return err
		}
		ripe := false
		for _, l := range v.liens {
			for _, p := range l.parts {
				for _, u := range p.unbonding {
					gone, err := m.maturity().passed(l.consumer, p.validator, u.epoch, u.time)
					if err != nil {
						return err
					}
					ripe = ripe || gone
				}
				if err := p.forget(m.maturity(), l.consumer); err != nil {
					return err
				}
			}
		}
		if ripe {
			err = m.owned(v, func() error { return nil })
		} else {
			err = m.saveVault(v, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow has the ledger followed every consumer up to now.
func (r *scenarioRun) follow() error {
	for _, consumer := range r.consumers {
		if err := save(r.machine.tx, peerKey(consumer), &Peer{Time: r.machine.now}); err != nil {
			return err
		}
	}
	return nil
}

// admit puts validator alone into the consumer's set: who is in it is not part of a
// scenario.
func (r *scenarioRun) admit(consumer string, validator AccountID) error {
	return save(r.machine.tx, peerSetKey(consumer), &PeerSet{[]Member{{validator}}})
}

// accepted is what the backstops of a scenario accept: everything.
func accepted(validator AccountID) *uint256.Int {
	if validator == Backstop {
		return MaxAmount.Clone()
	}
	return zero()
}

// showSlashes adds to the last step what was slashed from record n on.
func (r *scenarioRun) showSlashes(n uint64) error {
	end, err := slashList.length(r.machine.state)
	if err != nil {
		return err
	}
	out := []ScenarioSlash{}
	for ; n < end; n++ {
		s, err := must[Slash](r.machine.state, slashList.item(n))
		if err != nil {
			return err
		}
		v := ScenarioSlash{
			Account: r.names[s.Account], Consumer: string(s.Consumer),
			Captured: s.Captured, Ratio: Ratio(s.Ratio), Amount: s.Amount,
		}
		if v.Backstop = s.Validator == Backstop; !v.Backstop {
			v.Validator = r.names[s.Validator]
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b ScenarioSlash) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Consumer, b.Consumer), cmp.Compare(a.Validator, b.Validator))
	})
	r.result.Steps[len(r.result.Steps)-1].Slashes = out
	return nil
}
