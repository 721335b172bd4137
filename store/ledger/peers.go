package ledger

import (
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// HaltReason says why a peer is halted (DESIGN §3.5).
type HaltReason uint8

// The reasons.
const (
	HaltConvicted HaltReason = 1 // a third of its power was convicted
	HaltStale     HaltReason = 2 // nothing was heard of it for half of the unbonding time
	HaltRefuted   HaltReason = 3 // it certified an epoch that is proven to be wrong
	HaltForked    HaltReason = 4 // its own consensus signed two blocks of one height
)

// String is one sentence.
func (r HaltReason) String() string {
	switch r {
	case 0:
		return ""
	case HaltConvicted:
		return "at least 1/3 of its power was convicted of faults"
	case HaltStale:
		return "its last accepted checkpoint is older than half of the unbonding time"
	case HaltRefuted:
		return "it certified an epoch that is proven to be wrong"
	case HaltForked:
		return "its own consensus has signed a block that it does not have: the chain has forked"
	}
	return "unknown reason"
}

// gravity is the greater the more a reason says against the chain, 0 for none.
func (r HaltReason) gravity() int {
	return slices.Index([]HaltReason{0, HaltStale, HaltForked, HaltConvicted, HaltRefuted}, r)
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
	case cp.Time > m.now+uint64(m.params.MaxDrift):
		return refuse(CodeLimit, "the time of epoch %d of %s is %d ms ahead of ours", cp.Epoch, chain, cp.Time-m.now)
	}
	set, err := verifiedSet(&u.Set, peer.ValidatorsRoot)
	if err != nil {
		return err
	}
	trusted := attest.Trusted{ChainID: chain, Epoch: peer.Accepted, Root: peer.Root, ValidatorsRoot: peer.ValidatorsRoot, Time: peer.Time}
	next, err := attest.Follow(m.law.Network(), trusted, set, &u.Certificate)
	if err != nil {
		return invalid("certificate", err)
	}
	peer.Accepted, peer.Root, peer.ValidatorsRoot, peer.Time = next.Epoch, next.Root, next.ValidatorsRoot, next.Time
	if err := save(m.tx, peerSetKey(chain), &PeerSet{members(&u.Set)}); err != nil {
		return err
	}
	if err := save(m.tx, peerKey(chain), peer); err != nil {
		return err
	}
	return save(m.tx, checkpointKey(chain, next.Epoch), &PeerCheckpoint{
		Root: next.Root, LedgerRoot: cp.LedgerRoot, ValidatorsRoot: next.ValidatorsRoot, Time: next.Time,
		AcceptedEpoch: m.epoch, AcceptedTime: m.now,
	})
}

func members(v *attest.ValidatorSet) []Member {
	out := make([]Member, len(v.Validators))
	for i, val := range v.Validators {
		out[i] = Member{val.Account}
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
	if signing == nil || claim.Epoch == 0 || m.params.EvidenceAge.Passed(claim.Epoch-1, signing.Time, m.epoch, m.now) {
		return refuse(CodeExpired, "the claim is by our set of epoch %d, which is too old", claim.Epoch)
	}
	set, err := verifiedSet(&c.Set, signing.Root)
	if err != nil {
		return err
	}
	if _, err := attest.VerifyCrossCertificate(m.law.Network(), set, &c.Certificate); err != nil {
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
	if len(in.Statement.Entries) == 0 { // it gave nobody power
		return nil, nil
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
	terms, err := load[Terms](m.tx, termsKey(chain))
	if err != nil {
		return err
	}
	old, err := load[Import](m.tx, ImportKey(chain))
	switch {
	case err != nil:
		return err
	case peer.Halted != 0:
		return refuse(CodeHalted, "%s is halted: %v", chain, HaltReason(peer.Halted))
	case terms == nil:
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
	if cp.Time+uint64(m.params.StatementExpiry) <= m.now {
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

// finalize makes a peer's confirmed epochs final whose challenge window has passed, at
// most finalizePerEpoch of them, and halts a peer that has grown stale.
func (m *machine) finalize(chain string) error {
	peer, err := m.peer(chain)
	if err != nil || peer.Halted != 0 {
		return err
	}
	if m.now > peer.Time+uint64(m.params.Unbonding.Time)/2 {
		return m.halt(chain, peer, HaltStale)
	}
	before := peer.Final
	for peer.Final < peer.Confirmed && peer.Final-before < finalizePerEpoch {
		cp, err := m.checkpoint(chain, peer.Final+1)
		if err != nil {
			return damaged("%v", err)
		}
		if !m.params.ChallengeWindow.Passed(cp.AcceptedEpoch, cp.AcceptedTime, m.epoch, m.now) {
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

// halt stops following a peer: nothing of it is accepted or imported, its stake gives no
// power, and liens to it mature by our own clock, until the authority trusts a new
// checkpoint. What was accepted and is not final yet is overturned, but by staleness. A
// graver reason takes the place of another.
func (m *machine) halt(chain string, peer *Peer, reason HaltReason) error {
	if HaltReason(peer.Halted).gravity() >= reason.gravity() {
		return nil
	}
	if peer.Halted == 0 {
		peer.HaltedAt, peer.HaltedTime = m.epoch, m.now
	}
	peer.Halted = uint8(reason)
	if reason != HaltStale && peer.Accepted > peer.Final {
		peer.Overturned = peer.Final + 1
	}
	return save(m.tx, peerKey(chain), peer)
}

// trustPeer makes a halted peer live again, from a checkpoint that the authority vouches
// for. Its statement from before gives no power any more: a new one must become final.
func (m *machine) trustPeer(t *TrustPeer) error {
	cp := &t.Checkpoint
	chain := string(cp.ChainID)
	peer, err := m.peer(chain)
	switch {
	case err != nil:
		return err
	case peer.Halted == 0:
		return refuse(CodeInvalid, "%s is not halted: it is followed by its certificates", chain)
	case cp.Epoch <= peer.Final:
		return refuse(CodeInvalid, "epoch %d of %s is final already: the checkpoint must be a later one", peer.Final, chain)
	case cp.Time < peer.Time && cp.Epoch > peer.Accepted:
		return refuse(CodeInvalid, "the time of epoch %d of %s is before that of the last one accepted", cp.Epoch, chain)
	case cp.Time > m.now+uint64(m.params.MaxDrift):
		return refuse(CodeLimit, "the time of epoch %d of %s is %d ms ahead of ours", cp.Epoch, chain, cp.Time-m.now)
	case m.now > cp.Time+uint64(m.params.Unbonding.Time)/2:
		return refuse(CodeExpired, "the checkpoint of epoch %d of %s is stale itself: name one younger than %v", cp.Epoch, chain, (m.params.Unbonding.Time / 2).Span())
	}
	if _, err := verifiedSet(&t.Set, cp.ValidatorsRoot); err != nil {
		return err
	}
	if err := m.renew(chain, peer, cp.Epoch); err != nil {
		return err
	}
	root := cp.Root()
	*peer = Peer{
		Accepted: cp.Epoch, Confirmed: cp.Epoch, Final: cp.Epoch,
		Root: root, ValidatorsRoot: cp.ValidatorsRoot, Time: cp.Time,
	}
	if err := save(m.tx, peerKey(chain), peer); err != nil {
		return err
	}
	if err := save(m.tx, peerSetKey(chain), &PeerSet{members(&t.Set)}); err != nil {
		return err
	}
	err = save(m.tx, checkpointKey(chain, cp.Epoch), &PeerCheckpoint{
		Root: root, LedgerRoot: cp.LedgerRoot, ValidatorsRoot: cp.ValidatorsRoot, Time: cp.Time,
		AcceptedEpoch: m.epoch, AcceptedTime: m.now,
	})
	if err != nil {
		return err
	}
	// Also where nothing was imported yet: of the epochs before this one there are records,
	// and they are not final.
	nothing := Statement{Provider: []byte(chain), Consumer: []byte(m.spec.ID)}
	return save(m.tx, ImportKey(chain), &Import{Epoch: cp.Epoch, Time: cp.Time, Statement: nothing})
}

// renew writes down from where a peer is trusted anew. If it had failed, the authority
// forgives whoever has been convicted so far: they have no power any more, and can bring up
// any number of old offences.
func (m *machine) renew(chain string, peer *Peer, epoch uint64) error {
	last, err := lastRenewal(m.tx, chain)
	if err != nil {
		return err
	}
	t := Renewal{Epoch: epoch, Final: peer.Final, Forgiven: last.Forgiven}
	if r := HaltReason(peer.Halted); r == HaltConvicted || r == HaltRefuted {
		if t.Forgiven, err = offenderList(chain).length(m.tx); err != nil {
			return err
		}
	}
	b, err := t.MarshalSSZ()
	if err != nil {
		return err
	}
	_, err = trustList(chain).push(m.tx, b)
	return err
}

// lastRenewal is from where a peer was trusted anew last, the zero value if never.
func lastRenewal(v View, chain string) (*Renewal, error) {
	n, err := trustList(chain).length(v)
	if err != nil || n == 0 {
		return new(Renewal), err
	}
	return must[Renewal](v, trustList(chain).item(n-1))
}

// finalBefore is the last final epoch of a peer before an epoch. Of one that was trusted
// anew there are records of epochs that never became final, and of a branch that was given
// up.
func (m *machine) finalBefore(chain string, peer *Peer, epoch uint64) (uint64, error) {
	at := min(peer.Final, epoch-1)
	n, err := trustList(chain).length(m.tx)
	for ; err == nil && n > 0; n-- {
		var t *Renewal
		if t, err = must[Renewal](m.tx, trustList(chain).item(n-1)); err != nil || at >= t.Epoch {
			break
		}
		at = min(at, t.Final)
	}
	return at, err
}
