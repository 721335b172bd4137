package testnet

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// script is a backend whose processes do what is written.
type script struct {
	acts    []map[string]State // one for each look; the last stays
	next    int
	started []string
}

func (s *script) prepare(context.Context) error               { return nil }
func (s *script) kill(context.Context, Service) error         { return nil }
func (s *script) stop(context.Context, []Service) error       { return nil }
func (s *script) remove(context.Context) error                { return nil }
func (s *script) tail(context.Context, Service, int) []string { return []string{"disk on fire"} }
func (s *script) start(_ context.Context, services []Service) error {
	s.started = append(s.started, names(services)...)
	return nil
}
func (s *script) states(context.Context) (map[string]State, error) {
	act := s.acts[min(s.next, len(s.acts)-1)]
	s.next++
	return act, nil
}

// all are the states of stage's processes, but for those given.
func all(state State, but map[string]State) map[string]State {
	states := map[string]State{}
	for _, name := range []string{"alpha", "beta", "alpha-0", "alpha-1", "beta-0", "beta-1"} {
		states[name] = state
	}
	for name, st := range but {
		states[name] = st
	}
	return states
}

func TestWatchSaysWhoDiedAndEndsWithTheLast(t *testing.T) {
	n, _ := stage(t)
	var out bytes.Buffer
	b := &script{acts: []map[string]State{
		all(Running, nil),
		all(Running, map[string]State{"beta-1": Killed, "alpha": Died}),
		all(Stopped, nil),
	}}
	err := newObserver(n).watch(t.Context(), b, NewScreen(&out, false))
	if !errors.Is(err, errStoppedElsewhere) {
		t.Errorf("it ended with %v", err)
	}
	for _, want := range []string{
		"beta-1 is killed\n", "alpha ended unexpectedly. Its last words:\n  | disk on fire\n", "`meshsec testnet start alpha ",
		"alpha epoch 5 certified by 97 % of the power, final 3, ledger root 10050000…, 4/4 agree\n", "no faults\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it did not say %q:\n%s", want, out.String())
		}
	}
}

func TestWatchEndsWhenItIsTold(t *testing.T) {
	n, _ := stage(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newObserver(n).watch(ctx, &script{acts: []map[string]State{all(Running, nil)}}, nil); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestWatchEndsWithTheHome(t *testing.T) {
	n, _ := stage(t)
	n.home += "/gone"
	err := newObserver(n).watch(t.Context(), &script{acts: []map[string]State{all(Running, nil)}}, nil)
	if !errors.Is(err, errStoppedElsewhere) {
		t.Errorf("it ended with %v", err)
	}
}
