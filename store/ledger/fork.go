package ledger

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// submitFork records a proof that a peer's own consensus has failed though nothing says
// through whom, and halts that peer (DESIGN §5). Nobody is convicted, so nothing is
// captured, and no backstop pays.
func (m *machine) submitFork(accused attest.Accusation, set *attest.Set, since uint64, s *SubmitFault) error {
	if len(s.Later) != 0 || s.LaterEpoch != 0 {
		return refuse(CodeMalformed, "a fork captures nothing: it needs no reference")
	}
	chain := accused.ChainID
	useless, err := forkChanges(m.tx, m.spec.ID, chain, accused.Epoch)
	if err != nil {
		return err
	}
	if useless != "" {
		return refuse(CodeDuplicate, "%s", useless)
	}
	verified, err := attest.VerifyFault(m.law, set, &s.Proof)
	if err != nil {
		return invalid("proof", err)
	}
	id := verified.ID()
	fault := &Fault{
		Kind: uint8(verified.Kind()), Chain: []byte(chain), Epoch: accused.Epoch,
		Since: since, Recorded: m.epoch, Time: m.now, Reporter: s.Reporter,
	}
	if err := save(m.tx, faultKey(id), fault); err != nil {
		return err
	}
	if _, err := faultList.push(m.tx, id[:]); err != nil {
		return err
	}
	peer, err := m.peer(chain)
	if err != nil {
		return err
	}
	return m.halt(chain, peer, HaltForked)
}

// forkChanges says why the ledger of home would not change by the proof that chain has
// forked in an epoch; empty if it would. One fork has as many proofs as there are
// blocks on its branches: what the authority has trusted since is not halted for it again.
func forkChanges(v View, home, chain string, epoch uint64) (useless string, err error) {
	if chain == home {
		return "a chain's own ledger goes on when it has forked: its peers decide what it is worth", nil
	}
	peer, err := load[Peer](v, peerKey(chain))
	if err != nil {
		return "", err
	}
	trusted, err := lastRenewal(v, chain)
	switch {
	case err != nil:
		return "", err
	case peer == nil:
		return fmt.Sprintf("the ledger does not know the chain %s", chain), nil
	case peer.Halted != 0 && HaltReason(peer.Halted) != HaltStale:
		return fmt.Sprintf("%s is halted already: %v", chain, HaltReason(peer.Halted)), nil
	case epoch <= trusted.Epoch:
		return fmt.Sprintf("%s was trusted anew from epoch %d on, and has forked in epoch %d", chain, trusted.Epoch, epoch), nil
	}
	return "", nil
}

// ForkChanges says why the proof that a chain has forked in an epoch would change nothing
// here; empty if it would halt the chain.
func (r *Reader) ForkChanges(chain string, epoch uint64) (useless string, err error) {
	return forkChanges(r.view, r.spec.ID, chain, epoch)
}
