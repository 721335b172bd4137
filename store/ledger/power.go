package ledger

import (
	"bytes"
	"slices"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// member is one validator's power in the making.
type member struct {
	account AccountID
	rec     *Validator
	own     *uint256.Int
	power   *uint256.Int
}

// powers computes the power of every registered validator that was not convicted:
// own stake plus what the statements in force give it (DESIGN §3.4).
func powers(v View, spec *ChainSpec, now uint64) ([]*member, error) {
	ids, err := validatorList.accounts(v)
	if err != nil {
		return nil, err
	}
	own := map[AccountID]*uint256.Int{}
	total := zero()
	home, err := load[Statement](v, StatementKey(spec.ID))
	if err != nil {
		return nil, err
	}
	if home != nil {
		for _, e := range home.Entries {
			own[e.Validator] = Amount(e.Amount).Int()
		}
		total = Amount(home.Amount).Int()
	}
	virtual, err := virtualStake(v, spec, total, now)
	if err != nil {
		return nil, err
	}
	var out []*member
	for _, id := range ids {
		off, err := load[Offender](v, offenderKey(spec.ID, id))
		if err != nil {
			return nil, err
		}
		if off != nil {
			continue
		}
		rec, err := must[Validator](v, validatorKey(id))
		if err != nil {
			return nil, err
		}
		m := &member{account: id, rec: rec, own: zero(), power: zero()}
		if o := own[id]; o != nil {
			m.own, m.power = o, o.Clone()
		}
		for _, byValidator := range virtual {
			if x := byValidator[id]; x != nil {
				m.power.Add(m.power, x)
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// virtualStake is what each provider's statement in force gives each validator,
// in the order of the peers. ownStake is the base of the caps.
func virtualStake(v View, spec *ChainSpec, ownStake *uint256.Int, now uint64) ([]map[AccountID]*uint256.Int, error) {
	out := make([]map[AccountID]*uint256.Int, len(spec.Peers))
	for i, p := range spec.Peers {
		in, err := load[Import](v, ImportKey(p.Chain))
		if err != nil {
			return nil, err
		}
		peer, err := must[Peer](v, peerKey(p.Chain))
		if err != nil {
			return nil, err
		}
		if in == nil || peer.Halted != 0 || in.Time+uint64(spec.Params.StatementExpiry) <= now {
			continue
		}
		out[i] = convert(&in.Statement, p, ownStake)
	}
	return out, nil
}

// convert prices a statement: ⌊⌊amount·price⌋·(1−discount)⌋ for each validator,
// and all of them scaled pro rata if together they exceed the provider's cap.
func convert(st *Statement, p *PeerSpec, ownStake *uint256.Int) map[AccountID]*uint256.Int {
	out := map[AccountID]*uint256.Int{}
	sum := zero()
	for _, e := range st.Entries {
		if e.Validator == Backstop {
			continue
		}
		x := share(share(Amount(e.Amount).Int(), uint64(p.Price)), One-uint64(p.Discount))
		out[e.Validator] = x
		sum.Add(sum, x)
	}
	if limit := share(ownStake, uint64(p.Cap)); sum.Gt(limit) {
		for id, x := range out {
			scaled, _ := new(uint256.Int).MulDivOverflow(x, limit, sum)
			out[id] = scaled
		}
	}
	return out
}

// nextSet is the validator set that signs the next epoch: the attest.MaxValidators
// strongest of positive power, sorted by key. It is nil if that leaves nobody.
func (m *machine) nextSet() (*attest.ValidatorSet, error) {
	all, err := powers(m.tx, m.spec, m.now)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(p *member) bool { return p.power.IsZero() })
	slices.SortFunc(all, func(a, b *member) int {
		if c := b.power.Cmp(a.power); c != 0 {
			return c
		}
		return bytes.Compare(a.rec.Key[:], b.rec.Key[:])
	})
	all = all[:min(len(all), attest.MaxValidators)]
	if len(all) == 0 {
		return nil, nil
	}
	slices.SortFunc(all, func(a, b *member) int { return bytes.Compare(a.rec.Key[:], b.rec.Key[:]) })
	set := new(attest.ValidatorSet)
	for _, p := range all {
		set.Validators = append(set.Validators, &attest.Validator{
			Key: p.rec.Key, Account: p.account, Power: NewAmount(p.power),
			ConsensusKey: attest.ConsensusKey{Type: p.rec.KeyType, Bytes: p.rec.ConsensusKey},
		})
	}
	return set, nil
}

// elect computes the set of the next epoch and records it. A change that would
// leave it empty keeps the previous one.
func (m *machine) elect(height uint64) (*attest.ValidatorSet, error) {
	set, err := m.nextSet()
	if err != nil {
		return nil, err
	}
	old, err := load[attest.ValidatorSet](m.tx, currentSet)
	if err != nil {
		return nil, err
	}
	if set == nil {
		if old == nil {
			return nil, refuse(CodeInvalid, "chain %s has no validator with stake", m.spec.ID)
		}
		set = old
	}
	if old == nil || old.Root() != set.Root() {
		if err := save(m.tx, currentSet, set); err != nil {
			return nil, err
		}
	}
	if err := save(m.tx, setKey(m.epoch+1), &SetRecord{Root: set.Root(), Time: m.now}); err != nil {
		return nil, err
	}
	return set, m.totals(func(meta *Meta) { meta.Epoch, meta.Height, meta.Time = m.epoch, height, m.now })
}
