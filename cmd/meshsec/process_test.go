package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is a command that runs until it is told to stop.
type process struct {
	out, err *lines
	stop     context.CancelFunc
	code     chan int
	ended    chan struct{} // closed after its last output
}

// lines is output that can be waited for.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced with every write
	w    io.Closer
	all  chan struct{} // closed after the last one
}

func newLines() (*lines, io.Writer) {
	r, w := io.Pipe()
	l := &lines{more: make(chan struct{}), w: w, all: make(chan struct{})}
	go func() {
		defer close(l.all)
		s := bufio.NewScanner(r)
		for s.Scan() {
			l.mu.Lock()
			l.text.WriteString(s.Text() + "\n")
			close(l.more)
			l.more = make(chan struct{})
			l.mu.Unlock()
		}
	}()
	return l, w
}

func (l *lines) read() (text string, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.more
}

// launch runs the binary in this process until stop is called or the test ends.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	t.Logf("meshsec %s &", strings.Join(args, " "))
	ctx, stop := context.WithCancel(context.Background())
	p := &process{stop: stop, code: make(chan int, 1), ended: make(chan struct{})}
	var out, errOut io.Writer
	p.out, out = newLines()
	p.err, errOut = newLines()
	go func() {
		p.code <- run(ctx, args, strings.NewReader(""), out, errOut)
		close(p.code)
		_, _ = p.out.w.Close(), p.err.w.Close()
		<-p.out.all
		<-p.err.all
		close(p.ended)
	}()
	t.Cleanup(func() {
		stop()
		<-p.code
	})
	return p
}

// says waits until the output matches, and returns what the first group of the
// pattern matched.
func (p *process) says(t *testing.T, l *lines, pattern string) string {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		text, more := l.read()
		if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-more:
		case <-p.ended:
			if text, _ = l.read(); regexp.MustCompile(pattern).MatchString(text) {
				continue // it said so before
			}
			errText, _ := p.err.read()
			t.Fatalf("ended with exit code %d before it said %q: %s", <-p.code, pattern, errText)
		case <-deadline:
			t.Fatalf("never said %q, but: %s", pattern, text)
		}
	}
}

// ends stops the command, which must be clean.
func (p *process) ends(t *testing.T) {
	t.Helper()
	p.stop()
	select {
	case code := <-p.code:
		if code != exitOK {
			text, _ := p.err.read()
			t.Fatalf("exit code %d: %s", code, text)
		}
	case <-time.After(time.Minute):
		t.Fatal("does not stop")
	}
}

// healthy asks a chain until it has a block. Only its RPC can tell.
func healthy(t *testing.T, rpc string) string {
	t.Helper()
	look, deadline := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer look.Stop()
	for {
		r := meshsec(t, "health", "--devchain", rpc)
		if r.code == exitOK {
			return r.out
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("never healthy: %s", r.err)
		}
	}
}

const runsAt = `chain \S+ runs, its RPC is (\S+)`

func TestDevchainIsMadeAndContinued(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "alpha")
	chain := []string{"devchain", "--home", dir, "--rpc", "127.0.0.1:0", "--block-interval", "50ms"}
	p := launch(t, append(chain, "--chain-id", "alpha")...)
	rpc := p.says(t, p.out, runsAt)
	if out := healthy(t, rpc); !strings.HasPrefix(out, "chain alpha at "+rpc+" is at block ") {
		t.Error(out)
	}
	fails(t, exitFailed, []string{"already running"}, chain...)
	p.ends(t)
	fails(t, exitFailed, []string{"unreachable"}, "health", "--devchain", rpc)

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer func() { _ = busy.Close() }()
	fails(t, exitFailed, []string{busy.Addr().String(), "in use", "choose another --rpc"}, "devchain", "--home", dir, "--rpc", busy.Addr().String())
	fails(t, exitFailed, []string{"holds another chain"}, append(chain, "--chain-id", "beta")...)
	fails(t, exitFailed, []string{"holds a chain of 1 validators, not 4: leave --validators out"}, append(chain, "--validators", "4")...)
	fails(t, exitFailed, nil, append(chain, "--chain-id", "alpha", "--validators", "4")...)

	p = launch(t, chain...) // nothing said: what is there
	p.says(t, p.out, runsAt)
	p.ends(t)
}

func TestStartRunsANodeUntilItIsTold(t *testing.T) {
	manifest, _ := manifestFile(t)
	dir := t.TempDir()
	done(t, "init", "--home", dir, "--manifest", manifest, "--chain", "alpha", "--name", "one",
		"--rpc", "http://127.0.0.1:1", "--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/0")
	p := launch(t, "start", "--home", dir)
	p.says(t, p.err, `msg="node started" name=one chain=alpha`)
	p.ends(t)
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	manifest, _ := manifestFile(t)
	keystore, password, _ := newKeystore(t, t.TempDir())
	dir := filepath.Join(t.TempDir(), "home")
	fails(t, exitFailed, []string{filepath.Join(dir, configName), `make a home with "meshsec init"`}, "start", "--home", dir)
	done(t, "init", "--home", dir, "--manifest", manifest, "--chain", "alpha", "--keystore", keystore, "--password-file", password,
		"--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/0")
	fails(t, exitFailed, []string{filepath.Join(dir, "guard"), "--new-guard"}, "start", "--home", dir)
	ok(t, os.WriteFile(password, []byte("wrong"), 0o600))
	fails(t, exitFailed, []string{"wrong keystore password", keystore}, "start", "--home", dir)
	ok(t, os.WriteFile(filepath.Join(dir, manifestName), []byte("name = \"x\"\n"), 0o600))
	fails(t, exitFailed, []string{filepath.Join(dir, manifestName)}, "start", "--home", dir)
}
