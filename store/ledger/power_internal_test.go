package ledger

import (
	"encoding/binary"
	"testing"

	"github.com/meshsec/meshsec/attest"
)

// Anybody with a unit of collateral may register, and register without stake behind him: that
// keeps no other from it, and the election has nothing to do with who has no stake.
func TestRegistrationsWithoutStakeAreInNobodysWay(t *testing.T) {
	c := newCrowd(t, mapState{}, 1)
	bind := func(n int) {
		c.step(func() error {
			r := &attest.Registration{ConsensusKey: attest.ConsensusKey{Type: 1, Bytes: binary.BigEndian.AppendUint64(nil, uint64(n))}}
			binary.BigEndian.PutUint64(r.Key[:], uint64(n))
			return c.bind(number(n), r)
		})
	}
	for n := 1; n <= 5000; n++ {
		bind(n)
	}
	const honest = 6000
	bind(honest)
	c.deposit(honest)
	body, err := (&Pledge{Consumer: []byte("alpha"), Validator: number(honest), Amount: Units(1000), Ratio: One / 20}).MarshalSSZ()
	if err != nil {
		t.Fatal(err)
	}
	c.order(honest, body)
	c.step(func() error {
		set, err := c.nextSet()
		if err != nil {
			return err
		}
		if len(set.Validators) != 1 || set.Validators[0].Account != number(honest) {
			t.Errorf("elected: %+v", set.Validators)
		}
		if cost := c.tx.cost(); cost > 20 {
			t.Errorf("it read %d records", cost)
		}
		return nil
	})
}
