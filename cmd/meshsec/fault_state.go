package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// The states of a fault on one ledger, in their order.
const (
	stateVerified = "verified" // the node holds the proof, the ledger does not know it
	stateRecorded = "recorded" // and captures nothing on this ledger
	stateFrozen   = "frozen"   // what it captured waits for the end of the window
	stateExecuted = "executed"
	stateRefused  = "refused" // the ledger will never record it
	stateHalted   = "halted"  // the chain has forked: it is halted on the ledger, and nobody is convicted
	stateNone     = "none"    // a chain's fork means nothing to its own ledger
)

// faultState is where a fault stands on one ledger. Amounts are sums over all liens, in
// that chain's base units.
type faultState struct {
	Ledger       string          `json:"ledger"`
	State        string          `json:"state"`
	Reason       string          `json:"reason,omitempty"` // why it is refused
	By           ledger.HexBytes `json:"by,omitempty"`     // another fault that convicted the same there
	Recorded     uint64          `json:"recorded,omitempty"`
	Pending      *ledger.EndView `json:"pending,omitempty"` // when what is due may be taken
	Captured     ledger.Amount   `json:"captured"`
	Due          ledger.Amount   `json:"due"`
	Taken        ledger.Amount   `json:"taken"`
	Burned       ledger.Amount   `json:"burned"`
	Reward       ledger.Amount   `json:"reward"`
	Compensation ledger.Amount   `json:"compensation"`
}

// ledgersOf are the chains whose ledgers a node keeps, sorted.
func ledgersOf(s api.Status) []string { return slices.Sorted(maps.Keys(s.Ledgers)) }

// stateOf asks where a fault stands on a ledger: as itself, or as another fault that
// convicted the same offenders of the same epoch first.
func (f *found) stateOf(ctx context.Context, chain string, x *api.Fault) (faultState, error) {
	v, err := f.Conviction(ctx, chain, [32]byte(x.ID))
	if err == nil {
		return newFaultState(&v), nil
	}
	if !errors.Is(err, api.ErrNotFound) {
		return faultState{}, err
	}
	l, err := f.Ledger(ctx, chain)
	if err != nil {
		return faultState{}, err
	}
	by := recordedAs(&l, x)
	switch why := x.Refused[chain]; {
	case by == nil && x.Forked && x.Chain == chain:
		return faultState{Ledger: chain, State: stateNone}, nil
	case by == nil && why != "":
		return faultState{Ledger: chain, State: stateRefused, Reason: why}, nil
	case by == nil:
		return faultState{Ledger: chain, State: stateVerified}, nil
	}
	if v, err = f.Conviction(ctx, chain, [32]byte(by.ID)); err != nil {
		return faultState{}, err
	}
	s := newFaultState(&v)
	s.By = by.ID
	return s, nil
}

func newFaultState(v *ledger.ConvictionView) faultState {
	s := faultState{Ledger: v.Ledger, State: stateRecorded, Recorded: v.Recorded, Pending: v.Pending}
	for _, p := range v.Parts {
		s.Captured, s.Due = plus(s.Captured, p.Captured), plus(s.Due, p.Due)
	}
	for _, x := range v.Slashes {
		s.Taken, s.Burned = plus(s.Taken, x.Amount), plus(s.Burned, x.Burned)
		s.Reward, s.Compensation = plus(s.Reward, x.Reward), plus(s.Compensation, x.Compensation)
	}
	switch {
	case v.Forked:
		s.State = stateHalted
	case v.Executed:
		s.State = stateExecuted
	case !s.Captured.IsZero():
		s.State = stateFrozen
	}
	return s
}

func plus(a, b ledger.Amount) ledger.Amount {
	return ledger.NewAmount(new(uint256.Int).Add(a.Int(), b.Int()))
}

// over says whether nothing comes after a state.
func over(state string) bool {
	return slices.Contains([]string{stateExecuted, stateRefused, stateHalted, stateNone}, state)
}

// listed is a fault with its state on every ledger.
type listed struct {
	api.Fault
	States map[string]string `json:"states"`
}

// listFaults are all faults of a node, and the chains whose ledgers it keeps.
func listFaults(ctx context.Context, f *found) ([]listed, []string, error) {
	faults, err := allFaults(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	status, err := f.Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	out, chains := make([]listed, len(faults)), ledgersOf(status)
	for i, x := range faults {
		out[i] = listed{x, map[string]string{}}
	}
	for _, chain := range chains {
		l, err := f.Ledger(ctx, chain)
		if err != nil {
			return nil, nil, err
		}
		recorded := map[[32]byte]*ledger.FaultView{}
		for i := range l.Faults {
			recorded[[32]byte(l.Faults[i].ID)] = &l.Faults[i]
		}
		for i := range out {
			x := &out[i]
			v := recorded[[32]byte(x.ID)]
			if v == nil {
				v = recordedAs(&l, &x.Fault)
			}
			x.States[chain] = listedState(l.Liens, v)
			switch {
			case v == nil && x.Forked && x.Chain == chain:
				x.States[chain] = stateNone
			case v == nil && x.Refused[chain] != "":
				x.States[chain] = stateRefused
			}
		}
	}
	return out, chains, nil
}

// recordedAs is another fault that did to a ledger before what x would do: it convicted the
// same, or halted the chain that has forked. Nil if there is none.
func recordedAs(l *api.Ledger, x *api.Fault) *ledger.FaultView {
	if !x.Forked {
		return convictedBefore(l, x.Kind, x.Chain, x.Epoch, x.Offenders)
	}
	i := slices.IndexFunc(l.Faults, func(f ledger.FaultView) bool { return f.Forked && f.Chain == x.Chain })
	if i < 0 {
		return nil
	}
	return &l.Faults[i]
}

func listedState(liens []ledger.LienView, v *ledger.FaultView) string {
	frozen := func(l ledger.LienView) bool {
		return l.Consumer == v.Chain && !l.Frozen.IsZero() && slices.Contains(v.Offenders, l.Validator)
	}
	switch {
	case v == nil:
		return stateVerified
	case v.Forked:
		return stateHalted
	case v.Executed:
		return stateExecuted
	case slices.ContainsFunc(liens, frozen):
		return stateFrozen
	}
	return stateRecorded
}
