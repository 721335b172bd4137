package store

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/holiman/uint256"
)

// sum is a checksum of a set of records that can be brought up to date: the hashes of
// all records but the head, added modulo 2^256. It finds what a disk or Badger loses,
// brings back or changes; it is no defence against someone who looks for a collision,
// for who can write here can write anything.
type sum struct{ v uint256.Int }

// add counts a record in.
func (s *sum) add(key, value []byte) { s.v.Add(&s.v, weight(key, value)) }

// remove counts a record out.
func (s *sum) remove(key, value []byte) { s.v.Sub(&s.v, weight(key, value)) }

// merge adds the difference that d is.
func (s *sum) merge(d sum) { s.v.Add(&s.v, &d.v) }

// weight is SHA-256(length of the key ‖ key ‖ value). Nodes and their stale marks
// count without their values: a node is checked against its parent whenever it is
// read, a mark has none, and so they can be removed without being read.
func weight(key, value []byte) *uint256.Int {
	b := make([]byte, 0, 512)
	b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
	b = append(b, key...)
	if keyOnly(key) {
		value = nil
	}
	h := sha256.Sum256(append(b, value...))
	return new(uint256.Int).SetBytes32(h[:])
}

// keyOnly reports whether a record counts by its key alone.
func keyOnly(key []byte) bool { return key[0] == kindNode || key[0] == kindStale }
