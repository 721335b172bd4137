package attest

import "github.com/holiman/uint256"

// maxPowerBits bounds the total power of a set, so that no sum of powers overflows.
const maxPowerBits = 250

// Quorum says whether 3·signed > 2·total. It is exact for all 256-bit values.
func Quorum(signed, total *uint256.Int) bool {
	// 3s > 2t ⟺ s > ⌊2t/3⌋; the quotient fits, the product has 512 bits inside.
	bound, _ := new(uint256.Int).MulDivOverflow(total, uint256.NewInt(2), uint256.NewInt(3))
	return signed.Gt(bound)
}

// Failed says whether 3·convicted ≥ total: a chain of which so much is convicted
// cannot be relied on. It is exact for all 256-bit values.
func Failed(convicted, total *uint256.Int) bool {
	// 3c ≥ t ⟺ c ≥ ⌈t/3⌉
	third, rest := new(uint256.Int).DivMod(total, uint256.NewInt(3), new(uint256.Int))
	if !rest.IsZero() {
		third.AddUint64(third, 1)
	}
	return !convicted.Lt(third)
}

// EncodePower is the form of a power in [Validator]: 32 bytes, little-endian.
func EncodePower(power *uint256.Int) (encoded [32]byte) {
	big := power.Bytes32()
	for i, b := range big {
		encoded[31-i] = b
	}
	return encoded
}

// DecodePower is the inverse of [EncodePower].
func DecodePower(encoded [32]byte) *uint256.Int {
	var big [32]byte
	for i, b := range encoded {
		big[31-i] = b
	}
	return new(uint256.Int).SetBytes32(big[:])
}
