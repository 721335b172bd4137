package trie

import (
	"crypto/sha256"
	"encoding/hex"
)

// Hash is a SHA-256 digest: of a node, or of a key, which is then its path.
type Hash [sha256.Size]byte

// EmptyRoot is the root of the tree without records, and the hash of every empty child.
var EmptyRoot Hash

// String returns lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// maxDepth is the number of bits in a path: leaves are at depth 0 to 256, inner nodes above.
const maxDepth = 8 * sha256.Size

// First byte of what is hashed, and of a node's stored form.
const (
	tagLeaf  = 0x00
	tagInner = 0x01
)

// bit returns the bit of a path that chooses the child below depth.
func (h Hash) bit(depth uint16) int { return int(h[depth/8]>>(7-depth%8)) & 1 }

// prefix returns a path's first depth bits, the rest zero.
func (h Hash) prefix(depth uint16) (p Hash) {
	n := depth / 8
	copy(p[:n], h[:n])
	if depth%8 != 0 {
		p[n] = h[n] & ^byte(0xff>>(depth%8))
	}
	return p
}

func leafHash(path, value Hash) Hash { return hashPair(tagLeaf, path, value) }

func innerHash(left, right Hash) Hash { return hashPair(tagInner, left, right) }

func hashPair(tag byte, a, b Hash) Hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = tag
	copy(buf[1:], a[:])
	copy(buf[1+sha256.Size:], b[:])
	return sha256.Sum256(buf[:])
}
