package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	for name, least := range map[string]int{"operations.md": 15, "fraud-proofs.md": 14} {
		if found := parsedCommands(t, guide(t, name)); found < least {
			t.Errorf("%s: only %d commands found", name, found)
		}
	}
}

var (
	pageLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pageHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor = regexp.MustCompile("[^a-z0-9 _-]")
)

// TestLinksLeadSomewhere: every link from page to page names a file and a heading that
// are there.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	ok(t, err)
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		pages = append(pages, filepath.Join("..", "..", name))
	}
	found := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		ok(t, err)
		for _, m := range pageLink.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			name, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if name != "" {
				target = filepath.Join(filepath.Dir(page), name)
			}
			b, err := os.ReadFile(target)
			if info, there := os.Stat(target); there == nil && info.IsDir() && anchor == "" {
				continue
			}
			if err != nil || anchor != "" && !slices.Contains(anchors(string(b)), anchor) {
				t.Errorf("%s: the link to %s leads nowhere (%v)", filepath.Base(page), m[1], err)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d links found", found)
	}
}

// anchors are the headings of a page as links name them.
func anchors(page string) (all []string) {
	for _, m := range pageHeading.FindAllStringSubmatch(page, -1) {
		text := notInAnchor.ReplaceAllString(strings.ToLower(strings.ReplaceAll(m[1], "`", "")), "")
		all = append(all, strings.ReplaceAll(text, " ", "-"))
	}
	return all
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
