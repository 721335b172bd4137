package store

import (
	"encoding/binary"
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// Fault is a fault proof with its place in the order in which this node learned of them.
type Fault struct {
	Cursor uint64 // counts from 0
	ID     [32]byte
	Proof  *attest.FaultProof
}

// PutFault keeps a proof for ever and says whether it was unknown. Errors: [ErrDiskFull],
// [ErrClosed], [ErrBroken].
func (s *Store) PutFault(v attest.VerifiedFault) (added bool, err error) {
	id := v.ID()
	proof, err := attest.EncodeFaultProof(v.Proof())
	if err != nil {
		return false, err
	}
	err = s.change(func(now *state) (*step, error) {
		known, err := s.db.get(faultIDKey(id))
		if err != nil || known != nil {
			return nil, err
		}
		n := newStep(now)
		cursor := n.head.Faults
		n.add(faultKey(cursor), append(id[:], proof...), nil)
		n.add(faultIDKey(id), binary.BigEndian.AppendUint64(nil, cursor), nil)
		n.head.Faults++
		added = true
		return n, nil
	})
	return added && err == nil, err
}

// Fault returns a proof by its id. ok is false if it is not known.
func (s *Store) Fault(id [32]byte) (f *attest.FaultProof, ok bool, err error) {
	cursor, err := s.get(faultIDKey(id))
	if err != nil || cursor == nil {
		return nil, false, err
	}
	b, err := s.get(append([]byte{kindFault}, cursor...))
	if err != nil {
		return nil, false, err
	}
	fault, err := decodeFault(b)
	if err != nil || fault.ID != id {
		return nil, false, s.corrupt(fmt.Sprintf("the proof of fault %x", id), err)
	}
	return fault.Proof, true, nil
}

// Faults returns at most limit proofs in their order, from a cursor on. What follows the
// last one has its cursor + 1; a cursor at the end gives none.
func (s *Store) Faults(cursor uint64, limit int) ([]Fault, error) {
	end := s.state.Load().head.Faults
	var faults []Fault
	for ; cursor < end && len(faults) < limit; cursor++ {
		b, err := s.get(faultKey(cursor))
		if err != nil {
			return nil, err
		}
		f, err := decodeFault(b)
		if err != nil {
			return nil, s.corrupt(fmt.Sprintf("fault %d", cursor), err)
		}
		f.Cursor = cursor
		faults = append(faults, f)
	}
	return faults, nil
}

// decodeFault reads the value of a fault record.
func decodeFault(b []byte) (f Fault, err error) {
	if len(b) < len(f.ID) {
		return Fault{}, fmt.Errorf("the record has %d bytes", len(b))
	}
	b = b[copy(f.ID[:], b):]
	f.Proof, err = attest.DecodeFaultProof(b)
	return f, err
}
