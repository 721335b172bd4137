package testnet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A tool, as docker does, leaves its work to a plugin, and just dies of a signal.
func TestAnInterruptedToolIsWaitedForWithItsPlugins(t *testing.T) {
	dir := t.TempDir()
	begun, ended := filepath.Join(dir, "begun"), filepath.Join(dir, "ended")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := run(ctx, "sh", "-c", `(trap 'echo > "$2"; exit' TERM; echo > "$1"; while :; do :; done) & wait`, "sh", begun, ended)
		failed <- err
	}()
	waiting, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	if err := poll(waiting, 10*time.Millisecond, func() (bool, error) { return exists(begun), nil }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) || !exists(ended) {
		t.Errorf("it returned %v, and its plugin was told to end: %v", err, exists(ended))
	}
}

// Neither a tool that was told to end, nor one that could not be asked, is one that is missing.
func TestAnInterruptedSearchFindsNothingMissing(t *testing.T) {
	for _, first := range []string{"version", "compose"} { // what the command ends in
		dir := t.TempDir()
		begun := filepath.Join(dir, "begun")
		script := "#!/bin/sh\n[ \"$1\" != " + first + " ] || { echo > " + begun + "; while :; do :; done; }\n"
		if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		failed := make(chan error, 1)
		go func() { failed <- Shape{Mode: Docker, Image: DefaultImage}.CanRun(ctx) }()
		if err := poll(ctx, 10*time.Millisecond, func() (bool, error) { _, err := os.Stat(begun); return err == nil, nil }); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("in docker %s: %v", first, err)
		}
	}
}

func TestAToolsLastWordsAreInTheError(t *testing.T) {
	_, err := run(t.Context(), "sh", "-c", "echo no space left >&2; exit 3")
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 3: no space left") {
		t.Errorf("run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, "true"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
