package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// errStoppedElsewhere is how `up` ends when another command stopped everything.
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
		states, err := o.t.calm(ctx, b)
		if errors.Is(err, errBusy) {
			return false, nil
		}
		if err != nil {
			return false, err
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

// calm are the states of all processes while no other command changes them: what
// is being stopped looks like an accident. It fails with errStoppedElsewhere where
// nothing is left.
func (t *Testnet) calm(ctx context.Context, b backend) (states map[string]State, err error) {
	err = t.change(ctx, func() (err error) {
		states, err = b.states(ctx)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || err == nil && allStopped(states) { // without its home, too
		return nil, errStoppedElsewhere
	}
	return states, err
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
	now = append(now, v.haltLines()...)
	now = append(now, v.nodeLine(states))
	now = append(now, v.faultLines()...)
	for _, l := range now {
		if !slices.Contains(last, l) {
			s.say(l)
		}
	}
	return now
}
