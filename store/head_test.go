package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/store"
)

// No bit of the head file can change unnoticed: what a damage makes of the network's id is
// not another network, which would be left alone.
func TestADamagedHeadIsNoHead(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	s := w.opened(t, dir, store.Options{})
	w.commit(t, s, 2)
	must(t, s.Close())
	path := filepath.Join(dir, "head")
	whole, err := os.ReadFile(path)
	must(t, err)
	if _, err := store.DecodeHead(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			if _, err := store.DecodeHead(b); err == nil {
				t.Fatalf("bit %d of byte %d is flipped, and it is a head: %s", bit, i, b)
			}
		}
	}
	at := bytes.Index(whole, []byte(`"network":"`)) + len(`"network":"`)
	whole[at] = "10"[whole[at]&1] // another hex digit
	must(t, os.WriteFile(path, whole, 0o600))
	if _, err := w.open(dir, store.Options{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("opened with a digit of its network changed: %v", err)
	}
}
