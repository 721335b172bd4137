package node_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// A validator whose store is lost, and which is given snapshots of all chains, goes on
// from there: its own chain and the other.
func TestANodeFollowsOnFromSnapshots(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		from, lost := w.of("alpha")[0], w.of("alpha")[1]
		from.folder, lost.folder = t.TempDir(), t.TempDir()
		w.start()
		w.await("four epochs are certified", w.everywhere(certified(4)))
		from.stop()
		lost.stop()

		opened := func(m *member) *store.Store {
			s, err := store.Open(filepath.Join(m.folder, "store"), w.network.Manifest, store.Options{})
			must(t, err)
			return s
		}
		source := opened(from)
		must(t, os.RemoveAll(filepath.Join(lost.folder, "store")))
		target := opened(lost)
		for _, c := range w.network.Chains {
			var file bytes.Buffer
			_, _, err := source.Export(t.Context(), &file, c.ID, 0, 1)
			must(t, err)
			h, _, err := target.Import(t.Context(), bytes.NewReader(file.Bytes()), ledger.Trust{})
			must(t, err)
			if h.Epoch < 4 {
				t.Fatalf("%s: a snapshot of epoch %d", c.ID, h.Epoch)
			}
		}
		reached := source.Certified("beta")
		must(t, source.Close())
		must(t, target.Close())

		from.start()
		lost.start()
		w.await("the mesh goes on", w.everywhere(certified(reached+5)))
		for _, chain := range []string{"alpha", "beta"} {
			a, ok := from.checkpoint(chain, reached+5)
			b, same := lost.checkpoint(chain, reached+5)
			if !ok || !same || !bytes.Equal(a.LedgerRoot, b.LedgerRoot) {
				t.Errorf("%s: %+v and %+v", chain, a, b)
			}
		}
		w.await("it attests again", func() bool {
			s := lost.status()
			return s.Ready && s.Diverged == "" && s.Validator.Active
		})
	})
}
