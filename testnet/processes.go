package testnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// processes runs everything as processes of the own binary, each in a session of
// its own, so that Ctrl-C reaches only whoever watches them.
type processes struct {
	t       *Testnet
	command func(s Service) *exec.Cmd
	grace   time.Duration // between SIGTERM and SIGKILL
}

func newProcesses(t *Testnet) (*processes, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own binary: %w", err)
	}
	return &processes{t: t, grace: 15 * time.Second, command: func(s Service) *exec.Cmd {
		if s.Node == nil {
			return exec.Command(self, "devchain", "--home", t.devchainDir(s.Chain.ID), "--rpc", s.Chain.RPC)
		}
		return exec.Command(self, "start", "--misbehave", "--config", t.nodeConfig(s.Name))
	}}, nil
}

func (p *processes) pidFile(name string) string { return p.t.path("run", name+".pid") }

func (p *processes) prepare(context.Context) error { return nil }

func (p *processes) start(_ context.Context, services []Service) error {
	for _, s := range services {
		if err := p.startOne(s); err != nil {
			return fmt.Errorf("start %s: %w", s.Name, err)
		}
	}
	return nil
}

func (p *processes) startOne(s Service) error {
	old, ok, err := readProcess(p.pidFile(s.Name))
	if err != nil || ok && old.alive() {
		return err
	}
	if err := p.t.unmarkKilled(s.Name); err != nil {
		return err
	}
	log, err := os.OpenFile(p.t.logFile(s.Name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := p.command(s)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = p.t.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	now, err := identify(cmd.Process.Pid)
	go cmd.Wait() // reaps it; whether it lives is read from the pid file, as for those of other commands
	if err != nil {
		return fmt.Errorf("%w; see %s", err, p.t.logFile(s.Name))
	}
	return now.write(p.pidFile(s.Name))
}

func (p *processes) kill(ctx context.Context, s Service) error {
	running, ok, err := readProcess(p.pidFile(s.Name))
	if err != nil {
		return err
	}
	if !ok || !running.alive() {
		return fmt.Errorf("%s is not running: %s starts it", s.Name, p.t.advice("start "+s.Name))
	}
	if err := p.t.markKilled(s.Name); err != nil {
		return err
	}
	if err := running.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return p.gone(ctx, []process{running})
}

// stop sends SIGTERM to all at once, and SIGKILL to those that outlive the grace.
func (p *processes) stop(ctx context.Context, services []Service) error {
	var running []process
	for _, s := range services {
		one, ok, err := readProcess(p.pidFile(s.Name))
		if err != nil {
			return err
		}
		if ok && one.alive() {
			running = append(running, one)
		}
	}
	signal := func(number syscall.Signal) (errs error) {
		for _, one := range running {
			errs = errors.Join(errs, one.signal(number))
		}
		return errs
	}
	if err := signal(syscall.SIGTERM); err != nil {
		return err
	}
	gently, cancel := context.WithTimeout(ctx, p.grace)
	defer cancel()
	if p.gone(gently, running) != nil {
		if err := signal(syscall.SIGKILL); err != nil {
			return err
		}
		if err := p.gone(ctx, running); err != nil {
			return err
		}
	}
	for _, s := range services {
		if err := os.Remove(p.pidFile(s.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := p.t.unmarkKilled(s.Name); err != nil {
			return err
		}
	}
	return nil
}

// gone waits until all of them have ended.
func (p *processes) gone(ctx context.Context, list []process) error {
	return poll(ctx, 20*time.Millisecond, func() (bool, error) {
		for _, one := range list {
			if one.alive() {
				return false, nil
			}
		}
		return true, nil
	})
}

func (p *processes) states(context.Context) (map[string]State, error) {
	states := map[string]State{}
	for _, s := range p.t.services() {
		one, ok, err := readProcess(p.pidFile(s.Name))
		switch {
		case err != nil:
			return nil, err
		case !ok:
			states[s.Name] = Stopped
		case one.alive():
			states[s.Name] = Running
		case p.t.wasKilled(s.Name):
			states[s.Name] = Killed
		default:
			states[s.Name] = Died
		}
	}
	return states, nil
}

func (p *processes) tail(_ context.Context, s Service, lines int) []string {
	f, err := os.Open(p.t.logFile(s.Name))
	if err != nil {
		return nil
	}
	defer f.Close()
	const enough = 16 << 10
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, err = f.Seek(max(0, size-enough), io.SeekStart)
		if err != nil {
			return nil
		}
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil
	}
	return lastLines(text, lines)
}

func (p *processes) remove(ctx context.Context) error {
	return errors.Join(p.stop(ctx, p.t.nodes()), p.stop(ctx, p.t.devchains()))
}
