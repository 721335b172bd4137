package comet

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// MaxValidators bounds a set and the signatures of a commit (MaxVotesCount).
const MaxValidators = 10_000

// MaxPower is the greatest total power of a set (MaxTotalVotingPower).
const MaxPower = math.MaxInt64 / 8

// Validator is a validator in a set.
type Validator struct {
	Key     Key
	Power   int64
	Address []byte // of the key
	Named   []byte // the address that the file gives it, none if it gives none
}

// Set is a validator set as it was read. Once it was made, its members are not to be
// changed. Not for concurrent use.
type Set struct {
	Members []Validator
	index   map[string]int // address → position of the first of that address
	root    []byte         // see Hash, nil until it is asked for
}

// NewSet makes a set of members in the order of the chain. It checks nothing, see [Set.Check].
func NewSet(members []Validator) *Set {
	s := &Set{Members: members, index: make(map[string]int, len(members))}
	for i, v := range members {
		if _, twice := s.index[string(v.Address)]; !twice {
			s.index[string(v.Address)] = i
		}
	}
	return s
}

// Check: a set is a set only if everyone is in it once and has power.
func (s *Set) Check() error {
	if len(s.Members) == 0 {
		return errors.New("the validator set is empty")
	}
	var total int64
	for i, v := range s.Members {
		switch {
		case v.Named != nil && !bytes.Equal(v.Named, v.Address):
			return fmt.Errorf("validator %d is called %X, its key has the address %X", i, v.Named, v.Address)
		case s.index[string(v.Address)] != i:
			return fmt.Errorf("validator %X is in the set twice", v.Address)
		case v.Power <= 0 || v.Power > MaxPower-total:
			return fmt.Errorf("the power %d of validator %X is not positive, or the total is beyond %d", v.Power, v.Address, int64(MaxPower))
		}
		total += v.Power
	}
	return nil
}

// Total is the power of a set that was checked.
func (s *Set) Total() (sum int64) {
	for _, v := range s.Members {
		sum += v.Power
	}
	return sum
}

// PowerOf is the power that some addresses have in the set.
func (s *Set) PowerOf(addresses map[string]int64) (sum int64) {
	for address := range addresses {
		if v, ok := s.Find([]byte(address)); ok {
			sum += v.Power
		}
	}
	return sum
}

// Find is the validator with an address.
func (s *Set) Find(address []byte) (Validator, bool) {
	i, ok := s.index[string(address)]
	if !ok {
		return Validator{}, false
	}
	return s.Members[i], true
}

// Keys are those of all members; s may be nil.
func (s *Set) Keys() []Key {
	if s == nil {
		return nil
	}
	keys := make([]Key, len(s.Members))
	for i, v := range s.Members {
		keys[i] = v.Key
	}
	return keys
}

// Hash is the validators_hash of a header: the Merkle root of keys and powers in the
// order of the set. It is not to be changed.
func (s *Set) Hash() []byte {
	if s.root != nil {
		return s.root
	}
	leaves := make([][]byte, len(s.Members))
	for i, v := range s.Members {
		leaves[i] = Message(nil).Embed(1, v.Key.Proto()).Int(2, v.Power)
	}
	s.root = MerkleRoot(leaves)
	return s.root
}
