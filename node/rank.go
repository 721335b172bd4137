package node

import (
	"bytes"
	"crypto/sha256"

	"github.com/meshsec/meshsec/attest"
)

// rank is the position of a validator in the order in which those of a set take a
// turn at something that one of them is enough for: by SHA-256(seed ‖ key). The
// seed differs from turn to turn, so that no one validator does all the work, and
// whoever knows the set knows the order. Who is not in the set comes after all.
func rank(seed [32]byte, set *attest.Set, key [48]byte) int {
	if _, ok := set.Index(key); !ok {
		return set.Len()
	}
	own := place(seed, key)
	n := 0
	for i := range set.Len() {
		member := set.At(i)
		if other := place(seed, member.Key); bytes.Compare(other[:], own[:]) < 0 {
			n++
		}
	}
	return n
}

func place(seed [32]byte, key [48]byte) [32]byte {
	return sha256.Sum256(append(seed[:], key[:]...))
}
