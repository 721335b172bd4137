package ledger

import (
	"testing"

	"github.com/holiman/uint256"
)

// fullStatement is a machine with an account of which a slash for gamma has left so little
// that its lien to beta, of 2, 3, 9 and 15 behind four validators, is cut to its collateral
// of 9, and nothing is left behind the first. Its line in the statement about beta has gone
// to somebody else since: that statement has no room for another one.
func fullStatement(t *testing.T) (m *machine, owner AccountID, validators [4]AccountID) {
	t.Helper()
	m = &machine{
		chains: []string{"alpha", "beta", "gamma"}, spec: &ChainSpec{ID: "alpha", Params: DefaultParams()},
		state: mapState{}, epoch: 1, now: 1, dust: true,
	}
	m.spec.Params.MinLien = Units(1)
	owner, validators = id(200), [4]AccountID{id(2), id(3), id(4), id(5)}
	change := func(f func(v *vault) error) {
		t.Helper()
		err := m.step(func() error {
			v, err := loadVault(m.tx, owner)
			if err != nil {
				return err
			}
			return f(v)
		})
		if err != nil {
			t.Fatal(err)
		}
		m.epoch++
	}
	change(func(*vault) error {
		if err := save(m.tx, metaKey, new(Meta)); err != nil {
			return err
		}
		return m.deposit(&Deposit{owner, Units(51)})
	})
	change(func(v *vault) error {
		for i, amount := range []uint64{2, 3, 9, 15} {
			if err := m.addPart(v, "beta", validators[i], uint256.NewInt(amount), One/10, zero()); err != nil {
				return err
			}
		}
		if err := m.addPart(v, "gamma", id(1), uint256.NewInt(47), One/10*9, zero()); err != nil {
			return err
		}
		v.assume()
		if err := v.check(); err != nil {
			return err
		}
		return m.saveVault(v, true)
	})
	change(func(*vault) error { return m.slash(owner, "gamma", id(1), [32]byte{}, owing(42)) })
	change(func(*vault) error {
		st, err := m.statement("beta")
		if err != nil {
			return err
		}
		for i := byte(0); len(st.Entries) < 512; i++ {
			st.Entries = append(st.Entries, Entry{Validator: [32]byte{250, byte(len(st.Entries) >> 8), i}, Amount: Units(1)})
		}
		return save(m.tx, StatementKey("beta"), st)
	})
	if n := bondedBehind(t, m, owner, validators[0]); n != 0 {
		t.Fatalf("%d are left of the part", n)
	}
	return m, owner, validators
}

// owing is what a part owes in all.
func owing(debt uint64) func(*lien, *part) due {
	return func(*lien, *part) due {
		return due{debt: uint256.NewInt(debt), captured: uint256.NewInt(debt), ratio: One}
	}
}

// bondedBehind is what of an account's lien to beta counts behind a validator.
func bondedBehind(t *testing.T, m *machine, owner, validator AccountID) uint64 {
	t.Helper()
	v, err := loadVault(m.state, owner)
	if err != nil {
		t.Fatal(err)
	}
	return v.lien("beta").part(validator).effectiveBonded.Uint64()
}

// What was cut to nothing can come back without its owner: by a reward, which adds to the
// collateral, or by the rounding of another cut. The statement may have no room for it
// then. The steps that do it end an epoch: if they failed, the chain would never end it.
func TestWhatEndsAnEpochNeedsNoRoomInAStatement(t *testing.T) {
	for name, step := range map[string]func(*machine, AccountID, [4]AccountID) error{
		"reward": func(m *machine, owner AccountID, _ [4]AccountID) error {
			if err := save(m.tx, faultKey([32]byte{1}), &Fault{Reporter: owner}); err != nil {
				return err
			}
			_, err := m.reward(id(9), "alpha", id(9), zero(), uint256.NewInt(100), [32]byte{1})
			return err
		},
		"slash": func(m *machine, owner AccountID, validators [4]AccountID) error {
			return m.slash(owner, "beta", validators[3], [32]byte{1}, owing(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, owner, validators := fullStatement(t)
			if err := m.step(func() error { return step(m, owner, validators) }); err != nil {
				t.Fatal(err)
			}
			if n := bondedBehind(t, m, owner, validators[0]); n != 0 {
				t.Errorf("%d came back without a line in the statement", n)
			}
			m.epoch++
			err := m.step(func() error {
				v, err := loadVault(m.tx, owner)
				if err != nil {
					return err
				}
				return m.owned(v, v.check)
			})
			if err != nil {
				t.Errorf("the owner can't do anything any more: %v", err)
			}
		})
	}
}
