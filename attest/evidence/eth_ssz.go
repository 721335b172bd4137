package evidence

import (
	"bytes"
	"fmt"

	ssz "github.com/ferranbt/fastssz"
)

// Largest encodings in bytes. Longer input is refused before it is parsed.
const (
	ethAttestationSize             = 4 + 128 + 96
	MaxAttesterSlashingSize        = 8 + 2*(ethAttestationSize+8*MaxAttestersPhase0)
	MaxAttesterSlashingElectraSize = 8 + 2*(ethAttestationSize+8*MaxAttestersElectra)
	ProposerSlashingSize           = 2 * (112 + 96)
)

// DecodeAttesterSlashing accepts exactly the SSZ encodings before Electra. As with
// all of this kind, errors are [ErrEthereumSize] and [ErrEthereumShape].
func DecodeAttesterSlashing(data []byte) (*AttesterSlashing, error) {
	return ethDecode[AttesterSlashing](data, MaxAttesterSlashingSize)
}

// DecodeAttesterSlashingElectra accepts exactly the SSZ encodings since Electra, and
// with them those before.
func DecodeAttesterSlashingElectra(data []byte) (*AttesterSlashingElectra, error) {
	return ethDecode[AttesterSlashingElectra](data, MaxAttesterSlashingElectraSize)
}

// DecodeProposerSlashing accepts exactly the SSZ encodings.
func DecodeProposerSlashing(data []byte) (*ProposerSlashing, error) {
	return ethDecode[ProposerSlashing](data, ProposerSlashingSize)
}

func ethDecode[T any, P interface {
	*T
	UnmarshalSSZ([]byte) error
	MarshalSSZ() ([]byte, error)
}](data []byte, limit int) (P, error) {
	if len(data) > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrEthereumSize, len(data), limit)
	}
	o := P(new(T))
	if err := o.UnmarshalSSZ(data); err != nil {
		return nil, ethShape("%w", err)
	}
	again, err := o.MarshalSSZ()
	if err != nil {
		return nil, ethShape("%w", err)
	}
	if !bytes.Equal(again, data) {
		return nil, ethShape("the same object has another encoding")
	}
	return o, nil
}

// ethRoot is the hash tree root of an object of fixed size, which always has one.
func ethRoot(o ssz.HashRoot) [32]byte {
	root, err := o.HashTreeRoot()
	if err != nil {
		panic("evidence: root of an object of fixed size: " + err.Error())
	}
	return root
}
