package attest

import (
	"iter"
	"math/bits"

	ssz "github.com/ferranbt/fastssz"
)

// Bits is an SSZ bitlist: bit i is bit i%8 of byte i/8, and one more bit, always
// set, marks the end. The type of the Signers fields converts to it. It means
// something only together with the [Set] whose length it has.
type Bits []byte

// NewBits is a list of n bits, all clear, for 0 ≤ n ≤ [MaxValidators].
func NewBits(n int) Bits {
	if n < 0 || n > MaxValidators {
		panic("attest: a bitlist has 0 to 512 bits")
	}
	b := make(Bits, n/8+1)
	b[n/8] |= 1 << (n % 8)
	return b
}

// Len is the number of bits, or -1 if b is not a canonical list of at most
// [MaxValidators] bits (nil is not).
func (b Bits) Len() int {
	if ssz.ValidateBitlist(b, MaxValidators) != nil {
		return -1
	}
	return 8*(len(b)-1) + bits.Len8(b[len(b)-1]) - 1
}

// Get says whether bit i is set; bits outside of the list are not.
func (b Bits) Get(i int) bool {
	return i >= 0 && i < b.Len() && b[i/8]>>(i%8)&1 == 1
}

// Set sets bit i in place. It panics outside of the list, as a slice would.
func (b Bits) Set(i int) {
	if i < 0 || i >= b.Len() {
		panic("attest: set a bit outside of the bitlist")
	}
	b[i/8] |= 1 << (i % 8)
}

// Count is the number of set bits; of no list, 0.
func (b Bits) Count() int {
	n := 0
	for range b.Ones() {
		n++
	}
	return n
}

// Ones are the positions of the set bits in ascending order.
func (b Bits) Ones() iter.Seq[int] {
	return func(yield func(int) bool) {
		n := b.Len()
		for i := 0; i < n; i++ {
			if b[i/8]>>(i%8)&1 == 1 && !yield(i) {
				return
			}
		}
	}
}

// And is a new list with the bits that are set in both; the lists have the same
// length.
func (b Bits) And(other Bits) Bits {
	both := NewBits(max(b.Len(), 0))
	for i := range b.Ones() {
		if other.Get(i) {
			both.Set(i)
		}
	}
	return both
}

// Clone is a copy that shares no memory.
func (b Bits) Clone() Bits { return append(Bits(nil), b...) }
