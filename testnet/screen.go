package testnet

import (
	"fmt"
	"io"
	"strings"
)

// Screen shows people what happens. On a terminal it redraws what changes, elsewhere
// it writes a line for each change. It is owned by one goroutine; a nil Screen
// shows nothing.
type Screen struct {
	out      io.Writer
	terminal bool
	height   int // lines of the region that is redrawn
	stage    string
}

// NewScreen writes to out.
func NewScreen(out io.Writer, terminal bool) *Screen {
	return &Screen{out: out, terminal: terminal}
}

const (
	clearLine  = "\r\x1b[K"
	clearBelow = "\x1b[J"
)

// cut lets the terminal cut lines at its edge: of one that went on below, only the
// last row would be redrawn.
func cut(text string) string {
	const wrapOff, wrapOn = "\x1b[?7l", "\x1b[?7h"
	return wrapOff + text + wrapOn
}

// begin names what is being waited for.
func (s *Screen) begin(stage string) {
	if s == nil {
		return
	}
	s.stage = stage
	if s.terminal {
		fmt.Fprint(s.out, cut(fmt.Sprintf("%s  %s …", clearLine, stage)))
	}
}

// progress says how far it is.
func (s *Screen) progress(format string, args ...any) {
	if s != nil && s.terminal {
		fmt.Fprint(s.out, cut(fmt.Sprintf("%s  %s … %s", clearLine, s.stage, fmt.Sprintf(format, args...))))
	}
}

// end says that it has happened.
func (s *Screen) end(format string, args ...any) {
	if s == nil {
		return
	}
	if s.terminal {
		fmt.Fprint(s.out, clearLine)
	}
	fmt.Fprintf(s.out, "✓ %s: %s\n", s.stage, fmt.Sprintf(format, args...))
	s.stage = ""
}

// abandon leaves a stage that did not come to its end.
func (s *Screen) abandon() {
	if s != nil && s.terminal && s.stage != "" {
		fmt.Fprint(s.out, clearLine)
		s.stage = ""
	}
}

// say writes lines that stay.
func (s *Screen) say(lines ...string) {
	if s == nil {
		return
	}
	s.erase()
	if s.terminal && s.stage != "" && len(lines) > 0 {
		fmt.Fprint(s.out, clearLine) // the stage is drawn again with its next progress
	}
	for _, l := range lines {
		fmt.Fprintln(s.out, l)
	}
}

// draw replaces the region that is redrawn; only a terminal has one.
func (s *Screen) draw(lines []string) {
	if s == nil || !s.terminal {
		return
	}
	s.erase()
	fmt.Fprint(s.out, cut(strings.Join(lines, "\n")+"\n"))
	s.height = len(lines)
}

func (s *Screen) erase() {
	if s.terminal && s.height > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA%s", s.height, clearBelow)
		s.height = 0
	}
}
