package ledger

import (
	"bytes"
	"slices"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// Downtime is the chain's own business (DESIGN §3.5). Its order records its own
// certificates; who is in none of those of an epoch missed it. An epoch without a
// recorded certificate counts for nobody. It never counts in a severity.

// recordCertificate takes a certificate of our epoch before this one, or the one before
// that.
func (m *machine) recordCertificate(r *RecordCertificate) error {
	cp := &r.Certificate.Checkpoint
	if string(cp.ChainID) != m.spec.ID {
		return refuse(CodeInvalid, "the certificate is one of %q, not of %s", cp.ChainID, m.spec.ID)
	}
	meta, err := must[Meta](m.tx, metaKey)
	if err != nil {
		return err
	}
	var root [32]byte
	switch {
	case cp.Epoch == 0:
		return refuse(CodeInvalid, "nobody signs epoch 0")
	case cp.Epoch >= m.epoch:
		return refuse(CodeUnknown, "our epoch %d is not over", cp.Epoch)
	case cp.Epoch+1 == m.epoch:
		root = m.parent
	case cp.Epoch+2 == m.epoch:
		root = meta.Parent
	default:
		return refuse(CodeExpired, "participation in epoch %d was settled two epochs later", cp.Epoch)
	}
	if cp.Root() != root {
		return refuse(CodeInvalid, "the certificate is about another epoch %d than ours", cp.Epoch)
	}
	signing, err := must[SetRecord](m.tx, setKey(cp.Epoch))
	if err != nil {
		return err
	}
	set, err := verifiedSet(&r.Set, signing.Root)
	if err != nil {
		return err
	}
	absent, err := absentees(set, r.Certificate.Signers)
	if err != nil {
		return err
	}
	slot, err := load[Participation](m.tx, participationKey(cp.Epoch))
	if err != nil {
		return err
	}
	if slot != nil && slot.Epoch == cp.Epoch {
		before := len(slot.Absent)
		absent = slices.DeleteFunc(slot.Absent, func(a Member) bool {
			_, still := slices.BinarySearchFunc(absent, a, compareMembers)
			return !still
		})
		if len(absent) == before {
			return refuse(CodeDuplicate, "all of its signers are recorded for epoch %d already", cp.Epoch)
		}
	}
	if _, err := attest.VerifyCertificate(m.law.Network(), set, &r.Certificate); err != nil {
		return invalid("certificate", err)
	}
	return save(m.tx, participationKey(cp.Epoch), &Participation{Epoch: cp.Epoch, Absent: absent})
}

func compareMembers(a, b Member) int { return bytes.Compare(a.Account[:], b.Account[:]) }

// absentees are the members of a set that have no bit, by account.
func absentees(set *attest.Set, signers attest.Bits) ([]Member, error) {
	if signers.Len() != set.Len() {
		return nil, refuse(CodeInvalid, "the certificate has a bitfield for %d validators, the set %d", signers.Len(), set.Len())
	}
	signed := map[AccountID]bool{}
	for i := range signers.Ones() {
		signed[set.At(i).Account] = true
	}
	var out []Member
	for i := range set.Len() {
		if id := set.At(i).Account; !signed[id] {
			out = append(out, Member{id})
		}
	}
	slices.SortFunc(out, compareMembers)
	return out, nil
}

// settleParticipation runs one step of counting who missed the epoch two before the one
// that ends: from an index among the absent on. It returns where the next step goes on,
// if there is more.
func (m *machine) settleParticipation(from uint64) (next uint64, more bool, err error) {
	if m.epoch < 3 || m.params.Downtime.Window == 0 {
		return 0, false, nil
	}
	epoch := m.epoch - 2
	slot, err := load[Participation](m.tx, participationKey(epoch))
	if err != nil || slot == nil || slot.Epoch != epoch {
		return 0, false, err
	}
	for next = from; next < uint64(len(slot.Absent)); next++ {
		if m.tx.cost() >= stepCost {
			return next, true, nil
		}
		if err := m.missed(slot.Absent[next].Account, epoch); err != nil {
			return next, false, err
		}
	}
	return next, false, nil
}

// missed counts a missed epoch, and jails who missed too many of the window.
func (m *machine) missed(id AccountID, epoch uint64) error {
	d := &m.params.Downtime
	v, err := load[Validator](m.tx, validatorKey(id))
	if err != nil || v == nil || v.Jailed != 0 {
		return err
	}
	l, err := load[Liveness](m.tx, livenessKey(id))
	if err != nil {
		return err
	}
	if l == nil {
		l = new(Liveness)
	}
	l.Missed = slices.DeleteFunc(l.Missed, func(e uint64) bool { return e+d.Window <= epoch })
	l.Missed = append(l.Missed, epoch)
	if allowed := share(uint256.NewInt(d.Window), uint64(d.Allowed)); uint64(len(l.Missed)) <= allowed.Uint64() {
		return save(m.tx, livenessKey(id), l)
	}
	if err := save(m.tx, livenessKey(id), new(Liveness)); err != nil {
		return err
	}
	v.Jailed = m.epoch
	if err := save(m.tx, validatorKey(id), v); err != nil {
		return err
	}
	return m.fine(id)
}

// fine takes the downtime penalty from a validator's own stake. What it pays counts
// against what a later fault may take, so that a lien never loses more than its ratio,
// and I2 goes on covering every debt.
func (m *machine) fine(id AccountID) error {
	v, err := loadVault(m.tx, id)
	if err != nil || v == nil {
		return err
	}
	l := v.lien(m.spec.ID)
	if l == nil || l.part(id) == nil {
		return nil
	}
	p := l.part(id)
	ratio := min(uint64(m.params.Downtime.Penalty), l.ratio)
	captured := p.effectiveBonded.Clone()
	take := share(captured, ratio)
	if take.IsZero() {
		return nil
	}
	v.collateral.Sub(v.collateral, take)
	p.slashed.Add(&p.slashed, take)
	p.taken.Add(&p.taken, take)
	if err := m.saveVault(v, false); err != nil {
		return err
	}
	return m.burn(&Slash{
		Account: id, Consumer: []byte(m.spec.ID), Validator: id,
		Captured: NewAmount(captured), Ratio: ratio, Amount: NewAmount(take), Epoch: m.epoch,
	}, take)
}

// unjail lets a validator take part again, once it has sat its time.
func (m *machine) unjail(v *vault, u *Unjail) error {
	rec, err := load[Validator](m.tx, validatorKey(v.id))
	switch {
	case err != nil:
		return err
	case rec == nil:
		return refuse(CodeUnknown, "account %v is not a registered validator", v.id)
	case rec.Jailed == 0:
		return refuse(CodeDuplicate, "validator %v is not jailed", v.id)
	case rec.Jailed != u.Epoch:
		return refuse(CodeInvalid, "validator %v was jailed in epoch %d, not %d", v.id, rec.Jailed, u.Epoch)
	case m.epoch < rec.Jailed+m.params.Downtime.Jail:
		return refuse(CodeFrozen, "validator %v stays in jail until epoch %d", v.id, rec.Jailed+m.params.Downtime.Jail)
	}
	rec.Jailed = 0
	return save(m.tx, validatorKey(v.id), rec)
}
