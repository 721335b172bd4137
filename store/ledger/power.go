package ledger

import (
	"bytes"
	"maps"
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

// powers computes the power of every registered validator that has stake behind it and was
// neither convicted nor jailed: own stake plus what the statements in force give it (DESIGN
// §3.4). They are those that the statements name, however many have registered.
func (m *machine) powers() ([]*member, error) {
	own := map[AccountID]*uint256.Int{}
	total := zero()
	home, err := load[Statement](m.tx, StatementKey(m.spec.ID))
	if err != nil {
		return nil, err
	}
	if home != nil {
		for _, e := range home.Entries {
			own[e.Validator] = Amount(e.Amount).Int()
		}
		total = Amount(home.Amount).Int()
	}
	virtual, err := virtualStake(m.tx, m.params, m.chains, total, m.now)
	if err != nil {
		return nil, err
	}
	named := maps.Clone(own)
	for _, byValidator := range virtual {
		maps.Copy(named, byValidator)
	}
	var out []*member
	for _, id := range slices.SortedFunc(maps.Keys(named), func(a, b AccountID) int { return bytes.Compare(a[:], b[:]) }) {
		off, err := load[Offender](m.tx, offenderKey(m.spec.ID, id))
		if err != nil {
			return nil, err
		}
		if off != nil {
			continue
		}
		rec, err := load[Validator](m.tx, validatorKey(id))
		if err != nil {
			return nil, err
		}
		if rec == nil || rec.Jailed != 0 {
			continue
		}
		p := &member{account: id, rec: rec, own: zero(), power: zero()}
		if o := own[id]; o != nil {
			p.own, p.power = o, o.Clone()
		}
		for _, byValidator := range virtual {
			if x := byValidator[id]; x != nil {
				p.power.Add(p.power, x)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// ownStake is what is bonded on this chain for itself.
func ownStake(v View, chain string) (*uint256.Int, error) {
	home, err := load[Statement](v, StatementKey(chain))
	if err != nil || home == nil {
		return zero(), err
	}
	return Amount(home.Amount).Int(), nil
}

// virtualStake is what each chain's statement in force gives each validator, in the
// order of chains. ownStake is the base of the caps.
func virtualStake(v View, p *Params, chains []string, ownStake *uint256.Int, now uint64) ([]map[AccountID]*uint256.Int, error) {
	out := make([]map[AccountID]*uint256.Int, len(chains))
	for i, chain := range chains {
		in, terms, err := counting(v, p, chain, now)
		if err != nil {
			return nil, err
		}
		if in != nil {
			out[i], _, _ = convert(&in.Statement, terms, ownStake)
		}
	}
	return out, nil
}

// counting is the statement of a provider that counts now, nil if none does: it was
// imported, has not expired, and the provider is neither halted nor without terms.
func counting(v View, p *Params, chain string, now uint64) (*Import, *Terms, error) {
	terms, err := load[Terms](v, termsKey(chain))
	if err != nil || terms == nil {
		return nil, nil, err
	}
	in, err := load[Import](v, ImportKey(chain))
	if err != nil || in == nil {
		return nil, nil, err
	}
	peer, err := must[Peer](v, peerKey(chain))
	if err != nil || peer.Halted != 0 || in.Time+uint64(p.StatementExpiry) <= now {
		return nil, nil, err
	}
	return in, terms, nil
}

// convert prices a statement (DESIGN §3.4): virtual stake is
// ⌊⌊amount·price⌋·(1−discount)⌋ for each validator, and all of them scaled pro rata if
// together they exceed the provider's cap. What is slashable of it goes the same way.
// The backstop's slashable amount is priced alike, and not capped: it gives no power.
func convert(st *Statement, t *Terms, ownStake *uint256.Int) (virtual, slashable map[AccountID]*uint256.Int, backstop *uint256.Int) {
	virtual, slashable, backstop = map[AccountID]*uint256.Int{}, map[AccountID]*uint256.Int{}, zero()
	price := func(amount Amount) *uint256.Int {
		return share(share(amount.Int(), uint64(t.Price)), One-uint64(t.Discount))
	}
	sum := zero()
	for _, e := range st.Entries {
		if e.Validator == Backstop {
			backstop = price(e.Slashable)
			continue
		}
		virtual[e.Validator], slashable[e.Validator] = price(e.Amount), price(e.Slashable)
		sum.Add(sum, virtual[e.Validator])
	}
	if limit := share(ownStake, uint64(t.Cap)); sum.Gt(limit) {
		scale := fraction{limit, sum}
		for id := range virtual {
			virtual[id], slashable[id] = scale.of(virtual[id]), scale.of(slashable[id])
		}
	}
	return virtual, slashable, backstop
}

// nextSet is the validator set that signs the next epoch: the attest.MaxValidators
// strongest of positive power, sorted by key. It is nil if that leaves nobody.
func (m *machine) nextSet() (*attest.ValidatorSet, error) {
	all, err := m.powers()
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
	if err := m.writeCover(set); err != nil {
		return nil, err
	}
	return set, m.totals(func(meta *Meta) {
		meta.Epoch, meta.Height, meta.Time, meta.Parent = m.epoch, height, m.now, m.parent
	})
}
