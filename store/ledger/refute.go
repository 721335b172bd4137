package ledger

import "github.com/meshsec/meshsec/attest"

// refute halts a peer that certified what a verified fault proves to be wrong: nothing
// that was built on it will become final here. What is final already stays, since stake
// has moved by it. Those who claim to have executed what their peer never certified on
// the branch that is followed here halt nobody. Nor does another branch than the one that
// the authority has trusted since, which it was told of or which can't matter any more.
func (m *machine) refute(accused attest.Accusation) error {
	r := accused.Refutes
	if r.ChainID == "" || r.ChainID == m.spec.ID {
		return nil // our own ledger goes on: the peers decide what it is worth
	}
	peer, err := m.peer(r.ChainID)
	if err != nil {
		return err
	}
	if accused.ChainID != r.ChainID {
		if r.Epoch > peer.Accepted {
			return nil
		}
		cp, err := load[PeerCheckpoint](m.tx, checkpointKey(r.ChainID, r.Epoch))
		if err != nil || cp == nil || cp.Root != r.Root {
			return err
		}
	}
	renewal, err := lastRenewal(m.tx, r.ChainID)
	if err != nil || r.Epoch < renewal.Epoch {
		return err
	}
	if r.Epoch == renewal.Epoch && r.Epoch > 0 {
		cp, err := must[PeerCheckpoint](m.tx, checkpointKey(r.ChainID, r.Epoch))
		if err != nil || cp.Root != r.Root {
			return err
		}
	}
	return m.halt(r.ChainID, peer, HaltRefuted)
}
