package testnet

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Look is the testnet's status now; an error if it is not running.
func (t *Testnet) Look(ctx context.Context) (Status, error) {
	if err := t.mustRun(ctx); err != nil {
		return Status{}, err
	}
	return newObserver(t).look(ctx).Status(), nil
}

// Show is the testnet's status for people.
func (t *Testnet) Show(ctx context.Context) ([]string, error) {
	b, err := t.backend(ctx)
	if err != nil {
		return nil, err
	}
	states, err := b.states(ctx)
	if err != nil {
		return nil, err
	}
	if allStopped(states) {
		return nil, t.notRunning()
	}
	v := newObserver(t).look(ctx)
	return v.table(states), nil
}

func (t *Testnet) notRunning() error {
	return fmt.Errorf("the testnet in %s is not running: %s starts it", t.home, t.advice("up"))
}

// mustRun is an error unless something of t runs.
func (t *Testnet) mustRun(ctx context.Context) error {
	b, err := t.backend(ctx)
	if err != nil {
		return err
	}
	states, err := b.states(ctx)
	if err != nil {
		return err
	}
	for _, st := range states {
		if st == Running {
			return nil
		}
	}
	return t.notRunning()
}

// Kill ends one process as a power cut would.
func (t *Testnet) Kill(ctx context.Context, name string, s *Screen) error {
	one, err := t.service(name)
	if err != nil {
		return err
	}
	if err := t.mustRun(ctx); err != nil {
		return err
	}
	b, err := t.backend(ctx)
	if err != nil {
		return err
	}
	if err := t.change(ctx, func() error { return b.kill(ctx, one) }); err != nil {
		return err
	}
	s.say(fmt.Sprintf("%s was killed; %s starts it again", name, t.advice("start "+name)))
	return nil
}

// Start starts one process of a running testnet, and waits until it is ready.
func (t *Testnet) Start(ctx context.Context, name string, s *Screen) error {
	one, err := t.service(name)
	if err != nil {
		return err
	}
	if err := t.mustRun(ctx); err != nil {
		return err
	}
	b, err := t.backend(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	s.begin(name)
	if err := t.change(ctx, func() error { return b.start(ctx, []Service{one}) }); err != nil {
		s.abandon()
		return err
	}
	ask := newObserver(t).ready
	if one.Node == nil {
		ask = func(ctx context.Context, s Service) error { return s.Chain.healthy(ctx) }
	}
	if err := t.await(ctx, b, []Service{one}, readyTimeout, ask, s); err != nil {
		s.abandon()
		return err
	}
	s.end("ready after %v", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// Down stops everything in home. Of containers nothing is left, and no home either;
// processes can be resumed, unless purge removes their home too.
func Down(ctx context.Context, home string, purge bool, s *Screen) error {
	t, err := Load(home)
	if purge && err != nil {
		t, err = remains(home, err)
	}
	if err != nil {
		return err
	}
	b, err := t.backend(ctx)
	if err != nil {
		return err
	}
	return t.change(ctx, func() error {
		s.begin("stopping")
		if err := b.remove(ctx); err != nil {
			s.abandon()
			return err
		}
		if t.Mode == Docker {
			s.end("containers, network and volumes are gone, and with them %s", t.home)
			return nil
		}
		if !purge {
			s.end("%s resumes it, %s removes it", t.advice("up"), t.advice("down --purge"))
			return nil
		}
		if err := t.purge(); err != nil {
			s.abandon()
			return err
		}
		s.end("%s is removed", t.home)
		return nil
	})
}

// remains is a testnet of which only the folders are known: an interrupted build,
// or one of another version. Its services are those that ever had a pid file.
func remains(home string, cause error) (*Testnet, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, err
	}
	t := &Testnet{Mode: Processes, Project: projectName(home), home: home}
	if !t.holds(descriptionFile) && !t.holds(buildingFile) {
		return nil, cause // never remove what is not ours
	}
	if t.holds(composeFile) {
		t.Mode = Docker
		return t, nil
	}
	pids, err := filepath.Glob(t.path("run", "*.pid"))
	if err != nil {
		return nil, err
	}
	for _, p := range pids {
		name := strings.TrimSuffix(filepath.Base(p), ".pid")
		t.Chains = append(t.Chains, &Chain{ID: name})
	}
	return t, nil
}
