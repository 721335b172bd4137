package comet

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Flags of the signatures in a commit (BlockIDFlag).
const (
	FlagAbsent = 1
	FlagCommit = 2
	FlagNil    = 3 // a precommit for nil
)

// CommitSig is what a commit has of one validator, at its position in the set.
type CommitSig struct {
	Flag      int64
	Address   []byte
	Time      time.Time
	Signature []byte
}

// Commit are the precommits for a block.
type Commit struct {
	Height     int64
	Round      int64
	Block      BlockID
	Signatures []CommitSig
}

// Check is the form of a commit.
func (c *Commit) Check() error {
	switch {
	case c.Height <= 0:
		return fmt.Errorf("the commit's height %d is not positive", c.Height)
	case c.Round < 0:
		return fmt.Errorf("the commit's round %d is negative", c.Round)
	case c.Block.IsNil():
		return errors.New("the commit is for no block")
	}
	for i, s := range c.Signatures {
		switch {
		case s.Flag == FlagAbsent:
			if len(s.Signature) != 0 || len(s.Address) != 0 {
				return fmt.Errorf("signature %d of the commit is called absent and is there", i)
			}
		case s.Flag != FlagCommit && s.Flag != FlagNil:
			return fmt.Errorf("signature %d of the commit has the unknown flag %d", i, s.Flag)
		case len(s.Address) != AddressSize || len(s.Signature) == 0 || !TimeFits(s.Time):
			return fmt.Errorf("signature %d of the commit lacks an address, a signature or a time", i)
		}
	}
	return c.Block.Check()
}

// SignBytes is what the validator at a position signed, each at its own time.
func (c *Commit) SignBytes(chainID string, i int) []byte {
	block := &c.Block
	if c.Signatures[i].Flag == FlagNil {
		block = &BlockID{}
	}
	return SignBytes(chainID, Precommit, c.Height, c.Round, block, c.Signatures[i].Time)
}

// Verify says who of the set signed the block, if they hold more than 2/3 of its
// power. All signatures for the block must be valid, not only as many as it takes;
// those for nil convict nobody and are not looked at.
func (c *Commit) Verify(chainID string, set *Set, forms *Forms) (signers map[string]int64, power int64, err error) {
	if len(c.Signatures) != len(set.Members) {
		return nil, 0, fmt.Errorf("the commit has %d signatures for %d validators", len(c.Signatures), len(set.Members))
	}
	signers = map[string]int64{}
	scheme := NewScheme(forms)
	for i, s := range c.Signatures {
		if s.Flag != FlagCommit {
			continue
		}
		v := set.Members[i]
		if !bytes.Equal(s.Address, v.Address) {
			return nil, 0, fmt.Errorf("signature %d of the commit is called that of %X, validator %d of the set is %X", i, s.Address, i, v.Address)
		}
		if !v.Key.Verify(c.SignBytes(chainID, i), s.Signature, scheme) {
			return nil, 0, fmt.Errorf("the signature of %X in the commit is not valid", s.Address)
		}
		signers[string(s.Address)] = v.Power
		power += v.Power
	}
	if 3*power <= 2*set.Total() {
		return nil, 0, fmt.Errorf("the signers hold %d of %d, which is not more than 2/3", power, set.Total())
	}
	return signers, power, nil
}

// LightBlock is a signed header, with the set that signed it where the file has it. Not for
// concurrent use.
type LightBlock struct {
	Header *Header
	Commit *Commit
	Set    *Set

	last *signed // of SignedBy
}

// signed is what became of verifying a commit by a set: many pieces of evidence are
// compared with the same header.
type signed struct {
	set     *Set
	signers map[string]int64
	power   int64
	err     error
}

// Check: header and commit are about one block, and the set is the header's.
func (l *LightBlock) Check() error {
	if err := l.Header.Check(); err != nil {
		return err
	}
	if err := l.Commit.Check(); err != nil {
		return err
	}
	if l.Header.Height != l.Commit.Height {
		return fmt.Errorf("the header has height %d, its commit %d", l.Header.Height, l.Commit.Height)
	}
	if hash := l.Header.Hash(); !bytes.Equal(hash, l.Commit.Block.Hash) {
		return fmt.Errorf("the header's hash is %X, its commit signs %X", hash, l.Commit.Block.Hash)
	}
	return nil
}

// SignedBy verifies the commit by a set, which must be the header's. It keeps the answer
// for the set that it was asked about last: from then on neither header nor commit is to
// be changed, nor are the signers that it returns.
func (l *LightBlock) SignedBy(set *Set, forms *Forms) (signers map[string]int64, power int64, err error) {
	if l.last == nil || l.last.set != set {
		signers, power, err = l.verify(set, forms)
		l.last = &signed{set, signers, power, err}
	}
	return l.last.signers, l.last.power, l.last.err
}

func (l *LightBlock) verify(set *Set, forms *Forms) (signers map[string]int64, power int64, err error) {
	if err := set.Check(); err != nil {
		return nil, 0, err
	}
	if hash := set.Hash(); !bytes.Equal(hash, l.Header.Validators) {
		return nil, 0, fmt.Errorf("the validator set's hash is %X, the header says %X", hash, l.Header.Validators)
	}
	return l.Commit.Verify(l.Header.ChainID, set, forms)
}
