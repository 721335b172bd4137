package attest_test

import (
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
)

func TestNewSetRefusesWhatIsNoSet(t *testing.T) {
	power := func(shift uint) [32]byte {
		return attest.EncodePower(new(uint256.Int).Lsh(uint256.NewInt(1), shift))
	}
	cases := []struct {
		name   string
		change func(*attest.ValidatorSet)
		rule   attest.Rule
	}{
		{"empty", func(v *attest.ValidatorSet) { v.Validators = nil }, attest.RuleSet},
		{"nil member", func(v *attest.ValidatorSet) { v.Validators[1] = nil }, attest.RuleSet},
		{"unsorted", func(v *attest.ValidatorSet) {
			v.Validators[0], v.Validators[1] = v.Validators[1], v.Validators[0]
		}, attest.RuleSet},
		{"duplicate", func(v *attest.ValidatorSet) { v.Validators[1] = v.Validators[0] }, attest.RuleSet},
		{"zero power", func(v *attest.ValidatorSet) { v.Validators[2].Power = [32]byte{} }, attest.RuleSet},
		{"huge power", func(v *attest.ValidatorSet) { v.Validators[2].Power = power(250) }, attest.RuleSet},
		{"huge total", func(v *attest.ValidatorSet) {
			v.Validators[1].Power, v.Validators[2].Power = power(249), power(249)
		}, attest.RuleSet},
		{"too many", func(v *attest.ValidatorSet) {
			for len(v.Validators) <= attest.MaxValidators {
				v.Validators = append(v.Validators, v.Validators[0])
			}
		}, attest.RuleSet},
		{"no point", func(v *attest.ValidatorSet) { v.Validators[2].Key[0] = 0xff }, attest.RuleKey},
		{"short consensus key", func(v *attest.ValidatorSet) {
			v.Validators[0].ConsensusKey.Bytes = make([]byte, 31)
		}, attest.RuleConsensusKey},
		{"bytes without a key", func(v *attest.ValidatorSet) {
			v.Validators[0].ConsensusKey.Type = attest.KeyNone
		}, attest.RuleConsensusKey},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := equalCast(t, 4).set.ValidatorSet()
			c.change(v)
			_, err := attest.NewSet(v)
			wantRule(t, err, c.rule)
		})
	}
}

func TestNewSetRefusesInfinityKey(t *testing.T) {
	v := equalCast(t, 1).set.ValidatorSet()
	v.Validators[0].Key = [48]byte{0xc0}
	_, err := attest.NewSet(v)
	wantRule(t, err, attest.RuleKey)
}

func TestSetDoesNotChangeWithItsSource(t *testing.T) {
	c := newCast(t, 5, 6, 7)
	source := c.set.ValidatorSet()
	set := must[*attest.Set](t)(attest.NewSet(source))
	want := set.Root()
	source.Validators[0].Power[0]++
	source.Validators[0].ConsensusKey.Bytes[0]++
	member := set.At(0)
	member.ConsensusKey.Bytes[0]++
	set.Total().Clear()
	set.Power(1).Clear()
	if set.ValidatorSet().Root() != want || set.Root() != want || set.Root() != c.set.Root() {
		t.Error("the set changed")
	}
	if set.Total().Uint64() != 18 {
		t.Errorf("total %s", set.Total().Dec())
	}
}

func TestPowerOfWantsTheSetsLength(t *testing.T) {
	c := newCast(t, 1, 10, 100)
	bits := attest.NewBits(3)
	bits.Set(0)
	bits.Set(2)
	got := must[*uint256.Int](t)(c.set.PowerOf(bits))
	want := new(uint256.Int).Add(c.set.Power(0), c.set.Power(2))
	if !got.Eq(want) {
		t.Errorf("got %s, want %s", got.Dec(), want.Dec())
	}
	for _, n := range []int{0, 2, 4} {
		_, err := c.set.PowerOf(attest.NewBits(n))
		wantRule(t, err, attest.RuleBitfield)
	}
	_, err := c.set.PowerOf(nil)
	wantRule(t, err, attest.RuleBitfield)
}

func TestIndexFindsEveryKey(t *testing.T) {
	c := equalCast(t, 7)
	for i := range c.set.Len() {
		if got := c.index(t, c.set.At(i).Key); got != i {
			t.Errorf("key %d has index %d", i, got)
		}
		if c.set.PublicKey(i).Bytes() != c.set.At(i).Key {
			t.Errorf("parsed key %d is another", i)
		}
	}
	if _, ok := c.set.Index([48]byte{1}); ok {
		t.Error("found a key that is not there")
	}
}
