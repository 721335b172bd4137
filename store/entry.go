package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// journalDomain separates hashes of journal entries from all others.
const journalDomain = "meshsec/v1/journal"

// Entry is one epoch in the journal of a chain.
type Entry struct {
	Input      *ledger.EpochInput // nil at genesis
	Transcript *ledger.Transcript // may be nil at genesis
	Receipts   []*ledger.Receipt
	Checkpoint *attest.Checkpoint
	Previous   [32]byte // hash of the entry before, zero at genesis; not part of the encoding
}

// ErrEntry says that bytes are not the canonical encoding of a journal entry.
var ErrEntry = errors.New("store: not a journal entry in canonical form")

// Encode returns the canonical form, which all nodes agree on: checkpoint, input,
// transcript and each receipt, in SSZ and each behind its length (4 bytes, big-endian). What
// is nil has length 0.
func (e *Entry) Encode() ([]byte, error) {
	if e.Checkpoint == nil {
		return nil, errors.New("store: encode journal entry: no checkpoint")
	}
	parts := make([][]byte, 3, 3+len(e.Receipts))
	var err error
	if parts[0], err = e.Checkpoint.MarshalSSZ(); err != nil {
		return nil, fmt.Errorf("store: encode checkpoint: %w", err)
	}
	if e.Input != nil {
		if parts[1], err = e.Input.MarshalSSZ(); err != nil {
			return nil, fmt.Errorf("store: encode input: %w", err)
		}
	}
	if e.Transcript != nil {
		if parts[2], err = e.Transcript.MarshalSSZ(); err != nil {
			return nil, fmt.Errorf("store: encode transcript: %w", err)
		}
	}
	for i, r := range e.Receipts {
		b, err := r.MarshalSSZ()
		if err != nil {
			return nil, fmt.Errorf("store: encode receipt %d: %w", i, err)
		}
		parts = append(parts, b)
	}
	size := 0
	for _, p := range parts {
		size += 4 + len(p)
	}
	if size > math.MaxUint32 {
		return nil, fmt.Errorf("store: encode journal entry: %d bytes", size)
	}
	out := make([]byte, 0, size)
	for _, p := range parts {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(p))), p...)
	}
	return out, nil
}

// DecodeEntry is the inverse of Encode; Previous stays zero. Anything that Encode does
// not return is [ErrEntry]. That the parts belong together is not checked: the input
// follows from the transcript, and the transcript's root is in the checkpoint.
func DecodeEntry(b []byte) (*Entry, error) {
	e, err := decodeEntry(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrEntry, err)
	}
	again, err := e.Encode()
	if err != nil || !bytes.Equal(again, b) {
		return nil, ErrEntry
	}
	return e, nil
}

func decodeEntry(b []byte) (*Entry, error) {
	var parts [][]byte
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, errors.New("cut short")
		}
		n := binary.BigEndian.Uint32(b)
		parts = append(parts, b[4:4+n])
		b = b[4+n:]
	}
	if len(parts) < 3 {
		return nil, errors.New("a part is missing")
	}
	e := &Entry{Checkpoint: new(attest.Checkpoint)}
	if err := e.Checkpoint.UnmarshalSSZ(parts[0]); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if len(parts[1]) > 0 {
		e.Input = new(ledger.EpochInput)
		if err := e.Input.UnmarshalSSZ(parts[1]); err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
	}
	if len(parts[2]) > 0 {
		e.Transcript = new(ledger.Transcript)
		if err := e.Transcript.UnmarshalSSZ(parts[2]); err != nil {
			return nil, fmt.Errorf("transcript: %w", err)
		}
	}
	for i, p := range parts[3:] {
		r := new(ledger.Receipt)
		if err := r.UnmarshalSSZ(p); err != nil {
			return nil, fmt.Errorf("receipt %d: %w", i, err)
		}
		e.Receipts = append(e.Receipts, r)
	}
	return e, nil
}

// entryHash is SHA-256(domain ‖ previous ‖ the entry's canonical form).
func entryHash(previous [32]byte, encoded []byte) (out [32]byte) {
	h := sha256.New()
	h.Write([]byte(journalDomain))
	h.Write(previous[:])
	h.Write(encoded)
	h.Sum(out[:0])
	return out
}
