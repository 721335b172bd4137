package testnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Bounds of the stages of a start, on a slow machine.
const (
	devchainTimeout = 2 * time.Minute
	readyTimeout    = 4 * time.Minute
	bondTimeout     = 4 * time.Minute
	settleTimeout   = 6 * time.Minute
	stopTimeout     = time.Minute
)

// look at the testnet this often.
const pace = time.Second

// Up starts whatever of t is not running, has the stake bonded and pledged, and
// waits until all of it counts and all nodes agree. Then it returns, if detached;
// otherwise it shows the testnet until ctx ends, and stops it. Where the start
// fails nothing is left running.
func (t *Testnet) Up(ctx context.Context, detach bool, s *Screen) error {
	release, err := lock(t.path("run", "up.lock"))
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("another `meshsec testnet up` runs this testnet: see it with %s", t.advice("status"))
	}
	if err != nil {
		return err
	}
	defer release()
	b, err := t.backend(ctx)
	if err != nil {
		return unready(err, detach)
	}
	began := time.Now()
	s.say(fmt.Sprintf("meshsec testnet: %v, in %s", t.Shape(), t.home))
	o := newObserver(t)
	err = t.launch(ctx, b, s)
	if err == nil {
		err = o.settle(ctx, b, s)
	}
	if err != nil {
		s.abandon()
		if errors.Is(err, errStoppedElsewhere) {
			return err // by whom nothing was left
		}
		var death *DeathError
		if errors.As(err, &death) {
			s.say(death.lastWords()...)
		}
		return errors.Join(unready(err, detach), t.halt(b, s))
	}
	s.say(fmt.Sprintf("ready after %v", time.Since(began).Round(time.Second)))
	if detach {
		s.say(fmt.Sprintf("it runs on: %s shows it, %s stops it", t.advice("status"), t.advice("down")))
		return nil
	}
	err = o.watch(ctx, b, s)
	if errors.Is(err, errStoppedElsewhere) {
		s.say("stopped by another command")
		return nil
	}
	return errors.Join(err, t.halt(b, s))
}

// unready is what a start that failed comes to, err being why. One that was told to end
// has done so, unless it was to leave a testnet that is ready.
func unready(err error, detach bool) error {
	switch {
	case !errors.Is(err, context.Canceled):
		return err
	case detach:
		return errors.New("interrupted before the testnet was ready")
	}
	return nil
}

// launch starts all processes, home chains first.
func (t *Testnet) launch(ctx context.Context, b backend, s *Screen) error {
	s.begin("home chains")
	err := t.change(ctx, func() error {
		if err := t.clearMarks(); err != nil {
			return err
		}
		if err := b.prepare(ctx); err != nil {
			return err
		}
		return b.start(ctx, t.devchains())
	})
	if err != nil {
		return err
	}
	err = t.await(ctx, b, t.devchains(), devchainTimeout, func(ctx context.Context, one Service) error {
		return one.Chain.healthy(ctx)
	}, s)
	if err != nil {
		return err
	}
	s.end("%d make blocks", len(t.Chains))
	s.begin("nodes")
	return t.change(ctx, func() error {
		states, err := b.states(ctx)
		if err != nil {
			return err
		}
		if allStopped(states) {
			return errStoppedElsewhere
		}
		return b.start(ctx, t.nodes())
	})
}

// await waits until all services answer well, one of them dies, or time is up.
func (t *Testnet) await(ctx context.Context, b backend, services []Service, timeout time.Duration, ask func(context.Context, Service) error, s *Screen) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var waiting []string
	err := poll(ctx, pace/2, func() (bool, error) {
		if err := t.deaths(ctx, b, services); err != nil {
			return false, err
		}
		waiting = nil
		for _, one := range services {
			if err := ask(ctx, one); err != nil {
				waiting = append(waiting, fmt.Sprintf("%s (%v)", one.Name, err))
			}
		}
		s.progress("%d of %d", len(services)-len(waiting), len(services))
		return len(waiting) == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not ready after %v: %s", timeout, strings.Join(waiting, ", "))
	}
	return err
}

// deaths is an error if one of the services has died, with its last words, or if
// another command has stopped everything.
func (t *Testnet) deaths(ctx context.Context, b backend, services []Service) error {
	states, err := t.calm(ctx, b)
	if errors.Is(err, errBusy) {
		return nil // not now
	}
	if err != nil {
		return err
	}
	for _, one := range services {
		if states[one.Name] == Died {
			return &DeathError{one.Name, b.tail(ctx, one, 12)}
		}
	}
	return nil
}

// DeathError is a process that ended although nobody asked for it.
type DeathError struct {
	Name string
	Log  []string // its last lines
}

// Error is one line; the log's last line says best why.
func (e *DeathError) Error() string {
	if len(e.Log) == 0 {
		return e.Name + " ended unexpectedly"
	}
	return e.Name + " ended unexpectedly: " + e.Log[len(e.Log)-1]
}

// lastWords quote the log.
func (e *DeathError) lastWords() []string {
	lines := []string{e.Name + " ended unexpectedly. Its last words:"}
	for _, l := range e.Log {
		lines = append(lines, "  | "+l)
	}
	return lines
}

// healthy asks the devchain's RPC.
func (c *Chain) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.RPC+"/health", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return errors.New("its RPC does not answer yet")
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("its RPC answers %s", res.Status)
	}
	return nil
}

// ready asks a node.
func (o *observer) ready(ctx context.Context, s Service) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return o.clients[s.Name].Ready(ctx)
}

// settle waits for the state in which a testnet is handed over: all nodes ready,
// all stake bonded, pledged, imported and counting on every ledger, the epochs in
// which it began to count final on all others, and all nodes in agreement.
func (o *observer) settle(ctx context.Context, b backend, s *Screen) error {
	nodes := o.t.nodes()
	if err := o.t.await(ctx, b, nodes, readyTimeout, o.ready, s); err != nil {
		return err
	}
	s.end("%d ready", len(nodes))

	s.begin("deposits and pledges")
	bonding, cancel := context.WithTimeout(ctx, bondTimeout)
	defer cancel()
	total := 0
	if err := o.bond(bonding, 15*time.Second, func(done, all int) error {
		total = all
		s.progress("%d of %d", done, all)
		return o.t.deaths(ctx, b, o.t.services())
	}); err != nil {
		return err
	}
	s.end("%d ordered and executed", total)

	// A ledger from before a rest tells what counted then.
	resumed := o.look(ctx)
	s.begin("pledged stake counts on every ledger")
	v, err := o.until(ctx, b, s, "the stake of other chains gives no power yet", func(v *view) bool {
		return v.later(resumed) && v.countsEverywhere()
	})
	if err != nil {
		return err
	}
	s.end("%s", v.powers())

	// An offence is punished from what was final before it.
	s.begin("its epochs are final everywhere")
	epochs := map[string]uint64{}
	for chain, l := range v.ledgers {
		epochs[chain] = l.Epoch
	}
	_, err = o.until(ctx, b, s, "the ledgers wait for finality", func(v *view) bool {
		return v.finalEverywhere(epochs) && v.countsEverywhere() && v.agreed()
	})
	if err != nil {
		return err
	}
	s.end("all %d nodes hold the same certificates and ledger roots", len(nodes))
	return nil
}

// until looks until what it sees is good. A rest may have made chains strangers to each
// other: those are trusted anew.
func (o *observer) until(ctx context.Context, b backend, s *Screen, otherwise string, good func(*view) bool) (v *view, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	err = poll(ctx, pace, func() (bool, error) {
		if err := o.t.deaths(ctx, b, o.t.services()); err != nil {
			return false, err
		}
		v = o.look(ctx)
		s.say(o.trust(ctx, v)...)
		s.progress("%s", v.epochLine())
		return good(v), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return v, fmt.Errorf("%s after %v: %s", otherwise, settleTimeout, v.epochLine())
	}
	return v, err
}

// halt stops everything, whatever became of the command's own context.
func (t *Testnet) halt(b backend, s *Screen) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	s.begin("stopping")
	if err := errors.Join(b.stop(ctx, t.nodes()), b.stop(ctx, t.devchains())); err != nil {
		s.abandon()
		return fmt.Errorf("stop testnet: %w; %s tries again", err, t.advice("down"))
	}
	s.end("nothing is left running; %s resumes it", t.advice("up"))
	return nil
}
