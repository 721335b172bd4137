package attest

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/meshsec/meshsec/attest/comet"
)

// BuildEquivocation makes the canonical proof from all that e says but the set and
// the accused: the owner of e.Key in set, which signs e.Epoch. The order of the sides
// does not matter. It verifies no signature. Errors: [RuleOffender] if nobody in the
// set has the key, [RuleContradiction] if both votes are for one block, and those of
// a malformed input.
func BuildEquivocation(set *Set, e Equivocation) (*FaultProof, error) {
	e.ValidatorsRoot, e.Accused = set.Root(), NewBits(set.Len())
	for i := range set.members {
		if set.members[i].ConsensusKey.equal(&e.Key) {
			Bits(e.Accused).Set(i)
		}
	}
	if Bits(e.Accused).Count() == 0 {
		return nil, refuse(RuleOffender, "no validator of epoch %d of %s has the consensus key %x", e.Epoch, e.ChainID, e.Key.Bytes)
	}
	if e.First.compare(&e.Second) > 0 {
		e.First, e.Second = e.Second, e.First
	}
	body, err := EncodeEquivocation(&e)
	if err != nil {
		return nil, err
	}
	return &FaultProof{uint8(FaultConsensusEquivocation), body}, nil
}

// check is everything but the signatures and that the accused is in the set.
func (e *Equivocation) check() error {
	if err := CheckChainID(string(e.ChainID)); err != nil {
		return err
	}
	if err := checkSigners(e.Accused); err != nil {
		return err
	}
	if err := e.Key.check(); err != nil {
		return err
	}
	switch accused := Bits(e.Accused).Count(); {
	case e.Epoch == 0:
		return refuse(RuleEpoch, "equivocation on %s", e.ChainID)
	case accused != 1:
		return refuse(RuleBitfield, "%d are accused, one key has one owner", accused)
	case e.Key.Type == KeyNone:
		return refuse(RuleConsensusKey, "nobody signs without a key")
	case e.Type != comet.Prevote && e.Type != comet.Precommit:
		return refuse(RuleConsensusVote, "type %d is neither a prevote nor a precommit", e.Type)
	case e.Height == 0 || e.Height > math.MaxInt64:
		return refuse(RuleConsensusVote, "height %d", e.Height)
	case e.Round > math.MaxInt32:
		return refuse(RuleConsensusVote, "round %d", e.Round)
	}
	for _, side := range []*ConsensusVote{&e.First, &e.Second} {
		if err := side.check(); err != nil {
			return err
		}
	}
	switch e.First.compare(&e.Second) {
	case 0:
		return refuse(RuleContradiction, "both sides are block %x", e.First.BlockHash)
	case 1:
		return refuse(RuleOrder, "%x before %x", e.First.BlockHash, e.Second.BlockHash)
	}
	return nil
}

func (e *Equivocation) accusation() Accusation {
	return Accusation{
		ChainID: string(e.ChainID), Epoch: e.Epoch, Height: e.Height, ValidatorsRoot: e.ValidatorsRoot, Accused: e.Accused,
	}
}

// verify is the same on every network: the votes are those of the home chain, which
// knows nothing of the mesh.
func (e *Equivocation) verify(_ Law, set *Set) error {
	if set.root != e.ValidatorsRoot {
		return refuse(RuleWrongSet, "set %x, the proof names %x", set.root, e.ValidatorsRoot)
	}
	if n := Bits(e.Accused).Len(); n != set.Len() {
		return refuse(RuleBitfield, "%d bits for %d validators", n, set.Len())
	}
	for i := range Bits(e.Accused).Ones() {
		if key := &set.members[i].ConsensusKey; !key.equal(&e.Key) {
			return refuse(RuleOffender, "the accused has key %x, the votes are by %x", key.Bytes, e.Key.Bytes)
		}
	}
	if e.Key.Type != KeyEd25519 {
		return refuse(RuleUnsupported, "consensus key of type %d", e.Key.Type)
	}
	for _, side := range []*ConsensusVote{&e.First, &e.Second} {
		if !comet.VerifyEd25519(e.Key.Bytes, e.signBytes(side), side.Signature) {
			return refuse(RuleSignature, "vote for block %x at height %d of %s", side.BlockHash, e.Height, e.ChainID)
		}
	}
	return nil
}

// signBytes are what the accused signed on one side.
func (e *Equivocation) signBytes(side *ConsensusVote) []byte {
	var block comet.BlockID
	if !side.isNil() {
		block = comet.BlockID{Hash: side.BlockHash[:], PartsTotal: int64(side.PartsTotal), PartsHash: side.PartsHash[:]}
	}
	return comet.SignBytes(string(e.ChainID), int64(e.Type), int64(e.Height), int64(e.Round), &block, side.time())
}

func (v *ConsensusVote) time() time.Time { return time.Unix(int64(v.Seconds), int64(v.Nanos)).UTC() }

// isNil says whether it is a vote for no block, given that it was checked.
func (v *ConsensusVote) isNil() bool { return v.PartsTotal == 0 }

func (v *ConsensusVote) check() error {
	switch {
	case v.PartsTotal == 0 && (v.BlockHash != [32]byte{} || v.PartsHash != [32]byte{}):
		return refuse(RuleConsensusVote, "block %x has no parts", v.BlockHash)
	case v.Nanos >= uint32(time.Second):
		return refuse(RuleConsensusVote, "%d nanoseconds", v.Nanos)
	case !comet.TimeFits(v.time()):
		return refuse(RuleConsensusVote, "%d seconds are beyond the years 1 to 9999", int64(v.Seconds))
	case len(v.Signature) == 0 || len(v.Signature) > MaxConsensusSignature:
		return refuse(RuleSignature, "it has %d bytes", len(v.Signature))
	}
	return nil
}

// compare orders votes by their block id: hash, then the parts as in the encoding.
func (v *ConsensusVote) compare(o *ConsensusVote) int { return bytes.Compare(v.blockID(), o.blockID()) }

func (v *ConsensusVote) blockID() []byte {
	b := binary.LittleEndian.AppendUint32(bytes.Clone(v.BlockHash[:]), v.PartsTotal)
	return append(b, v.PartsHash[:]...)
}

func (k *ConsensusKey) equal(o *ConsensusKey) bool {
	return k.Type == o.Type && bytes.Equal(k.Bytes, o.Bytes)
}
