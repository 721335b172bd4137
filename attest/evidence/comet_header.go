package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/meshsec/meshsec/attest/comet"
)

// cometHeader is a block header.
type cometHeader struct {
	versionBlock, versionApp                        uint64
	chainID                                         string
	height                                          int64
	time                                            time.Time
	lastBlock                                       cometBlockID
	lastCommit, data, validators, nextValidators    []byte
	consensus, app, lastResults, evidence, proposer []byte
}

// check is the form of a header.
func (h *cometHeader) check() error {
	for _, field := range []struct {
		name string
		hash []byte
	}{
		{"last_commit_hash", h.lastCommit}, {"data_hash", h.data}, {"evidence_hash", h.evidence}, {"next_validators_hash", h.nextValidators},
		{"consensus_hash", h.consensus}, {"last_results_hash", h.lastResults},
	} {
		if len(field.hash) != 0 && len(field.hash) != cometHashSize {
			return fmt.Errorf("the header's %s has %d bytes, want %d", field.name, len(field.hash), cometHashSize)
		}
	}
	switch {
	case h.chainID == "":
		return errors.New("the header names no chain")
	case h.height <= 0:
		return fmt.Errorf("the header's height %d is not positive", h.height)
	case len(h.validators) != cometHashSize:
		return fmt.Errorf("the header's validators_hash has %d bytes, want %d", len(h.validators), cometHashSize)
	case len(h.proposer) != cometAddressSize:
		return fmt.Errorf("the header's proposer_address has %d bytes, want %d", len(h.proposer), cometAddressSize)
	case !comet.TimeFits(h.time):
		return errors.New("the header's time is beyond the years 1 to 9999")
	}
	return h.lastBlock.check()
}

// hash is the hash of the block: the Merkle root of the 14 fields of the header, each
// in protobuf, empty ones as nothing.
func (h *cometHeader) hash() []byte {
	wrap := func(b []byte) []byte { return comet.Message(nil).Bytes(1, b) }
	return merkleRoot([][]byte{
		comet.Message(nil).Varint(1, h.versionBlock).Varint(2, h.versionApp),
		wrap([]byte(h.chainID)),
		comet.Message(nil).Int(1, h.height),
		comet.Timestamp(h.time),
		h.lastBlock.proto(),
		wrap(h.lastCommit), wrap(h.data), wrap(h.validators), wrap(h.nextValidators), wrap(h.consensus),
		wrap(h.app), wrap(h.lastResults), wrap(h.evidence), wrap(h.proposer),
	})
}

// contradicts says whether two headers of one height can't both follow from the same
// chain: one of them was made up (lunatic). These fields depend on the blocks before
// alone.
func (h *cometHeader) contradicts(o *cometHeader) bool {
	return !bytes.Equal(h.validators, o.validators) || !bytes.Equal(h.nextValidators, o.nextValidators) ||
		!bytes.Equal(h.consensus, o.consensus) || !bytes.Equal(h.app, o.app) || !bytes.Equal(h.lastResults, o.lastResults)
}

func readCometHeader(f cometFields) *cometHeader {
	version := f.open("version")
	h := &cometHeader{
		versionBlock:   version.natural("block"),
		versionApp:     version.natural("app"),
		chainID:        f.text("chainid"),
		height:         f.number(64, "height"),
		time:           f.time("time"),
		lastBlock:      readCometBlockID(f.open("lastblockid")),
		lastCommit:     f.bytes(hashLengths, "lastcommithash"),
		data:           f.bytes(hashLengths, "datahash"),
		validators:     f.bytes(hashLengths, "validatorshash"),
		nextValidators: f.bytes(hashLengths, "nextvalidatorshash"),
		consensus:      f.bytes(hashLengths, "consensushash"),
		lastResults:    f.bytes(hashLengths, "lastresultshash"),
		evidence:       f.bytes(hashLengths, "evidencehash"),
		proposer:       f.bytes(addressLengths, "proposeraddress"),
	}
	// The application's hash has any length. It is written as the others are.
	lengths := hashLengths
	if text := f.text("apphash"); len(f.text("validatorshash")) == 2*cometHashSize {
		lengths = []int{len(text) / 2}
	}
	h.app = f.bytes(lengths, "apphash")
	return h
}

// merkleRoot is the root of a tree as in RFC 6962, with SHA-256.
func merkleRoot(leaves [][]byte) []byte {
	var digest [sha256.Size]byte
	switch len(leaves) {
	case 0:
		digest = sha256.Sum256(nil)
	case 1:
		digest = sha256.Sum256(append([]byte{0}, leaves[0]...))
	default:
		split := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // the largest power of two below
		inner := append([]byte{1}, merkleRoot(leaves[:split])...)
		digest = sha256.Sum256(append(inner, merkleRoot(leaves[split:])...))
	}
	return digest[:]
}
