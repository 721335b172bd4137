package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/meshsec/meshsec/attest/comet"
)

// Types of votes (SignedMsgType).
const (
	cometPrevote   = comet.Prevote
	cometPrecommit = comet.Precommit
)

const (
	cometHashSize    = sha256.Size
	cometAddressSize = comet.AddressSize
)

// cometBlockID names a block; the zero value is nil, a vote for no block.
type cometBlockID struct {
	hash       []byte
	partsTotal int64 // uint32
	partsHash  []byte
}

func (b *cometBlockID) isNil() bool {
	return len(b.hash) == 0 && b.partsTotal == 0 && len(b.partsHash) == 0
}

func (b *cometBlockID) equal(o *cometBlockID) bool {
	return bytes.Equal(b.hash, o.hash) && b.partsTotal == o.partsTotal && bytes.Equal(b.partsHash, o.partsHash)
}

func (b *cometBlockID) String() string {
	if b.isNil() {
		return "nil"
	}
	return fmt.Sprintf("%X", b.hash)
}

// short is how the name begins.
func (b *cometBlockID) short() string {
	if b.isNil() {
		return "nil"
	}
	return fmt.Sprintf("%.6X…", b.hash)
}

// check: a block id is nil or complete.
func (b *cometBlockID) check() error {
	if b.isNil() || len(b.hash) == cometHashSize && len(b.partsHash) == cometHashSize && b.partsTotal > 0 && b.partsTotal <= math.MaxUint32 {
		return nil
	}
	return errors.New("a block id is neither nil nor complete")
}

// precedes is the order that CometBFT wants the votes of its evidence in: of their
// block ids as it writes them for a key.
func (b *cometBlockID) precedes(o *cometBlockID) bool {
	key := func(b *cometBlockID) string {
		return string(b.hash) + string(comet.PartSetHeader(b.partsTotal, b.partsHash))
	}
	return key(b) < key(o)
}

// proto is tendermint.types.BlockID.
func (b *cometBlockID) proto() comet.Message {
	return comet.BlockID(b.hash, b.partsTotal, b.partsHash)
}

// canonicalVote are the bytes that a validator signs for a vote.
func canonicalVote(chainID string, kind, height, round int64, block *cometBlockID, t time.Time) []byte {
	if block.isNil() {
		return comet.SignBytes(chainID, kind, height, round, nil, t)
	}
	return comet.SignBytes(chainID, kind, height, round, block.proto(), t)
}

// cometVote is a vote as evidence has it. The extension carries a signature of its
// own and says nothing about the block.
type cometVote struct {
	kind               int64
	height             int64
	round              int64
	block              cometBlockID
	time               time.Time
	address            []byte
	index              int64
	signature          []byte
	extension          []byte
	extensionSignature []byte
}

func (v *cometVote) signBytes(chainID string) []byte {
	return canonicalVote(chainID, v.kind, v.height, v.round, &v.block, v.time)
}

// proto is tendermint.types.Vote.
func (v *cometVote) proto() comet.Message {
	return comet.Message(nil).Int(1, v.kind).Int(2, v.height).Int(3, v.round).Embed(4, v.block.proto()).
		Embed(5, comet.Timestamp(v.time)).Bytes(6, v.address).Int(7, v.index).Bytes(8, v.signature).
		Bytes(9, v.extension).Bytes(10, v.extensionSignature)
}

// check is the form of a vote.
func (v *cometVote) check() error {
	switch {
	case v.kind != cometPrevote && v.kind != cometPrecommit:
		return fmt.Errorf("it is neither a prevote nor a precommit but a message of type %d", v.kind)
	case v.height <= 0:
		return fmt.Errorf("height %d is not positive", v.height)
	case v.round < 0:
		return fmt.Errorf("round %d is negative", v.round)
	case v.index < 0:
		return fmt.Errorf("validator index %d is negative", v.index)
	case len(v.address) != cometAddressSize:
		return fmt.Errorf("the validator address has %d bytes, want %d", len(v.address), cometAddressSize)
	case !comet.TimeFits(v.time):
		return errors.New("the time is beyond the years 1 to 9999")
	case len(v.signature) == 0:
		return errors.New("the signature is missing")
	}
	return v.block.check()
}

func voteName(kind int64) string {
	if kind == cometPrevote {
		return "prevote"
	}
	return "precommit"
}

var (
	hashLengths      = []int{cometHashSize}
	addressLengths   = []int{cometAddressSize}
	signatureLengths = []int{64, 96}
)

func readCometBlockID(f cometFields) cometBlockID {
	parts := f.open("parts", "partsetheader")
	return cometBlockID{
		hash:       f.bytes(hashLengths, "hash"),
		partsTotal: parts.number(64, "total"),
		partsHash:  parts.bytes(hashLengths, "hash"),
	}
}

func readCometVote(f cometFields) cometVote {
	return cometVote{
		kind:               f.enum("SIGNED_MSG_TYPE_", []string{"UNKNOWN", "PREVOTE", "PRECOMMIT"}, "type"),
		height:             f.number(64, "height"),
		round:              f.number(32, "round"),
		block:              readCometBlockID(f.open("blockid")),
		time:               f.time("timestamp"),
		address:            f.bytes(addressLengths, "validatoraddress"),
		index:              f.number(32, "validatorindex"),
		signature:          f.bytes(signatureLengths, "signature"),
		extension:          f.bytes(nil, "extension"),
		extensionSignature: f.bytes(signatureLengths, "extensionsignature"),
	}
}
