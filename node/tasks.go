package node

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// maxUpdates bounds how many certificates of one peer are submitted ahead of the
// home ledger.
const maxUpdates = 16

// homeState is what tasks are derived from: the home chain's executed ledger.
// *ledger.Reader is one; a record that is not there is nil.
type homeState interface {
	Meta() (*ledger.Meta, error)
	Peer(chain string) (*ledger.Peer, error)
	PeerCheckpoint(chain string, epoch uint64) (*ledger.PeerCheckpoint, error)
	Import(provider string) (*ledger.Import, error)
	Fault(id [32]byte) (*ledger.Fault, error)
	Offender(chain string, id ledger.AccountID) (*ledger.Offender, error)
	SetRecord(epoch uint64) (*ledger.SetRecord, error)
	Params() (*ledger.Params, error)
	Terms(chain string) (*ledger.Terms, error)
	Failure(chain string) (*ledger.Failure, error)
	Participation(epoch uint64) (*ledger.Participation, error)
	ForkChanges(chain string, epoch uint64) (useless string, err error)
}

// archive is what this node knows of the other chains. *store.Store is one.
type archive interface {
	Certified(chain string) uint64
	Certificate(chain string, epoch uint64) (*attest.Certificate, bool, error)
	Set(chain string, epoch uint64) (*attest.Set, error)
	TreeAt(chain string, epoch uint64) (*trie.Tree, error)
}

// desk derives the tasks of one home chain: what its ledger does not know yet and
// this node can prove to it (DESIGN §3.3). It keeps nothing.
type desk struct {
	manifest *ledger.Manifest
	spec     *ledger.ChainSpec // of the home chain
	reporter ledger.AccountID  // named in fault submissions
	archive  archive
}

// knowledge is what the archive does not hold.
type knowledge struct {
	cross  map[string][]*attest.CrossCertificate // of our own validators, by peer
	faults []attest.VerifiedFault                // of any chain
	// Who brought a fault to this node; one that is not here the mesh has brought.
	reporters map[[32]byte]ledger.AccountID
}

// tasks are all that is to be done, the most urgent first: faults, then what other
// tasks wait for. A chain that can't be looked at costs its own tasks only; the
// error then says why, beside the tasks of the others.
func (d *desk) tasks(home homeState, known knowledge) ([]task, error) {
	meta, err := home.Meta()
	if err != nil {
		return nil, err
	}
	var out []task
	var first error
	add := func(tasks []task, err error) {
		out = append(out, tasks...)
		if err != nil && first == nil {
			first = err
		}
	}
	params, err := home.Params()
	if err != nil {
		return nil, err
	}
	add(d.faults(home, meta, params, known))
	add(d.participation(home, meta, params))
	for _, chain := range d.manifest.ChainIDs() {
		if chain == d.spec.ID {
			continue
		}
		add(d.cover(home, meta, chain))
		peer, err := home.Peer(chain)
		if err != nil || peer == nil || peer.Halted != 0 {
			add(nil, err)
			continue
		}
		add(d.updates(chain, peer, meta), nil)
		add(d.confirmation(chain, peer, meta, known.cross[chain]), nil)
		add(d.statement(home, chain, peer, meta, params))
	}
	return out, first
}

// updates are the certificates that the home ledger has not accepted yet.
func (d *desk) updates(chain string, peer *ledger.Peer, meta *ledger.Meta) (out []task) {
	last := min(d.archive.Certified(chain), peer.Accepted+maxUpdates)
	for epoch := peer.Accepted + 1; epoch <= last; epoch++ {
		out = append(out, task{
			id:    taskID(ledger.KindUpdatePeer, chain, epoch),
			order: orderOf(ledger.KindUpdatePeer, chain, meta),
			name:  fmt.Sprintf("update peer %s to epoch %d", chain, epoch),
			chain: chain, epoch: epoch,
			build: func() (*ledger.Operation, error) {
				cert, ok, err := d.archive.Certificate(chain, epoch)
				if err != nil || !ok {
					return nil, missing(err, "certificate", chain, epoch)
				}
				set, err := d.archive.Set(chain, epoch)
				if err != nil {
					return nil, err
				}
				return ledger.NewUpdatePeer(cert, set.ValidatorSet())
			},
		})
	}
	return out
}

// confirmation is the cross-certificate that leads farthest.
func (d *desk) confirmation(chain string, peer *ledger.Peer, meta *ledger.Meta, known []*attest.CrossCertificate) []task {
	var best *attest.CrossCertificate
	for _, c := range known {
		useful := c.Claim.FromEpoch <= peer.Final && c.Claim.ToEpoch > peer.Confirmed &&
			c.Claim.ToEpoch <= min(peer.Accepted, d.archive.Certified(chain))
		if useful && (best == nil || c.Claim.ToEpoch > best.Claim.ToEpoch) {
			best = c
		}
	}
	if best == nil {
		return nil
	}
	return []task{{
		id:    taskID(ledger.KindConfirmPeer, chain, best.Claim.ToEpoch),
		order: orderOf(ledger.KindConfirmPeer, chain, meta),
		name:  fmt.Sprintf("confirm peer %s up to epoch %d", chain, best.Claim.ToEpoch),
		chain: chain, epoch: best.Claim.ToEpoch,
		build: func() (*ledger.Operation, error) {
			set, err := d.archive.Set(d.spec.ID, best.Claim.Epoch)
			if err != nil {
				return nil, err
			}
			proof, err := d.prove(chain, best.Claim.ToEpoch, ledger.ImportKey(d.spec.ID))
			if err != nil {
				return nil, err
			}
			return ledger.NewConfirmPeer(best, set.ValidatorSet(), proof)
		},
	}}
}

// statement is the peer's word about us, when it has changed or grown old.
func (d *desk) statement(home homeState, chain string, peer *ledger.Peer, meta *ledger.Meta, params *ledger.Params) ([]task, error) {
	terms, err := home.Terms(chain)
	if err != nil || terms == nil || peer.Final == 0 || peer.Final > d.archive.Certified(chain) {
		return nil, err // it does not count here, or this node has yet to follow it that far
	}
	current, err := home.Import(chain)
	if err != nil || current != nil && current.Epoch >= peer.Final {
		return nil, err
	}
	tree, err := d.archive.TreeAt(chain, peer.Final)
	if err != nil {
		return nil, fmt.Errorf("state of %s at epoch %d, whose statement is to be imported: %w", chain, peer.Final, err)
	}
	value, present, err := tree.Get(ledger.StatementKey(d.spec.ID))
	if err != nil || current == nil && !present {
		return nil, err
	}
	final, err := home.PeerCheckpoint(chain, peer.Final)
	if err != nil || final == nil {
		return nil, err
	}
	// An old statement is refreshed by one that is newer by a quarter of the expiry: by
	// its age alone, one that took long to become final would be old at once.
	if current != nil && final.Time < current.Time+uint64(params.StatementExpiry)/4 {
		same, err := saysTheSame(&current.Statement, value)
		if err != nil || same {
			return nil, err
		}
	}
	epoch := peer.Final
	return []task{{
		id:    taskID(ledger.KindImportStatement, chain, epoch),
		order: orderOf(ledger.KindImportStatement, chain, meta),
		name:  fmt.Sprintf("import the statement of %s at epoch %d", chain, epoch),
		chain: chain, epoch: epoch,
		build: func() (*ledger.Operation, error) {
			proof, err := d.prove(chain, epoch, ledger.StatementKey(d.spec.ID))
			if err != nil {
				return nil, err
			}
			return ledger.NewImportStatement(chain, epoch, proof)
		},
	}}, nil
}

// saysTheSame compares a statement in force with an encoded one; nothing encoded is a
// statement without entries.
func saysTheSame(current *ledger.Statement, encoded []byte) (bool, error) {
	var other ledger.Statement
	if len(encoded) > 0 {
		if err := other.UnmarshalSSZ(encoded); err != nil {
			return false, err
		}
	}
	return slices.Equal(current.Entries, other.Entries), nil
}

// participation is our own certificates of the last two epochs, where they have signers
// that the home ledger has not recorded: nobody shall be taken for absent who was there.
func (d *desk) participation(home homeState, meta *ledger.Meta, params *ledger.Params) (out []task, first error) {
	if params.Downtime.Window == 0 {
		return nil, nil
	}
	for epoch := max(meta.Epoch, 2) - 1; epoch <= min(meta.Epoch, d.archive.Certified(d.spec.ID)); epoch++ {
		cert, ok, err := d.archive.Certificate(d.spec.ID, epoch)
		if err != nil || !ok {
			return out, err
		}
		set, err := d.archive.Set(d.spec.ID, epoch)
		if err != nil {
			return out, err
		}
		absent := set.Len() - attest.Bits(cert.Signers).Count()
		recorded, err := home.Participation(epoch)
		if err != nil || recorded != nil && len(recorded.Absent) <= absent {
			if err != nil {
				return out, err
			}
			continue
		}
		out = append(out, task{
			id:    recordTask(d.spec.ID, epoch, absent),
			order: orderOf(ledger.KindRecordCertificate, d.spec.ID, meta),
			name:  fmt.Sprintf("record our certificate of epoch %d", epoch),
			chain: d.spec.ID, epoch: epoch,
			build: func() (*ledger.Operation, error) {
				return ledger.NewRecordCertificate(cert, set.ValidatorSet())
			},
		})
	}
	return out, nil
}

// cover is the proof of what stood behind a chain that has failed.
func (d *desk) cover(home homeState, meta *ledger.Meta, chain string) ([]task, error) {
	f, err := home.Failure(chain)
	if err != nil || f == nil || f.Covered != 0 {
		return nil, err
	}
	epoch := f.Checkpoint
	return []task{{
		id:    taskID(ledger.KindProveCover, chain, 0),
		order: orderOf(ledger.KindProveCover, chain, meta),
		name:  fmt.Sprintf("prove what stood behind %s at epoch %d", chain, epoch),
		chain: chain, epoch: epoch,
		build: func() (*ledger.Operation, error) {
			if epoch == 0 {
				return ledger.NewProveCover(chain, nil)
			}
			proof, err := d.prove(chain, epoch, ledger.CoverKey)
			if err != nil {
				return nil, err
			}
			return ledger.NewProveCover(chain, proof)
		},
	}}, nil
}

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

// prove makes the encoded proof of what a chain's ledger had at a key after an
// epoch, be it nothing.
func (d *desk) prove(chain string, epoch uint64, key []byte) ([]byte, error) {
	tree, err := d.archive.TreeAt(chain, epoch)
	if err != nil {
		return nil, fmt.Errorf("state of %s at epoch %d, of which something is to be proven: %w", chain, epoch, err)
	}
	p, err := tree.Prove(key)
	if err != nil {
		return nil, err
	}
	return p.MarshalBinary()
}

// taskOf finds the task that an operation is meant for; false for those that are
// nobody's task.
func taskOf(op *ledger.Operation) (id [32]byte, ok bool) {
	switch ledger.Kind(op.Kind) {
	case ledger.KindUpdatePeer:
		var b ledger.UpdatePeer
		if b.UnmarshalSSZ(op.Body) == nil {
			c := &b.Certificate.Checkpoint
			return taskID(ledger.KindUpdatePeer, string(c.ChainID), c.Epoch), true
		}
	case ledger.KindConfirmPeer:
		var b ledger.ConfirmPeer
		if b.UnmarshalSSZ(op.Body) == nil {
			return taskID(ledger.KindConfirmPeer, string(b.Certificate.Claim.Peer), b.Certificate.Claim.ToEpoch), true
		}
	case ledger.KindImportStatement:
		var b ledger.ImportStatement
		if b.UnmarshalSSZ(op.Body) == nil {
			return taskID(ledger.KindImportStatement, string(b.Provider), b.Epoch), true
		}
	case ledger.KindRecordCertificate:
		var b ledger.RecordCertificate
		if b.UnmarshalSSZ(op.Body) == nil {
			c := &b.Certificate
			absent := len(b.Set.Validators) - attest.Bits(c.Signers).Count()
			return recordTask(string(c.Checkpoint.ChainID), c.Checkpoint.Epoch, absent), true
		}
	case ledger.KindProveCover:
		var b ledger.ProveCover
		if b.UnmarshalSSZ(op.Body) == nil {
			return taskID(ledger.KindProveCover, string(b.Chain), 0), true
		}
	case ledger.KindSubmitFault:
		var b ledger.SubmitFault
		if b.UnmarshalSSZ(op.Body) == nil {
			return faultTask(b.Proof.ID()), true
		}
	}
	return id, false
}

// tasksIn maps the tasks that operations are meant for to the hash of the operation.
func tasksIn(operations [][]byte) map[[32]byte][32]byte {
	out := make(map[[32]byte][32]byte)
	for _, raw := range operations {
		op, err := ledger.DecodeOperation(raw)
		if err != nil {
			continue // the ledger will say so in its receipt
		}
		if id, ok := taskOf(op); ok {
			out[id] = sha256.Sum256(raw)
		}
	}
	return out
}

func taskID(kind ledger.Kind, chain string, epoch uint64) [32]byte {
	return seedOf("task", uint8(kind), chain, epoch)
}

// recordTask tells certificates of one epoch with different numbers of signers apart.
func recordTask(chain string, epoch uint64, absent int) [32]byte {
	return seedOf("record", uint8(ledger.KindRecordCertificate), chain, epoch<<16|uint64(absent))
}

// orderOf is the same for all tasks of a kind about a peer until the home ledger
// moves on, so that one validator submits a sequence in its order.
func orderOf(kind ledger.Kind, chain string, meta *ledger.Meta) [32]byte {
	return seedOf("order", uint8(kind), chain, meta.Epoch)
}

func seedOf(what string, kind uint8, chain string, number uint64) [32]byte {
	b := append([]byte(what), kind)
	b = binary.BigEndian.AppendUint64(b, number)
	return sha256.Sum256(append(b, chain...))
}

func faultTask(id [32]byte) [32]byte {
	return sha256.Sum256(append([]byte("fault"), id[:]...))
}

func missing(err error, what, chain string, epoch uint64) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("no %s of %s at epoch %d in the store", what, chain, epoch)
}
