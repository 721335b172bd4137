package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// containers runs everything in containers of one compose project.
type containers struct {
	t    *Testnet
	tool []string // docker compose, or docker-compose
}

func newContainers(ctx context.Context, t *Testnet) (*containers, error) {
	tool, err := composeTool(ctx)
	if err != nil {
		return nil, err
	}
	return &containers{t: t, tool: tool}, nil
}

// CanRun says what a testnet of this shape lacks on this machine. It is asked before
// [Build]: keys of containers that never were would only be in the way.
func (s Shape) CanRun(ctx context.Context) error {
	if s.Mode != Docker {
		return nil
	}
	if _, err := composeTool(ctx); err != nil {
		return fmt.Errorf("%w, or run the testnet as processes without --docker", err)
	}
	return findImage(ctx, s.Image)
}

// composeTool finds the tools, and says which one is missing.
func composeTool(ctx context.Context) ([]string, error) {
	if _, err := run(ctx, "docker", "version"); err != nil {
		return nil, fmt.Errorf("no Docker engine answers (%w): start it", err)
	}
	for _, tool := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		_, err := run(ctx, tool[0], append(tool[1:len(tool):len(tool)], "version")...)
		if err == nil || ctx.Err() != nil {
			return tool, err
		}
	}
	return nil, errors.New("neither `docker compose` nor `docker-compose` works: install one of them")
}

// findImage is an error if the engine does not have it. Nothing is pulled.
func findImage(ctx context.Context, image string) error {
	_, err := run(ctx, "docker", "image", "inspect", image)
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "no such image") {
		return fmt.Errorf("there is no image %s: build it with `make image`, or name another one with --image", image)
	}
	return err
}

// toolGrace is how long a tool that is told to end may take.
const toolGrace = 15 * time.Second

// run runs a tool and returns its output; its error has the tool's last words. The
// tool has a process group of its own, so that no Ctrl-C reaches it while it stops
// things. When ctx ends it is told to end, with the plugins that it started, and
// waited for: what one of them does later would undo what comes next.
func run(ctx context.Context, tool string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = toolGrace
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		words := strings.Join(lastLines(stderr.Bytes(), 3), "; ")
		if ctx.Err() != nil {
			err = ctx.Err() // and not how the tool took it
		}
		return nil, fmt.Errorf("%s %s: %w: %s", tool, strings.Join(args, " "), err, words)
	}
	return stdout.Bytes(), nil
}

// compose runs the compose tool on the generated file.
func (c *containers) compose(ctx context.Context, args ...string) ([]byte, error) {
	all := append(c.tool[1:len(c.tool):len(c.tool)], "--project-name", c.t.Project, "--file", c.t.path(composeFile))
	return run(ctx, c.tool[0], append(all, args...)...)
}

// prepared is a file that says that the volumes hold guards and chains. Those are
// made once: a volume that gets lost later stops its validator.
func (c *containers) prepared() string { return c.t.path("run", "volumes") }

func (c *containers) prepare(ctx context.Context) error {
	if _, err := os.Stat(c.prepared()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := findImage(ctx, c.t.Image); err != nil {
		return err
	}
	// Containers are created first, without a start: that gives each volume the
	// owner of the image's own data folder.
	if _, err := c.compose(ctx, append([]string{"up", "--no-start"}, names(c.t.services())...)...); err != nil {
		return err
	}
	if _, err := c.compose(ctx, "run", "--rm", "-T", prepareService); err != nil {
		return err
	}
	return writeFile(c.prepared(), nil, 0o600)
}

func (c *containers) start(ctx context.Context, services []Service) error {
	for _, s := range services {
		if err := c.t.unmarkKilled(s.Name); err != nil {
			return err
		}
	}
	_, err := c.compose(ctx, append([]string{"up", "-d", "--no-recreate", "--no-deps"}, names(services)...)...)
	return err
}

func (c *containers) kill(ctx context.Context, s Service) error {
	states, err := c.states(ctx)
	if err != nil {
		return err
	}
	if states[s.Name] != Running {
		return fmt.Errorf("%s is not running: %s starts it", s.Name, c.t.advice("start "+s.Name))
	}
	if err := c.t.markKilled(s.Name); err != nil {
		return err
	}
	_, err = c.compose(ctx, "kill", "-s", "SIGKILL", s.Name)
	return err
}

func (c *containers) stop(ctx context.Context, services []Service) error {
	if _, err := c.compose(ctx, append([]string{"stop", "-t", "15"}, names(services)...)...); err != nil {
		return err
	}
	for _, s := range services {
		if err := c.t.unmarkKilled(s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (c *containers) states(ctx context.Context) (map[string]State, error) {
	out, err := run(ctx, "docker", "ps", "--all", "--no-trunc",
		"--filter", "label=com.docker.compose.project="+c.t.Project,
		"--format", `{{.Label "com.docker.compose.service"}} {{.State}} {{.Status}}`)
	if err != nil {
		return nil, err
	}
	states := map[string]State{}
	for _, s := range c.t.services() {
		states[s.Name] = Stopped
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.SplitN(line, " ", 3)
		if len(fields) < 3 {
			continue
		}
		name, state, status := fields[0], fields[1], fields[2]
		if _, ours := states[name]; !ours {
			continue
		}
		switch {
		case state == "running":
			states[name] = Running
		case c.t.wasKilled(name):
			states[name] = Killed
		case (state == "exited" || state == "dead") && !strings.HasPrefix(status, "Exited (0)"):
			states[name] = Died
		}
	}
	return states, nil
}

func (c *containers) tail(ctx context.Context, s Service, lines int) []string {
	out, err := c.compose(ctx, "logs", "--no-color", "--tail", strconv.Itoa(lines), s.Name)
	if err != nil {
		return nil
	}
	return lastLines(out, lines)
}

// remove takes away containers, network and volumes. The guards go with the
// volumes, so the keys in the home must never sign again: they go too.
func (c *containers) remove(ctx context.Context) error {
	if _, err := c.compose(ctx, "down", "--volumes", "--remove-orphans", "-t", "15"); err != nil {
		return err
	}
	return c.t.purge()
}
