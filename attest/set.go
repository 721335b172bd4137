package attest

import (
	"bytes"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/bls"
)

// Set is a validator set that was checked: every key parses, keys ascend, every
// power is positive, and their sum is below 2^250. It never changes and is safe for
// concurrent use. That possession of its keys is proven is the ledger's duty.
type Set struct {
	root    [32]byte
	members []Validator
	keys    []bls.PublicKey
	powers  []uint256.Int
	total   uint256.Int
	index   map[[48]byte]int
}

// NewSet checks v and copies it. Errors are [RuleSet], [RuleKey] and
// [RuleConsensusKey]. Parsing 512 keys that were never seen takes about 50 ms.
func NewSet(v *ValidatorSet) (*Set, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	n := len(v.Validators)
	if n == 0 {
		return nil, refuse(RuleSet, "no validators")
	}
	s := &Set{
		root:    v.Root(),
		members: make([]Validator, n),
		keys:    make([]bls.PublicKey, n),
		powers:  make([]uint256.Int, n),
		index:   make(map[[48]byte]int, n),
	}
	for i, member := range v.Validators {
		if i > 0 && bytes.Compare(v.Validators[i-1].Key[:], member.Key[:]) >= 0 {
			return nil, refuse(RuleSet, "keys %d and %d do not ascend", i-1, i)
		}
		power := DecodePower(member.Power)
		if power.IsZero() || power.BitLen() > maxPowerBits {
			return nil, refuse(RuleSet, "power %s of validator %d", power.Dec(), i)
		}
		// Two numbers below 2^250 have no sum that overflows.
		if s.total.Add(&s.total, power); s.total.BitLen() > maxPowerBits {
			return nil, refuse(RuleSet, "total power %s", s.total.Dec())
		}
		key, err := parseKey(member.Key)
		if err != nil {
			return nil, err
		}
		s.members[i] = cloneValidator(member)
		s.keys[i] = key
		s.powers[i] = *power
		s.index[member.Key] = i
	}
	return s, nil
}

func cloneValidator(v *Validator) Validator {
	c := *v
	c.ConsensusKey.Bytes = bytes.Clone(v.ConsensusKey.Bytes)
	return c
}

// Root is the hash tree root of the set, which the checkpoint before it commits to.
func (s *Set) Root() [32]byte { return s.root }

// Len is the number of validators, at least one.
func (s *Set) Len() int { return len(s.members) }

// Index is the position of a key in the set.
func (s *Set) Index(key [48]byte) (int, bool) {
	i, ok := s.index[key]
	return i, ok
}

// At is a copy of validator i.
func (s *Set) At(i int) Validator { return cloneValidator(&s.members[i]) }

// PublicKey is the parsed key of validator i.
func (s *Set) PublicKey(i int) bls.PublicKey { return s.keys[i] }

// Power is a copy of the power of validator i.
func (s *Set) Power(i int) *uint256.Int { return s.powers[i].Clone() }

// Total is a copy of the sum of all powers.
func (s *Set) Total() *uint256.Int { return s.total.Clone() }

// PowerOf is the sum of the powers of the validators in bits. The error is
// [RuleBitfield] if bits does not have the set's length.
func (s *Set) PowerOf(bits Bits) (*uint256.Int, error) {
	if bits.Len() != s.Len() {
		return nil, refuse(RuleBitfield, "%d bits for %d validators", bits.Len(), s.Len())
	}
	sum := new(uint256.Int)
	for i := range bits.Ones() {
		sum.Add(sum, &s.powers[i])
	}
	return sum, nil
}

// ValidatorSet is a copy of the object that the set was made from.
func (s *Set) ValidatorSet() *ValidatorSet {
	v := &ValidatorSet{Validators: make([]*Validator, len(s.members))}
	for i := range s.members {
		member := s.At(i)
		v.Validators[i] = &member
	}
	return v
}
