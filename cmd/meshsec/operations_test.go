package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/guard"
)

func guide(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	ok(t, err)
	return string(b)
}

// TestTheGuidesCommandsExist: every command line of the guides parses.
func TestTheGuidesCommandsExist(t *testing.T) {
	for name, least := range map[string]int{"operations.md": 15, "reporting-faults.md": 8} {
		if found := parsedCommands(t, guide(t, name)); found < least {
			t.Errorf("%s: only %d commands found", name, found)
		}
	}
}

// parsedCommands parses all command lines in a text and tells how many there are.
func parsedCommands(t *testing.T, text string) (found int) {
	t.Helper()
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '`' }) {
		args, comment, _ := strings.Cut(strings.TrimSpace(line), "#")
		args, _, _ = strings.Cut(args, " > ") // that is the shell's
		words := strings.Fields(args)
		if len(words) < 2 || words[0] != "meshsec" {
			continue
		}
		found++
		cmd, rest, err := newRoot().Find(words[1:])
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil && !strings.Contains(err.Error(), "ACCOUNT") { // the reader's own
			t.Errorf("%s (%s): %v", args, comment, err)
		}
	}
	return found
}

// TestTheGuideExplainsTheErrors: what an operator can meet is in its tables, in the
// words of the error itself.
func TestTheGuideExplainsTheErrors(t *testing.T) {
	page := guide(t, "operations.md")
	for _, err := range []error{
		guard.ErrMissing, guard.ErrExists, guard.ErrLocked, guard.ErrCorrupt, guard.ErrWrongKey, guard.ErrWrongNetwork,
		guard.ErrConflict, guard.ErrBelowWatermark, guard.ErrBroken,
		store.ErrCorrupt, store.ErrLocked, store.ErrWrongNetwork, store.ErrForeign, store.ErrBroken,
		bls.ErrWrongPassword, bls.ErrKeystore,
		chain.ErrUnreachable, chain.ErrWrongChain, chain.ErrPruned, chain.ErrForked, chain.ErrInconsistent,
	} {
		text, _, _ := strings.Cut(err.Error(), ";")
		text, rest, _ := strings.Cut(text, ": ")
		what, _, _ := strings.Cut(rest, ": ")
		if what != "" {
			text += ": " + what
		}
		if !strings.Contains(page, "`"+text+"`") {
			t.Errorf("docs/operations.md does not explain %q", text)
		}
	}
}
