package node

import (
	"fmt"
	"math"
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// faults are the proofs that say something new to the home ledger, and that it can
// judge.
func (d *desk) faults(home homeState, meta *ledger.Meta, params *ledger.Params, known knowledge) (out []task, first error) {
	for _, f := range known.faults {
		reporter, brought := known.reporters[f.ID()]
		if !brought {
			reporter = d.reporter
		}
		t, why, err := d.fault(home, meta, params, f, reporter)
		switch {
		case err != nil && first == nil:
			first = err
		case err == nil && why == "":
			out = append(out, t)
		}
	}
	return out, first
}

// fault is the task of one proof, or why there is none.
func (d *desk) fault(home homeState, meta *ledger.Meta, params *ledger.Params, f attest.VerifiedFault, reporter ledger.AccountID) (t task, why string, err error) {
	id, chain, epoch := f.ID(), f.ChainID(), f.Epoch()
	lacks, err := d.lacks(home, f)
	if err != nil {
		return task{}, "", err
	}
	if recorded, err := home.Fault(id); err != nil || recorded != nil && !lacks {
		if err == nil {
			why = fmt.Sprintf("it is recorded already since epoch %d", recorded.Recorded)
		}
		return task{}, why, err
	}
	if why, err := stale(home, params, f); err != nil || why != "" && !lacks {
		return task{}, why, err
	}
	expired, ok, err := d.expired(home, meta, params, chain, epoch)
	switch {
	case err != nil:
		return task{}, "", err
	case !ok:
		return task{}, fmt.Sprintf("the ledger has not heard of %s epoch %d yet: validators submit the proof when it has", chain, epoch), nil
	case expired:
		return task{}, outdated(params), nil
	}
	var later uint64
	if chain != d.spec.ID {
		peer, err := home.Peer(chain)
		if err != nil {
			return task{}, "", err
		}
		if peer == nil {
			return task{}, fmt.Sprintf("the ledger does not know the chain %s", chain), nil
		}
		if !f.Forked() && (lacks || epoch-1 > peer.Final) {
			later = epoch - 1
		}
	}
	return task{
		id:    faultTask(id),
		order: faultTask(id),
		name:  fmt.Sprintf("submit the %s of %d validators of %s in epoch %d", f.Kind(), len(f.Offenders()), chain, epoch),
		chain: chain, epoch: epoch,
		build: func() (*ledger.Operation, error) {
			set, err := d.archive.Set(chain, epoch)
			if err != nil {
				return nil, err
			}
			var proof []byte
			if later != 0 {
				proof, err = d.prove(chain, later, ledger.ImportKey(d.spec.ID))
				if err != nil {
					later = 0 // pruned here: what is final captures enough
				}
			}
			return submission(&ledger.SubmitFault{
				Reporter: reporter, Proof: *f.Proof(), Set: *set.ValidatorSet(), LaterEpoch: later, Later: proof,
			})
		},
	}, "", nil
}

// submission is the operation that submits a proof, without the later reference where
// both do not fit: another submission can bring that.
func submission(s *ledger.SubmitFault) (*ledger.Operation, error) {
	op, err := ledger.NewSubmitFault(s)
	if err != nil || len(s.Later) == 0 {
		return op, err
	}
	if _, err := ledger.EncodeOperation(op); err != nil {
		s.LaterEpoch, s.Later = 0, nil
		return ledger.NewSubmitFault(s)
	}
	return op, nil
}

// settled says whether the home ledger will never need a proof any more: all that it
// says is recorded, or too old. In doubt it is not.
func (d *desk) settled(home homeState, meta *ledger.Meta, f attest.VerifiedFault) bool {
	params, err := home.Params()
	if err != nil {
		return false
	}
	if expired, ok, err := d.expired(home, meta, params, f.ChainID(), f.Epoch()); err == nil && ok && expired {
		return true
	}
	if lacks, err := d.lacks(home, f); err != nil || lacks {
		return false
	}
	if recorded, err := home.Fault(f.ID()); err == nil && recorded != nil {
		return true
	}
	why, err := stale(home, params, f)
	return err == nil && why != ""
}

// lacks says whether an offence is recorded without the statement of ours that was in
// force right before it, where this node can prove that: whoever submitted it first must
// not decide what it captures.
func (d *desk) lacks(home homeState, f attest.VerifiedFault) (bool, error) {
	chain, epoch := f.ChainID(), f.Epoch()
	recorded := false
	var offenders []*ledger.Offender
	if chain != d.spec.ID {
		for _, o := range f.Offenders() {
			record, err := home.Offender(chain, o.Account)
			if err != nil {
				return false, err
			}
			if record.Lacks(epoch, math.MaxUint64-1) { // whatever there may be
				offenders, recorded = append(offenders, record), true
			}
		}
	}
	if !recorded {
		return false, nil
	}
	tree, err := d.archive.TreeAt(chain, epoch-1)
	if err != nil {
		return false, nil // pruned, or not followed so far: another node may have it
	}
	value, present, err := tree.Get(ledger.ImportKey(d.spec.ID))
	if err != nil || !present {
		return false, err
	}
	var in ledger.Import
	if err := in.UnmarshalSSZ(value); err != nil {
		return false, err
	}
	return len(in.Statement.Entries) > 0 &&
		slices.ContainsFunc(offenders, func(o *ledger.Offender) bool { return o.Lacks(epoch, in.Epoch) }), nil
}

// expired says whether an offence in an epoch is too old to be punished: its age counts
// from the checkpoint that committed to the set of that epoch. It is not ok while the
// home ledger does not know that set.
func (d *desk) expired(home homeState, meta *ledger.Meta, params *ledger.Params, chain string, epoch uint64) (expired, ok bool, err error) {
	age := params.EvidenceAge
	if chain == d.spec.ID {
		record, err := home.SetRecord(epoch)
		if err != nil || record == nil {
			return false, false, err
		}
		return age.Passed(epoch-1, record.Time, meta.Epoch, meta.Time), true, nil
	}
	parent, err := home.PeerCheckpoint(chain, epoch-1)
	if err != nil || parent == nil {
		return false, false, err
	}
	return age.Passed(parent.AcceptedEpoch, parent.AcceptedTime, meta.Epoch, meta.Time), true, nil
}

// stale says why a proof would add nothing to what the home ledger has recorded of any
// of its offenders, or of its chain; empty if it would. There can be many proofs of one
// offence.
func stale(home homeState, params *ledger.Params, f attest.VerifiedFault) (why string, err error) {
	if f.Forked() {
		return home.ForkChanges(f.ChainID(), f.Epoch())
	}
	for _, o := range f.Offenders() {
		record, err := home.Offender(f.ChainID(), o.Account)
		if err != nil {
			return "", err
		}
		if record.IsNew(&params.Penalty, ledger.NewOffence(f.Kind(), f.Epoch(), &o.Power, &o.Total)) {
			return "", nil
		}
	}
	return "all of its offenders are convicted for that epoch already, by another proof", nil
}
