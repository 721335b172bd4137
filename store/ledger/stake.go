package ledger

import (
	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

// Limits of one account (DESIGN §3.3).
const (
	maxConsumers = 64
	maxParts     = 64
	maxUnbonding = 16
)

// register binds a validator's keys to its account. Both keys are unique for
// ever; registering again rotates them.
func (m *machine) register(v *vault, r *Register) error {
	if off, err := load[Offender](m.tx, offenderKey(m.spec.ID, v.id)); err != nil {
		return err
	} else if off != nil {
		return refuse(CodeHalted, "account %v was convicted of a fault", v.id)
	}
	reg := &attest.Registration{
		ChainID: []byte(m.spec.ID), Account: v.id, Key: r.Key,
		ConsensusKey: attest.ConsensusKey{Type: r.KeyType, Bytes: r.ConsensusKey},
	}
	if _, err := attest.VerifyRegistration(m.law.Network(), reg, r.Possession, r.ConsensusSignature); err != nil {
		return invalid("registration", err)
	}
	if err := m.spec.checkKeyType(r.KeyType); err != nil {
		return refuse(CodeInvalid, "%v", err)
	}
	return m.bind(v.id, reg)
}

// bind records a verified registration.
func (m *machine) bind(id AccountID, r *attest.Registration) error {
	for _, k := range [][]byte{blsKeyKey(r.Key[:]), consensusKeyKey(r.ConsensusKey.Type, r.ConsensusKey.Bytes)} {
		if _, taken, err := m.tx.Get(k); err != nil {
			return err
		} else if taken {
			return refuse(CodeDuplicate, "one of the keys was registered before")
		}
		m.tx.set(k, id[:])
	}
	old, err := load[Validator](m.tx, validatorKey(id))
	if err != nil {
		return err
	}
	if old == nil {
		if _, err := validatorList.push(m.tx, id[:]); err != nil {
			return err
		}
	}
	return save(m.tx, validatorKey(id), &Validator{Key: r.Key, KeyType: r.ConsensusKey.Type, ConsensusKey: r.ConsensusKey.Bytes})
}

// deposit adds collateral, and the account if it is new.
func (m *machine) deposit(d *Deposit) error {
	amount := Amount(d.Amount).Int()
	if amount.IsZero() {
		return refuse(CodeLimit, "the amount is zero")
	}
	meta, err := must[Meta](m.tx, metaKey)
	if err != nil {
		return err
	}
	total, over := new(uint256.Int).AddOverflow(Amount(meta.Deposited).Int(), amount)
	if over || total.Gt(MaxAmount) {
		return refuse(CodeLimit, "a ledger holds at most %s", MaxAmount.Dec())
	}
	v, err := m.openAccount(d.Account)
	if err != nil {
		return err
	}
	v.settle()
	v.collateral.Add(v.collateral, amount)
	if err := m.saveVault(v, true); err != nil {
		return err
	}
	return m.totals(func(meta *Meta) {
		meta.Deposited = NewAmount(total)
		meta.Collateral = NewAmount(new(uint256.Int).Add(Amount(meta.Collateral).Int(), amount))
	})
}

// openAccount loads a vault, a new one if there is none.
func (m *machine) openAccount(id AccountID) (*vault, error) {
	if id == Backstop {
		return nil, refuse(CodeMalformed, "the zero account is nobody's")
	}
	v, err := loadVault(m.tx, id)
	if err != nil || v != nil {
		return v, err
	}
	if _, err := accountList.push(m.tx, id[:]); err != nil {
		return nil, err
	}
	return &vault{id: id, account: new(Account), collateral: zero()}, nil
}

// withdraw takes out free collateral. It may while a slash waits: what can be taken is not
// free.
func (m *machine) withdraw(v *vault, w *Withdraw) error {
	amount := Amount(w.Amount).Int()
	if amount.IsZero() {
		return refuse(CodeLimit, "the amount is zero")
	}
	if free := v.free(); amount.Gt(free) {
		return refuse(CodeVault, "only %s of the collateral %s is free", free.Dec(), v.collateral.Dec())
	}
	v.collateral.Sub(v.collateral, amount)
	return m.totals(func(meta *Meta) {
		meta.Collateral = NewAmount(new(uint256.Int).Sub(Amount(meta.Collateral).Int(), amount))
		meta.Withdrawn = NewAmount(new(uint256.Int).Add(Amount(meta.Withdrawn).Int(), amount))
	})
}

// pledge creates or enlarges a part of a lien.
func (m *machine) pledge(v *vault, p *Pledge) error {
	consumer, amount := string(p.Consumer), Amount(p.Amount).Int()
	if amount.Gt(MaxAmount) || amount.IsZero() {
		return refuse(CodeLimit, "the amount must be between 1 and %s", MaxAmount.Dec())
	}
	if err := m.checkPledgee(consumer, p.Validator); err != nil {
		return err
	}
	if err := m.addPart(v, consumer, p.Validator, amount, p.Ratio, Amount(p.Accepts).Int()); err != nil {
		return err
	}
	v.assume()
	return v.check()
}

// checkPledgee refuses a validator that can't be pledged to.
func (m *machine) checkPledgee(consumer string, validator AccountID) error {
	if !m.known(consumer) {
		return refuse(CodeUnknown, "chain %q is not in this network", consumer)
	}
	if off, err := load[Offender](m.tx, offenderKey(consumer, validator)); err != nil {
		return err
	} else if off != nil {
		return refuse(CodeHalted, "validator %v of %s was convicted of a fault", validator, consumer)
	}
	if consumer == m.spec.ID {
		if validator == Backstop {
			return refuse(CodeInvalid, "a chain can't back itself: the backstop is for peers")
		}
		known, err := load[Validator](m.tx, validatorKey(validator))
		if err == nil && known == nil {
			err = refuse(CodeUnknown, "account %v is not a registered validator", validator)
		}
		return err
	}
	peer, err := m.peer(consumer)
	if err != nil {
		return err
	}
	if peer.Halted != 0 {
		return refuse(CodeHalted, "%s is halted: %v", consumer, HaltReason(peer.Halted))
	}
	if validator == Backstop {
		return nil
	}
	set, err := must[PeerSet](m.tx, peerSetKey(consumer))
	if err != nil {
		return err
	}
	for _, member := range set.Members {
		if member.Account == validator {
			return nil
		}
	}
	return refuse(CodeUnknown, "account %v is not in the certified validator set of %s", validator, consumer)
}

// addPart adds amount to the part behind validator and lists it. accepts is for the
// backstop.
func (m *machine) addPart(v *vault, consumer string, validator AccountID, amount *uint256.Int, ratio uint64, accepts *uint256.Int) error {
	if ratio == 0 || ratio > One {
		return refuse(CodeLimit, "the ratio %v is not above 0 and at most 1", Ratio(ratio))
	}
	l := v.lienFor(consumer, ratio)
	if ratio < l.ratio && !l.over() {
		return refuse(CodeLimit, "the lien's ratio is %v: it can be raised, to lower it release and pledge anew", Ratio(l.ratio))
	}
	l.ratio = ratio
	part, made := l.partFor(validator)
	if part.over() {
		part.taken, part.accepts, part.drawn = uint256.Int{}, uint256.Int{}, nil // a new beginning
	}
	switch {
	case accepts.Gt(MaxAmount):
		return refuse(CodeLimit, "the accepted value is above %s", MaxAmount.Dec())
	case validator == Backstop && accepts.IsZero():
		return refuse(CodeMalformed, "a backstop names the largest covered value that it accepts")
	case validator != Backstop && !accepts.IsZero():
		return refuse(CodeMalformed, "only a backstop accepts a covered value")
	case accepts.Lt(&part.accepts):
		return refuse(CodeLimit, "the backstop accepts a covered value of %s: it can be raised, to lower it release and pledge anew", part.accepts.Dec())
	}
	part.accepts = *accepts
	part.bonded.Add(&part.bonded, amount)
	switch {
	case len(v.liens) > maxConsumers:
		return refuse(CodeLimit, "an account has liens to at most %d chains", maxConsumers)
	case len(l.parts) > maxParts:
		return refuse(CodeLimit, "a lien stands behind at most %d validators", maxParts)
	}
	if err := m.checkSmallest(&part.bonded, ratio); err != nil {
		return err
	}
	if made {
		if _, err := lienList(consumer, validator).push(m.tx, v.id[:]); err != nil {
			return err
		}
	}
	return nil
}

// checkSmallest refuses a part so small that its slash would round to nothing, or
// that the chain does not want.
func (m *machine) checkSmallest(amount *uint256.Int, ratio uint64) error {
	if least := m.params.MinLien.Int(); amount.Lt(least) {
		return refuse(CodeLimit, "the smallest part of a lien is %s", least.Dec())
	}
	if !m.dust && share(amount, min(ratio, m.params.Penalty.least())).IsZero() {
		return refuse(CodeLimit, "a slash of this lien would round to nothing")
	}
	return nil
}

// release starts the unbonding of part of a lien.
func (m *machine) release(v *vault, r *Release) error {
	consumer, amount := string(r.Consumer), Amount(r.Amount).Int()
	l := v.lien(consumer)
	if l == nil {
		return refuse(CodeUnknown, "the account has no lien to %s", consumer)
	}
	if n, err := counter(m.tx, frozenKey(consumer, r.Validator)); err != nil {
		return err
	} else if n > 0 {
		return refuse(CodeFrozen, "a fault of %v on %s is being judged: collateral behind him stays until it is executed", AccountID(r.Validator), consumer)
	}
	p := l.part(r.Validator)
	if p == nil || p.bonded.IsZero() {
		return refuse(CodeUnknown, "the lien to %s has nothing bonded behind %v", consumer, AccountID(r.Validator))
	}
	if amount.IsZero() || amount.Gt(&p.bonded) {
		return refuse(CodeVault, "%s is bonded behind %v, %s can't be released", p.bonded.Dec(), AccountID(r.Validator), amount.Dec())
	}
	if len(p.unbonding) == maxUnbonding {
		return refuse(CodeLimit, "%d releases of this part are under way: wait until one matures", maxUnbonding)
	}
	p.bonded.Sub(&p.bonded, amount)
	if !p.bonded.IsZero() {
		if err := m.checkSmallest(&p.bonded, l.ratio); err != nil {
			return err
		}
	}
	p.unbonding = append(p.unbonding, unbonding{*amount, m.epoch, m.now})
	return nil
}
