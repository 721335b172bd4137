package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/guard"
)

func TestAGuardMovesWithItsKey(t *testing.T) {
	manifest, n := manifestFile(t)
	keystore, password, _ := newKeystore(t, t.TempDir())
	newHome := func(more ...string) (dir string, m made) {
		dir = filepath.Join(t.TempDir(), "home")
		m = decoded[made](t, done(t, append([]string{"init", "--home", dir, "--manifest", manifest, "--chain", "alpha",
			"--keystore", keystore, "--password-file", password, "--json"}, more...)...))
		return dir, m
	}
	open := func(dir string, m made) *guard.Guard {
		g, err := guard.Open(filepath.Join(dir, "guard"), [48]byte(m.Key), n.ID.String())
		ok(t, err)
		return g
	}
	slot := func(epoch uint64) guard.Slot { return guard.Slot{Chain: "alpha", Kind: "checkpoint", Epoch: epoch} }
	sign := func(g *guard.Guard, epoch uint64, root byte) error {
		_, err := g.Sign(slot(epoch), [32]byte{root}, func() ([]byte, error) { return nil, nil })
		return err
	}

	old, m := newHome("--new-guard")
	g := open(old, m)
	ok(t, sign(g, 7, 1))
	fails(t, exitFailed, []string{"locked"}, "guard", "export", "--home", old, filepath.Join(t.TempDir(), "x"))
	ok(t, g.Close())
	file := filepath.Join(t.TempDir(), "guard.json")
	if out := done(t, "guard", "export", "--home", old, file); !strings.Contains(out, "1 signatures on record") {
		t.Error(out)
	}
	fails(t, exitFailed, []string{"exists"}, "guard", "export", "--home", old, file)

	fresh, m := newHome()
	fails(t, exitFailed, []string{"guard: missing"}, "guard", "export", "--home", fresh, file+"2")
	if out := done(t, "guard", "import", "--home", fresh, file); !strings.Contains(out, "1 signatures added, 1 on record") {
		t.Error(out)
	}
	g = open(fresh, m)
	if err := sign(g, 7, 2); !errors.Is(err, guard.ErrConflict) {
		t.Errorf("the moved guard signs twice: %v", err)
	}
	ok(t, g.Close())
	fails(t, exitFailed, []string{"invalid interchange file"}, "guard", "import", "--home", fresh, write(t, t.TempDir(), "bad.json", "{}"))

	lost, m := newHome()
	fails(t, exitFailed, []string{"guard: missing"}, "guard", "raise", "--home", lost, "--below", "100")
	if out := done(t, "guard", "raise", "--home", lost, "--below", "100", "--new-guard"); !strings.Contains(out, "nothing of alpha below epoch 100 will be signed") {
		t.Error(out)
	}
	g = open(lost, m)
	if err := sign(g, 99, 1); !errors.Is(err, guard.ErrBelowWatermark) {
		t.Errorf("the raised guard signs epoch 99: %v", err)
	}
	ok(t, sign(g, 100, 1))
	ok(t, g.Close())
	if out := done(t, "guard", "raise", "--home", lost, "--below", "5"); !strings.Contains(out, "below epoch 100") {
		t.Errorf("the watermark was lowered: %s", out)
	}
}

func TestOnlyValidatorsHaveAGuard(t *testing.T) {
	manifest, _ := manifestFile(t)
	dir := t.TempDir()
	done(t, "init", "--home", dir, "--manifest", manifest, "--chain", "alpha")
	fails(t, exitFailed, []string{"has no validator, and so no guard"}, "guard", "export", "--home", dir, "x")
	fails(t, exitUsage, []string{"FILE is missing"}, "guard", "import", "--home", dir)
	fails(t, exitUsage, []string{"--below is missing"}, "guard", "raise", "--home", dir)
	if _, err := os.Stat(filepath.Join(dir, "guard")); err == nil {
		t.Error("a guard was made")
	}
}
