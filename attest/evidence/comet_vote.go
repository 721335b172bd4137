package evidence

import (
	"github.com/meshsec/meshsec/attest/comet"
)

var (
	hashLengths      = []int{comet.HashSize}
	addressLengths   = []int{comet.AddressSize}
	signatureLengths = []int{64, 96}
)

func readCometBlockID(f cometFields) comet.BlockID {
	parts := f.open("parts", "partsetheader")
	return comet.BlockID{
		Hash:       f.bytes(hashLengths, "hash"),
		PartsTotal: parts.number(64, "total"),
		PartsHash:  parts.bytes(hashLengths, "hash"),
	}
}

func readCometVote(f cometFields) comet.Vote {
	return comet.Vote{
		Type:               f.enum("SIGNED_MSG_TYPE_", []string{"UNKNOWN", "PREVOTE", "PRECOMMIT"}, "type"),
		Height:             f.number(64, "height"),
		Round:              f.number(32, "round"),
		Block:              readCometBlockID(f.open("blockid")),
		Time:               f.time("timestamp"),
		Address:            f.bytes(addressLengths, "validatoraddress"),
		Index:              f.number(32, "validatorindex"),
		Signature:          f.bytes(signatureLengths, "signature"),
		Extension:          f.bytes(nil, "extension"),
		ExtensionSignature: f.bytes(signatureLengths, "extensionsignature"),
	}
}
