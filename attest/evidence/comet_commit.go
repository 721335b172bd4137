package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/meshsec/meshsec/attest/comet"
)

// Flags of the signatures in a commit (BlockIDFlag).
const (
	cometAbsent     = 1
	cometForBlock   = 2
	cometForNothing = 3 // a precommit for nil
)

// cometCommitSig is what a commit has of one validator, at its position in the set.
type cometCommitSig struct {
	flag      int64
	address   []byte
	time      time.Time
	signature []byte
}

// cometCommit are the precommits for a block.
type cometCommit struct {
	height     int64
	round      int64
	block      cometBlockID
	signatures []cometCommitSig
}

// check is the form of a commit.
func (c *cometCommit) check() error {
	switch {
	case c.height <= 0:
		return fmt.Errorf("the commit's height %d is not positive", c.height)
	case c.round < 0:
		return fmt.Errorf("the commit's round %d is negative", c.round)
	case c.block.isNil():
		return errors.New("the commit is for no block")
	}
	for i, s := range c.signatures {
		switch {
		case s.flag == cometAbsent:
			if len(s.signature) != 0 || len(s.address) != 0 {
				return fmt.Errorf("signature %d of the commit is called absent and is there", i)
			}
		case s.flag != cometForBlock && s.flag != cometForNothing:
			return fmt.Errorf("signature %d of the commit has the unknown flag %d", i, s.flag)
		case len(s.address) != cometAddressSize || len(s.signature) == 0 || !comet.TimeFits(s.time):
			return fmt.Errorf("signature %d of the commit lacks an address, a signature or a time", i)
		}
	}
	return c.block.check()
}

// signBytes is what the validator at a position signed, each at its own time.
func (c *cometCommit) signBytes(chainID string, i int) []byte {
	block := &c.block
	if c.signatures[i].flag == cometForNothing {
		block = &cometBlockID{}
	}
	return canonicalVote(chainID, cometPrecommit, c.height, c.round, block, c.signatures[i].time)
}

// verify says who of the set signed the block, if they hold more than 2/3 of its
// power. All signatures for the block must be valid, not only as many as it takes;
// those for nil convict nobody and are not looked at.
func (c *cometCommit) verify(chainID string, set *cometSet, forms *cometForms) (signers map[string]int64, power int64, err error) {
	if len(c.signatures) != len(set.members) {
		return nil, 0, fmt.Errorf("the commit has %d signatures for %d validators", len(c.signatures), len(set.members))
	}
	signers = map[string]int64{}
	scheme := &cometScheme{forms: forms}
	for i, s := range c.signatures {
		if s.flag != cometForBlock {
			continue
		}
		v := set.members[i]
		if !bytes.Equal(s.address, v.address) {
			return nil, 0, fmt.Errorf("signature %d of the commit is called that of %X, validator %d of the set is %X", i, s.address, i, v.address)
		}
		if !v.key.verify(c.signBytes(chainID, i), s.signature, scheme) {
			return nil, 0, fmt.Errorf("the signature of %X in the commit is not valid", s.address)
		}
		signers[string(s.address)] = v.power
		power += v.power
	}
	if 3*power <= 2*set.total() {
		return nil, 0, fmt.Errorf("the signers hold %d of %d, which is not more than 2/3", power, set.total())
	}
	return signers, power, nil
}

func readCometCommit(f cometFields) *cometCommit {
	c := &cometCommit{
		height: f.number(64, "height"),
		round:  f.number(32, "round"),
		block:  readCometBlockID(f.open("blockid")),
	}
	items := f.list(maxCometValidators, "signatures")
	c.signatures = make([]cometCommitSig, len(items))
	for i, raw := range items {
		s := f.item("signatures", i, raw)
		c.signatures[i] = cometCommitSig{
			flag:      s.enum("BLOCK_ID_FLAG_", []string{"UNKNOWN", "ABSENT", "COMMIT", "NIL"}, "blockidflag"),
			address:   s.bytes(addressLengths, "validatoraddress"),
			time:      s.time("timestamp"),
			signature: s.bytes(signatureLengths, "signature"),
		}
	}
	return c
}

// cometLight is a signed header, with the set that signed it where the file has it.
type cometLight struct {
	header *cometHeader
	commit *cometCommit
	set    *cometSet

	last *cometSigned // of signedBy
}

// cometSigned is what became of verifying a commit by a set: many pieces of evidence are
// compared with the same header.
type cometSigned struct {
	set     *cometSet
	signers map[string]int64
	power   int64
	err     error
}

// check: header and commit are about one block, and the set is the header's.
func (l *cometLight) check() error {
	if err := l.header.check(); err != nil {
		return err
	}
	if err := l.commit.check(); err != nil {
		return err
	}
	if l.header.height != l.commit.height {
		return fmt.Errorf("the header has height %d, its commit %d", l.header.height, l.commit.height)
	}
	if hash := l.header.hash(); !bytes.Equal(hash, l.commit.block.hash) {
		return fmt.Errorf("the header's hash is %X, its commit signs %X", hash, l.commit.block.hash)
	}
	return nil
}

// signedBy verifies the commit by a set, which must be the header's. The signers are
// not to be changed.
func (l *cometLight) signedBy(set *cometSet, forms *cometForms) (signers map[string]int64, power int64, err error) {
	if l.last == nil || l.last.set != set {
		signers, power, err = l.verify(set, forms)
		l.last = &cometSigned{set, signers, power, err}
	}
	return l.last.signers, l.last.power, l.last.err
}

func (l *cometLight) verify(set *cometSet, forms *cometForms) (signers map[string]int64, power int64, err error) {
	if err := set.check(); err != nil {
		return nil, 0, err
	}
	if hash := set.hash(); !bytes.Equal(hash, l.header.validators) {
		return nil, 0, fmt.Errorf("the validator set's hash is %X, the header says %X", hash, l.header.validators)
	}
	return l.commit.verify(l.header.chainID, set, forms)
}

// readCometLight reads the fields of a light block or of an IBC header.
func readCometLight(f cometFields) *cometLight {
	signed := f
	if f.has("signedheader") {
		signed = f.open("signedheader")
	}
	l := &cometLight{header: readCometHeader(signed.open("header")), commit: readCometCommit(signed.open("commit"))}
	if f.has("validatorset") {
		l.set = readCometSet(f.open("validatorset"), "validators")
	}
	return l
}
