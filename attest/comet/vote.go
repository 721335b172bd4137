package comet

import "time"

// Types of votes (SignedMsgType).
const (
	Prevote   = 1
	Precommit = 2
)

// BlockID is tendermint.types.BlockID, and also its canonical form: their fields have
// the same numbers.
func BlockID(hash []byte, partsTotal int64, partsHash []byte) Message {
	return Message(nil).Bytes(1, hash).Embed(2, PartSetHeader(partsTotal, partsHash))
}

// PartSetHeader is tendermint.types.PartSetHeader.
func PartSetHeader(total int64, hash []byte) Message {
	return Message(nil).Int(1, total).Bytes(2, hash)
}

// SignBytes are the bytes that a validator signs for a vote: the varint length and
// the protobuf encoding of CanonicalVote. Neither who signs nor a vote extension is
// in them. A nil block is a vote for no block.
func SignBytes(chainID string, kind, height, round int64, block Message, t time.Time) []byte {
	m := Message(nil).Int(1, kind).Fixed(2, height).Fixed(3, round)
	if block != nil {
		m = m.Embed(4, block)
	}
	return m.Embed(5, Timestamp(t)).Bytes(6, []byte(chainID)).Delimited()
}
