package store

import (
	"encoding/binary"
	"fmt"

	"github.com/meshsec/meshsec/store/trie"
)

// epochRecord is what can be known of a committed epoch without reading its entry.
type epochRecord struct {
	hash, previous [32]byte // of the journal entry, and of the one before
	checkpoint     [32]byte // root
	validators     [32]byte // root of the set that signs the next epoch
	ref            trie.Ref // of the state tree
	size           uint32   // of the encoded journal entry
}

const (
	refSize         = 40
	epochRecordSize = 4*32 + refSize + 4
)

func (e *epochRecord) encode() []byte {
	b := make([]byte, 0, epochRecordSize)
	for _, d := range [][32]byte{e.hash, e.previous, e.checkpoint, e.validators} {
		b = append(b, d[:]...)
	}
	return binary.BigEndian.AppendUint32(append(b, e.ref.Bytes()...), e.size)
}

func decodeEpochRecord(b []byte) (*epochRecord, error) {
	if len(b) != epochRecordSize {
		return nil, fmt.Errorf("epoch record has %d bytes", len(b))
	}
	e := new(epochRecord)
	for _, d := range []*[32]byte{&e.hash, &e.previous, &e.checkpoint, &e.validators} {
		b = b[copy(d[:], b):]
	}
	ref, err := trie.ParseRef(b[:refSize])
	if err != nil {
		return nil, fmt.Errorf("epoch record: %w", err)
	}
	e.ref, e.size = ref, binary.BigEndian.Uint32(b[refSize:])
	return e, nil
}

// epochRecord reads the record of an epoch that was committed. An epoch above the head is
// [ErrNotFound], one before the snapshot that the chain began with [ErrPruned].
func (s *Store) epochRecord(chain int, epoch uint64) (*epochRecord, error) {
	h := &s.state.Load().head.Chains[chain]
	if epoch > h.Epoch {
		return nil, ErrNotFound
	}
	b, err := s.get(epochKey(kindEpoch, chain, epoch))
	if err != nil {
		return nil, err
	}
	if b == nil && epoch < h.Base {
		return nil, ErrPruned
	}
	if b == nil {
		return nil, s.corrupt(fmt.Sprintf("the record of epoch %d is missing", epoch), nil)
	}
	e, err := decodeEpochRecord(b)
	if err != nil {
		return nil, s.corrupt(fmt.Sprintf("epoch %d", epoch), err)
	}
	return e, nil
}
