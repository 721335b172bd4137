package trie

import (
	"bytes"
	"crypto/sha256"
)

// Limits of a record, in bytes. Keys and values are never empty: ICS-23 can't prove an
// empty one, and absence is said by deleting.
const (
	MaxKey   = 1 << 10
	MaxValue = 1 << 19
)

// Reader supplies stored nodes. Node returns the bytes of [Node] as they were put, or
// [ErrMissingNode] (or an error that wraps it); the tree keeps them, so they must not
// change afterwards.
type Reader interface {
	Node(NodeKey) ([]byte, error)
}

// Tree is one state of the map, with its changes since the version that it was opened
// at. Operations cost O(log n) nodes; they fail with a [NodeError], Set also on sizes,
// and a failed one changes nothing. Nodes once read stay in memory until a Commit
// forgets them. A Tree and its snapshots belong to one goroutine at a time.
type Tree struct {
	reader    Reader
	base      *node // the version that Commit compares with
	root      *node
	version   uint64 // the last one, if committed
	committed bool
	loaded    int    // nodes brought into memory since it was last emptied
	trace     *trace // of a Record, else nil
}

// New opens a version. It reads nothing yet.
func New(r Reader, root Ref) *Tree {
	t := &Tree{reader: r}
	if root.Hash != EmptyRoot {
		t.base = &node{version: root.Version, hash: root.Hash}
		t.root, t.version, t.committed = t.base, root.Version, true
	}
	return t
}

// Snapshot returns a tree with the same contents at the cost of a pointer. The two share
// nodes and change apart from each other, so that either can be abandoned.
func (t *Tree) Snapshot() *Tree {
	s := *t
	return &s
}

// Root returns the root hash, rehashing only the paths that changed.
func (t *Tree) Root() Hash { return t.root.sum() }

// Get returns a copy of the value at key and whether there is one.
func (t *Tree) Get(key []byte) (value []byte, ok bool, err error) {
	path := Hash(sha256.Sum256(key))
	l, err := t.find(path, nil)
	if err != nil || l == nil || l.path != path {
		return nil, false, err
	}
	return bytes.Clone(l.value), true, nil
}

// find follows a path to where it ends and returns the leaf there, which may be another
// one, or nil. It tells passed, unless that is nil, of each sibling, from the root down.
func (t *Tree) find(path Hash, passed func(sibling *node)) (*leaf, error) {
	at := NodeKey{}
	for n := t.root; n != nil; {
		if err := t.load(n, at); err != nil {
			return nil, err
		}
		if n.leaf != nil {
			return n.leaf, nil
		}
		b := path.bit(at.Depth)
		if passed != nil {
			passed(n.child[1-b])
		}
		n, at = n.child[b], at.child(b)
	}
	return nil, nil
}

// Set puts a copy of the value at a copy of the key. Sizes out of bounds are
// [ErrKeySize] and [ErrValueSize].
func (t *Tree) Set(key, value []byte) error {
	switch {
	case len(key) == 0 || len(key) > MaxKey:
		return ErrKeySize
	case len(value) == 0 || len(value) > MaxValue:
		return ErrValueSize
	}
	root, err := t.set(t.root, NodeKey{}, &leaf{sha256.Sum256(key), bytes.Clone(key), bytes.Clone(value)})
	if err == nil {
		t.root = root
	}
	return err
}

// set returns the subtree n with a record put; n itself if that changes nothing.
func (t *Tree) set(n *node, at NodeKey, l *leaf) (*node, error) {
	if n == nil {
		return &node{leaf: l}, nil
	}
	if err := t.load(n, at); err != nil {
		return nil, err
	}
	if n.leaf != nil {
		switch {
		case n.leaf.path != l.path:
			return split(n, l, at.Depth), nil
		case bytes.Equal(n.leaf.value, l.value):
			return n, nil
		}
		return &node{leaf: l}, nil
	}
	b := l.path.bit(at.Depth)
	c, err := t.set(n.child[b], at.child(b), l)
	if err != nil || c == n.child[b] {
		return n, err
	}
	return n.with(b, c), nil
}

// split returns the inner nodes from depth down to the one below which two leaves part.
func split(old *node, l *leaf, depth uint16) *node {
	n, b := new(node), l.path.bit(depth)
	if old.leaf.path.bit(depth) == b {
		n.child[b] = split(old, l, depth+1)
	} else {
		n.child[b], n.child[1-b] = &node{leaf: l}, old
	}
	return n
}

// Delete removes a key. The tree is then what it would be had the key never been set;
// to delete what is absent is no error.
func (t *Tree) Delete(key []byte) error {
	root, err := t.remove(t.root, NodeKey{}, sha256.Sum256(key))
	if err == nil {
		t.root = root
	}
	return err
}

// remove returns the subtree n without a path; n itself if that changes nothing.
func (t *Tree) remove(n *node, at NodeKey, path Hash) (*node, error) {
	if n == nil {
		return nil, nil
	}
	if err := t.load(n, at); err != nil {
		return nil, err
	}
	if n.leaf != nil {
		if n.leaf.path == path {
			return nil, nil
		}
		return n, nil
	}
	b := path.bit(at.Depth)
	c, err := t.remove(n.child[b], at.child(b), path)
	if err != nil || c == n.child[b] {
		return n, err
	}
	// A leaf that is left alone takes the place of its parent.
	sibling := n.child[1-b]
	switch {
	case sibling == nil && (c == nil || c.leaf != nil):
		return c, nil
	case sibling != nil && c == nil:
		if err := t.load(sibling, at.child(1-b)); err != nil {
			return nil, err
		}
		if sibling.leaf != nil {
			return sibling, nil
		}
	}
	return n.with(b, c), nil
}

// Walk calls fn for every record in the order of the paths, until fn returns an error,
// which it returns. What it reads does not stay in memory. fn must not change the
// slices or the tree.
func (t *Tree) Walk(fn func(key, value []byte) error) error {
	return t.Snapshot().walk(t.root, NodeKey{}, fn)
}

func (t *Tree) walk(n *node, at NodeKey, fn func(key, value []byte) error) error {
	if n == nil {
		return nil
	}
	m := *n // loaded here, not in the tree
	if err := t.load(&m, at); err != nil {
		return err
	}
	if m.leaf != nil {
		return fn(m.leaf.key, m.leaf.value)
	}
	for b, c := range m.child {
		if err := t.walk(c, at.child(b), fn); err != nil {
			return err
		}
	}
	return nil
}

// load makes a stub at a place a node, once its bytes are known to be those that its
// parent meant. Everything that looks into a node comes through here.
func (t *Tree) load(n *node, at NodeKey) error {
	t.trace.visit(at)
	if !n.stub() {
		return nil
	}
	key := at.at(n.version)
	b, err := t.reader.Node(key)
	if err != nil {
		return &NodeError{key, err}
	}
	d, err := decode(b)
	if err != nil || !d.fits(at) || d.sum() != n.hash {
		return &NodeError{key, ErrCorruptNode}
	}
	n.leaf, n.child = d.leaf, d.child
	t.loaded++
	return nil
}
