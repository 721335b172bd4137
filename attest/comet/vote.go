package comet

import (
	"errors"
	"fmt"
	"time"
)

// Types of votes (SignedMsgType).
const (
	Prevote   = 1
	Precommit = 2
)

// SignBytes are the bytes that a validator signs for a vote: the varint length and
// the protobuf encoding of CanonicalVote. Neither who signs nor a vote extension is
// in them.
func SignBytes(chainID string, kind, height, round int64, block *BlockID, t time.Time) []byte {
	m := Message(nil).Int(1, kind).Fixed(2, height).Fixed(3, round)
	if !block.IsNil() {
		m = m.Embed(4, block.Proto())
	}
	return m.Embed(5, Timestamp(t)).Bytes(6, []byte(chainID)).Delimited()
}

// Vote is a vote as evidence has it. The extension carries a signature of its
// own and says nothing about the block.
type Vote struct {
	Type               int64
	Height             int64
	Round              int64
	Block              BlockID
	Time               time.Time
	Address            []byte
	Index              int64
	Signature          []byte
	Extension          []byte
	ExtensionSignature []byte
}

// SignBytes are the bytes that the validator signed.
func (v *Vote) SignBytes(chainID string) []byte {
	return SignBytes(chainID, v.Type, v.Height, v.Round, &v.Block, v.Time)
}

// Proto is tendermint.types.Vote.
func (v *Vote) Proto() Message {
	return Message(nil).Int(1, v.Type).Int(2, v.Height).Int(3, v.Round).Embed(4, v.Block.Proto()).
		Embed(5, Timestamp(v.Time)).Bytes(6, v.Address).Int(7, v.Index).Bytes(8, v.Signature).
		Bytes(9, v.Extension).Bytes(10, v.ExtensionSignature)
}

// Check is the form of a vote.
func (v *Vote) Check() error {
	switch {
	case v.Type != Prevote && v.Type != Precommit:
		return fmt.Errorf("it is neither a prevote nor a precommit but a message of type %d", v.Type)
	case v.Height <= 0:
		return fmt.Errorf("height %d is not positive", v.Height)
	case v.Round < 0:
		return fmt.Errorf("round %d is negative", v.Round)
	case v.Index < 0:
		return fmt.Errorf("validator index %d is negative", v.Index)
	case len(v.Address) != AddressSize:
		return fmt.Errorf("the validator address has %d bytes, want %d", len(v.Address), AddressSize)
	case !TimeFits(v.Time):
		return errors.New("the time is beyond the years 1 to 9999")
	case len(v.Signature) == 0:
		return errors.New("the signature is missing")
	}
	return v.Block.Check()
}
