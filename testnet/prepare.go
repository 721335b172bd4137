package testnet

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/meshsec/meshsec/node/chain/devchain"
	"github.com/meshsec/meshsec/store/guard"
)

// Prepare fills the volumes of a testnet in containers, before anything starts:
// each devchain's with the chain that [Build] made, each node's with an empty
// guard. It runs in a container itself, where seed is the home, and volumes holds
// all volumes by the name of their service.
func Prepare(seed, volumes string) error {
	t, err := Load(seed)
	if err != nil {
		return err
	}
	m, err := t.manifest()
	if err != nil {
		return err
	}
	for _, c := range t.Chains {
		keys, err := devchain.ConsensusKeys(t.devchainDir(c.ID))
		if err != nil {
			return fmt.Errorf("prepare %s: %w", c.ID, err)
		}
		err = devchain.Init(filepath.Join(volumes, c.ID, "chain"), devchain.Genesis{
			ChainID: c.ID, Validators: len(keys), ConsensusKeys: keys, Time: time.UnixMilli(int64(m.Genesis)),
		})
		if err != nil {
			return fmt.Errorf("prepare %s: %w", c.ID, err)
		}
		for _, n := range c.Nodes {
			if err := n.prepareGuard(filepath.Join(volumes, n.Name), t.Network); err != nil {
				return fmt.Errorf("prepare %s: %w", n.Name, err)
			}
		}
	}
	return nil
}

// prepareGuard makes an empty guard, once.
func (n *Node) prepareGuard(volume, network string) error {
	if len(n.Key) != 48 {
		return fmt.Errorf("its key has %d bytes, not 48", len(n.Key))
	}
	err := guard.Create(filepath.Join(volume, "guard"), [48]byte(n.Key), network)
	if errors.Is(err, guard.ErrExists) {
		return nil // an earlier attempt; nothing has been signed since
	}
	return err
}
