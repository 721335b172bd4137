package attest_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// The twin of a bitlist is a slice of bool.
func TestBitsAgreeWithSliceOfBool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, attest.MaxValidators).Draw(t, "n")
		list := func(label string) (attest.Bits, []bool) {
			bits, twin := attest.NewBits(n), make([]bool, n)
			if n > 0 {
				for _, i := range rapid.SliceOf(rapid.IntRange(0, n-1)).Draw(t, label) {
					bits.Set(i)
					twin[i] = true
				}
			}
			return bits, twin
		}
		ones := func(twin []bool) (ones []int) {
			for i, set := range twin {
				if set {
					ones = append(ones, i)
				}
			}
			return ones
		}
		a, twinA := list("a")
		b, twinB := list("b")
		if a.Len() != n {
			t.Fatalf("length %d, want %d", a.Len(), n)
		}
		if got := slices.Collect(a.Ones()); !slices.Equal(got, ones(twinA)) || a.Count() != len(got) {
			t.Fatalf("ones %v, count %d, want %v", got, a.Count(), ones(twinA))
		}
		both := make([]bool, n)
		for i := range both {
			both[i] = twinA[i] && twinB[i]
			if a.Get(i) != twinA[i] {
				t.Fatalf("bit %d is %v", i, a.Get(i))
			}
		}
		if got := slices.Collect(a.And(b).Ones()); !slices.Equal(got, ones(both)) {
			t.Fatalf("and: %v, want %v", got, ones(both))
		}
		if a.Get(-1) || a.Get(n) {
			t.Fatal("a bit outside of the list is set")
		}
	})
}

func TestMalformedBitsHaveNoLength(t *testing.T) {
	tooLong := append(attest.Bits(make([]byte, 64)), 2)
	for _, bits := range []attest.Bits{nil, {}, {0}, {1, 0}, tooLong, make([]byte, 65), make([]byte, 100)} {
		if bits.Len() != -1 || bits.Count() != 0 || bits.Get(0) {
			t.Errorf("%x: length %d, count %d", []byte(bits), bits.Len(), bits.Count())
		}
	}
}
