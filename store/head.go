package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/store/trie"
)

// formatVersion is that of everything in a store.
const formatVersion = 1

// digest is 32 bytes whose text form is lower-case hex.
type digest [32]byte

// MarshalText is hex.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads 64 hex digits.
func (d *digest) UnmarshalText(b []byte) error {
	if len(b) != 2*len(d) {
		return fmt.Errorf("%q is not 64 hex digits", b)
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// headRecord is the head: what was reached, and what must be there. The same bytes are
// in Badger and in the head file.
type headRecord struct {
	Version  int         `json:"version"`
	Network  digest      `json:"network"`
	Step     uint64      `json:"step"`     // counts from 1, which brings the genesis of all chains
	Previous digest      `json:"previous"` // SHA-256 of the head before; zero for step 1
	Sum      digest      `json:"sum"`      // of all records, see sum
	Faults   uint64      `json:"faults"`
	Chains   []chainHead `json:"chains"` // as in the manifest
	Check    digest      `json:"check"`  // SHA-256 of the line in which this is zero
}

// chainHead is how far a chain is.
type chainHead struct {
	ID         string  `json:"id"`
	Epoch      uint64  `json:"epoch"`
	Journal    digest  `json:"journal"`    // hash of the epoch's entry
	Checkpoint digest  `json:"checkpoint"` // root
	State      refText `json:"state"`
	Oldest     uint64  `json:"oldest"` // epoch whose tree is still readable
	// The journal begins with the epoch Base, whose tree is kept for it; with genesis if
	// it is 0. Next is the epoch that will be Base, 0 if none, and NextTime its time.
	Base     uint64 `json:"base,omitempty"`
	Imported uint64 `json:"imported,omitempty"` // epoch of the snapshot that the chain began with, 0 if none
	Next     uint64 `json:"next,omitempty"`
	NextTime uint64 `json:"next_time,omitempty"`
}

// refText is a [trie.Ref] as text: version and hash.
type refText struct {
	Version uint64 `json:"version"`
	Hash    digest `json:"hash"`
}

func (r refText) ref() trie.Ref { return trie.Ref{Version: r.Version, Hash: trie.Hash(r.Hash)} }

func newRefText(r trie.Ref) refText { return refText{r.Version, digest(r.Hash)} }

// encode returns the canonical form, a line of JSON, and sets Check by it.
func (h *headRecord) encode() ([]byte, error) {
	h.Check = digest{}
	b, err := h.line()
	if err != nil {
		return nil, err
	}
	h.Check = sha256.Sum256(b)
	return h.line()
}

func (h *headRecord) line() ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	return append(b, '\n'), nil
}

// decodeHead accepts exactly what encode returns. What a damage has made of that is not
// taken for the head of another network, which has its files to itself.
func decodeHead(b []byte) (*headRecord, error) {
	h := new(headRecord)
	if err := json.Unmarshal(b, h); err != nil {
		return nil, err
	}
	again, err := h.encode()
	switch {
	case err != nil:
		return nil, err
	case !bytes.Equal(again, b):
		return nil, errors.New("it is not what was written")
	case h.Version != formatVersion:
		return nil, fmt.Errorf("format version %d is unknown, this program knows %d", h.Version, formatVersion)
	case h.Step == 0:
		return nil, errors.New("it counts no step")
	}
	return h, nil
}

// matchHeads compares the head file with the head in Badger, nil for one that is
// missing. It returns the reason why they can't be what a crash leaves, or "".
func matchHeads(file, badger []byte) (*headRecord, string) {
	switch {
	case file == nil && badger == nil:
		return nil, ""
	case badger == nil:
		return nil, "the database has lost its head"
	}
	h, err := decodeHead(badger)
	switch {
	case err != nil:
		return nil, fmt.Sprintf("the head in the database is unreadable: %v", err)
	case bytes.Equal(file, badger):
		return h, ""
	case file == nil && h.Step == 1:
		return h, ""
	case file == nil:
		return nil, fmt.Sprintf("the head file is missing, the database is at step %d", h.Step)
	case sha256.Sum256(file) == h.Previous:
		return h, ""
	}
	f, err := decodeHead(file)
	if err != nil {
		return nil, fmt.Sprintf("the head file is unreadable: %v", err)
	}
	return nil, fmt.Sprintf("the database is at step %d and the head file at step %d: something acknowledged is lost, or the two are of different times", h.Step, f.Step)
}
