package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/meshsec/meshsec/node/chain"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole process but for its globals: it runs the command that args
// name until it is done or ctx ends, and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	data := &output{Writer: out}
	root.SetIn(in)
	root.SetOut(data)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil && !errors.Is(data.failed, syscall.EPIPE) { // who closed the pipe wants no more
		err = data.failed
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(errOut, "meshsec: %s\n", explain(err))
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// output is standard output that remembers the first write that failed, so that no
// command takes for printed what a full disk has swallowed.
type output struct {
	io.Writer
	failed error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil && o.failed == nil {
		o.failed = err
	}
	return n, err
}

// explain is err in one line. Where nobody answers it says what to do instead of
// what the network stack says.
func explain(err error) string {
	var call *url.Error
	if errors.As(err, &call) && !errors.Is(err, chain.ErrUnreachable) {
		if u, parseErr := url.Parse(call.URL); parseErr == nil {
			return fmt.Sprintf("no node answers at %s://%s (%s): start it, or name another one with --node", u.Scheme, u.Host, cause(call))
		}
	}
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// cause is the shortest true reason why a call failed.
func cause(call *url.Error) string {
	var number syscall.Errno
	var name *net.DNSError
	switch {
	case call.Timeout():
		return "time out"
	case errors.As(call, &number):
		return number.Error()
	case errors.As(call, &name):
		return "no such host"
	}
	return call.Err.Error()
}
