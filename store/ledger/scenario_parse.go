package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/holiman/uint256"
)

// MaxScenario bounds a scenario's file, in bytes.
const MaxScenario = 1 << 20

// maxScenarioViews bounds accounts × steps, since every step shows every account.
const maxScenarioViews = 1 << 20

// defaultUnbonding is the unbonding time of a scenario that names none.
const defaultUnbonding Duration = 60_000

// ParseScenario reads a scenario in JSON. It takes nothing that the format does not
// have; the error is one line that names the place, such as steps[3].pledge.amount.
func ParseScenario(b []byte) (*Scenario, error) {
	if len(b) > MaxScenario {
		return nil, fmt.Errorf("scenario: the file is larger than %d bytes", MaxScenario)
	}
	root, err := parseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	p := &scenarioParser{
		scenario:  &Scenario{unbonding: defaultUnbonding, names: map[AccountID]string{Backstop: "the backstop"}},
		consumers: map[string]bool{},
	}
	p.file(root)
	if p.err != nil {
		return nil, fmt.Errorf("scenario: %w", p.err)
	}
	p.scenario.consumers = slices.Sorted(maps.Keys(p.consumers))
	return p.scenario, nil
}

// scenarioParser is a scenario in the making.
type scenarioParser struct {
	jsonReader
	scenario  *Scenario
	consumers map[string]bool
}

func (p *scenarioParser) file(v *jsonValue) {
	fields := p.object(v, "accounts", "steps", "unbonding_seconds")
	if u := fields["unbonding_seconds"]; u != nil {
		p.scenario.unbonding = p.seconds(u)
	}
	total, opened := new(uint256.Int), map[AccountID]bool{}
	for _, item := range p.list(p.need(v, fields, "accounts")) {
		a := p.account(item)
		if opened[a.id] {
			p.fail(item, "there is another account %q", p.scenario.names[a.id])
		}
		opened[a.id] = true
		if total.Add(total, a.collateral.Int()); total.Gt(MaxAmount) {
			p.fail(item, "with it the accounts hold more than %s", MaxAmount.Dec())
		}
		if p.err != nil {
			return
		}
		p.scenario.accounts = append(p.scenario.accounts, a)
	}
	for _, item := range p.list(fields["steps"]) {
		s := p.step(item)
		if s.action == actionDeposit {
			opened[s.account] = true
		}
		if p.err != nil {
			return
		}
		p.scenario.steps = append(p.scenario.steps, s)
	}
	if n := len(opened) * (len(p.scenario.steps) + 1); n > maxScenarioViews {
		p.fail(v, "it has %d steps for %d accounts, more than can be shown: split it", len(p.scenario.steps), len(opened))
	}
}

func (p *scenarioParser) account(v *jsonValue) (a scenarioAccount) {
	fields := p.object(v, "id", "collateral", "liens")
	a.id = p.named(p.need(v, fields, "id"))
	a.collateral = p.amount(p.need(v, fields, "collateral"))
	seen := map[string]bool{}
	for _, item := range p.list(fields["liens"]) {
		l := p.lien(item)
		if seen[l.consumer] {
			p.fail(item, "there is another lien to %q: one lien can stand behind many validators", l.consumer)
		}
		seen[l.consumer] = true
		a.liens = append(a.liens, l)
	}
	return a
}

func (p *scenarioParser) lien(v *jsonValue) (l scenarioLien) {
	fields := p.object(v, "consumer", "ratio", "stakes", "backstop")
	l.consumer = p.consumer(p.need(v, fields, "consumer"))
	l.ratio = p.ratio(p.need(v, fields, "ratio"))
	if stakes := fields["stakes"]; stakes != nil {
		p.object(stakes)
		for i, name := range stakes.keys {
			item := stakes.items[i]
			l.stakes = append(l.stakes, scenarioStake{p.remember(p.name(item, name)), p.amount(item)})
		}
	}
	if b := fields["backstop"]; b != nil {
		l.stakes = append(l.stakes, scenarioStake{Backstop, p.amount(b)})
	}
	return l
}

func (p *scenarioParser) step(v *jsonValue) (s scenarioStep) {
	p.object(v, actionSlash, actionPledge, actionRelease, actionAdvance, actionDeposit, actionWithdraw)
	if p.err == nil && len(v.keys) != 1 {
		p.fail(v, "it has %d actions, a step has one", len(v.keys))
	}
	if p.err != nil {
		return s
	}
	s.action = v.keys[0]
	in := v.items[0]
	switch s.action {
	case actionSlash:
		if in.token == json.Delim('[') {
			for _, item := range in.items {
				s.faults = append(s.faults, p.fault(item))
			}
		} else {
			s.faults = append(s.faults, p.fault(in))
		}
	case actionPledge:
		fields := p.object(in, "account", "consumer", "validator", "backstop", "amount", "ratio")
		p.part(in, fields, &s)
		s.ratio = p.ratio(p.need(in, fields, "ratio"))
	case actionRelease:
		p.part(in, p.object(in, "account", "consumer", "validator", "backstop", "amount"), &s)
	case actionAdvance:
		s.wait = p.seconds(p.need(in, p.object(in, "seconds"), "seconds"))
	case actionDeposit, actionWithdraw:
		p.owner(in, p.object(in, "account", "amount"), &s)
	}
	return s
}

func (p *scenarioParser) fault(v *jsonValue) (f scenarioFault) {
	fields := p.object(v, "consumer", "validator", "backstop", "ratio")
	f.consumer = p.consumer(p.need(v, fields, "consumer"))
	f.validator = p.behind(v, fields)
	f.ratio = p.ratio(p.need(v, fields, "ratio"))
	return f
}

// owner reads who does something with how much.
func (p *scenarioParser) owner(v *jsonValue, fields map[string]*jsonValue, s *scenarioStep) {
	s.account = p.named(p.need(v, fields, "account"))
	s.amount = p.amount(p.need(v, fields, "amount"))
}

// part reads who does something with how much of which part of a lien.
func (p *scenarioParser) part(v *jsonValue, fields map[string]*jsonValue, s *scenarioStep) {
	p.owner(v, fields, s)
	s.consumer = p.consumer(p.need(v, fields, "consumer"))
	s.validator = p.behind(v, fields)
}

// behind is the validator, or the backstop where that is true.
func (p *scenarioParser) behind(v *jsonValue, fields map[string]*jsonValue) AccountID {
	backstop := p.yes(fields["backstop"])
	switch validator := fields["validator"]; {
	case validator != nil && backstop:
		p.fail(v, "it names both a validator and the backstop")
	case validator != nil:
		return p.named(validator)
	case !backstop:
		p.fail(v, "validator is missing, or backstop: true")
	}
	return Backstop
}

func (p *scenarioParser) consumer(v *jsonValue) string {
	s := p.chain(v)
	if p.err == nil {
		p.consumers[s] = true
	}
	return s
}

func (p *scenarioParser) named(v *jsonValue) AccountID {
	return p.remember(p.name(v, p.text(v)))
}

func (p *scenarioParser) remember(name string) AccountID {
	id := scenarioID(name)
	if p.err == nil {
		p.scenario.names[id] = name
	}
	return id
}
