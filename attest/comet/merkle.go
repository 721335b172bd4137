package comet

import (
	"crypto/sha256"
	"math/bits"
)

// MerkleRoot is the root of a tree as in RFC 6962, with SHA-256.
func MerkleRoot(leaves [][]byte) []byte {
	var root [HashSize]byte
	switch len(leaves) {
	case 0:
		root = sha256.Sum256(nil)
	case 1:
		root = leafHash(leaves[0])
	default:
		split := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // the largest power of two below
		root = innerHash(MerkleRoot(leaves[:split]), MerkleRoot(leaves[split:]))
	}
	return root[:]
}

// PrefixBranch are the siblings, from below up, of the tree of the first n leaves, a power
// of two, in that of all of them; none if there are no more.
func PrefixBranch(leaves [][]byte, n int) (branch [][]byte) {
	for len(leaves) > n {
		split := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
		branch = append([][]byte{MerkleRoot(leaves[split:])}, branch...)
		leaves = leaves[:split]
	}
	return branch
}

// RootOver is the root of the tree in which another one with a root lies first, given the
// siblings of [PrefixBranch].
func RootOver(root []byte, branch [][]byte) []byte {
	for _, sibling := range branch {
		inner := innerHash(root, sibling)
		root = inner[:]
	}
	return root
}

func leafHash(leaf []byte) [HashSize]byte { return sha256.Sum256(append([]byte{0}, leaf...)) }

func innerHash(left, right []byte) [HashSize]byte {
	return sha256.Sum256(append(append([]byte{1}, left...), right...))
}

// TransactionsHash is the data_hash of a header: the Merkle root of the hashes of the
// block's transactions, which are their SHA-256.
func TransactionsHash(transactions [][]byte) []byte {
	hashes := make([][]byte, len(transactions))
	for i, tx := range transactions {
		hash := sha256.Sum256(tx)
		hashes[i] = hash[:]
	}
	return MerkleRoot(hashes)
}
