package ledger

import (
	"fmt"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// Genesis is epoch 0 of a chain: its first state, validator set and checkpoint,
// which follow from the manifest alone. The checkpoint's Parent is the network id
// and its LedgerRoot zero: genesis ledgers name each other's genesis checkpoints,
// so a root in them would have no beginning, and the network id commits to all.
func Genesis(m *Manifest, chain string) (*Result, error) {
	spec := m.Chain(chain)
	if spec == nil {
		return nil, fmt.Errorf("chain %q is not in the network", chain)
	}
	r := newRun(newLaw(m), spec, trie.New(trie.NewStore(), trie.Ref{}), 0)
	r.machine.now = m.Genesis
	var set *attest.ValidatorSet
	err := r.machine.step(func() (err error) {
		set, err = r.machine.genesis(m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("genesis of %s: %w", chain, err)
	}
	result, err := r.result(set, &attest.Checkpoint{ChainID: []byte(chain), Parent: m.ID(), Time: m.Genesis})
	if err != nil {
		return nil, err
	}
	result.Checkpoint.OpsRoot, result.Checkpoint.LedgerRoot = [32]byte{}, [32]byte{}
	return result, nil
}

// genesis writes the first state.
func (m *machine) genesis(manifest *Manifest) (*attest.ValidatorSet, error) {
	if err := save(m.tx, metaKey, &Meta{Time: m.now}); err != nil {
		return nil, err
	}
	if err := save(m.tx, paramsKey, m.params); err != nil {
		return nil, err
	}
	for _, p := range m.spec.Peers {
		if err := save(m.tx, termsKey(p.Chain), p.terms()); err != nil {
			return nil, err
		}
	}
	for _, other := range manifest.Chains {
		if other.ID == m.spec.ID {
			continue
		}
		if err := m.genesisPeer(manifest, other); err != nil {
			return nil, err
		}
	}
	for _, c := range m.spec.Validators {
		r, err := c.registration(m.spec.ID)
		if err != nil {
			return nil, err
		}
		if err := m.bind(c.Account, r); err != nil {
			return nil, fmt.Errorf("validator %v: %w", c.Account, err)
		}
	}
	for _, a := range m.spec.Accounts {
		if err := m.genesisAccount(a); err != nil {
			return nil, fmt.Errorf("account %v: %w", a.ID, err)
		}
	}
	return m.elect(0)
}

// genesisPeer starts following a peer from its genesis checkpoint, which is final
// from the beginning.
func (m *machine) genesisPeer(manifest *Manifest, spec *ChainSpec) error {
	set, err := genesisSet(spec)
	if err != nil {
		return fmt.Errorf("genesis set of %s: %w", spec.ID, err)
	}
	cp := &attest.Checkpoint{ChainID: []byte(spec.ID), Parent: m.law.Network(), Time: manifest.Genesis, ValidatorsRoot: set.Root()}
	if err := save(m.tx, peerSetKey(spec.ID), &PeerSet{members(set)}); err != nil {
		return err
	}
	err = save(m.tx, peerKey(spec.ID), &Peer{Root: cp.Root(), ValidatorsRoot: cp.ValidatorsRoot, Time: cp.Time})
	if err != nil {
		return err
	}
	return save(m.tx, checkpointKey(spec.ID, 0), &PeerCheckpoint{
		Root: cp.Root(), ValidatorsRoot: cp.ValidatorsRoot, Time: cp.Time, AcceptedTime: m.now, Reference: 1,
	})
}

// genesisSet is the first set of a chain: at genesis no stake of a peer counts,
// so it follows from the chain's own specification.
func genesisSet(spec *ChainSpec) (*attest.ValidatorSet, error) {
	m := &machine{
		chains: []string{spec.ID}, spec: &ChainSpec{ID: spec.ID, Params: spec.Params},
		state: trie.New(trie.NewStore(), trie.Ref{}),
	}
	var set *attest.ValidatorSet
	err := m.step(func() error {
		if err := save(m.tx, metaKey, new(Meta)); err != nil {
			return err
		}
		for _, c := range spec.Validators {
			r, err := c.registration(spec.ID)
			if err != nil {
				return err
			}
			if err := m.bind(c.Account, r); err != nil {
				return err
			}
		}
		own := &Statement{Provider: []byte(spec.ID), Consumer: []byte(spec.ID)}
		for _, a := range spec.Accounts {
			for _, l := range a.Liens {
				if l.Consumer == spec.ID {
					own.add(l.Validator, l.Amount.Int())
				}
			}
		}
		if err := save(m.tx, StatementKey(spec.ID), own); err != nil {
			return err
		}
		var err error
		set, err = m.elect(0)
		return err
	})
	return set, err
}

// add is for a statement that only powers looks at: entries in any order.
func (st *Statement) add(validator AccountID, amount *uint256.Int) {
	for i := range st.Entries {
		if e := &st.Entries[i]; e.Validator == validator {
			e.Amount = NewAmount(amount.Add(amount, Amount(e.Amount).Int()))
			return
		}
	}
	st.Entries = append(st.Entries, Entry{Validator: validator, Amount: NewAmount(amount)})
}

// genesisAccount writes an account with its liens. Liens to peers name validators
// that the peer's own genesis has.
func (m *machine) genesisAccount(a *GenesisAccount) error {
	v, err := m.openAccount(a.ID)
	if err != nil {
		return err
	}
	v.collateral = a.Collateral.Int()
	for _, l := range a.Liens {
		if err := m.checkPledgee(l.Consumer, l.Validator); err != nil {
			return err
		}
		if err := m.addPart(v, l.Consumer, l.Validator, l.Amount.Int(), uint64(l.Ratio), l.Accepts.Int()); err != nil {
			return err
		}
	}
	v.assume()
	if err := v.check(); err != nil {
		return err
	}
	if err := m.saveVault(v, true); err != nil {
		return err
	}
	return m.totals(func(meta *Meta) {
		sum := new(uint256.Int).Add(Amount(meta.Collateral).Int(), v.collateral)
		meta.Collateral, meta.Deposited = NewAmount(sum), NewAmount(sum)
	})
}

// registration is what the candidate's keys signed.
func (c *Candidate) registration(chain string) (*attest.Registration, error) {
	r := &attest.Registration{
		ChainID: []byte(chain), Account: c.Account,
		ConsensusKey: attest.ConsensusKey{Type: c.ConsensusKeyType, Bytes: c.ConsensusKey},
	}
	if len(c.Key) != len(r.Key) {
		return nil, fmt.Errorf("validator %v: the key has %d bytes, not %d", c.Account, len(c.Key), len(r.Key))
	}
	copy(r.Key[:], c.Key)
	return r, nil
}
