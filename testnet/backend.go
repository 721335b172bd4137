package testnet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// State is what a process is doing.
type State string

// The states.
const (
	Stopped State = "stopped" // never started, or ended as it should
	Running State = "running"
	Killed  State = "killed" // by `meshsec testnet kill`
	Died    State = "died"   // ended although nobody asked for it
)

// backend runs processes, one way or another.
type backend interface {
	// prepare comes before the first start of anything. It can be repeated.
	prepare(ctx context.Context) error
	// start begins processes that are not running; it does not wait for them.
	start(ctx context.Context, services []Service) error
	// kill ends one process at once, as a power cut would.
	kill(ctx context.Context, s Service) error
	// stop ends processes, gently first, in bounded time.
	stop(ctx context.Context, services []Service) error
	// states of all processes of the testnet, by name.
	states(ctx context.Context) (map[string]State, error)
	// tail is the last lines of a process's log, oldest first.
	tail(ctx context.Context, s Service, lines int) []string
	// remove stops everything; of containers it leaves nothing, and no home.
	remove(ctx context.Context) error
}

func (t *Testnet) backend(ctx context.Context) (backend, error) {
	if t.Mode == Docker {
		return newContainers(ctx, t)
	}
	return newProcesses(t)
}

// A death that was asked for leaves a mark, so that whoever watches can tell.

func (t *Testnet) killedFile(name string) string { return t.path("run", name+".killed") }

func (t *Testnet) markKilled(name string) error {
	return writeFile(t.killedFile(name), nil, 0o600)
}

func (t *Testnet) unmarkKilled(name string) error {
	if err := os.Remove(t.killedFile(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (t *Testnet) wasKilled(name string) bool {
	_, err := os.Stat(t.killedFile(name))
	return err == nil
}

func (t *Testnet) clearMarks() error {
	marks, err := filepath.Glob(t.killedFile("*"))
	if err != nil {
		return err
	}
	for _, m := range marks {
		if err := os.Remove(m); err != nil {
			return err
		}
	}
	return nil
}

// poll asks until the answer is yes, an error, or ctx ends. It asks at once, then
// every so often.
func poll(ctx context.Context, every time.Duration, ask func() (done bool, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
