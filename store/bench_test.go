package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/store"
)

// What an epoch of 20 records costs on disk, fsyncs included.
func BenchmarkCommit(b *testing.B) {
	for name, opts := range map[string]store.Options{"disk": {}, "memory": memory} {
		b.Run(name, func(b *testing.B) {
			w := newWorld()
			s := w.opened(b, b.TempDir(), opts)
			for b.Loop() {
				r, err := w.nextOf(s, "alpha")
				must(b, err)
				must(b, s.Commit("alpha", r))
			}
		})
	}
}

// What opening a store costs for each megabyte in it, the complete check included.
func BenchmarkOpen(b *testing.B) {
	w := newWorld()
	w.size = func(string, uint64) int { return 20_000 }
	dir := b.TempDir()
	s := w.opened(b, dir, store.Options{})
	w.commit(b, s, 6)
	must(b, s.Close())
	var size int64
	for _, name := range files(b, dir) {
		if filepath.Ext(name) == ".sst" {
			info, err := os.Stat(filepath.Join(dir, name))
			must(b, err)
			size += info.Size()
		}
	}
	b.SetBytes(size)
	for b.Loop() {
		s, err := w.open(dir, store.Options{})
		must(b, err)
		must(b, s.Close())
	}
}
