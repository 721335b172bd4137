package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Whoever lacks what containers need is told before anything is made, so that the way out
// is what the line says: another image, or processes, in the same home.
func TestContainersThatCanNotRunLeaveNoHome(t *testing.T) {
	for _, tc := range []struct{ want, docker string }{
		{"no Docker engine answers (docker version: exit status 1: no daemon): start it, or run the testnet as processes without --docker", `echo no daemon >&2; exit 1`},
		{"there is no image nothing:here: build it with `make image`, or name another one with --image",
			`case "$1" in image) echo "Error response from daemon: No such image: $3" >&2; exit 1;; esac`},
		{"docker image inspect nothing:here: exit status 1: permission denied",
			`case "$1" in image) echo permission denied >&2; exit 1;; esac`},
	} {
		tools, home := t.TempDir(), filepath.Join(t.TempDir(), "mesh")
		ok(t, os.WriteFile(filepath.Join(tools, "docker"), []byte("#!/bin/sh\n"+tc.docker+"\n"), 0o755))
		t.Setenv("PATH", tools)
		fails(t, exitFailed, []string{tc.want}, "testnet", "up", "--docker", "--image", "nothing:here", "--home", home)
		if _, err := os.Stat(home); !os.IsNotExist(err) {
			t.Errorf("%s: a home was made (%v)", tc.want, err)
		}
	}
}
