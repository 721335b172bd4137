package ledger

import (
	"slices"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// ConvictionView is everything that one ledger knows of one fault, and the arithmetic
// behind it.
type ConvictionView struct {
	FaultView
	Ledger    string          `json:"ledger"`
	LastEpoch uint64          `json:"last_epoch"` // of this ledger, and when that ended
	LastTime  uint64          `json:"last_time"`
	Time      uint64          `json:"time"` // of the block that ordered the proof
	Penalty   Penalty         `json:"penalty"`
	Reward    Ratio           `json:"reporter_reward"`
	Known     bool            `json:"reporter_known"` // the reporter has an account here
	Convicted []ConvictedView `json:"convicted"`
	Parts     []LiableView    `json:"parts"`
	Slashes   []SlashView     `json:"slashes"` // under this fault
	Pending   *EndView        `json:"pending,omitempty"`
	Failure   *FailureView    `json:"failure,omitempty"` // the last one of the offenders' chain
}

// ConvictedView is one offender of a fault. Penalty is what the rule makes of the
// severity as it is today; it grows when others are convicted.
type ConvictedView struct {
	Account  AccountID `json:"account"`
	Power    Amount    `json:"power"` // in the epoch of the offence
	Total    Amount    `json:"total"`
	Share    Ratio     `json:"share"`
	Severity Ratio     `json:"severity"` // q: the share of all who are convicted within the correlation window
	Base     Ratio     `json:"base"`     // the least that the kind of fault costs
	Penalty  Ratio     `json:"penalty"`
	Executed Ratio     `json:"executed"` // the penalty that executions have used so far
	Captures []uint64  `json:"captures"` // epochs of this ledger whose statements the offence captures
}

// LiableView is a part of a lien that stands, or stood, behind an offender.
type LiableView struct {
	Account   AccountID `json:"account"`
	Validator AccountID `json:"validator"`
	Captured  Amount    `json:"captured"` // by this fault
	Ratio     Ratio     `json:"ratio"`    // of the lien: no fault takes a larger share
	Owed      Amount    `json:"owed"`     // for all offences of the validator, by today's penalties
	Taken     Amount    `json:"taken"`    // of that, ever
	Due       Amount    `json:"due"`      // the rest
}

// EndView is when a window ends: with the first epoch that is not before Epoch and does
// not end before Time.
type EndView struct {
	Epoch uint64 `json:"epoch"`
	Time  uint64 `json:"time"`
}

func (w Window) end(epoch, time uint64) EndView {
	return EndView{epoch + w.Epochs, time + uint64(w.Time)}
}

// FailureView is a chain of whose power a third was convicted, and what becomes of its
// backstops.
type FailureView struct {
	Fault    HexBytes `json:"fault"` // that completed the third
	Recorded uint64   `json:"recorded"`
	State    string   `json:"state"`   // unproven, frozen or settled
	Settles  EndView  `json:"settles"` // the end of the evidence age
	Covered  Amount   `json:"covered"` // value that the backstops stand for, once proven; in the chain's base units
	Pool     Amount   `json:"pool"`    // Σ ratio·backstop over all providers, once proven; in the chain's base units
	Escrow   Amount   `json:"escrow"`  // what was drawn here and not paid out yet
}

// Conviction answers for one recorded fault, nil if it is not recorded.
func (r *Reader) Conviction(id [32]byte) (*ConvictionView, error) {
	f, err := r.Fault(id)
	if err != nil || f == nil {
		return nil, err
	}
	meta, err := r.Meta()
	if err != nil {
		return nil, err
	}
	params, err := r.Params()
	if err != nil {
		return nil, err
	}
	reporter, err := loadVault(r.view, f.Reporter)
	if err != nil {
		return nil, err
	}
	out := &ConvictionView{
		FaultView: f.view(id), Ledger: r.spec.ID, LastEpoch: meta.Epoch, LastTime: meta.Time, Time: f.Time,
		Penalty: params.Penalty, Reward: params.ReporterReward, Known: reporter != nil,
		Convicted: []ConvictedView{}, Parts: []LiableView{}, Slashes: []SlashView{},
	}
	chain := string(f.Chain)
	ids, all, err := offenders(r.view, chain)
	if err != nil {
		return nil, err
	}
	severity := newSeverities(all, params.Correlation)
	for i, off := range all {
		n := slices.IndexFunc(off.Offences, func(o *Offence) bool { return o.Fault == id })
		if n < 0 {
			continue
		}
		out.Convicted = append(out.Convicted, convicted(params, ids[i], off.Offences[n], severity))
		parts, err := r.liable(params, chain, ids[i], off, off.Offences[n], severity)
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, parts...)
	}
	slashes, err := r.Slashes()
	if err != nil {
		return nil, err
	}
	for _, s := range slashes {
		if [32]byte(s.Fault) == id {
			out.Slashes = append(out.Slashes, s)
		}
	}
	if out.Pending, err = r.executes(params, f); err != nil {
		return nil, err
	}
	out.Executed = out.Pending == nil
	out.Failure, err = r.failed(params, chain)
	return out, err
}

func convicted(params *Params, id AccountID, o *Offence, severity *severities) ConvictedView {
	q := severity.at(o.Epoch, o.Time, false)
	base := params.Penalty.base(attest.FaultKind(o.Kind))
	v := ConvictedView{
		Account: id, Power: o.Power, Total: o.Total, Share: Ratio(o.share().scaled()), Severity: Ratio(q.scaled()),
		Base: Ratio(base), Penalty: Ratio(params.Penalty.penalty(base, q).scaled()), Executed: Ratio(o.Penalty.fraction().scaled()),
		Captures: []uint64{},
	}
	for _, ref := range []uint64{o.Reference, o.Later} {
		if ref != 0 {
			v.Captures = append(v.Captures, ref-1)
		}
	}
	return v
}

// liable are the parts behind an offender, with what they owe by today's penalties.
func (r *Reader) liable(params *Params, chain string, id AccountID, off *Offender, offence *Offence, severity *severities) ([]LiableView, error) {
	accounts, err := lienList(chain, id).accounts(r.view)
	if err != nil {
		return nil, err
	}
	var penalties []fraction
	for _, o := range off.Offences {
		penalties = append(penalties, o.Penalty.fraction().atLeast(severity.penalty(&params.Penalty, o)))
	}
	var out []LiableView
	for _, account := range accounts {
		v, err := loadVault(r.view, account)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, damaged("account %v has a lien and is missing", account)
		}
		l := v.lien(chain)
		if l == nil || l.part(id) == nil {
			continue // given up, and matured
		}
		p := l.part(id)
		charges := make([]charge, len(penalties))
		for i, penalty := range penalties {
			charges[i] = charge{off.captured(off.Offences[i], p), penalty}
		}
		owed := worst(charges, l.ratio).debt
		rest := zero()
		if owed.Gt(&p.taken) {
			rest = new(uint256.Int).Sub(owed, &p.taken)
		}
		out = append(out, LiableView{
			Account: account, Validator: id, Captured: NewAmount(off.captured(offence, p)), Ratio: Ratio(l.ratio),
			Owed: NewAmount(owed), Taken: NewAmount(&p.taken), Due: NewAmount(rest),
		})
	}
	return out, nil
}

// executes is when the last execution that waits for an offender of a fault may start,
// nil if none waits or runs.
func (r *Reader) executes(params *Params, f *Fault) (*EndView, error) {
	var last *EndView
	err := r.queue(func(e *Execution) {
		offender := slices.ContainsFunc(f.Offenders, func(m Member) bool { return m.Account == e.Account })
		if e.Done != 0 || !offender || string(e.Chain) != string(f.Chain) {
			return
		}
		if end := params.ChallengeWindow.end(e.Epoch, e.Time); last == nil || end.Epoch > last.Epoch {
			last = &end
		}
	})
	return last, err
}

func (r *Reader) failed(params *Params, chain string) (*FailureView, error) {
	f, err := r.Failure(chain)
	if err != nil || f == nil {
		return nil, err
	}
	held, err := escrow(r.view, chain)
	if err != nil {
		return nil, err
	}
	v := &FailureView{
		Fault: f.Fault[:], Recorded: f.Recorded, State: f.state(), Escrow: NewAmount(held),
		Settles: params.EvidenceAge.end(f.Recorded, f.Time),
	}
	if f.Covered != 0 {
		cover, err := must[Cover](r.view, failureCoverKey(chain, f.Checkpoint))
		if err != nil {
			return nil, err
		}
		v.Covered, v.Pool = cover.Value, cover.Pool
	}
	return v, nil
}

func (f *Fault) view(id [32]byte) FaultView {
	v := FaultView{
		ID: id[:], Kind: attest.FaultKind(f.Kind).String(), Chain: string(f.Chain), Epoch: f.Epoch,
		Recorded: f.Recorded, Reporter: f.Reporter, Offenders: []AccountID{}, Forked: len(f.Offenders) == 0,
	}
	for _, o := range f.Offenders {
		v.Offenders = append(v.Offenders, o.Account)
	}
	return v
}
