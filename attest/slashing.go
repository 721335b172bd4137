package attest

import (
	"bytes"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/bls"
)

// MaxEthereumSlashingSize is the largest encoding in bytes.
const MaxEthereumSlashingSize = 52 + MaxChainID + 2*(104+ethereum.AttestationDataSize+MaxValidators/8+1)

// DecodeEthereumSlashing decodes the body of a proof of kind [FaultEthereumSlashing],
// including everything that can be checked about it without law and validator set.
func DecodeEthereumSlashing(data []byte) (*EthereumSlashing, error) {
	return decode[EthereumSlashing](data, MaxEthereumSlashingSize)
}

// EncodeEthereumSlashing encodes the body of a proof of kind [FaultEthereumSlashing].
func EncodeEthereumSlashing(e *EthereumSlashing) ([]byte, error) { return encode(e) }

// EthereumSigners are the members of set with these keys of the beacon chain. The error
// is [RuleOffender] if a key is nobody's: the keys of an aggregate are added up, and who
// may add one that nobody proved to hold can make the sum come out as he likes. The
// members have proven theirs when they registered.
func EthereumSigners(set *Set, keys ...[48]byte) (Bits, error) {
	members := make(map[[48]byte]int, set.Len())
	for i := range set.members {
		if k := &set.members[i].ConsensusKey; k.Type == KeyEthereum {
			members[[48]byte(k.Bytes)] = i
		}
	}
	signers, strangers := NewBits(set.Len()), 0
	for _, key := range keys {
		if i, ok := members[key]; ok {
			signers.Set(i)
		} else {
			strangers++
		}
	}
	if strangers > 0 {
		return nil, refuse(RuleOffender, "%d of %d signers are not in the validator set, and an aggregate is judged only if all of its keys have proven their possession there", strangers, len(keys))
	}
	return signers, nil
}

// BuildEthereumSlashing makes the canonical proof from all that e says but the set. The
// order of the sides does not matter. It verifies no signature. Errors are those of a
// malformed input, [RuleContradiction] and [RuleOffender] among them.
func BuildEthereumSlashing(set *Set, e EthereumSlashing) (*FaultProof, error) {
	e.ValidatorsRoot = set.Root()
	if first, second, err := e.open(); err == nil && first.contradicts(second) == nil && first.after(second) {
		e.First, e.Second = e.Second, e.First
	}
	body, err := EncodeEthereumSlashing(&e)
	if err != nil {
		return nil, err
	}
	return &FaultProof{uint8(FaultEthereumSlashing), body}, nil
}

// Epochs are those of the ledger in which one of the two was signed: one of them is the
// proof's. There are two where votes surround each other and their targets lie in
// different epochs; the later one comes first. The error is [RuleEncoding].
func (e *EthereumSlashing) Epochs(b *Beacon) ([]uint64, error) {
	first, second, err := e.open()
	if err != nil {
		return nil, err
	}
	var epochs []uint64
	for _, side := range []*signedSide{first, second} {
		if epoch, ok := side.epoch(b); ok && (len(epochs) == 0 || epochs[0] != epoch) {
			epochs = append(epochs, epoch)
		}
	}
	if len(epochs) == 2 && epochs[0] < epochs[1] {
		epochs[0], epochs[1] = epochs[1], epochs[0]
	}
	return epochs, nil
}

// signedSide is what was signed on one side, as far as anybody is judged by it.
type signedSide struct {
	proposal       bool
	root           [32]byte      // of the header or of the attestation's data
	slot, proposer uint64        // of a proposal
	vote           ethereum.Vote // of an attestation
}

func (e *EthereumSlashing) open() (first, second *signedSide, err error) {
	if first, err = e.First.open(); err != nil {
		return nil, nil, err
	}
	second, err = e.Second.open()
	return first, second, err
}

func (s *EthereumSide) open() (*signedSide, error) {
	if len(s.Signed) == ethereum.BeaconBlockHeaderSize {
		header, err := ethereum.DecodeBeaconBlockHeader(s.Signed)
		if err != nil {
			return nil, refuse(RuleEncoding, "%v", err)
		}
		return &signedSide{proposal: true, root: header.Root(), slot: header.Slot, proposer: header.ProposerIndex}, nil
	}
	data, err := ethereum.DecodeAttestationData(s.Signed)
	if err != nil {
		return nil, refuse(RuleEncoding, "%v", err)
	}
	vote := data.Vote()
	return &signedSide{root: vote.Root, vote: vote}, nil
}

// epoch is the ledger's, for a vote that of its target: its slot is signed too, but
// binds it to nothing, so that whoever signs could choose one in his favour.
func (s *signedSide) epoch(b *Beacon) (uint64, bool) {
	if s.proposal {
		return b.EpochOfSlot(s.slot)
	}
	return b.EpochOfTarget(s.vote.Target)
}

// message is what the signers of the side signed on the beacon chain.
func (s *signedSide) message(b *Beacon) [32]byte {
	if s.proposal {
		return ethereum.SigningRoot(s.root, b.Domain(ethereum.DomainProposer, b.EpochOf(s.slot)))
	}
	return ethereum.SigningRoot(s.root, b.Domain(ethereum.DomainAttester, s.vote.Target))
}

// after reports whether o, which contradicts s, must come first.
func (s *signedSide) after(o *signedSide) bool {
	if !s.proposal && s.vote.Target != o.vote.Target {
		return o.vote.Surrounds(s.vote)
	}
	return bytes.Compare(s.root[:], o.root[:]) > 0
}

// contradicts is the specification's rule, in either order.
func (s *signedSide) contradicts(o *signedSide) error {
	switch {
	case s.proposal != o.proposal:
		return refuse(RuleContradiction, "a vote and a block")
	case s.root == o.root:
		return refuse(RuleContradiction, "both sides are %x", s.root)
	case s.proposal && s.slot != o.slot:
		return refuse(RuleContradiction, "blocks for the slots %d and %d", s.slot, o.slot)
	case s.proposal && s.proposer != o.proposer:
		return refuse(RuleContradiction, "blocks of the proposers %d and %d", s.proposer, o.proposer)
	case !s.proposal && !s.vote.Doubles(o.vote) && !s.vote.Surrounds(o.vote) && !o.vote.Surrounds(s.vote):
		return refuse(RuleContradiction, "votes from %d to %d and from %d to %d", s.vote.Source, s.vote.Target, o.vote.Source, o.vote.Target)
	}
	return nil
}

// check is everything but the signatures, the epoch, and that the bitfields fit the set.
func (e *EthereumSlashing) check() error {
	if err := CheckChainID(string(e.ChainID)); err != nil {
		return err
	}
	if e.Epoch == 0 {
		return refuse(RuleEpoch, "slashing on %s", e.ChainID)
	}
	for _, side := range []*EthereumSide{&e.First, &e.Second} {
		if err := checkSigners(side.Signers); err != nil {
			return err
		}
	}
	if a, b := Bits(e.First.Signers).Len(), Bits(e.Second.Signers).Len(); a != b {
		return refuse(RuleBitfield, "%d and %d bits", a, b)
	}
	first, second, err := e.open()
	if err != nil {
		return err
	}
	if err := first.contradicts(second); err != nil {
		return err
	}
	if first.after(second) {
		return refuse(RuleOrder, "%x before %x", first.root, second.root)
	}
	if e.accused().Count() == 0 {
		return refuse(RuleOffender, "epoch %d of %s", e.Epoch, e.ChainID)
	}
	if first.proposal && (Bits(e.First.Signers).Count() != 1 || Bits(e.Second.Signers).Count() != 1) {
		return refuse(RuleBitfield, "a block has one proposer")
	}
	return nil
}

func (e *EthereumSlashing) accused() Bits { return Bits(e.First.Signers).And(e.Second.Signers) }

func (e *EthereumSlashing) accusation() Accusation {
	return Accusation{
		ChainID: string(e.ChainID), Epoch: e.Epoch, ValidatorsRoot: e.ValidatorsRoot, Accused: e.accused(),
	}
}

func (e *EthereumSlashing) verify(law Law, set *Set) error {
	if set.root != e.ValidatorsRoot {
		return refuse(RuleWrongSet, "set %x, the proof names %x", set.root, e.ValidatorsRoot)
	}
	if n := Bits(e.First.Signers).Len(); n != set.Len() {
		return refuse(RuleBitfield, "%d bits for %d validators", n, set.Len())
	}
	beacon := law.Beacon(string(e.ChainID))
	if beacon == nil {
		return refuse(RuleUnsupported, "nothing here says which beacon chain %s is", e.ChainID)
	}
	first, second, err := e.open()
	if err != nil {
		return err
	}
	if err := e.checkEpoch(beacon, first, second); err != nil {
		return err
	}
	keys := make(memberKeys)
	if err := keys.verify(set, &e.First, first.message(beacon)); err != nil {
		return err
	}
	return keys.verify(set, &e.Second, second.message(beacon))
}

func (e *EthereumSlashing) checkEpoch(b *Beacon, sides ...*signedSide) error {
	for _, side := range sides {
		if epoch, ok := side.epoch(b); ok && epoch == e.Epoch {
			return nil
		}
	}
	return refuse(RuleContradiction, "neither side is of epoch %d of %s", e.Epoch, e.ChainID)
}

// memberKeys are consensus keys of members that were parsed, by position in the set: who
// is on both sides is parsed once.
type memberKeys map[int]bls.PublicKey

// verify checks the aggregate of one side.
func (k memberKeys) verify(set *Set, side *EthereumSide, message [32]byte) error {
	var signers []bls.PublicKey
	for i := range Bits(side.Signers).Ones() {
		key, err := k.of(set, i)
		if err != nil {
			return err
		}
		signers = append(signers, key)
	}
	signature, err := parseSignature(side.Signature)
	if err != nil {
		return err
	}
	if !bls.FastAggregateVerify(signers, message[:], signature) {
		return refuse(RuleSignature, "%d signers of %x", len(signers), message)
	}
	return nil
}

func (k memberKeys) of(set *Set, i int) (bls.PublicKey, error) {
	if key, parsed := k[i]; parsed {
		return key, nil
	}
	member := &set.members[i]
	if member.ConsensusKey.Type != KeyEthereum {
		return bls.PublicKey{}, refuse(RuleOffender, "validator %x has no key of a beacon chain", member.Key)
	}
	key, err := parseKey([48]byte(member.ConsensusKey.Bytes))
	if err == nil {
		k[i] = key
	}
	return key, err
}
