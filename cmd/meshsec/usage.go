package main

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// usageError is the caller's mistake in the command line; it ends with exit code 2.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// misuse is a usage error that points to the command's help.
func misuse(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{fmt.Sprintf("%s; see %s --help", fmt.Sprintf(format, args...), cmd.CommandPath())}
}

// flagError is about a flag that can't be read. What Go's parsers of numbers and spans
// say is put in the words of whoever types them.
func flagError(cmd *cobra.Command, err error) error {
	text := err.Error()
	if cause := errors.Unwrap(err); cause != nil {
		text = strings.TrimSuffix(text, cause.Error()) + plainly(cause)
	}
	return misuse(cmd, "%s", text)
}

func plainly(err error) string {
	var number *strconv.NumError
	switch {
	case strings.HasPrefix(err.Error(), "time: "):
		return "want a time such as 30s or 2m"
	case !errors.As(err, &number):
		return err.Error()
	case number.Func == "ParseBool":
		return "want true or false"
	case number.Func == "ParseUint":
		return fmt.Sprintf("want a whole number from 0 to %d", uint64(math.MaxUint64))
	case number.Err == strconv.ErrRange:
		return "the number is too large"
	}
	return "want a whole number"
}

// newGroup is a command that only has others below it.
func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return misuse(cmd, "unknown command %q, did you mean %s?", args[0], strings.Join(near, " or "))
			}
			return misuse(cmd, "unknown command %q", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// words takes exactly the named arguments.
func words(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return misuse(cmd, "%s is missing", names[len(args)])
		case len(args) > len(names):
			return misuse(cmd, "unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// need fails unless all of these flags were given.
func need(cmd *cobra.Command, flags ...string) error {
	var missing []string
	for _, f := range flags {
		if !cmd.Flags().Changed(f) {
			missing = append(missing, "--"+f)
		}
	}
	if len(missing) > 0 {
		return misuse(cmd, "%s is missing", strings.Join(missing, " and "))
	}
	return nil
}

// textFlag makes a flag of anything that reads itself from text, so that a wrong
// value is a usage error.
type textFlag struct {
	value encoding.TextUnmarshaler
	kind  string
	text  string
}

// textVar defines a flag of a value; kind is what the help calls it.
func textVar(cmd *cobra.Command, value encoding.TextUnmarshaler, name, kind, usage string) {
	cmd.Flags().Var(&textFlag{value: value, kind: kind}, name, usage)
}

func (f *textFlag) String() string { return f.text }
func (f *textFlag) Type() string   { return f.kind }

func (f *textFlag) Set(s string) error {
	f.text = s
	return f.value.UnmarshalText([]byte(s))
}
