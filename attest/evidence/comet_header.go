package evidence

import (
	"github.com/meshsec/meshsec/attest/comet"
)

func readCometHeader(f cometFields) *comet.Header {
	version := f.open("version")
	h := &comet.Header{
		VersionBlock:   version.natural("block"),
		VersionApp:     version.natural("app"),
		ChainID:        f.text("chainid"),
		Height:         f.number(64, "height"),
		Time:           f.time("time"),
		LastBlock:      readCometBlockID(f.open("lastblockid")),
		LastCommit:     f.bytes(hashLengths, "lastcommithash"),
		Data:           f.bytes(hashLengths, "datahash"),
		Validators:     f.bytes(hashLengths, "validatorshash"),
		NextValidators: f.bytes(hashLengths, "nextvalidatorshash"),
		Consensus:      f.bytes(hashLengths, "consensushash"),
		LastResults:    f.bytes(hashLengths, "lastresultshash"),
		Evidence:       f.bytes(hashLengths, "evidencehash"),
		Proposer:       f.bytes(addressLengths, "proposeraddress"),
	}
	// The application's hash has any length. It is written as the others are.
	lengths := hashLengths
	if text := f.text("apphash"); len(f.text("validatorshash")) == 2*comet.HashSize {
		lengths = []int{len(text) / 2}
	}
	h.App = f.bytes(lengths, "apphash")
	return h
}
