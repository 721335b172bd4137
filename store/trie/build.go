package trie

import (
	"bytes"
	"crypto/sha256"
	"math/bits"
)

// Builder makes a tree of records that come in the order of their paths, as
// [Tree.Walk] gives them, in the memory of one path: for a tree that is too large to
// be held. Use NewBuilder. A Builder that returned an error is of no further use.
type Builder struct {
	version uint64
	emit    func(Node) error
	open    []branch // inner nodes on the way to last, from the root down
	last    *leaf    // not emitted yet: the next one says how deep it is
}

// branch is an inner node whose left side is complete.
type branch struct {
	depth int
	left  *node // stub
}

// NewBuilder starts a tree that is all of one version. emit gets every node of it
// once, children before their parents; what it returns ends the work.
func NewBuilder(version uint64, emit func(Node) error) *Builder {
	return &Builder{version: version, emit: emit}
}

// Add adds a record. Errors: [ErrOrder] if its path is not above the one before,
// [ErrKeySize], [ErrValueSize], and those of emit.
func (b *Builder) Add(key, value []byte) error {
	switch {
	case len(key) == 0 || len(key) > MaxKey:
		return ErrKeySize
	case len(value) == 0 || len(value) > MaxValue:
		return ErrValueSize
	}
	l := &leaf{sha256.Sum256(key), bytes.Clone(key), bytes.Clone(value)}
	if b.last != nil {
		if bytes.Compare(b.last.path[:], l.path[:]) >= 0 {
			return ErrOrder
		}
		depth := commonBits(b.last.path, l.path)
		left, err := b.complete(depth + 1)
		if err != nil {
			return err
		}
		b.open = append(b.open, branch{depth, left})
	}
	b.last = l
	return nil
}

// Finish returns the tree's root; the zero Ref if nothing was added. Errors are those
// of emit.
func (b *Builder) Finish() (Ref, error) {
	if b.last == nil {
		return Ref{}, nil
	}
	root, err := b.complete(0)
	if err != nil {
		return Ref{}, err
	}
	b.last = nil
	return root.ref(), nil
}

// complete emits what is below a depth on the way to the last record, and returns the
// node that is there.
func (b *Builder) complete(depth int) (*node, error) {
	n, at := &node{leaf: b.last}, maxDepth
	for len(b.open) > 0 && b.open[len(b.open)-1].depth >= depth {
		top := b.open[len(b.open)-1]
		b.open = b.open[:len(b.open)-1]
		right, err := b.place(n, at, top.depth+1)
		if err != nil {
			return nil, err
		}
		n, at = &node{child: [2]*node{top.left, right}}, top.depth
	}
	return b.place(n, at, depth)
}

// place emits a node: a leaf at a depth, an inner node where it is and with the lone
// parents that lead to it from that depth. It returns the stub of what is there.
func (b *Builder) place(n *node, at, depth int) (*node, error) {
	if n.leaf != nil {
		at = depth
	}
	stub, err := b.put(n, at)
	for ; err == nil && at > depth; at-- {
		parent := new(node)
		parent.child[b.last.path.bit(uint16(at-1))] = stub
		stub, err = b.put(parent, at-1)
	}
	return stub, err
}

// put emits a node at a depth.
func (b *Builder) put(n *node, depth int) (*node, error) {
	key := NodeKey{b.version, uint16(depth), b.last.path.prefix(uint16(depth))}
	return &node{version: b.version, hash: n.sum()}, b.emit(Node{key, n.encode()})
}

// commonBits is how many bits two different paths begin with alike.
func commonBits(a, b Hash) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return maxDepth
}
