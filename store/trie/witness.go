package trie

import "bytes"

// Limits of a witness: of its binary form in bytes, and of its inner nodes, which could
// else take sixty times the memory of their bytes. Paths are hashes, so few of those that
// somebody looks at have an empty place beside them, and bytes run out first.
const (
	MaxWitness      = 1 << 19
	MaxWitnessInner = 1 << 16
)

// Witness is the part of a tree that some operations look at: enough to run them again,
// with the same answers and the same root after them, for someone who has nothing but
// the root before them. The zero Witness is that of the empty tree. It does not change.
type Witness struct {
	root *node // of a tree in which every stub stays one
}

// trace notes the places, as keys of version 0, that a tree and its snapshots look at.
type trace struct {
	seen  map[NodeKey]struct{} // nil once the recording is over
	outer *trace               // that this one is part of
}

func (t *trace) visit(at NodeKey) {
	for ; t != nil; t = t.outer {
		if t.seen != nil {
			t.seen[at] = struct{}{}
		}
	}
}

// Record runs operations on a snapshot of t, which itself does not change, and returns
// their witness. What snapshots of that snapshot look at counts too, also when they are
// abandoned; so does the sibling that a Delete looks at. An error of run is returned as
// it is. Recordings nest.
//
// To record a run on the tree of a witness gives the witness again, or a smaller one if
// it shows more than the run needs.
func (t *Tree) Record(run func(*Tree) error) (Witness, error) {
	t.root.sum()
	s := t.Snapshot()
	seen := make(map[NodeKey]struct{})
	rec := &trace{seen, t.trace}
	s.trace = rec
	err := run(s)
	rec.seen = nil
	if err != nil {
		return Witness{}, err
	}
	root, err := t.show(t.root, NodeKey{}, seen)
	if err != nil {
		return Witness{}, err
	}
	return Witness{root}, nil
}

// show returns a copy of n in which only what was seen is loaded.
func (t *Tree) show(n *node, at NodeKey, seen map[NodeKey]struct{}) (*node, error) {
	if n == nil {
		return nil, nil
	}
	m := &node{hash: n.hash}
	if _, ok := seen[at]; !ok {
		return m, nil
	}
	if err := t.load(n, at); err != nil {
		return nil, err
	}
	m.leaf = n.leaf
	for b, c := range n.child {
		if c == nil {
			continue
		}
		var err error
		if m.child[b], err = t.show(c, at.child(b), seen); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Root is the root of the tree that the witness is about.
func (w Witness) Root() Hash { return w.root.sum() }

// Tree returns the tree that the witness is about, at root, else [ErrWitnessRoot].
// Operations that need more than the witness shows fail with [ErrNotInWitness].
func (w Witness) Tree(root Hash) (*Tree, error) {
	if w.root.sum() != root {
		return nil, ErrWitnessRoot
	}
	return &Tree{reader: absent{}, root: w.root}, nil
}

// absent is the Reader of what a witness does not show.
type absent struct{}

func (absent) Node(NodeKey) ([]byte, error) { return nil, ErrNotInWitness }

// A witness has two more kinds of nodes than a store.
const (
	tagEmpty  = 0x02
	tagHidden = 0x03
)

// MarshalBinary returns the canonical form, the nodes in depth-first order: 0x00 and the
// record, 0x01 and both children, 0x02 for an empty one, 0x03 and the hash of one that
// is not shown. Hashes that follow from what is shown are left out. More than
// [MaxWitness] bytes or [MaxWitnessInner] inner nodes are [ErrWitnessSize].
func (w Witness) MarshalBinary() ([]byte, error) {
	inner := 0
	b := w.root.appendShown(nil, &inner)
	if len(b) > MaxWitness || inner > MaxWitnessInner {
		return nil, ErrWitnessSize
	}
	return b, nil
}

func (n *node) appendShown(b []byte, inner *int) []byte {
	switch {
	case n == nil:
		return append(b, tagEmpty)
	case n.leaf != nil:
		return n.leaf.append(append(b, tagLeaf))
	case n.stub():
		return append(append(b, tagHidden), n.hash[:]...)
	}
	*inner++
	return n.child[1].appendShown(n.child[0].appendShown(append(b, tagInner), inner), inner)
}

// UnmarshalWitness is the inverse of MarshalBinary. Anything else, nodes included that
// can't be where they are, is [ErrMalformed].
func UnmarshalWitness(b []byte) (Witness, error) {
	if len(b) > MaxWitness {
		return Witness{}, ErrMalformed
	}
	c, inner := cursor{rest: bytes.Clone(b)}, 0
	n := c.shown(NodeKey{}, &inner)
	if !c.done() {
		return Witness{}, ErrMalformed
	}
	n.sum()
	return Witness{n}, nil
}

// shown reads the subtree at a place, and counts its inner nodes.
func (c *cursor) shown(at NodeKey, inner *int) *node {
	tag := c.byte()
	if tag == tagEmpty || c.bad {
		return nil
	}
	n := new(node)
	switch tag {
	case tagLeaf:
		n.leaf = c.leaf()
	case tagInner:
		if *inner++; at.Depth < maxDepth && *inner <= MaxWitnessInner {
			n.child[0] = c.shown(at.child(0), inner)
			n.child[1] = c.shown(at.child(1), inner)
		}
		for b := range n.child { // a lone leaf takes the place of its parent
			if l := n.child[1-b]; n.child[b] == nil && (l == nil || l.leaf != nil) {
				c.bad = true
			}
		}
	case tagHidden:
		n.hash = c.hash()
		c.bad = c.bad || n.hash == EmptyRoot
		return n
	default:
		c.bad = true
	}
	if c.bad || !n.fits(at) {
		c.bad = true
		return nil
	}
	return n
}
