package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/trie"
)

// misdeed makes a node of a test network certify what is wrong, so that the others can
// be seen to find it: see [Options.Misbehave]. The zero value does nothing.
type misdeed struct{ epoch atomic.Uint64 } // 0: none

// counterfeit is a record that no operation ever makes.
var counterfeit = []byte("counterfeit")

// spoil puts into the state before the chosen epoch what is not there. All that follows
// is consistent with it, and goes on to be.
func (d *misdeed) spoil(epoch uint64, tree *trie.Tree) error {
	if epoch == 0 || d.epoch.Load() != epoch {
		return nil
	}
	return tree.Set(counterfeit, []byte{1})
}

// misbehaving is the node as its API shows it in a test network.
type misbehaving struct {
	*view
	misdeed *misdeed
	store   *store.Store
	log     *slog.Logger
}

var _ api.Misbehaver = misbehaving{}

// Misbehave implements [api.Misbehaver].
func (m misbehaving) Misbehave(_ context.Context, epoch uint64) error {
	if head := m.store.Head(m.cfg.Chain).Epoch; epoch <= head {
		return fmt.Errorf("%w: epoch %d is executed already, the next one is %d", api.ErrInvalid, epoch, head+1)
	}
	m.misdeed.epoch.Store(epoch)
	m.log.Warn("this node was told to certify a wrong result", "epoch", epoch)
	return nil
}
