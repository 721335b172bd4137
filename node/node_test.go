package node_test

import (
	"bytes"
	"testing"

	"github.com/meshsec/meshsec/node/api"
)

func TestMeshCertifiesEveryEpochOfEveryChain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		w.start()
		const last = 4
		w.await("four epochs of both chains are certified on all nodes", w.everywhere(certified(last)))
		w.agree(last)
	})
}

// agree checks that all running members have equal certified checkpoints of every
// chain up to an epoch.
func (w *world) agree(last uint64) {
	w.t.Helper()
	for _, c := range w.network.Chains {
		for epoch := uint64(1); epoch <= last; epoch++ {
			var first *api.Checkpoint
			for _, m := range w.members {
				if m.node == nil {
					continue
				}
				cp, ok := m.checkpoint(c.ID, epoch)
				if !ok {
					w.t.Errorf("%s has no certificate of %s epoch %d", m.name, c.ID, epoch)
					continue
				}
				if first == nil {
					first = &cp
				}
				if !bytes.Equal(cp.Certificate, first.Certificate) {
					w.t.Errorf("%s: checkpoint of %s epoch %d is %x, want %x", m.name, c.ID, epoch, cp.Certificate, first.Certificate)
				}
			}
		}
	}
}
