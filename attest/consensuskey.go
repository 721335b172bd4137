package attest

import (
	"crypto/ed25519"

	"github.com/meshsec/meshsec/bls"
)

// Types of consensus keys, the numbers of [ConsensusKey].
const (
	KeyNone     uint8 = 0 // the home chain's validators have no key of their own; no bytes
	KeyEd25519  uint8 = 1 // 32 bytes, as CometBFT's default
	KeyEthereum uint8 = 2 // 48 bytes, BLS12-381 in G1, that of a validator of an Ethereum beacon chain
)

// ConsensusSecret is a validator's secret key in its home chain's consensus, of a type
// that can be bound: [Ed25519] or [Ethereum].
type ConsensusSecret interface {
	// Public is the key that is bound.
	Public() ConsensusKey
	// sign is the key's part of a registration, given its signing root.
	sign(registration [32]byte) []byte
}

// Ed25519 is a consensus key of type [KeyEd25519]. It signs the registration itself.
func Ed25519(key ed25519.PrivateKey) ConsensusSecret { return ed25519Secret{key} }

type ed25519Secret struct{ key ed25519.PrivateKey }

func (s ed25519Secret) Public() ConsensusKey {
	return ConsensusKey{KeyEd25519, []byte(s.key.Public().(ed25519.PublicKey))}
}

func (s ed25519Secret) sign(registration [32]byte) []byte {
	return ed25519.Sign(s.key, registration[:])
}

// Ethereum is a consensus key of type [KeyEthereum]. It proves its possession with the
// registration as context, see [bls.ProvePossession], since such keys are added up: an
// aggregate with a key that nobody holds could name anybody. What is signed is the
// SHA-256 of 101 bytes, and everything that a beacon chain has a key sign is the SHA-256
// of 64 (SigningData): neither can stand for the other.
func Ethereum(key bls.SecretKey) ConsensusSecret { return ethereumSecret{key} }

type ethereumSecret struct{ key bls.SecretKey }

func (s ethereumSecret) Public() ConsensusKey {
	b := s.key.PublicKey().Bytes()
	return ConsensusKey{KeyEthereum, b[:]}
}

func (s ethereumSecret) sign(registration [32]byte) []byte {
	b := bls.ProvePossession(s.key, registration).Bytes()
	return b[:]
}

func (k *ConsensusKey) check() error {
	n := len(k.Bytes)
	valid := n > 0 && n <= MaxConsensusKey
	switch k.Type {
	case KeyNone:
		valid = n == 0
	case KeyEd25519:
		valid = n == 32
	case KeyEthereum:
		valid = n == bls.PublicKeySize
	}
	if !valid {
		return refuse(RuleConsensusKey, "type %d with %d bytes", k.Type, n)
	}
	return nil
}

// verify checks the key's part of a registration, given its signing root. The error is
// [RuleConsensusSignature].
func (k *ConsensusKey) verify(registration [32]byte, signature []byte) error {
	var valid bool
	switch k.Type {
	case KeyEd25519:
		valid = ed25519.Verify(k.Bytes, registration[:], signature)
	case KeyEthereum:
		key, badKey := bls.ParsePublicKey(k.Bytes)
		proof, badProof := bls.ParseSignature(signature)
		valid = badKey == nil && badProof == nil && bls.VerifyPossession(key, registration, proof)
	}
	if !valid {
		return refuse(RuleConsensusSignature, "key %x", k.Bytes)
	}
	return nil
}
