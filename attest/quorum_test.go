package attest_test

import (
	"math/big"
	"testing"

	"github.com/holiman/uint256"
	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// anyPower prefers the edges: thirds of each other, zero, and the largest values.
func anyPower(t *rapid.T, label string) *uint256.Int {
	words := rapid.SliceOfN(rapid.Uint64(), 4, 4).Draw(t, label)
	shift := rapid.UintRange(0, 256).Draw(t, label+" shift")
	v := uint256.Int(words)
	return new(uint256.Int).Rsh(&v, shift)
}

func TestQuorumAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := anyPower(t, "total")
		part := anyPower(t, "part")
		if rapid.Bool().Draw(t, "near a third") {
			thirds := rapid.Uint64Range(1, 2).Draw(t, "thirds")
			part, _ = new(uint256.Int).MulDivOverflow(total, uint256.NewInt(thirds), uint256.NewInt(3))
			part.AddUint64(part, rapid.Uint64Range(0, 2).Draw(t, "above"))
		}
		three := new(big.Int).Mul(big.NewInt(3), part.ToBig())
		two := new(big.Int).Mul(big.NewInt(2), total.ToBig())
		if got, want := attest.Quorum(part, total), three.Cmp(two) > 0; got != want {
			t.Fatalf("Quorum(%s, %s) = %v", part.Dec(), total.Dec(), got)
		}
		if got, want := attest.Failed(part, total), three.Cmp(total.ToBig()) >= 0; got != want {
			t.Fatalf("Failed(%s, %s) = %v", part.Dec(), total.Dec(), got)
		}
	})
}

// Whatever the powers, two quorums overlap in validators that make the chain fail.
func TestTwoQuorumsShareAFailingThird(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		powers := rapid.SliceOfN(rapid.Uint64Range(1, 1000), 1, 12).Draw(t, "powers")
		a, b := new(uint256.Int), new(uint256.Int)
		both, total := new(uint256.Int), new(uint256.Int)
		for i, p := range powers {
			inA := rapid.Bool().Draw(t, "in a")
			inB := rapid.Bool().Draw(t, "in b")
			power := uint256.NewInt(powers[i])
			total.Add(total, power)
			if inA {
				a.AddUint64(a, p)
			}
			if inB {
				b.AddUint64(b, p)
			}
			if inA && inB {
				both.AddUint64(both, p)
			}
		}
		if attest.Quorum(a, total) && attest.Quorum(b, total) && !attest.Failed(both, total) {
			t.Fatalf("quorums %s and %s of %s share %s", a.Dec(), b.Dec(), total.Dec(), both.Dec())
		}
	})
}

func TestPowerRoundTripsLittleEndian(t *testing.T) {
	if got := attest.EncodePower(uint256.NewInt(0x0102)); got[0] != 2 || got[1] != 1 {
		t.Errorf("not little-endian: %x", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		power := anyPower(t, "power")
		if got := attest.DecodePower(attest.EncodePower(power)); !got.Eq(power) {
			t.Fatalf("got %s, want %s", got.Dec(), power.Dec())
		}
	})
}
