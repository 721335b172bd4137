package comet

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Header is a block header.
type Header struct {
	VersionBlock, VersionApp                        uint64
	ChainID                                         string
	Height                                          int64
	Time                                            time.Time
	LastBlock                                       BlockID
	LastCommit, Data, Validators, NextValidators    []byte
	Consensus, App, LastResults, Evidence, Proposer []byte
}

// Check is the form of a header.
func (h *Header) Check() error {
	for _, field := range []struct {
		name string
		hash []byte
	}{
		{"last_commit_hash", h.LastCommit}, {"data_hash", h.Data}, {"evidence_hash", h.Evidence}, {"next_validators_hash", h.NextValidators},
		{"consensus_hash", h.Consensus}, {"last_results_hash", h.LastResults},
	} {
		if len(field.hash) != 0 && len(field.hash) != HashSize {
			return fmt.Errorf("the header's %s has %d bytes, want %d", field.name, len(field.hash), HashSize)
		}
	}
	switch {
	case h.ChainID == "":
		return errors.New("the header names no chain")
	case h.Height <= 0:
		return fmt.Errorf("the header's height %d is not positive", h.Height)
	case len(h.Validators) != HashSize:
		return fmt.Errorf("the header's validators_hash has %d bytes, want %d", len(h.Validators), HashSize)
	case len(h.Proposer) != AddressSize:
		return fmt.Errorf("the header's proposer_address has %d bytes, want %d", len(h.Proposer), AddressSize)
	case !TimeFits(h.Time):
		return errors.New("the header's time is beyond the years 1 to 9999")
	}
	return h.LastBlock.Check()
}

// Hash is the hash of the block: the Merkle root of the 14 fields of the header, each
// in protobuf, empty ones as nothing.
func (h *Header) Hash() []byte { return MerkleRoot(h.fields()) }

// parentField is the position of last_block_id among the fields.
const parentField = 4

func (h *Header) fields() [][]byte {
	wrap := func(b []byte) []byte { return Message(nil).Bytes(1, b) }
	return [][]byte{
		Message(nil).Varint(1, h.VersionBlock).Varint(2, h.VersionApp),
		wrap([]byte(h.ChainID)),
		Message(nil).Int(1, h.Height),
		Timestamp(h.Time),
		h.LastBlock.Proto(),
		wrap(h.LastCommit), wrap(h.Data), wrap(h.Validators), wrap(h.NextValidators), wrap(h.Consensus),
		wrap(h.App), wrap(h.LastResults), wrap(h.Evidence), wrap(h.Proposer),
	}
}

// ParentBranch is the branch of last_block_id in the tree of the header's fields: the
// siblings from the leaf up. With it, [HashOver] gives the header's hash.
func (h *Header) ParentBranch() (branch [4][HashSize]byte) {
	f := h.fields()
	for i, below := range [][][]byte{f[parentField+1 : 6], f[6:8], f[:parentField], f[8:]} {
		branch[i] = [HashSize]byte(MerkleRoot(below))
	}
	return branch
}

// HashOver is the hash of the header that has parent as its last_block_id, given the
// rest as a branch.
func HashOver(parent *BlockID, branch *[4][HashSize]byte) [HashSize]byte {
	n := leafHash(parent.Proto())
	n = innerHash(n[:], branch[0][:])
	n = innerHash(n[:], branch[1][:])
	n = innerHash(branch[2][:], n[:])
	return innerHash(n[:], branch[3][:])
}

// Contradicts says whether two headers of one height can't both follow from the same
// chain: one of them was made up (lunatic). These fields depend on the blocks before
// alone.
func (h *Header) Contradicts(o *Header) bool {
	return !bytes.Equal(h.Validators, o.Validators) || !bytes.Equal(h.NextValidators, o.NextValidators) ||
		!bytes.Equal(h.Consensus, o.Consensus) || !bytes.Equal(h.App, o.App) || !bytes.Equal(h.LastResults, o.LastResults)
}
