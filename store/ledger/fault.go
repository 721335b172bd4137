package ledger

import (
	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// maxOffences is how many offences of one offender are recorded. After the first
// he has no power left to commit more than those under way.
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
	id := s.Proof.ID()
	if known, err := load[Fault](m.tx, faultKey(id)); err != nil {
		return err
	} else if known != nil {
		return refuse(CodeDuplicate, "the fault is recorded already")
	}
	set, time, err := m.offenceSet(accused.ChainID, accused.Epoch, &s.Set)
	if err != nil {
		return err
	}
	if time+uint64(m.spec.Params.EvidenceAge) < m.now {
		return refuse(CodeExpired, "the offence is older than the evidence age %v", m.spec.Params.EvidenceAge.Span())
	}
	if set.Root() != accused.ValidatorsRoot || accused.Accused.Len() != set.Len() {
		return refuse(CodeInvalid, "the proof is about another set than that of epoch %d", accused.Epoch)
	}
	if fresh, err := m.anyNew(accused, set); err != nil {
		return err
	} else if !fresh {
		return refuse(CodeDuplicate, "all of its offenders are convicted for this epoch already")
	}
	verified, err := attest.VerifyFault(m.network, set, &s.Proof)
	if err != nil {
		return invalid("proof", err)
	}
	reference, later, err := m.references(accused.ChainID, accused.Epoch, s)
	if err != nil {
		return err
	}
	fault := &Fault{
		Kind: uint8(verified.Kind()), Chain: []byte(accused.ChainID), Epoch: accused.Epoch,
		Recorded: m.epoch, Time: m.now, Reporter: s.Reporter,
	}
	for _, o := range verified.Offenders() {
		offence := &Offence{
			Fault: id, Kind: fault.Kind, Epoch: accused.Epoch, Share: ratioOf(&o.Power, &o.Total),
			Reference: reference, Later: later,
		}
		if fresh, err := m.convict(accused.ChainID, o.Account, offence); err != nil {
			return err
		} else if fresh {
			fault.Offenders = append(fault.Offenders, &Member{o.Account})
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
	return m.haltIfFailed(accused.ChainID, accused.Epoch)
}

// offenceSet finds the set that signed the epoch of an offence, as this ledger
// knows it, and the time of the checkpoint that committed to it.
func (m *machine) offenceSet(chain string, epoch uint64, travelled *attest.ValidatorSet) (*attest.Set, uint64, error) {
	if epoch == 0 {
		return nil, 0, refuse(CodeInvalid, "nobody signs epoch 0")
	}
	var root [32]byte
	var time uint64
	if chain == m.spec.ID {
		rec, err := load[SetRecord](m.tx, setKey(epoch))
		if err != nil {
			return nil, 0, err
		}
		if rec == nil {
			return nil, 0, refuse(CodeUnknown, "the set of our epoch %d is not known yet", epoch)
		}
		root, time = rec.Root, rec.Time
	} else {
		if _, err := m.peer(chain); err != nil {
			return nil, 0, err
		}
		cp, err := m.checkpoint(chain, epoch-1)
		if err != nil {
			return nil, 0, err
		}
		root, time = cp.ValidatorsRoot, cp.Time
	}
	set, err := verifiedSet(travelled, root)
	return set, time, err
}

// anyNew reports whether the proof may convict anybody of something new, before
// any signature is checked.
func (m *machine) anyNew(accused attest.Accusation, set *attest.Set) (bool, error) {
	for i := range accused.Accused.Ones() {
		off, err := load[Offender](m.tx, offenderKey(accused.ChainID, set.At(i).Account))
		if err != nil {
			return false, err
		}
		if off.isNew(accused.Epoch) {
			return true, nil
		}
	}
	return false, nil
}

// isNew reports whether an offence in this epoch would add to off, which may be
// nil.
func (off *Offender) isNew(epoch uint64) bool {
	if off == nil {
		return true
	}
	if len(off.Offences) == maxOffences {
		return false
	}
	for _, o := range off.Offences {
		if o.Epoch == epoch {
			return false
		}
	}
	return true
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
	base := min(peer.Final, epoch-1)
	for n := uint64(0); n < referenceSearch && n <= base; n++ {
		cp, err := m.checkpoint(chain, base-n)
		if err != nil {
			return 0, 0, damaged("%v", err)
		}
		if cp.Reference != 0 {
			final = cp.Reference - 1
			break
		}
	}
	if len(s.Later) == 0 && s.LaterEpoch == 0 {
		return final, 0, nil
	}
	if s.LaterEpoch <= base || s.LaterEpoch >= epoch {
		return 0, 0, refuse(CodeInvalid, "the later reference must be after epoch %d and before %d", base, epoch)
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

// convict records an offence and tombstones the offender. It reports whether the
// offence was new.
func (m *machine) convict(chain string, account AccountID, o *Offence) (bool, error) {
	key := offenderKey(chain, account)
	off, err := load[Offender](m.tx, key)
	if err != nil || !off.isNew(o.Epoch) {
		return false, err
	}
	if off == nil {
		off = new(Offender)
		if _, err := offenderList(chain).push(m.tx, account[:]); err != nil {
			return false, err
		}
		if err := m.unstate(chain, account); err != nil {
			return false, err
		}
	}
	off.Offences = append(off.Offences, o)
	return true, save(m.tx, key, off)
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
	for i, off := range offs {
		if off.Queued != 0 || !m.owesMore(off, offs) {
			continue
		}
		off.Queued = 1
		if err := save(m.tx, offenderKey(chain, ids[i]), off); err != nil {
			return err
		}
		e := &Execution{Chain: []byte(chain), Account: ids[i], Fault: fault, Epoch: m.epoch, Time: m.now}
		n, err := queueList.length(m.tx)
		if err != nil {
			return err
		}
		if err := save(m.tx, queueList.item(n), e); err != nil {
			return err
		}
		setCounter(m.tx, queueList, n+1)
		frozen, err := counter(m.tx, frozenKey(chain))
		if err != nil {
			return err
		}
		setCounter(m.tx, frozenKey(chain), frozen+1)
	}
	return nil
}

func (m *machine) owesMore(off *Offender, all []*Offender) bool {
	for _, o := range off.Offences {
		if m.penalty(o, all) > o.Penalty {
			return true
		}
	}
	return false
}

// penalty is max(base(kind), min(1, (3q)²)), scaled by One, where the severity q
// is the sum over distinct offenders of their largest share of the power in an
// offence within ± the correlation window of o (DESIGN §3.5).
func (m *machine) penalty(o *Offence, all []*Offender) uint64 {
	q := zero()
	for _, off := range all {
		largest := uint64(0)
		for _, other := range off.Offences {
			if distance(other.Epoch, o.Epoch) <= m.spec.Params.CorrelationEpochs {
				largest = max(largest, other.Share)
			}
		}
		q.AddUint64(q, largest)
	}
	return max(m.basePenalty(attest.FaultKind(o.Kind)), quadratic(q))
}

func (m *machine) basePenalty(kind attest.FaultKind) uint64 {
	switch kind {
	case attest.FaultDoubleVote:
		return uint64(m.spec.Params.DoubleVotePenalty)
	}
	return One
}

// quadratic is min(1, (3q)²) with q scaled by One, rounded down.
func quadratic(q *uint256.Int) uint64 {
	p := new(uint256.Int).Mul(q, uint256.NewInt(3))
	if !p.Lt(one) {
		return One
	}
	p.Mul(p, p)
	return p.Div(p, one).Uint64()
}

func distance(a, b uint64) uint64 { return max(a, b) - min(a, b) }

// ratioOf is ⌊part·One/total⌋.
func ratioOf(part, total *uint256.Int) uint64 {
	r, _ := new(uint256.Int).MulDivOverflow(part, one, total)
	return r.Uint64()
}

// haltIfFailed halts a peer of whose power a third was convicted within the
// correlation window. Shares were rounded down, so each counts one more unit.
func (m *machine) haltIfFailed(chain string, epoch uint64) error {
	if chain == m.spec.ID {
		return nil // a chain's own ledger goes on: its peers decide what it is worth
	}
	_, offs, err := offenders(m.tx, chain)
	if err != nil {
		return err
	}
	convicted := zero()
	for _, off := range offs {
		largest := uint64(0)
		for _, o := range off.Offences {
			if distance(o.Epoch, epoch) <= m.spec.Params.CorrelationEpochs {
				largest = max(largest, o.Share+1)
			}
		}
		convicted.AddUint64(convicted, largest)
	}
	if convicted.Mul(convicted, uint256.NewInt(3)).Lt(one) {
		return nil
	}
	peer, err := m.peer(chain)
	if err != nil || peer.Halted != 0 {
		return err
	}
	peer.Halted, peer.HaltedAt = uint8(HaltConvicted), m.epoch
	return save(m.tx, peerKey(chain), peer)
}
