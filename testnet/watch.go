package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// errStoppedElsewhere is how a watch ends when another command stopped everything.
var errStoppedElsewhere = errors.New("stopped by another command")

// watch shows the testnet until ctx ends or another command stops it. It says who
// died, and goes on: a mesh lives with less than all of its nodes.
func (o *observer) watch(ctx context.Context, b backend, s *Screen) error {
	var last []string
	known, err := b.states(ctx)
	if err != nil {
		return err
	}
	err = poll(ctx, pace, func() (bool, error) {
		var states map[string]State
		// Not in the middle of what another command changes.
		err := o.t.change(ctx, func() (err error) {
			states, err = b.states(ctx)
			return err
		})
		switch {
		case errors.Is(err, errBusy):
			return false, nil
		case errors.Is(err, fs.ErrNotExist): // the home is gone
			return false, errStoppedElsewhere
		case err != nil:
			return false, err
		}
		if allStopped(states) {
			return false, errStoppedElsewhere
		}
		for _, one := range o.t.services() {
			if states[one.Name] != known[one.Name] {
				s.say(o.change(ctx, b, one, states[one.Name])...)
			}
		}
		known = states
		v := o.look(ctx)
		if ctx.Err() != nil {
			return true, nil // half of it was not answered
		}
		s.draw(v.table(states))
		last = o.report(s, v, states, last)
		return false, nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func allStopped(states map[string]State) bool {
	for _, st := range states {
		if st != Stopped {
			return false
		}
	}
	return true
}

// change says what became of a process.
func (o *observer) change(ctx context.Context, b backend, one Service, now State) []string {
	if now != Died {
		return []string{fmt.Sprintf("%s is %s", one.Name, now)}
	}
	death := &DeathError{one.Name, b.tail(ctx, one, 8)}
	return append(death.lastWords(), o.t.advice("start "+one.Name)+" starts it again")
}

// report writes a line for each part of the table that changed, where there is no
// terminal to redraw it on.
func (o *observer) report(s *Screen, v *view, states map[string]State, last []string) []string {
	if s == nil || s.terminal {
		return nil
	}
	var now []string
	for _, c := range v.Status().Chains {
		same, ready := v.agreement(c.ID)
		now = append(now, fmt.Sprintf("%s epoch %d certified by %s of the power, final %d, ledger root %s, %d/%d agree",
			c.ID, c.Epoch, percent(c.SignedPower, c.TotalPower), c.FinalEpoch, prefix(c.LedgerRoot), same, ready))
	}
	now = append(now, v.nodeLine(states))
	now = append(now, v.faultLines()...)
	for _, l := range now {
		if !slices.Contains(last, l) {
			s.say(l)
		}
	}
	return now
}
