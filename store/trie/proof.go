package trie

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// MaxProof bounds the binary form of a proof, in bytes: all siblings and the largest
// value. With n records it has some 32·log2(n) bytes and the value.
const MaxProof = 1 + 2 + maxDepth/8 + maxDepth*sha256.Size + 4 + MaxValue

// Proof shows what a tree holds at a key. It is one of three:
//
//   - inclusion: Value is there, Other is nil;
//   - absence, the path ends at an empty place: both are nil;
//   - absence, the path ends at another key's leaf: Other is that leaf.
//
// There is exactly one proof for each tree and key.
//
// An inclusion proof is an ICS-23 ExistenceProof under SmtSpec: each sibling, the
// deepest first, is an InnerOp with prefix 0x01 and suffix sibling where the path's bit is
// 0, prefix 0x01 ‖ sibling and no suffix where it is 1. ICS-23 shows absence otherwise,
// with the inclusion proofs of the neighbours in path order.
type Proof struct {
	Siblings []Hash // beside the path, from the root down; empty ones are zero, the last never is
	Value    []byte
	Other    *OtherLeaf
}

// OtherLeaf is the leaf of another key, as its hash sees it.
type OtherLeaf struct {
	Path  Hash // SHA-256 of its key; begins as the proven key's path does
	Value Hash // SHA-256 of its value
}

// Prove returns the proof for a key. It verifies against Root.
func (t *Tree) Prove(key []byte) (Proof, error) {
	path := Hash(sha256.Sum256(key))
	var p Proof
	l, err := t.find(path, func(sibling *node) { p.Siblings = append(p.Siblings, sibling.sum()) })
	if err != nil {
		return Proof{}, err
	}
	switch {
	case l == nil:
	case l.path == path:
		p.Value = bytes.Clone(l.value)
	default:
		p.Other = &OtherLeaf{l.path, sha256.Sum256(l.value)}
	}
	return p, nil
}

// Verify returns what the tree with this root holds at key: the value, or that it is
// absent. A proof of anything else is [ErrInvalidProof].
func (p Proof) Verify(root Hash, key []byte) (value []byte, present bool, err error) {
	if !p.canonical() {
		return nil, false, ErrInvalidProof
	}
	path := Hash(sha256.Sum256(key))
	var h Hash
	switch {
	case p.Value != nil:
		h = leafHash(path, sha256.Sum256(p.Value))
	case p.Other != nil:
		depth := uint16(len(p.Siblings))
		if p.Other.Path == path || p.Other.Path.prefix(depth) != path.prefix(depth) {
			return nil, false, ErrInvalidProof
		}
		h = leafHash(p.Other.Path, p.Other.Value)
	}
	for i := len(p.Siblings) - 1; i >= 0; i-- {
		if path.bit(uint16(i)) == 0 {
			h = innerHash(h, p.Siblings[i])
		} else {
			h = innerHash(p.Siblings[i], h)
		}
	}
	if h != root {
		return nil, false, ErrInvalidProof
	}
	return p.Value, p.Value != nil, nil
}

// canonical reports whether a tree can have this proof: a leaf or an empty place whose
// sibling is empty would not be there.
func (p Proof) canonical() bool {
	n := len(p.Siblings)
	return n <= maxDepth && (n == 0 || p.Siblings[n-1] != EmptyRoot) && (p.Value == nil || p.Other == nil) &&
		(p.Value == nil || len(p.Value) > 0) && len(p.Value) <= MaxValue
}

// First byte of a proof's binary form.
const (
	proofEmpty = iota
	proofValue
	proofOther
)

// MarshalBinary returns the canonical form: the shape (1 byte), the number of siblings
// (2), a bitmap of those that are not empty, from the highest bit of its first byte,
// those, and then nothing, the length of the value (4) and the value, or the other
// leaf's two hashes. Numbers are big-endian. A proof that no tree can have is
// [ErrInvalidProof].
func (p Proof) MarshalBinary() ([]byte, error) {
	if !p.canonical() {
		return nil, ErrInvalidProof
	}
	shape := byte(proofEmpty)
	switch {
	case p.Value != nil:
		shape = proofValue
	case p.Other != nil:
		shape = proofOther
	}
	b := binary.BigEndian.AppendUint16([]byte{shape}, uint16(len(p.Siblings)))
	var bitmap [maxDepth / 8]byte
	for i, s := range p.Siblings {
		if s != EmptyRoot {
			bitmap[i/8] |= 0x80 >> (i % 8)
		}
	}
	b = append(b, bitmap[:(len(p.Siblings)+7)/8]...)
	for _, s := range p.Siblings {
		if s != EmptyRoot {
			b = append(b, s[:]...)
		}
	}
	switch shape {
	case proofValue:
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p.Value))), p.Value...)
	case proofOther:
		b = append(append(b, p.Other.Path[:]...), p.Other.Value[:]...)
	}
	return b, nil
}

// UnmarshalProof is the inverse of MarshalBinary. Anything else is [ErrMalformed].
func UnmarshalProof(b []byte) (Proof, error) {
	c := cursor{rest: b}
	shape, n := c.byte(), int(c.uint16())
	if n > maxDepth {
		return Proof{}, ErrMalformed
	}
	var p Proof
	var bitmap Hash // it has a bit for each depth, as a path has
	copy(bitmap[:], c.take((n+7)/8))
	if bitmap.prefix(uint16(n)) != bitmap {
		return Proof{}, ErrMalformed
	}
	for i := range n {
		var s Hash
		if bitmap.bit(uint16(i)) == 1 {
			if s = c.hash(); s == EmptyRoot {
				return Proof{}, ErrMalformed
			}
		}
		p.Siblings = append(p.Siblings, s)
	}
	switch shape {
	case proofEmpty:
	case proofValue:
		size := int(min(c.uint32(), MaxValue+1))
		p.Value = append([]byte{}, c.take(size)...)
	case proofOther:
		p.Other = &OtherLeaf{c.hash(), c.hash()}
	default:
		return Proof{}, ErrMalformed
	}
	if !c.done() || !p.canonical() {
		return Proof{}, ErrMalformed
	}
	return p, nil
}
