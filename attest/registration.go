package attest

import (
	"bytes"
	"crypto/ed25519"

	"github.com/meshsec/meshsec/bls"
)

// Types of consensus keys, the numbers of [ConsensusKey].
const (
	KeyNone    uint8 = 0 // the home chain's validators have no key of their own; no bytes
	KeyEd25519 uint8 = 1 // 32 bytes, as CometBFT's default
)

// VerifiedRegistration binds a BLS key and a consensus key to an account: both
// signed all of it.
type VerifiedRegistration struct {
	registration *Registration
}

// ProveRegistration is the BLS key's part of a registration: a proof of possession
// whose context is the registration's signing root. The key must be r.Key.
func ProveRegistration(key bls.SecretKey, net Network, r *Registration) ([96]byte, error) {
	if err := r.check(); err != nil {
		return [96]byte{}, err
	}
	if key.PublicKey().Bytes() != r.Key {
		return [96]byte{}, refuse(RulePossession, "registration of %x, signing with %s", r.Key, key.PublicKey())
	}
	return bls.ProvePossession(key, r.SigningRoot(net)).Bytes(), nil
}

// SignRegistration is the consensus key's part: an ed25519 signature over the
// signing root. The key must be r.ConsensusKey.
func SignRegistration(key ed25519.PrivateKey, net Network, r *Registration) ([]byte, error) {
	if err := checkJudgeable(r); err != nil {
		return nil, err
	}
	if public, ok := key.Public().(ed25519.PublicKey); !ok || !bytes.Equal(public, r.ConsensusKey.Bytes) {
		return nil, refuse(RuleConsensusSignature, "registration of %x, signing with %x", r.ConsensusKey.Bytes, public)
	}
	message := r.SigningRoot(net)
	return ed25519.Sign(key, message[:]), nil
}

// VerifyRegistration checks both signatures of a registration. Hard errors are
// those of its form, [RuleKey], [RulePossession] and [RuleConsensusSignature]; a
// type of consensus key other than [KeyEd25519] is the soft [RuleUnsupported].
func VerifyRegistration(net Network, r *Registration, possession [96]byte, consensusSignature []byte) (VerifiedRegistration, error) {
	if err := checkJudgeable(r); err != nil {
		return VerifiedRegistration{}, err
	}
	key, err := parseKey(r.Key)
	if err != nil {
		return VerifiedRegistration{}, err
	}
	message := r.SigningRoot(net)
	if !ed25519.Verify(r.ConsensusKey.Bytes, message[:], consensusSignature) {
		return VerifiedRegistration{}, refuse(RuleConsensusSignature, "key %x", r.ConsensusKey.Bytes)
	}
	proof, err := bls.ParseSignature(possession[:])
	if err != nil {
		return VerifiedRegistration{}, refuse(RulePossession, "key %x: %v", r.Key, err)
	}
	if !bls.VerifyPossession(key, message, proof) {
		return VerifiedRegistration{}, refuse(RulePossession, "key %x", r.Key)
	}
	clone := cloneRegistration(r)
	return VerifiedRegistration{&clone}, nil
}

func checkJudgeable(r *Registration) error {
	if err := r.check(); err != nil {
		return err
	}
	if r.ConsensusKey.Type != KeyEd25519 {
		return refuse(RuleUnsupported, "consensus key of type %d", r.ConsensusKey.Type)
	}
	return nil
}

func cloneRegistration(r *Registration) Registration {
	clone := *r
	clone.ChainID = bytes.Clone(r.ChainID)
	clone.ConsensusKey.Bytes = bytes.Clone(r.ConsensusKey.Bytes)
	return clone
}

// IsZero says whether v is the zero value, which binds nothing. Registration must
// not be called on it.
func (v VerifiedRegistration) IsZero() bool { return v.registration == nil }

// Registration is a copy of what was signed.
func (v VerifiedRegistration) Registration() *Registration {
	r := cloneRegistration(v.registration)
	return &r
}
