package ethereum

import (
	"bytes"
	"errors"
	"fmt"

	ssz "github.com/ferranbt/fastssz"
)

// Largest encodings in bytes. Longer input is refused before it is parsed.
const (
	AttestationDataSize            = 128
	BeaconBlockHeaderSize          = 112
	attestationSize                = 4 + AttestationDataSize + 96
	MaxAttesterSlashingSize        = 8 + 2*(attestationSize+8*MaxAttestersPhase0)
	MaxAttesterSlashingElectraSize = 8 + 2*(attestationSize+8*MaxAttestersElectra)
	ProposerSlashingSize           = 2 * (BeaconBlockHeaderSize + 96)
)

// Errors of decoding: more bytes than any object of the kind has, and bytes that are
// not the one encoding of an object.
var (
	ErrSize     = errors.New("ethereum: the encoding is too long")
	ErrEncoding = errors.New("ethereum: not the encoding of an object")
)

// DecodeAttestationData accepts exactly the SSZ encodings. Errors are [ErrSize] and
// [ErrEncoding], as with all that decode.
func DecodeAttestationData(data []byte) (*AttestationData, error) {
	return decode[AttestationData](data, AttestationDataSize)
}

// DecodeBeaconBlockHeader accepts exactly the SSZ encodings.
func DecodeBeaconBlockHeader(data []byte) (*BeaconBlockHeader, error) {
	return decode[BeaconBlockHeader](data, BeaconBlockHeaderSize)
}

// DecodeAttesterSlashing accepts exactly the SSZ encodings before Electra.
func DecodeAttesterSlashing(data []byte) (*AttesterSlashing, error) {
	return decode[AttesterSlashing](data, MaxAttesterSlashingSize)
}

// DecodeAttesterSlashingElectra accepts exactly the SSZ encodings since Electra, and
// with them those before.
func DecodeAttesterSlashingElectra(data []byte) (*AttesterSlashingElectra, error) {
	return decode[AttesterSlashingElectra](data, MaxAttesterSlashingElectraSize)
}

// DecodeProposerSlashing accepts exactly the SSZ encodings.
func DecodeProposerSlashing(data []byte) (*ProposerSlashing, error) {
	return decode[ProposerSlashing](data, ProposerSlashingSize)
}

func decode[T any, P interface {
	*T
	UnmarshalSSZ([]byte) error
	MarshalSSZ() ([]byte, error)
}](data []byte, limit int) (P, error) {
	if len(data) > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(data), limit)
	}
	o := P(new(T))
	if err := o.UnmarshalSSZ(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	again, err := o.MarshalSSZ()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	if !bytes.Equal(again, data) {
		return nil, fmt.Errorf("%w: the same object has another one", ErrEncoding)
	}
	return o, nil
}

// Root is the hash tree root, which is signed with the domain of an attester.
func (d *AttestationData) Root() [32]byte { return mustRoot(d) }

// Root is the hash tree root, which is signed with the domain of a proposer.
func (h *BeaconBlockHeader) Root() [32]byte { return mustRoot(h) }

// mustRoot is for objects of fixed size, which always have a root.
func mustRoot(o ssz.HashRoot) [32]byte {
	root, err := o.HashTreeRoot()
	if err != nil {
		panic("ethereum: root of an object of fixed size: " + err.Error())
	}
	return root
}
