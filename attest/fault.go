package attest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/holiman/uint256"
)

// FaultKind says which rule a proof shows to be broken (DESIGN §5).
type FaultKind uint8

// The kinds of faults. A proof of any other kind is a soft [RuleUnsupported]: nobody is
// punished for sending what a newer version understands.
const (
	FaultDoubleVote            FaultKind = 1
	FaultInvalidTransition     FaultKind = 2
	FaultInvalidOperations     FaultKind = 3
	FaultConsensusEquivocation FaultKind = 4
	FaultLightClientAttack     FaultKind = 5
	FaultEthereumSlashing      FaultKind = 6
)

var faultNames = map[FaultKind]string{
	FaultDoubleVote:            "double_vote",
	FaultInvalidTransition:     "invalid_transition",
	FaultInvalidOperations:     "invalid_operations",
	FaultConsensusEquivocation: "consensus_equivocation",
	FaultLightClientAttack:     "light_client_attack",
	FaultEthereumSlashing:      "ethereum_slashing",
}

// String is the kind's stable name.
func (k FaultKind) String() string {
	if name, ok := faultNames[k]; ok {
		return name
	}
	return fmt.Sprintf("fault_%d", uint8(k))
}

// MaxSize bounds the encoded proof, in bytes: 160 KiB for the known kinds, 392 KiB for
// invalid operations, which hold the hashes of a block's transactions, 512 KiB
// for an invalid transition, which may hold another proof in its witness, and for
// kinds that only a later version knows.
func (k FaultKind) MaxSize() int {
	if k == FaultInvalidOperations {
		return MaxInvalidOperations + 5
	}
	if _, known := faultNames[k]; known && k != FaultInvalidTransition {
		return 160 << 10
	}
	return MaxFaultProofSize
}

// Law is what proofs are judged by besides signatures: what the network agreed on, and
// how its ledgers follow from that. The manifest has all of them; a bare [Network] is
// enough for what signatures alone prove.
type Law interface {
	// Network is what this protocol's own signatures are made for.
	Network() Network
	// Beacon is the beacon chain that a home chain is, nil if it is none.
	Beacon(chain string) *Beacon
	// JudgeTransition is nil if evidence shows that the ledger of a chain can't go from
	// one checkpoint to the one of the next epoch, which names it as its parent. Every
	// error is an [*Error], hard where the evidence is to blame.
	JudgeTransition(previous, next *Checkpoint, evidence []byte) error
}

// Network implements [Law].
func (n Network) Network() Network { return n }

// faultBody is what a proof of one kind says.
type faultBody interface {
	// accusation is all of it but the kind.
	accusation() Accusation
	// verify checks the signatures, and whatever else proves the fault, against the set
	// that signs the accusation's epoch, and that it is the one which the proof names.
	verify(law Law, set *Set) error
}

// openers decode the bodies of the kinds that this version can judge.
var openers = map[FaultKind]func([]byte) (faultBody, error){
	FaultDoubleVote:            opener(DecodeDoubleVote),
	FaultInvalidTransition:     opener(DecodeTransition),
	FaultInvalidOperations:     opener(DecodeInvalidOperations),
	FaultConsensusEquivocation: opener(DecodeEquivocation),
	FaultEthereumSlashing:      opener(DecodeEthereumSlashing),
	FaultLightClientAttack:     opener(DecodeLightClientAttack),
}

func opener[B faultBody](decode func([]byte) (B, error)) func([]byte) (faultBody, error) {
	return func(data []byte) (faultBody, error) { return decode(data) }
}

// Supported says whether this version can judge proofs of the kind.
func (k FaultKind) Supported() bool { return openers[k] != nil }

// ID names the proof, not the offence, of which there may be many proofs: offences
// are known by (chain, account). It is the SHA-256 of
//
//	uint64 little-endian   length of the tag
//	tag                    "meshsec/v1/fault"
//	1 byte                 kind
//	uint64 little-endian   length of the body
//	body
func (f *FaultProof) ID() [32]byte {
	const tag = tagPrefix + "fault"
	b := make([]byte, 0, 8+len(tag)+1+8+len(f.Body))
	b = appendSized(b, tag)
	b = append(b, f.Kind)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(f.Body)))
	b = append(b, f.Body...)
	return sha256.Sum256(b)
}

// Accusation is what a proof says before any signature was looked at.
type Accusation struct {
	Kind           FaultKind
	ChainID        string
	Epoch          uint64
	Height         uint64   // of the home chain, where the fault is about one; else 0
	ValidatorsRoot [32]byte // root of the set that Accused indexes
	Accused        Bits     // at least one, or none where the chain has Forked
	Forked         bool     // its own consensus has failed, and nothing says through whom
	Refutes        Refuted  // the checkpoint that it says is wrong; zero for a fault that leaves them be
}

// Peek reads what a proof says, and checks all of its form but no signature: cheap
// enough to look up the set, and to see that every accused is convicted already,
// before anything dear. Where there is a height, that it belongs to the epoch is for
// the caller to check, who knows how many blocks an epoch of that chain has. Errors are hard, but for [RuleUnsupported].
func Peek(f *FaultProof) (Accusation, error) {
	accusation, _, err := openFault(f)
	return accusation, err
}

func openFault(f *FaultProof) (Accusation, faultBody, error) {
	if err := f.check(); err != nil {
		return Accusation{}, nil, err
	}
	kind := FaultKind(f.Kind)
	if !kind.Supported() {
		return Accusation{}, nil, refuse(RuleUnsupported, "fault proof of kind %s", kind)
	}
	body, err := openers[kind](f.Body)
	if err != nil {
		return Accusation{}, nil, err
	}
	accusation := body.accusation()
	accusation.Kind = kind
	return accusation, body, nil
}

// Offender is a validator that a proof convicts, with its share of power in the
// epoch of the offence.
type Offender struct {
	Account [32]byte
	Key     [48]byte
	Power   uint256.Int
	Total   uint256.Int // of the set
}

// VerifiedFault is a proof that convicts, or that halts a chain. The zero value does
// neither.
type VerifiedFault struct {
	proof      *FaultProof
	accusation Accusation
	offenders  []Offender
}

// VerifyFault checks a proof against the set of the chain and epoch that [Peek]
// names. To find the set by its root alone is not enough: the power that the
// offenders had is that of their epoch. Hard errors are those of the proof's form,
// [RuleSignature] and [RuleOffender]. Soft ones are [RuleWrongSet] (set is not the one that the
// proof names) and [RuleUnsupported].
func VerifyFault(law Law, set *Set, f *FaultProof) (VerifiedFault, error) {
	accusation, body, err := openFault(f)
	if err != nil {
		return VerifiedFault{}, err
	}
	if err := body.verify(law, set); err != nil {
		return VerifiedFault{}, err
	}
	verified := VerifiedFault{
		proof:      &FaultProof{f.Kind, bytes.Clone(f.Body)},
		accusation: accusation,
	}
	for i := range accusation.Accused.Ones() {
		verified.offenders = append(verified.offenders, Offender{
			Account: set.members[i].Account,
			Key:     set.members[i].Key,
			Power:   set.powers[i],
			Total:   set.total,
		})
	}
	return verified, nil
}

// IsZero says whether v is the zero value. Proof and ID must not be called on it.
func (v VerifiedFault) IsZero() bool { return v.proof == nil }

// Kind is which rule was broken.
func (v VerifiedFault) Kind() FaultKind { return v.accusation.Kind }

// ChainID is the chain whose validators broke it.
func (v VerifiedFault) ChainID() string { return v.accusation.ChainID }

// Epoch is the epoch of the offence.
func (v VerifiedFault) Epoch() uint64 { return v.accusation.Epoch }

// Forked says that the chain's own consensus has failed, and that nobody is convicted.
func (v VerifiedFault) Forked() bool { return v.accusation.Forked }

// ID is the proof's, see [FaultProof.ID].
func (v VerifiedFault) ID() [32]byte { return v.proof.ID() }

// Refutes is the checkpoint that can't be right, zero if the fault leaves them be.
func (v VerifiedFault) Refutes() Refuted { return v.accusation.Refutes }

// Offenders are those convicted, in the order of the set, none if the chain has
// [VerifiedFault.Forked]; the slice is the caller's.
func (v VerifiedFault) Offenders() []Offender { return append([]Offender(nil), v.offenders...) }

// Proof is a copy of the proof that was verified.
func (v VerifiedFault) Proof() *FaultProof {
	return &FaultProof{v.proof.Kind, bytes.Clone(v.proof.Body)}
}
