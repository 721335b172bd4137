package main

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
)

// brokenWriter fails from the n-th write on.
type brokenWriter struct {
	n   int
	err error
}

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.n--; w.n < 0 {
		return 0, w.err
	}
	return len(b), nil
}

func TestWhatCouldNotBePrintedIsAnError(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	full := errors.New("no space left on device")
	for _, args := range []string{"version", "status", "status --json", "params show", "ledger show", "keys new account --out " + t.TempDir() + "/key", "--help"} {
		args := append(strings.Fields(args), "--node", n.url)
		if len(args) == 3 && (args[0] == "version" || args[0] == "--help") || args[0] == "keys" {
			args = args[:len(args)-2]
		}
		var errOut bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &brokenWriter{err: full}, &errOut); code != exitFailed || errOut.String() != "meshsec: no space left on device\n" {
			t.Errorf("%v: exit code %d, %s", args, code, errOut.String())
		}
	}
	var errOut bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, strings.NewReader(""), &brokenWriter{err: syscall.EPIPE}, &errOut); code != exitOK || errOut.Len() > 0 {
		t.Errorf("a pipe that was closed: exit code %d, %s", code, errOut.String())
	}
}

func TestAnOperationThatCouldNotBePrintedIsNotTakenForUndone(t *testing.T) {
	c := newCashier(t)
	for _, more := range [][]string{{"--json"}, {"--no-wait"}, nil} {
		args := append([]string{"deposit", "--authority-key", c.authority, "--account", c.id.String(), "--amount", "1", "--node", c.url}, more...)
		var errOut bytes.Buffer
		code := run(t.Context(), args, strings.NewReader(""), &brokenWriter{err: errors.New("full")}, &errOut)
		if code != exitFailed || !strings.HasPrefix(errOut.String(), "meshsec: the operation was sent, and \"meshsec receipt ") || strings.Count(errOut.String(), "\n") != 1 {
			t.Errorf("%v: exit code %d, %s", more, code, errOut.String())
		}
	}
}
