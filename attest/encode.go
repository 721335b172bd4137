package attest

import (
	"bytes"
)

// Largest encodings in bytes. Longer input is refused before it is parsed.
const (
	MaxCheckpointSize       = 188 + MaxChainID
	MaxAttestationSize      = 148 + MaxCheckpointSize
	MaxCertificateSize      = 104 + MaxCheckpointSize + MaxValidators/8 + 1
	MaxCrossClaimSize       = 96 + 2*MaxChainID
	MaxCrossAttestationSize = 148 + MaxCrossClaimSize
	MaxCrossCertificateSize = 104 + MaxCrossClaimSize + MaxValidators/8 + 1
	MaxValidatorSetSize     = 4 + MaxValidators*(4+116+5+MaxConsensusKey)
	MaxRegistrationSize     = 88 + MaxChainID + 5 + MaxConsensusKey
	MaxDoubleVoteSize       = 40 + 2*MaxCertificateSize
	MaxEquivocationSize     = 73 + MaxChainID + MaxValidators/8 + 1 + 5 + MaxConsensusKey + 2*(84+MaxConsensusSignature)
	MaxTransitionSize       = MaxFaultProofSize - 5
	MaxLightClientAttack    = 160<<10 - 5
	MaxInvalidOperations    = 392<<10 - 5
	MaxFaultProofSize       = 512 << 10 // of the largest kind, see FaultKind.MaxSize
)

// object is what every wire object is: generated SSZ code, and a check of the rules
// that its form alone must meet. The check accepts exactly what may be encoded.
type object interface {
	MarshalSSZ() ([]byte, error)
	UnmarshalSSZ([]byte) error
	check() error
}

// decode accepts only the canonical encoding: what it returns encodes to data.
func decode[T any, P interface {
	*T
	object
}](data []byte, limit int) (P, error) {
	if len(data) > limit {
		return nil, refuse(RuleSize, "%d bytes, at most %d", len(data), limit)
	}
	o := P(new(T))
	if err := o.UnmarshalSSZ(data); err != nil {
		return nil, refuse(RuleEncoding, "%v", err)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	again, err := o.MarshalSSZ()
	if err != nil {
		return nil, refuse(RuleEncoding, "%v", err)
	}
	if !bytes.Equal(again, data) {
		return nil, refuse(RuleEncoding, "the same object has another encoding")
	}
	return o, nil
}

// encode refuses what could not be decoded; the generated code alone does not.
func encode(o object) ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	data, err := o.MarshalSSZ()
	if err != nil {
		return nil, refuse(RuleEncoding, "%v", err)
	}
	return data, nil
}

// The Decode functions accept exactly the canonical SSZ encodings of objects that
// are well formed, and share no memory with their input. They verify no signature.
// The Encode functions are their inverse and refuse what could not be decoded. The
// errors of both are *Error, those of decoding always hard.

// DecodeCheckpoint decodes a checkpoint.
func DecodeCheckpoint(data []byte) (*Checkpoint, error) {
	return decode[Checkpoint](data, MaxCheckpointSize)
}

// EncodeCheckpoint encodes a checkpoint.
func EncodeCheckpoint(c *Checkpoint) ([]byte, error) { return encode(c) }

// DecodeValidatorSet decodes a validator set; [NewSet] checks what it means.
func DecodeValidatorSet(data []byte) (*ValidatorSet, error) {
	return decode[ValidatorSet](data, MaxValidatorSetSize)
}

// EncodeValidatorSet encodes a validator set.
func EncodeValidatorSet(v *ValidatorSet) ([]byte, error) { return encode(v) }

// DecodeAttestation decodes an attestation.
func DecodeAttestation(data []byte) (*Attestation, error) {
	return decode[Attestation](data, MaxAttestationSize)
}

// EncodeAttestation encodes an attestation.
func EncodeAttestation(a *Attestation) ([]byte, error) { return encode(a) }

// DecodeCertificate decodes a certificate or aggregate.
func DecodeCertificate(data []byte) (*Certificate, error) {
	return decode[Certificate](data, MaxCertificateSize)
}

// EncodeCertificate encodes a certificate or aggregate.
func EncodeCertificate(c *Certificate) ([]byte, error) { return encode(c) }

// DecodeCrossClaim decodes a cross claim.
func DecodeCrossClaim(data []byte) (*CrossClaim, error) {
	return decode[CrossClaim](data, MaxCrossClaimSize)
}

// EncodeCrossClaim encodes a cross claim.
func EncodeCrossClaim(c *CrossClaim) ([]byte, error) { return encode(c) }

// DecodeCrossAttestation decodes a cross-attestation.
func DecodeCrossAttestation(data []byte) (*CrossAttestation, error) {
	return decode[CrossAttestation](data, MaxCrossAttestationSize)
}

// EncodeCrossAttestation encodes a cross-attestation.
func EncodeCrossAttestation(a *CrossAttestation) ([]byte, error) { return encode(a) }

// DecodeCrossCertificate decodes a cross-certificate.
func DecodeCrossCertificate(data []byte) (*CrossCertificate, error) {
	return decode[CrossCertificate](data, MaxCrossCertificateSize)
}

// EncodeCrossCertificate encodes a cross-certificate.
func EncodeCrossCertificate(c *CrossCertificate) ([]byte, error) { return encode(c) }

// DecodeRegistration decodes a registration.
func DecodeRegistration(data []byte) (*Registration, error) {
	return decode[Registration](data, MaxRegistrationSize)
}

// EncodeRegistration encodes a registration.
func EncodeRegistration(r *Registration) ([]byte, error) { return encode(r) }

// DecodeFaultProof decodes the envelope of a proof. The body is looked at by [Peek]
// and [VerifyFault].
func DecodeFaultProof(data []byte) (*FaultProof, error) {
	return decode[FaultProof](data, MaxFaultProofSize)
}

// EncodeFaultProof encodes a fault proof.
func EncodeFaultProof(f *FaultProof) ([]byte, error) { return encode(f) }

// DecodeDoubleVote decodes the body of a proof of kind [FaultDoubleVote], including
// everything that can be checked about it without a validator set.
func DecodeDoubleVote(data []byte) (*DoubleVote, error) {
	return decode[DoubleVote](data, MaxDoubleVoteSize)
}

// EncodeDoubleVote encodes the body of a proof of kind [FaultDoubleVote].
func EncodeDoubleVote(d *DoubleVote) ([]byte, error) { return encode(d) }

// DecodeEquivocation decodes the body of a proof of kind
// [FaultConsensusEquivocation], including everything that can be checked about it
// without a validator set.
func DecodeEquivocation(data []byte) (*Equivocation, error) {
	return decode[Equivocation](data, MaxEquivocationSize)
}

// EncodeEquivocation encodes the body of a proof of kind
// [FaultConsensusEquivocation].
func EncodeEquivocation(e *Equivocation) ([]byte, error) { return encode(e) }

// DecodeTransition decodes the body of a proof of kind [FaultInvalidTransition],
// including everything that can be checked about it without a validator set and the
// rules of the ledger.
func DecodeTransition(data []byte) (*Transition, error) {
	return decode[Transition](data, MaxTransitionSize)
}

// EncodeTransition encodes the body of a proof of kind [FaultInvalidTransition].
func EncodeTransition(t *Transition) ([]byte, error) { return encode(t) }

// DecodeLightClientAttack decodes the body of a proof of kind [FaultLightClientAttack],
// including everything that can be checked about it without a validator set.
func DecodeLightClientAttack(data []byte) (*LightClientAttack, error) {
	return decode[LightClientAttack](data, MaxLightClientAttack)
}

// EncodeLightClientAttack encodes the body of a proof of kind [FaultLightClientAttack].
func EncodeLightClientAttack(a *LightClientAttack) ([]byte, error) { return encode(a) }

// DecodeInvalidOperations decodes the body of a proof of kind [FaultInvalidOperations],
// including everything that can be checked about it without a validator set.
func DecodeInvalidOperations(data []byte) (*InvalidOperations, error) {
	return decode[InvalidOperations](data, MaxInvalidOperations)
}

// EncodeInvalidOperations encodes the body of a proof of kind [FaultInvalidOperations].
func EncodeInvalidOperations(o *InvalidOperations) ([]byte, error) { return encode(o) }
