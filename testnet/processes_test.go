package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the processes that a testnet starts.
const roleVariable = "MESHSEC_TEST_ROLE"

func TestMain(m *testing.M) {
	ended := make(chan os.Signal, 1)
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "obedient":
		signal.Notify(ended, syscall.SIGTERM)
		fmt.Println("here I am")
		<-ended
		fmt.Println("going")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("here I am")
		select {}
	case "frail":
		fmt.Println("port 80 is in use: choose another")
		os.Exit(1)
	}
}

// troupe is a testnet whose processes are all of one role.
func troupe(t *testing.T, role string) (*Testnet, *processes) {
	t.Helper()
	n := &Testnet{Mode: Processes, home: t.TempDir(), Chains: []*Chain{{ID: "alpha", Nodes: []*Node{{Name: "alpha-0"}, {Name: "alpha-1"}}}}}
	for _, dir := range []string{"run", "logs"} {
		if err := os.Mkdir(n.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p := &processes{t: n, grace: time.Minute, command: func(Service) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleVariable+"="+role)
		return cmd
	}}
	t.Cleanup(func() {
		for _, s := range n.services() {
			if one, ok, _ := readProcess(p.pidFile(s.Name)); ok {
				_ = one.signal(syscall.SIGKILL)
			}
		}
	})
	return n, p
}

func (p *processes) expect(t *testing.T, name string, want State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got State
	err := poll(ctx, 10*time.Millisecond, func() (bool, error) {
		states, err := p.states(ctx)
		got = states[name]
		return got == want, err
	})
	if err != nil {
		t.Fatalf("%s is %s, not %s: %v", name, got, want, err)
	}
}

// speaks waits until all processes have written their first line.
func (p *processes) speaks(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := poll(ctx, 10*time.Millisecond, func() (bool, error) {
		for _, s := range p.t.services() {
			if len(p.tail(ctx, s, 1)) == 0 {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestProcessesStartAndStop(t *testing.T) {
	n, p := troupe(t, "obedient")
	p.expect(t, "alpha-0", Stopped)
	for range 2 { // the second start changes nothing
		if err := p.start(t.Context(), n.services()); err != nil {
			t.Fatal(err)
		}
	}
	p.speaks(t)
	for _, s := range n.services() {
		p.expect(t, s.Name, Running)
	}
	if err := p.stop(t.Context(), n.services()); err != nil {
		t.Fatal(err)
	}
	for _, s := range n.services() {
		p.expect(t, s.Name, Stopped)
		if got := strings.Join(p.tail(t.Context(), s, 5), "|"); got != "here I am|going" {
			t.Errorf("log of %s: %s", s.Name, got)
		}
	}
	if err := p.stop(t.Context(), n.services()); err != nil {
		t.Errorf("the second stop: %v", err)
	}
}

func TestStubbornProcessesAreKilledAfterAWhile(t *testing.T) {
	n, p := troupe(t, "stubborn")
	p.grace = 50 * time.Millisecond
	if err := p.start(t.Context(), n.services()); err != nil {
		t.Fatal(err)
	}
	p.speaks(t)
	if err := p.stop(t.Context(), n.services()); err != nil {
		t.Fatal(err)
	}
	for _, s := range n.services() {
		p.expect(t, s.Name, Stopped)
	}
}

func TestKilledIsNotDied(t *testing.T) {
	n, p := troupe(t, "obedient")
	if err := p.start(t.Context(), n.services()); err != nil {
		t.Fatal(err)
	}
	p.speaks(t)
	all := n.services()
	if err := p.kill(t.Context(), all[1]); err != nil {
		t.Fatal(err)
	}
	p.expect(t, "alpha-0", Killed)
	if err := p.kill(t.Context(), all[1]); err == nil {
		t.Error("a process was killed twice")
	}
	victim, _, err := readProcess(p.pidFile("alpha-1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.signal(syscall.SIGKILL); err != nil { // behind our back
		t.Fatal(err)
	}
	p.expect(t, "alpha-1", Died)
	if err := p.start(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		p.expect(t, s.Name, Running)
	}
}

func TestDeathsAreReportedWithTheLastWords(t *testing.T) {
	n, p := troupe(t, "frail")
	if err := p.start(t.Context(), n.devchains()); err != nil && !strings.Contains(err.Error(), "ended at once") {
		t.Fatal(err)
	}
	p.expect(t, "alpha", Died)
	var death *DeathError
	if err := n.deaths(t.Context(), p, n.services()); !errors.As(err, &death) || !strings.Contains(err.Error(), "port 80 is in use") {
		t.Errorf("deaths: %v", err)
	}
}

func TestSignalsReachOnlyOurOwn(t *testing.T) {
	n, p := troupe(t, "obedient")
	if err := p.start(t.Context(), n.devchains()); err != nil {
		t.Fatal(err)
	}
	other, _, err := readProcess(p.pidFile("alpha"))
	if err != nil {
		t.Fatal(err)
	}
	// The pid file of a process that ended long ago, whose pid now is another's.
	stale := process{Pid: other.Pid, Began: "1"}
	if err := stale.write(p.pidFile("alpha-0")); err != nil {
		t.Fatal(err)
	}
	p.expect(t, "alpha-0", Died)
	if err := p.kill(t.Context(), n.services()[1]); err == nil {
		t.Error("it killed a stranger")
	}
	if err := p.stop(t.Context(), n.nodes()); err != nil {
		t.Fatal(err)
	}
	p.expect(t, "alpha", Running)
}

func TestOneCommandAtATime(t *testing.T) {
	n, _ := troupe(t, "obedient")
	err := n.change(t.Context(), func() error {
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return n.change(impatient, func() error { return nil })
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two at once: %v", err)
	}
	if err := n.change(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("the next: %v", err)
	}
}

func TestTailOfALongLog(t *testing.T) {
	n, p := troupe(t, "obedient")
	long := strings.Repeat("words and words\n", 10_000) + "the end\n"
	if err := os.WriteFile(filepath.Join(n.home, "logs", "alpha.log"), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	got := p.tail(t.Context(), n.services()[0], 3)
	if len(got) != 3 || got[2] != "the end" {
		t.Errorf("tail: %q", got)
	}
}
