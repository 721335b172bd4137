package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

const passwordUsage = "file with the keystore's password (default: asked for)"

// readPassword is the content of a file without its line end, or what is typed at
// a terminal, without showing it; twice the same if repeat is set.
func readPassword(cmd *cobra.Command, file string, repeat bool) (string, error) {
	if file != "" {
		return secretFile(file)
	}
	terminal, ok := cmd.InOrStdin().(*os.File)
	if !ok || !isTerminal(terminal) {
		return "", errors.New("no terminal to ask for the password: give it with --password-file")
	}
	password, err := ask(cmd.Context(), terminal, cmd.ErrOrStderr(), "Password of the keystore: ")
	if err != nil || !repeat {
		return password, err
	}
	again, err := ask(cmd.Context(), terminal, cmd.ErrOrStderr(), "The same again: ")
	if err != nil {
		return "", err
	}
	if again != password {
		return "", errors.New("the two passwords differ: nothing was written, try again")
	}
	return password, nil
}

// ask reads a line with the terminal's echo off, and leaves it on whatever happens.
func ask(ctx context.Context, terminal *os.File, prompt io.Writer, text string) (string, error) {
	fmt.Fprint(prompt, text)
	restore, err := hideInput(terminal)
	if err != nil {
		return "", fmt.Errorf("hide what is typed: %w: give the password with --password-file", err)
	}
	defer fmt.Fprintln(prompt)
	defer restore()
	type answer struct {
		line string
		err  error
	}
	typed := make(chan answer, 1)
	go func() { // ends with the process when it is interrupted: a terminal can't be asked to stop
		line, err := readLine(terminal)
		typed <- answer{line, err}
	}()
	select {
	case a := <-typed:
		if a.err != nil {
			return "", fmt.Errorf("read the password: %w", a.err)
		}
		return a.line, nil
	case <-ctx.Done():
		return "", errors.New("interrupted: nothing was done")
	}
}

// readLine reads up to a line end and no byte further.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		if n == 1 && b[0] != '\n' {
			line = append(line, b[0])
		}
		if n == 1 && b[0] == '\n' || errors.Is(err, io.EOF) && len(line) > 0 {
			return strings.TrimRight(string(line), "\r"), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// secretFile reads a one-line file.
func secretFile(path string) (string, error) {
	b, err := readBounded(path, maxKeyFile)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
