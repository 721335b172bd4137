package trie

import (
	"crypto/sha256"
	"encoding/binary"
)

// cursor reads a binary form from its start. After the first thing that is malformed it
// returns zero values; done says whether all was well and nothing is left.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) done() bool { return !c.bad && len(c.rest) == 0 }

// take returns the next n bytes, or nil.
func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) byte() byte {
	var b [1]byte
	copy(b[:], c.take(1))
	return b[0]
}

func (c *cursor) uint16() uint16 {
	var b [2]byte
	copy(b[:], c.take(2))
	return binary.BigEndian.Uint16(b[:])
}

func (c *cursor) uint32() uint32 {
	var b [4]byte
	copy(b[:], c.take(4))
	return binary.BigEndian.Uint32(b[:])
}

func (c *cursor) uint64() uint64 {
	var b [8]byte
	copy(b[:], c.take(8))
	return binary.BigEndian.Uint64(b[:])
}

func (c *cursor) hash() (h Hash) {
	copy(h[:], c.take(len(h)))
	return h
}

// ref reads a Ref; the empty one has no version.
func (c *cursor) ref() Ref {
	r := Ref{c.uint64(), c.hash()}
	if r.Hash == EmptyRoot && r.Version != 0 {
		c.bad = true
	}
	return r
}

// leaf reads a record.
func (c *cursor) leaf() *leaf {
	nkey, nvalue := c.uint16(), c.uint32()
	if nkey == 0 || nkey > MaxKey || nvalue == 0 || nvalue > MaxValue {
		c.bad = true
	}
	key, value := c.take(int(nkey)), c.take(int(nvalue))
	if c.bad {
		return nil
	}
	return &leaf{sha256.Sum256(key), key, value}
}
