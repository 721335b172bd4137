package trie

import (
	"crypto/sha256"
	"encoding/binary"
)

// node is a place in the tree. Nil is the empty one; a node with neither a leaf nor a
// child is a stub, known by version and hash and not loaded yet. Nodes are shared
// between trees: once made they only ever change from stub to loaded and from not
// hashed to hashed.
type node struct {
	hash    Hash   // zero: not computed yet
	version uint64 // that wrote it; meaningless for a node that is new
	leaf    *leaf
	child   [2]*node
}

// leaf is a record.
type leaf struct {
	path       Hash // SHA-256(key)
	key, value []byte
}

func (n *node) stub() bool { return n.leaf == nil && n.child == [2]*node{} }

// sum returns the node's hash, computing it for those below that are new.
func (n *node) sum() Hash {
	switch {
	case n == nil:
		return EmptyRoot
	case n.hash != Hash{}:
	case n.leaf != nil:
		n.hash = leafHash(n.leaf.path, sha256.Sum256(n.leaf.value))
	default:
		n.hash = innerHash(n.child[0].sum(), n.child[1].sum())
	}
	return n.hash
}

// with returns a copy of an inner node with one child replaced.
func (n *node) with(b int, c *node) *node {
	m := &node{child: n.child}
	m.child[b] = c
	return m
}

// fits reports whether a loaded node may be at a place: its leaf is on the way, and
// there is no inner node below the last bit.
func (n *node) fits(at NodeKey) bool {
	if n.leaf != nil {
		return at.leadsTo(n.leaf.path)
	}
	return at.Depth < maxDepth
}

// ref returns what a parent stores about a child; it must be hashed.
func (n *node) ref() Ref {
	if n == nil {
		return Ref{}
	}
	return Ref{n.version, n.hash}
}

// encode returns the stored form: 0x00 and the record, or 0x01 and the Refs of both children.
func (n *node) encode() []byte {
	if n.leaf != nil {
		return n.leaf.append([]byte{tagLeaf})
	}
	b := append(make([]byte, 0, 1+2*refSize), tagInner)
	return n.child[1].ref().append(n.child[0].ref().append(b))
}

// decode is the inverse of encode. The node keeps b.
func decode(b []byte) (*node, error) {
	c := cursor{rest: b}
	n := new(node)
	switch c.byte() {
	case tagLeaf:
		n.leaf = c.leaf()
	case tagInner:
		for i := range n.child {
			if r := c.ref(); r != (Ref{}) {
				n.child[i] = &node{version: r.Version, hash: r.Hash}
			}
		}
	}
	if !c.done() || n.stub() {
		return nil, ErrMalformed
	}
	return n, nil
}

// append adds the record's form: length of the key (2 bytes) and of the value (4), both
// big-endian, key, value.
func (l *leaf) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(l.key)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.value)))
	return append(append(b, l.key...), l.value...)
}
