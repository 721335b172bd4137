package evidence

import (
	"github.com/meshsec/meshsec/attest/comet"
)

func readCometCommit(f cometFields) *comet.Commit {
	c := &comet.Commit{
		Height: f.number(64, "height"),
		Round:  f.number(32, "round"),
		Block:  readCometBlockID(f.open("blockid")),
	}
	items := f.list(comet.MaxValidators, "signatures")
	c.Signatures = make([]comet.CommitSig, len(items))
	for i, raw := range items {
		s := f.item("signatures", i, raw)
		c.Signatures[i] = comet.CommitSig{
			Flag:      s.enum("BLOCK_ID_FLAG_", []string{"UNKNOWN", "ABSENT", "COMMIT", "NIL"}, "blockidflag"),
			Address:   s.bytes(addressLengths, "validatoraddress"),
			Time:      s.time("timestamp"),
			Signature: s.bytes(signatureLengths, "signature"),
		}
	}
	return c
}

// readCometLight reads the fields of a light block or of an IBC header.
func readCometLight(f cometFields) *comet.LightBlock {
	signed := f
	if f.has("signedheader") {
		signed = f.open("signedheader")
	}
	l := &comet.LightBlock{Header: readCometHeader(signed.open("header")), Commit: readCometCommit(signed.open("commit"))}
	if f.has("validatorset") {
		l.Set = readCometSet(f.open("validatorset"), "validators")
	}
	return l
}
