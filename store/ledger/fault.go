package ledger

import (
	"slices"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// maxOffences is how many offences of one offender are recorded. After the first
// he has no power left to commit more than those under way, but he can bring up any
// number of old ones. When there are so many, the least of them makes room for one that
// outweighs it (see outweighs): nobody hides behind his own cheap offences.
const maxOffences = 64

// referenceSearch is how many checkpoints back the last one with a known
// reference is searched for.
const referenceSearch = 64

// submitFault records a proof: the offenders are tombstoned, and what they
// captured is frozen until it is executed (DESIGN §3.5). The cost is the same for
// one lien behind an offender as for a million.
func (m *machine) submitFault(s *SubmitFault) error {
	accused, err := attest.Peek(&s.Proof)
	if err != nil {
		return invalid("proof", err)
	}
	if m.manifest.Misplaced(accused) {
		return refuse(CodeInvalid, "height %d of %s is not in epoch %d, whose set the proof names", accused.Height, accused.ChainID, accused.Epoch)
	}
	id := s.Proof.ID()
	known, err := load[Fault](m.tx, faultKey(id))
	if err != nil {
		return err
	}
	if known != nil && len(s.Later) == 0 {
		return refuse(CodeDuplicate, "the fault is recorded already")
	}
	set, since, heard, err := m.offenceSet(accused.ChainID, accused.Epoch, &s.Set)
	if err != nil {
		return err
	}
	if age := m.params.EvidenceAge; age.Passed(heard.epoch, heard.time, m.epoch, m.now) {
		return refuse(CodeExpired, "the offence is older than the evidence age of %v and %d epochs", age.Time.Span(), age.Epochs)
	}
	if set.Root() != accused.ValidatorsRoot || accused.Accused.Len() != set.Len() {
		return refuse(CodeInvalid, "the proof is about another set than that of epoch %d", accused.Epoch)
	}
	if accused.Forked {
		return m.submitFork(accused, set, since, s)
	}
	if fresh, err := m.anyNew(accused, set); err != nil {
		return err
	} else if known != nil || !fresh {
		return m.amend(accused, set, s)
	}
	verified, err := attest.VerifyFault(m.law, set, &s.Proof)
	if err != nil {
		return invalid("proof", err)
	}
	reference, later, err := m.references(accused.ChainID, accused.Epoch, s)
	if err != nil {
		return err
	}
	fault := &Fault{
		Kind: uint8(verified.Kind()), Chain: []byte(accused.ChainID), Epoch: accused.Epoch,
		Since: since, Recorded: m.epoch, Time: m.now, Reporter: s.Reporter,
	}
	for _, o := range verified.Offenders() {
		offence := &Offence{
			Fault: id, Kind: fault.Kind, Epoch: accused.Epoch, Time: since, Power: NewAmount(&o.Power), Total: NewAmount(&o.Total),
			Reference: reference, Later: later,
		}
		if fresh, err := m.convict(accused.ChainID, o.Account, offence); err != nil {
			return err
		} else if fresh {
			fault.Offenders = append(fault.Offenders, Member{o.Account})
		}
	}
	if err := save(m.tx, faultKey(id), fault); err != nil {
		return err
	}
	if _, err := faultList.push(m.tx, id[:]); err != nil {
		return err
	}
	if err := m.queueGrown(accused.ChainID, id); err != nil {
		return err
	}
	if err := m.refute(accused); err != nil {
		return err
	}
	return m.haltIfFailed(fault, id)
}

// moment is an epoch of a chain, and a time by its clock.
type moment struct{ epoch, time uint64 }

// offenceSet finds the set that signed the epoch of an offence, as this ledger
// knows it, and when the checkpoint was that committed to it: since by its own chain's
// clock, and heard when this ledger knew of it. The age of evidence counts from there:
// a peer whose clock is slow, as two thirds of it can make it, would else let it expire
// before it could be brought.
func (m *machine) offenceSet(chain string, epoch uint64, travelled *attest.ValidatorSet) (set *attest.Set, since uint64, heard moment, err error) {
	if epoch == 0 {
		return nil, 0, heard, refuse(CodeInvalid, "nobody signs epoch 0")
	}
	var root [32]byte
	if chain == m.spec.ID {
		rec, err := load[SetRecord](m.tx, setKey(epoch))
		if err != nil {
			return nil, 0, heard, err
		}
		if rec == nil {
			return nil, 0, heard, refuse(CodeUnknown, "the set of our epoch %d is not known yet", epoch)
		}
		root, since, heard = rec.Root, rec.Time, moment{epoch - 1, rec.Time}
	} else {
		if _, err := m.peer(chain); err != nil {
			return nil, 0, heard, err
		}
		cp, err := m.checkpoint(chain, epoch-1)
		if err != nil {
			return nil, 0, heard, err
		}
		root, since, heard = cp.ValidatorsRoot, cp.Time, moment{cp.AcceptedEpoch, cp.AcceptedTime}
	}
	set, err = verifiedSet(travelled, root)
	return set, since, heard, err
}

// anyNew reports whether the proof may convict anybody of something new, before
// any signature is checked.
func (m *machine) anyNew(accused attest.Accusation, set *attest.Set) (bool, error) {
	for i := range accused.Accused.Ones() {
		off, err := load[Offender](m.tx, offenderKey(accused.ChainID, set.At(i).Account))
		if err != nil {
			return false, err
		}
		if off.IsNew(&m.params.Penalty, NewOffence(accused.Kind, accused.Epoch, set.Power(i), set.Total())) {
			return true, nil
		}
	}
	return false, nil
}

// NewOffence is what is known of an offence from its proof and the set of its epoch: its
// kind, and the offender's part of the power.
func NewOffence(kind attest.FaultKind, epoch uint64, power, total *uint256.Int) *Offence {
	return &Offence{Kind: uint8(kind), Epoch: epoch, Power: NewAmount(power), Total: NewAmount(total)}
}

// IsNew reports whether an offence would add to off, which may be nil. One offence counts
// in an epoch, or two if the later one to be known costs more: else who gets himself
// convicted of the cheap one would be safe from the dear one.
func (off *Offender) IsNew(p *Penalty, o *Offence) bool {
	if off == nil {
		return true
	}
	for _, known := range off.Offences {
		if known.Epoch == o.Epoch && p.base(attest.FaultKind(known.Kind)) >= p.base(attest.FaultKind(o.Kind)) {
			return false
		}
	}
	if len(off.Offences) < maxOffences {
		return true
	}
	least, shadowed := off.least(p, o)
	return shadowed || o.outweighs(off.Offences[least], p)
}

// least is the offence that leaves first when fresh comes and there are too many: one that
// a dearer one of its epoch shadows, else the one that the others outweigh.
func (off *Offender) least(p *Penalty, fresh *Offence) (least int, shadowed bool) {
	for i, o := range off.Offences {
		for _, other := range append(slices.Clone(off.Offences), fresh) {
			if other.Epoch == o.Epoch && p.base(attest.FaultKind(other.Kind)) > p.base(attest.FaultKind(o.Kind)) {
				return i, true
			}
		}
		if off.Offences[least].outweighs(o, p) {
			least = i
		}
	}
	return least, false
}

// outweighs orders the offences of one offender by what they bind at the least: the share
// of the power, which is what stood behind him in that epoch, times the penalty that it
// alone brings. Then by the price of their kind, and the newer first, to whose epoch the
// offences of others can still add. Of what is recorded no two are equal in this order,
// and nothing else decides it than the offences themselves: those that are kept are the
// greatest of all that were ever proven, in whatever order the proofs came.
//
// What leaves lowers no debt: a debt is a maximum over offences, what was taken for it
// stays taken, and whoever fills the list with offences that outweigh another has as
// much power convicted in each of them. It may be that a lien was behind the one that
// left alone, and was not slashed yet; then it is the others that pay.
func (o *Offence) outweighs(other *Offence, p *Penalty) bool {
	if c := o.weight(p).Cmp(other.weight(p)); c != 0 {
		return c > 0
	}
	if a, b := p.base(attest.FaultKind(o.Kind)), p.base(attest.FaultKind(other.Kind)); a != b {
		return a > b
	}
	return o.Epoch > other.Epoch
}

// weight is share times penalty, each scaled by One.
func (o *Offence) weight(p *Penalty) *uint256.Int {
	share := o.share()
	penalty := p.penalty(p.base(attest.FaultKind(o.Kind)), share)
	return new(uint256.Int).Mul(uint256.NewInt(share.scaled()), uint256.NewInt(penalty.scaled()))
}

// references tells which statements of ours an offence captures: the one that the
// offender's chain had in force at its last final checkpoint before the offence,
// and, if the submitter proves one, at a later accepted one.
func (m *machine) references(chain string, epoch uint64, s *SubmitFault) (final, later uint64, err error) {
	if chain == m.spec.ID {
		if len(s.Later) != 0 || s.LaterEpoch != 0 {
			return 0, 0, refuse(CodeMalformed, "a fault of this chain itself needs no reference")
		}
		return epoch, 0, nil // the statement of epoch−1 made the set of epoch
	}
	peer, err := m.peer(chain)
	if err != nil {
		return 0, 0, err
	}
	base, err := m.finalBefore(chain, peer, epoch)
	if err != nil {
		return 0, 0, err
	}
	for n := uint64(0); n < referenceSearch && n <= base; n++ {
		cp, err := load[PeerCheckpoint](m.tx, checkpointKey(chain, base-n))
		if err != nil {
			return 0, 0, err
		}
		if cp != nil && cp.Reference != 0 { // a peer that was trusted anew has a gap
			final = cp.Reference - 1
			break
		}
	}
	if len(s.Later) == 0 && s.LaterEpoch == 0 {
		return final, 0, nil
	}
	if s.LaterEpoch != epoch-1 {
		return 0, 0, refuse(CodeInvalid, "the later reference must be of epoch %d, which made the set of the offence", epoch-1)
	}
	cp, err := m.checkpoint(chain, s.LaterEpoch)
	if err != nil {
		return 0, 0, err
	}
	in, err := m.inForce(cp, s.Later)
	if err != nil {
		return 0, 0, err
	}
	if in != nil {
		later = *in + 1
	}
	return final, later, nil
}

// amend adds the statement that was in force right before an offence to offences that
// were recorded without it: who submits first must not decide what is captured. What was
// executed meanwhile is executed for the difference.
func (m *machine) amend(accused attest.Accusation, set *attest.Set, s *SubmitFault) error {
	nothing := refuse(CodeDuplicate, "all of its offenders are convicted for this epoch already")
	if len(s.Later) == 0 {
		return nothing
	}
	_, later, err := m.references(accused.ChainID, accused.Epoch, s)
	if err != nil {
		return err
	}
	amended := false
	for i := range accused.Accused.Ones() {
		account := set.At(i).Account
		off, err := load[Offender](m.tx, offenderKey(accused.ChainID, account))
		if err != nil {
			return err
		}
		fault, lacks := off.lacks(accused.Epoch, later)
		if !lacks {
			continue
		}
		amended = true
		for _, o := range off.Offences {
			if o.Epoch == accused.Epoch {
				o.Later = later
			}
		}
		if off.Queued == 0 {
			off.Queued = 1
			e := &Execution{Chain: []byte(accused.ChainID), Account: account, Fault: fault, Epoch: m.epoch, Time: m.now}
			if err := m.queue(e); err != nil {
				return err
			}
		}
		if err := save(m.tx, offenderKey(accused.ChainID, account), off); err != nil {
			return err
		}
	}
	if !amended {
		return nothing
	}
	return nil
}

// lacks reports whether an offence of off, which may be nil, in this epoch refers to no
// statement as new as later, which is our epoch of one, +1; and in which fault.
func (off *Offender) lacks(epoch, later uint64) (fault [32]byte, yes bool) {
	if off == nil {
		return fault, false
	}
	for _, o := range off.Offences {
		if o.Epoch == epoch && o.Later == 0 && o.Reference < later {
			return o.Fault, true
		}
	}
	return fault, false
}

// Lacks reports whether an offence in this epoch is recorded without the statement of
// our epoch that was in force right before it: another SubmitFault can bring it.
func (off *Offender) Lacks(epoch, statement uint64) bool {
	_, yes := off.lacks(epoch, statement+1)
	return yes
}

// convict records an offence and tombstones the offender. It reports whether the
// offence was new.
func (m *machine) convict(chain string, account AccountID, o *Offence) (bool, error) {
	key := offenderKey(chain, account)
	off, err := load[Offender](m.tx, key)
	if err != nil || !off.IsNew(&m.params.Penalty, o) {
		return false, err
	}
	if off == nil {
		off = &Offender{Since: m.epoch}
		if _, err := offenderList(chain).push(m.tx, account[:]); err != nil {
			return false, err
		}
		if err := m.unstate(chain, account); err != nil {
			return false, err
		}
	}
	if len(off.Offences) == maxOffences {
		least, _ := off.least(&m.params.Penalty, o)
		if err := m.drop(chain, account, off, least); err != nil {
			return false, err
		}
	}
	off.Offences = append(off.Offences, o)
	return true, save(m.tx, key, off)
}

// drop removes an offence. An execution that is under way, whose penalties are in the
// order of the offences, goes on without it.
func (m *machine) drop(chain string, account AccountID, off *Offender, i int) error {
	off.Offences = slices.Delete(off.Offences, i, i+1)
	meta, err := must[Meta](m.tx, metaKey)
	if err != nil {
		return err
	}
	e, err := load[Execution](m.tx, queueList.item(meta.QueueHead))
	if err != nil || e == nil || string(e.Chain) != chain || e.Account != account || i >= len(e.Penalties) {
		return err
	}
	e.Penalties = slices.Delete(e.Penalties, i, i+1)
	return save(m.tx, queueList.item(meta.QueueHead), e)
}

// offenders reads everybody convicted on chain.
func offenders(v View, chain string) (ids []AccountID, offs []*Offender, err error) {
	if ids, err = offenderList(chain).accounts(v); err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		off, err := must[Offender](v, offenderKey(chain, id))
		if err != nil {
			return nil, nil, err
		}
		offs = append(offs, off)
	}
	return ids, offs, nil
}

// queueGrown queues an execution for every offender of chain who owes more now:
// the one just convicted, and those whose penalty grew with the severity.
func (m *machine) queueGrown(chain string, fault [32]byte) error {
	ids, offs, err := offenders(m.tx, chain)
	if err != nil {
		return err
	}
	q := newSeverities(offs, m.params.Correlation)
	for i, off := range offs {
		if off.Queued != 0 || !m.owesMore(off, q) {
			continue
		}
		off.Queued = 1
		if err := save(m.tx, offenderKey(chain, ids[i]), off); err != nil {
			return err
		}
		e := &Execution{Chain: []byte(chain), Account: ids[i], Fault: fault, Epoch: m.epoch, Time: m.now}
		if err := m.queue(e); err != nil {
			return err
		}
	}
	return nil
}

// queue adds an execution, and freezes what is behind its offender, or the backstops of its
// chain, until it has finished.
func (m *machine) queue(e *Execution) error {
	n, err := queueList.length(m.tx)
	if err != nil {
		return err
	}
	if err := save(m.tx, queueList.item(n), e); err != nil {
		return err
	}
	setCounter(m.tx, queueList, n+1)
	key := frozenKey(string(e.Chain), e.Account)
	frozen, err := counter(m.tx, key)
	if err != nil {
		return err
	}
	setCounter(m.tx, key, frozen+1)
	return nil
}

func (m *machine) owesMore(off *Offender, q *severities) bool {
	for _, o := range off.Offences {
		if q.penalty(&m.params.Penalty, o).compare(o.Penalty.fraction()) > 0 {
			return true
		}
	}
	return false
}

// haltIfFailed halts a peer of whose power a third was convicted within the
// correlation window, and opens the failures that its backstops answer for: around each
// offence near to that of the fault, so that the order in which the proofs came decides
// nothing. Whoever was convicted when the authority trusted the peer again after a failure
// does not halt it once more; what he did before then can still be a failure.
func (m *machine) haltIfFailed(f *Fault, id [32]byte) error {
	chain := string(f.Chain)
	if chain == m.spec.ID {
		return nil // a chain's own ledger goes on: its peers decide what it is worth
	}
	_, offs, err := offenders(m.tx, chain)
	if err != nil {
		return err
	}
	peer, err := m.peer(chain)
	if err != nil {
		return err
	}
	renewal, err := lastRenewal(m.tx, chain)
	if err != nil {
		return err
	}
	window := m.params.Correlation
	all := newSeverities(offs, window)
	fresh := all
	if renewal.Forgiven > 0 {
		fresh = newSeverities(offs[renewal.Forgiven:], window)
	}
	seen := map[moment]bool{}
	for _, off := range offs {
		for _, o := range off.Offences {
			at := moment{o.Epoch, o.Time}
			if seen[at] || !window.Near(f.Epoch, f.Since, o.Epoch, o.Time) {
				continue
			}
			seen[at] = true
			checkpoint, err := m.finalBefore(chain, peer, at.epoch)
			if err != nil {
				return err
			}
			known, err := load[Failure](m.tx, failureKey(chain, checkpoint))
			if err != nil {
				return err
			}
			if known != nil && HaltReason(peer.Halted).gravity() >= HaltConvicted.gravity() {
				continue // it could do no more, and to find out would be dear
			}
			if fresh.third(at) {
				if err := m.halt(chain, peer, HaltConvicted); err != nil {
					return err
				}
			} else if o.Epoch > renewal.Epoch || !all.third(at) {
				continue
			}
			if known == nil {
				if err := m.openFailure(chain, checkpoint, id, at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// third reports whether a third of the power was convicted of offences near a moment.
func (s *severities) third(at moment) bool {
	return s.at(at.epoch, at.time, true).compare(fraction{uint256.NewInt(1), uint256.NewInt(3)}) >= 0
}
