package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/meshsec/meshsec/attest/comet"
)

// maxCometValidators bounds a set and the signatures of a commit (MaxVotesCount).
const maxCometValidators = 10_000

// maxCometPower is the greatest total power of a set (MaxTotalVotingPower).
const maxCometPower = math.MaxInt64 / 8

// cometValidator is a validator in a set.
type cometValidator struct {
	key     cometKey
	power   int64
	address []byte // of the key
	named   []byte // the address that the file gives it, none if it gives none
}

// cometSet is a validator set as it was read.
type cometSet struct {
	members []cometValidator
	index   map[string]int // address → position of the first of that address
	pageOf  int64          // the height whose set this is a page of, 0 if it is complete
	root    []byte         // see hash, nil until it is asked for
}

func newCometSet(members []cometValidator) *cometSet {
	s := &cometSet{members: members, index: make(map[string]int, len(members))}
	for i, v := range members {
		if _, twice := s.index[string(v.address)]; !twice {
			s.index[string(v.address)] = i
		}
	}
	return s
}

// check: a set is a set only if everyone is in it once and has power.
func (s *cometSet) check() error {
	if len(s.members) == 0 {
		return errors.New("the validator set is empty")
	}
	var total int64
	for i, v := range s.members {
		switch {
		case v.named != nil && !bytes.Equal(v.named, v.address):
			return fmt.Errorf("validator %d is called %X, its key has the address %X", i, v.named, v.address)
		case s.index[string(v.address)] != i:
			return fmt.Errorf("validator %X is in the set twice", v.address)
		case v.power <= 0 || v.power > maxCometPower-total:
			return fmt.Errorf("the power %d of validator %X is not positive, or the total is beyond %d", v.power, v.address, int64(maxCometPower))
		}
		total += v.power
	}
	return nil
}

// total is the power of a set that was checked.
func (s *cometSet) total() (sum int64) {
	for _, v := range s.members {
		sum += v.power
	}
	return sum
}

// powerOf is the power that some addresses have in the set.
func (s *cometSet) powerOf(addresses map[string]int64) (sum int64) {
	for address := range addresses {
		if v, ok := s.find([]byte(address)); ok {
			sum += v.power
		}
	}
	return sum
}

// find is the validator with an address.
func (s *cometSet) find(address []byte) (cometValidator, bool) {
	i, ok := s.index[string(address)]
	if !ok {
		return cometValidator{}, false
	}
	return s.members[i], true
}

// keys are those of all members; s may be nil.
func (s *cometSet) keys() []cometKey {
	if s == nil {
		return nil
	}
	keys := make([]cometKey, len(s.members))
	for i, v := range s.members {
		keys[i] = v.key
	}
	return keys
}

// hash is the validators_hash of a header: the Merkle root of keys and powers in the
// order of the set.
func (s *cometSet) hash() []byte {
	if s.root != nil {
		return s.root
	}
	leaves := make([][]byte, len(s.members))
	for i, v := range s.members {
		leaves[i] = comet.Message(nil).Embed(1, v.key.proto()).Int(2, v.power)
	}
	s.root = merkleRoot(leaves)
	return s.root
}

// readCometSet reads the validators under a name. Those of a genesis call it power.
func readCometSet(f cometFields, name string) *cometSet {
	items := f.list(maxCometValidators, name)
	members := make([]cometValidator, len(items))
	for i, raw := range items {
		members[i] = readCometValidator(f.item(name, i, raw))
	}
	return newCometSet(members)
}

func readCometValidator(f cometFields) cometValidator {
	v := cometValidator{
		power: f.number(64, "votingpower", "power"),
		named: f.bytes(addressLengths, "address"),
	}
	key, err := readCometKey(f.open("pubkey").object)
	if f.has("pubkeybytes") || f.has("pubkeytype") { // v1
		if key, err = newCometKey(f.text("pubkeytype"), f.text("pubkeybytes")); f.has("pubkey") {
			f.fail("pub_key", "given in two forms")
		}
	}
	if err != nil {
		f.fail("pub_key", "%v", err)
	}
	v.key, v.address = key, key.address()
	return v
}
