package node

import (
	"fmt"
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
	Failures(chain string) ([]*ledger.Failure, error)
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

// cover is the proofs of what stood behind a chain that has failed.
func (d *desk) cover(home homeState, meta *ledger.Meta, chain string) (out []task, err error) {
	failures, err := home.Failures(chain)
	for _, f := range failures {
		if f.Covered != 0 {
			continue
		}
		epoch := f.Checkpoint
		out = append(out, task{
			id:    taskID(ledger.KindProveCover, chain, epoch),
			order: orderOf(ledger.KindProveCover, chain, meta),
			name:  fmt.Sprintf("prove what stood behind %s at epoch %d", chain, epoch),
			chain: chain, epoch: epoch,
			build: func() (*ledger.Operation, error) {
				if epoch == 0 {
					return ledger.NewProveCover(chain, epoch, nil)
				}
				proof, err := d.prove(chain, epoch, ledger.CoverKey)
				if err != nil {
					return nil, err
				}
				return ledger.NewProveCover(chain, epoch, proof)
			},
		})
	}
	return out, err
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

func missing(err error, what, chain string, epoch uint64) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("no %s of %s at epoch %d in the store", what, chain, epoch)
}
