package ledger

import (
	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// HaltReason says why a peer is halted (DESIGN §3.5).
type HaltReason uint8

// The reasons.
const (
	HaltConvicted HaltReason = 1 // a third of its power was convicted
)

// String is one sentence.
func (r HaltReason) String() string {
	switch r {
	case 0:
		return ""
	case HaltConvicted:
		return "at least 1/3 of its power was convicted of faults"
	}
	return "unknown reason"
}

// updatePeer accepts the next epoch of a peer on its certificate alone.
func (m *machine) updatePeer(u *UpdatePeer) error {
	cp := &u.Certificate.Checkpoint
	chain := string(cp.ChainID)
	peer, err := m.peer(chain)
	if err != nil {
		return err
	}
	switch {
	case peer.Halted != 0:
		return refuse(CodeHalted, "%s is halted: %v", chain, HaltReason(peer.Halted))
	case cp.Epoch <= peer.Accepted:
		return refuse(CodeDuplicate, "epoch %d of %s is accepted already", cp.Epoch, chain)
	case cp.Epoch > peer.Accepted+1:
		return refuse(CodeUnknown, "epoch %d of %s comes before epoch %d", peer.Accepted+1, chain, cp.Epoch)
	case cp.Time < peer.Time:
		return refuse(CodeInvalid, "the time of epoch %d of %s is before that of the epoch before", cp.Epoch, chain)
	case cp.Time > m.now+uint64(m.spec.Params.MaxDrift):
		return refuse(CodeLimit, "the time of epoch %d of %s is %d ms ahead of ours", cp.Epoch, chain, cp.Time-m.now)
	}
	set, err := verifiedSet(&u.Set, peer.ValidatorsRoot)
	if err != nil {
		return err
	}
	trusted := attest.Trusted{ChainID: chain, Epoch: peer.Accepted, Root: peer.Root, ValidatorsRoot: peer.ValidatorsRoot, Time: peer.Time}
	next, err := attest.Follow(m.network, trusted, set, &u.Certificate)
	if err != nil {
		return invalid("certificate", err)
	}
	peer.Accepted, peer.Root, peer.ValidatorsRoot, peer.Time = next.Epoch, next.Root, next.ValidatorsRoot, next.Time
	peer.Set = members(&u.Set)
	if err := save(m.tx, peerKey(chain), peer); err != nil {
		return err
	}
	return save(m.tx, checkpointKey(chain, next.Epoch), &PeerCheckpoint{
		Root: next.Root, LedgerRoot: cp.LedgerRoot, ValidatorsRoot: next.ValidatorsRoot, Time: next.Time,
		AcceptedEpoch: m.epoch, AcceptedTime: m.now,
	})
}

func members(v *attest.ValidatorSet) []*Member {
	out := make([]*Member, len(v.Validators))
	for i, val := range v.Validators {
		out[i] = &Member{val.Account}
	}
	return out
}

// confirmPeer records that our own validators re-executed a peer up to an epoch.
func (m *machine) confirmPeer(c *ConfirmPeer) error {
	claim := &c.Certificate.Claim
	chain := string(claim.Peer)
	peer, err := m.peer(chain)
	switch {
	case err != nil:
		return err
	case string(claim.ChainID) != m.spec.ID:
		return refuse(CodeInvalid, "the claim is by %q, not by %s", claim.ChainID, m.spec.ID)
	case peer.Halted != 0:
		return refuse(CodeHalted, "%s is halted: %v", chain, HaltReason(peer.Halted))
	case claim.ToEpoch <= peer.Confirmed:
		return refuse(CodeDuplicate, "epoch %d of %s is confirmed already", claim.ToEpoch, chain)
	case claim.FromEpoch > peer.Final:
		return refuse(CodeUnknown, "the claim starts at epoch %d of %s, final is %d", claim.FromEpoch, chain, peer.Final)
	case claim.Epoch > m.epoch:
		return refuse(CodeUnknown, "our epoch %d has not begun", claim.Epoch)
	}
	from, err := m.checkpoint(chain, claim.FromEpoch)
	if err != nil {
		return err
	}
	to, err := m.checkpoint(chain, claim.ToEpoch)
	if err != nil {
		return err
	}
	if from.Root != claim.FromRoot || to.Root != claim.ToRoot {
		return refuse(CodeInvalid, "the claim is about another branch of %s", chain)
	}
	signing, err := load[SetRecord](m.tx, setKey(claim.Epoch))
	if err != nil {
		return err
	}
	if signing == nil || signing.Time+uint64(m.spec.Params.EvidenceAge) < m.now {
		return refuse(CodeExpired, "the claim is by our set of epoch %d, which is too old", claim.Epoch)
	}
	set, err := verifiedSet(&c.Set, signing.Root)
	if err != nil {
		return err
	}
	if _, err := attest.VerifyCrossCertificate(m.network, set, &c.Certificate); err != nil {
		return invalid("cross-certificate", err)
	}
	reference, err := m.inForce(to, c.Reference)
	if err != nil {
		return err
	}
	to.Reference = 1
	if reference != nil {
		to.Reference = *reference + 2
	}
	if err := save(m.tx, checkpointKey(chain, claim.ToEpoch), to); err != nil {
		return err
	}
	peer.Confirmed = claim.ToEpoch
	return save(m.tx, peerKey(chain), peer)
}

// inForce tells of which epoch of ours the statement was that a peer's ledger had
// in force at cp, as proof shows; nil if it had none.
func (m *machine) inForce(cp *PeerCheckpoint, proof []byte) (*uint64, error) {
	value, present, err := proven(cp.LedgerRoot, ImportKey(m.spec.ID), proof)
	if err != nil || !present {
		return nil, err
	}
	in := new(Import)
	if err := in.UnmarshalSSZ(value); err != nil {
		return nil, refuse(CodeInvalid, "the proven record is not an import: %v", err)
	}
	return &in.Epoch, nil
}

// proven checks a trie proof.
func proven(root [32]byte, key, proof []byte) (value []byte, present bool, err error) {
	p, err := trie.UnmarshalProof(proof)
	if err != nil {
		return nil, false, invalid("proof", err)
	}
	value, present, err = p.Verify(root, key)
	if err != nil {
		return nil, false, invalid("proof", err)
	}
	return value, present, nil
}

// importStatement takes over what a final epoch of a peer says about us.
func (m *machine) importStatement(i *ImportStatement) error {
	chain := string(i.Provider)
	peer, err := m.peer(chain)
	if err != nil {
		return err
	}
	old, err := load[Import](m.tx, ImportKey(chain))
	switch {
	case err != nil:
		return err
	case peer.Halted != 0:
		return refuse(CodeHalted, "%s is halted: %v", chain, HaltReason(peer.Halted))
	case m.spec.Peer(chain) == nil:
		return refuse(CodeUnknown, "stake of %s does not count on %s", chain, m.spec.ID)
	case i.Epoch > peer.Final:
		return refuse(CodeUnknown, "epoch %d of %s is not final here, %d is", i.Epoch, chain, peer.Final)
	case old != nil && i.Epoch <= old.Epoch:
		return refuse(CodeDuplicate, "the statement of epoch %d of %s is in force", old.Epoch, chain)
	}
	cp, err := m.checkpoint(chain, i.Epoch)
	if err != nil {
		return err
	}
	if cp.Time+uint64(m.spec.Params.StatementExpiry) <= m.now {
		return refuse(CodeExpired, "the statement of epoch %d of %s is too old", i.Epoch, chain)
	}
	value, present, err := proven(cp.LedgerRoot, StatementKey(m.spec.ID), i.Proof)
	if err != nil {
		return err
	}
	st := new(Statement)
	if !present {
		st.Provider, st.Consumer = i.Provider, []byte(m.spec.ID)
	} else if err := st.UnmarshalSSZ(value); err != nil || string(st.Provider) != chain || string(st.Consumer) != m.spec.ID {
		return refuse(CodeInvalid, "the proven record is not a statement of %s about %s", chain, m.spec.ID)
	}
	return save(m.tx, ImportKey(chain), &Import{Epoch: i.Epoch, Time: cp.Time, Statement: *st})
}

// finalize makes a peer's confirmed epochs final whose challenge window has
// passed, at most finalizePerEpoch of them.
func (m *machine) finalize(chain string) error {
	peer, err := m.peer(chain)
	if err != nil || peer.Halted != 0 {
		return err
	}
	before := peer.Final
	for peer.Final < peer.Confirmed && peer.Final-before < finalizePerEpoch {
		cp, err := m.checkpoint(chain, peer.Final+1)
		if err != nil {
			return damaged("%v", err)
		}
		if !m.spec.Params.ChallengeWindow.Passed(cp.AcceptedEpoch, cp.AcceptedTime, m.epoch, m.now) {
			break
		}
		peer.Final++
	}
	if peer.Final == before {
		return nil
	}
	return save(m.tx, peerKey(chain), peer)
}

const finalizePerEpoch = 64
