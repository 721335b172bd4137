package trie

import (
	"encoding/binary"
	"fmt"
)

// NodeKey is where a node is stored: the version that wrote it and its place in the tree.
type NodeKey struct {
	Version uint64
	Depth   uint16 // 0 (the root) to 256
	Path    Hash   // the Depth bits that lead to the node, the rest zero
}

// Bytes returns the canonical form: version (8 bytes), depth (2), both big-endian, and
// the ⌈depth/8⌉ bytes of the path that matter. It sorts as (Version, Depth, Path) does.
// It panics when Depth is above 256.
func (k NodeKey) Bytes() []byte {
	p := k.Path.prefix(k.Depth)
	b := make([]byte, 0, 10+len(p))
	b = binary.BigEndian.AppendUint64(b, k.Version)
	b = binary.BigEndian.AppendUint16(b, k.Depth)
	return append(b, p[:(k.Depth+7)/8]...)
}

// ParseNodeKey is the inverse of Bytes. Anything else is [ErrMalformed].
func ParseNodeKey(b []byte) (NodeKey, error) {
	c := cursor{rest: b}
	k := NodeKey{Version: c.uint64(), Depth: c.uint16()}
	if k.Depth > maxDepth {
		return NodeKey{}, ErrMalformed
	}
	copy(k.Path[:], c.take(int(k.Depth+7)/8))
	if !c.done() || !k.leadsTo(k.Path) {
		return NodeKey{}, ErrMalformed
	}
	return k, nil
}

// String returns version/depth/path.
func (k NodeKey) String() string {
	return fmt.Sprintf("%d/%d/%x", k.Version, k.Depth, k.Path[:min(k.Depth+7, maxDepth)/8])
}

// child returns the place of a child: 0 is left, 1 is right.
func (k NodeKey) child(b int) NodeKey {
	k.Path[k.Depth/8] |= byte(b) << (7 - k.Depth%8)
	k.Depth++
	return k
}

// at returns the key of the node that a version wrote at k's place.
func (k NodeKey) at(version uint64) NodeKey {
	k.Version = version
	return k
}

// leadsTo reports whether a leaf with this path can be at k or below.
func (k NodeKey) leadsTo(path Hash) bool { return path.prefix(k.Depth) == k.Path }

// Ref names the root of one version: all that is needed to open it. The zero Ref is the
// empty tree. Version is the one that wrote the root node, which is older than the
// version committed if that changed nothing.
type Ref struct {
	Version uint64
	Hash    Hash
}

// refSize is the length of a Ref's binary form.
const refSize = 8 + len(Hash{})

// Key returns where the root node is stored.
func (r Ref) Key() NodeKey { return NodeKey{Version: r.Version} }

// Bytes returns the canonical form: version (8 bytes, big-endian) and hash.
func (r Ref) Bytes() []byte { return r.append(make([]byte, 0, refSize)) }

func (r Ref) append(b []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, r.Version), r.Hash[:]...)
}

// ParseRef is the inverse of Bytes. Anything else, an empty tree with a version
// included, is [ErrMalformed].
func ParseRef(b []byte) (Ref, error) {
	c := cursor{rest: b}
	r := c.ref()
	if !c.done() {
		return Ref{}, ErrMalformed
	}
	return r, nil
}
