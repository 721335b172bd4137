package ledger

import (
	"fmt"
	"math"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// Reader answers questions about a state. Its methods walk lists and are meant
// for status and tools, not for transitions. It is as safe for concurrent use as
// its view.
type Reader struct {
	spec   *ChainSpec
	view   View
	chains []string // all others of the network, sorted
}

// NewReader reads the ledger of the chain named chain of m in v.
func NewReader(m *Manifest, chain string, v View) (*Reader, error) {
	spec := m.Chain(chain)
	if spec == nil {
		return nil, fmt.Errorf("chain %q is not in the network", chain)
	}
	r := &Reader{spec: spec, view: v}
	for _, id := range m.ChainIDs() {
		if id != chain {
			r.chains = append(r.chains, id)
		}
	}
	return r, nil
}

// Meta is the ledger's clock and totals.
func (r *Reader) Meta() (*Meta, error) { return must[Meta](r.view, metaKey) }

// Totals are the ledger's sums.
func (r *Reader) Totals() (Totals, error) {
	m, err := r.Meta()
	if err != nil {
		return Totals{}, err
	}
	return Totals{m.Deposited, m.Collateral, m.Escrow, m.Withdrawn, m.Burned}, nil
}

// Peer is what the ledger knows of another chain; nil if that is not in the
// network.
func (r *Reader) Peer(chain string) (*Peer, error) { return load[Peer](r.view, peerKey(chain)) }

// PeerCheckpoint is an accepted checkpoint of a peer, nil if it is not accepted.
func (r *Reader) PeerCheckpoint(chain string, epoch uint64) (*PeerCheckpoint, error) {
	return load[PeerCheckpoint](r.view, checkpointKey(chain, epoch))
}

// Import is provider's statement in force, nil if there never was one.
func (r *Reader) Import(provider string) (*Import, error) {
	return load[Import](r.view, ImportKey(provider))
}

// Statement is this chain's word about consumer, nil if nothing was ever pledged
// to it.
func (r *Reader) Statement(consumer string) (*Statement, error) {
	return load[Statement](r.view, StatementKey(consumer))
}

// Params are the rules in force.
func (r *Reader) Params() (*Params, error) { return must[Params](r.view, paramsKey) }

// Pending are rules that wait to be in force, nil if there are none.
func (r *Reader) Pending() (*PendingView, error) {
	now, err := r.Params()
	if err != nil {
		return nil, err
	}
	p, err := load[PendingParams](r.view, pendingKey)
	if err != nil || p == nil || p.Params == *now {
		return nil, err
	}
	return &PendingView{
		Params: p.Params, Epoch: p.Epoch,
		FromEpoch: p.Epoch + now.Unbonding.Epochs, FromTime: p.Time + uint64(now.Unbonding.Time),
	}, nil
}

// Terms say how stake of a peer counts here, nil if it does not.
func (r *Reader) Terms(chain string) (*Terms, error) { return load[Terms](r.view, termsKey(chain)) }

// Failure is the first failure of a peer that is not settled, the last one if all are, nil
// if it never failed.
func (r *Reader) Failure(chain string) (*Failure, error) {
	open, err := r.Failures(chain)
	if err != nil || len(open) > 0 {
		if err != nil {
			return nil, err
		}
		return open[0], nil
	}
	n, err := failureList(chain).length(r.view)
	if err != nil || n == 0 {
		return nil, err
	}
	last, err := failures(r.view, chain, n-1, 1)
	if err != nil {
		return nil, err
	}
	return last[0], nil
}

// Failures are those of a peer that are not settled, in the order in which they will be.
func (r *Reader) Failures(chain string) ([]*Failure, error) {
	settled, err := counter(r.view, settledKey(chain))
	if err != nil {
		return nil, err
	}
	return failures(r.view, chain, settled, math.MaxUint64)
}

// Participation is who is recorded as absent in an epoch of this chain, nil if none of
// its certificates is recorded, or no longer.
func (r *Reader) Participation(epoch uint64) (*Participation, error) {
	p, err := load[Participation](r.view, participationKey(epoch))
	if err != nil || p == nil || p.Epoch != epoch {
		return nil, err
	}
	return p, nil
}

// Fault is a recorded fault, nil if it is not recorded.
func (r *Reader) Fault(id [32]byte) (*Fault, error) { return load[Fault](r.view, faultKey(id)) }

// Offender is the tombstone of a validator of chain, nil if it was not convicted.
func (r *Reader) Offender(chain string, id AccountID) (*Offender, error) {
	return load[Offender](r.view, offenderKey(chain, id))
}

// SetRecord tells which set signs an epoch of this chain, nil if that is not
// known yet.
func (r *Reader) SetRecord(epoch uint64) (*SetRecord, error) {
	return load[SetRecord](r.view, setKey(epoch))
}

// Set is the set that signs the next epoch.
func (r *Reader) Set() (*attest.ValidatorSet, error) {
	return must[attest.ValidatorSet](r.view, currentSet)
}

// Validator is a registered validator, nil if the account is none.
func (r *Reader) Validator(id AccountID) (*Validator, error) {
	return load[Validator](r.view, validatorKey(id))
}

// Claims are what this chain's validators sign in the epoch after this state: for
// each peer that has certificates which nobody here confirmed yet, that they
// re-executed it from its last final epoch up to the last accepted one.
func (r *Reader) Claims() ([]*attest.CrossClaim, error) {
	meta, err := r.Meta()
	if err != nil {
		return nil, err
	}
	var claims []*attest.CrossClaim
	for _, chain := range r.chains {
		p, err := must[Peer](r.view, peerKey(chain))
		if err != nil {
			return nil, err
		}
		if p.Halted != 0 || p.Accepted == p.Confirmed {
			continue
		}
		from, err := must[PeerCheckpoint](r.view, checkpointKey(chain, p.Final))
		if err != nil {
			return nil, err
		}
		claims = append(claims, &attest.CrossClaim{
			ChainID: []byte(r.spec.ID), Epoch: meta.Epoch + 1, Peer: []byte(chain),
			FromEpoch: p.Final, FromRoot: from.Root, ToEpoch: p.Accepted, ToRoot: p.Root,
		})
	}
	return claims, nil
}

// Account answers for one account; ok is false if there is none. Free is what a
// withdrawal in the next epoch finds, without what has matured until now.
func (r *Reader) Account(id AccountID) (view AccountView, ok bool, err error) {
	v, err := loadVault(r.view, id)
	if err != nil || v == nil {
		return AccountView{}, false, err
	}
	view = AccountView{
		ID: id, Nonce: v.account.Nonce, Collateral: NewAmount(v.collateral), MaxLien: NewAmount(v.maxLien()),
		Slashable: NewAmount(ceil(v.slashable())),
	}
	meta, err := r.Meta()
	if err != nil {
		return AccountView{}, false, err
	}
	params, err := r.Params()
	if err != nil {
		return AccountView{}, false, err
	}
	v.settle()
	if err := v.dropMatured(maturity{r.view, r.spec.ID, params.Unbonding, meta.Epoch + 1, meta.Time}); err != nil {
		return AccountView{}, false, err
	}
	v.repair()
	view.Free = NewAmount(v.free())
	return view, true, nil
}

// Accounts answers for all accounts, in the order in which they were opened.
func (r *Reader) Accounts() ([]AccountView, error) {
	ids, err := accountList.accounts(r.view)
	if err != nil {
		return nil, err
	}
	out := make([]AccountView, len(ids))
	for i, id := range ids {
		if out[i], _, err = r.Account(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Liens answers for every part of every lien, by account in the order in which
// they were opened, then by consumer and validator.
func (r *Reader) Liens() ([]LienView, error) {
	ids, err := accountList.accounts(r.view)
	if err != nil {
		return nil, err
	}
	out := []LienView{}
	for _, id := range ids {
		v, err := loadVault(r.view, id)
		if err != nil {
			return nil, err
		}
		for _, l := range v.liens {
			for _, p := range l.parts {
				frozen, err := r.frozen(l.consumer, p)
				if err != nil {
					return nil, err
				}
				out = append(out, LienView{
					Account: id, Consumer: l.consumer, Validator: p.validator,
					Amount: NewAmount(&p.effective), Bonded: NewAmount(&p.effectiveBonded), Ratio: Ratio(l.ratio),
					Frozen: NewAmount(frozen), Slashed: NewAmount(&p.taken), Accepts: NewAmount(&p.accepts),
				})
			}
		}
	}
	return out, nil
}

// frozen is what recorded offences captured of a part and no execution has taken
// its share of yet.
func (r *Reader) frozen(chain string, p *part) (*uint256.Int, error) {
	largest := zero()
	if p.validator == Backstop {
		f, err := r.Failure(chain)
		if err != nil || f == nil {
			return largest, err
		}
		pending, err := r.pending(chain, Backstop)
		if err != nil || f.Settled != 0 && !pending {
			return largest, err
		}
		d := Draw{Reference: f.Reference}
		return d.captured(p), nil
	}
	off, err := r.Offender(chain, p.validator)
	if err != nil || off == nil {
		return largest, err
	}
	pending, err := r.pending(chain, p.validator)
	if err != nil || !pending {
		return largest, err
	}
	for _, o := range off.Offences {
		if c := off.captured(o, p); c.Gt(largest) {
			largest = c
		}
	}
	return largest, nil
}

// pending reports whether an execution against the offender waits or runs.
func (r *Reader) pending(chain string, offender AccountID) (bool, error) {
	found := false
	err := r.queue(func(e *Execution) {
		found = found || e.Done == 0 && string(e.Chain) == chain && e.Account == offender
	})
	return found, err
}

// queue visits the executions that have not finished.
func (r *Reader) queue(visit func(*Execution)) error {
	meta, err := r.Meta()
	if err != nil {
		return err
	}
	n, err := queueList.length(r.view)
	if err != nil {
		return err
	}
	for i := meta.QueueHead; i < n; i++ {
		e, err := must[Execution](r.view, queueList.item(i))
		if err != nil {
			return err
		}
		visit(e)
	}
	return nil
}

// Peers answers for every other chain of the network.
func (r *Reader) Peers() ([]PeerView, error) {
	meta, err := r.Meta()
	if err != nil {
		return nil, err
	}
	home, err := r.Statement(r.spec.ID)
	if err != nil {
		return nil, err
	}
	own := zero()
	if home != nil {
		own = Amount(home.Amount).Int()
	}
	params, err := r.Params()
	if err != nil {
		return nil, err
	}
	virtual, err := virtualStake(r.view, params, r.chains, own, meta.Time)
	if err != nil {
		return nil, err
	}
	set, err := r.Set()
	if err != nil {
		return nil, err
	}
	total := zero()
	for _, v := range set.Validators {
		total.Add(total, Amount(v.Power).Int())
	}
	out := make([]PeerView, 0, len(r.chains))
	for i, chain := range r.chains {
		p, err := must[Peer](r.view, peerKey(chain))
		if err != nil {
			return nil, err
		}
		in, err := r.Import(chain)
		if err != nil {
			return nil, err
		}
		view := PeerView{
			Chain: chain, Accepted: p.Accepted, Confirmed: p.Confirmed, Final: p.Final,
			Halted: HaltReason(p.Halted).String(), Stale: HaltReason(p.Halted) == HaltStale, Overturned: p.Overturned,
		}
		if view.Terms, err = r.Terms(chain); err != nil {
			return nil, err
		}
		if in != nil {
			view.Imported = in.Epoch
		}
		sum := zero()
		for _, v := range set.Validators {
			if x := virtual[i][v.Account]; x != nil {
				sum.Add(sum, x)
			}
		}
		view.Virtual = NewAmount(sum)
		if power := (fraction{sum, total}); !total.IsZero() && power.compare(fraction{uint256.NewInt(1), uint256.NewInt(3)}) > 0 {
			view.Warning = fmt.Sprintf("%s alone gives %v of the power here, more than 1/3: it can stop this chain", chain, Ratio(power.scaled()))
		}
		held, err := escrow(r.view, chain)
		if err != nil {
			return nil, err
		}
		view.Escrow = NewAmount(held)
		f, err := r.Failure(chain)
		if err != nil {
			return nil, err
		}
		if f != nil {
			view.Backstop = f.state()
		}
		out = append(out, view)
	}
	return out, nil
}

// Power answers for the set that signs the next epoch.
func (r *Reader) Power() ([]PowerView, error) {
	set, err := r.Set()
	if err != nil {
		return nil, err
	}
	home, err := r.Statement(r.spec.ID)
	if err != nil {
		return nil, err
	}
	out := make([]PowerView, len(set.Validators))
	for i, v := range set.Validators {
		out[i] = PowerView{Account: v.Account, Key: v.Key[:], Power: v.Power}
		if home == nil {
			continue
		}
		for _, e := range home.Entries {
			if e.Validator == v.Account {
				out[i].Own = e.Amount
			}
		}
	}
	return out, nil
}

// Jailed answers for every validator that is jailed for downtime.
func (r *Reader) Jailed() ([]JailView, error) {
	params, err := r.Params()
	if err != nil {
		return nil, err
	}
	ids, err := validatorList.accounts(r.view)
	if err != nil {
		return nil, err
	}
	out := []JailView{}
	for _, id := range ids {
		v, err := must[Validator](r.view, validatorKey(id))
		if err != nil {
			return nil, err
		}
		if v.Jailed != 0 {
			out = append(out, JailView{id, v.Jailed, v.Jailed + params.Downtime.Jail})
		}
	}
	return out, nil
}

// Faults answers for every recorded fault, in the order in which they came.
func (r *Reader) Faults() ([]FaultView, error) {
	open := map[[32]byte]bool{}
	if err := r.queue(func(e *Execution) { open[e.Fault] = true }); err != nil {
		return nil, err
	}
	n, err := faultList.length(r.view)
	if err != nil {
		return nil, err
	}
	out := make([]FaultView, n)
	for i := range out {
		id, err := faultList.at(r.view, uint64(i))
		if err != nil {
			return nil, err
		}
		f, err := must[Fault](r.view, faultKey([32]byte(id)))
		if err != nil {
			return nil, err
		}
		out[i] = f.view([32]byte(id))
		out[i].Executed = !open[[32]byte(id)]
	}
	return out, nil
}

// SlashCount is how many there are.
func (r *Reader) SlashCount() (uint64, error) { return slashList.length(r.view) }

// Slashes answers for everything that was ever slashed, in order.
func (r *Reader) Slashes() ([]SlashView, error) {
	n, err := slashList.length(r.view)
	if err != nil {
		return nil, err
	}
	out := make([]SlashView, n)
	for i := range out {
		s, err := must[Slash](r.view, slashList.item(uint64(i)))
		if err != nil {
			return nil, err
		}
		out[i] = SlashView{
			Fault: s.Fault[:], Account: s.Account, Consumer: string(s.Consumer), Validator: s.Validator,
			Captured: s.Captured, Ratio: Ratio(s.Ratio), Amount: s.Amount,
			Burned: s.Burned, Reward: s.Reward, Compensation: s.Compensation, Epoch: s.Epoch,
		}
	}
	return out, nil
}
