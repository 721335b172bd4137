package comet

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
)

// HashSize is the length of a hash in bytes.
const HashSize = sha256.Size

// BlockID names a block; the zero value is nil, a vote for no block.
type BlockID struct {
	Hash       []byte
	PartsTotal int64 // uint32
	PartsHash  []byte
}

// IsNil says whether it names no block.
func (b *BlockID) IsNil() bool {
	return len(b.Hash) == 0 && b.PartsTotal == 0 && len(b.PartsHash) == 0
}

// Equal says whether both name the same block.
func (b *BlockID) Equal(o *BlockID) bool {
	return bytes.Equal(b.Hash, o.Hash) && b.PartsTotal == o.PartsTotal && bytes.Equal(b.PartsHash, o.PartsHash)
}

// String is the hash in upper case hexadecimal, or nil.
func (b *BlockID) String() string {
	if b.IsNil() {
		return "nil"
	}
	return fmt.Sprintf("%X", b.Hash)
}

// Short is how the name begins.
func (b *BlockID) Short() string {
	if b.IsNil() {
		return "nil"
	}
	return fmt.Sprintf("%.6X…", b.Hash)
}

// Check: a block id is nil or complete.
func (b *BlockID) Check() error {
	if b.IsNil() || len(b.Hash) == HashSize && len(b.PartsHash) == HashSize && b.PartsTotal > 0 && b.PartsTotal <= math.MaxUint32 {
		return nil
	}
	return errors.New("a block id is neither nil nor complete")
}

// Precedes is the order that CometBFT wants the votes of its evidence in: of their
// block ids as it writes them for a key.
func (b *BlockID) Precedes(o *BlockID) bool {
	key := func(b *BlockID) string {
		return string(b.Hash) + string(partSetHeader(b.PartsTotal, b.PartsHash))
	}
	return key(b) < key(o)
}

// Proto is tendermint.types.BlockID, and also its canonical form: their fields have the
// same numbers.
func (b *BlockID) Proto() Message {
	return Message(nil).Bytes(1, b.Hash).Embed(2, partSetHeader(b.PartsTotal, b.PartsHash))
}

// partSetHeader is tendermint.types.PartSetHeader.
func partSetHeader(total int64, hash []byte) Message {
	return Message(nil).Int(1, total).Bytes(2, hash)
}
