package attest

import (
	"bytes"

	"github.com/meshsec/meshsec/bls"
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

// SignRegistration is the consensus key's part: of ed25519 a signature over the signing
// root, of Ethereum a proof of possession. The key must be r.ConsensusKey.
func SignRegistration(key ConsensusSecret, net Network, r *Registration) ([]byte, error) {
	if err := checkJudgeable(r); err != nil {
		return nil, err
	}
	if public := key.Public(); !public.equal(&r.ConsensusKey) {
		return nil, refuse(RuleConsensusSignature, "registration of %x, signing with %x", r.ConsensusKey.Bytes, public.Bytes)
	}
	return key.sign(r.SigningRoot(net)), nil
}

// VerifyRegistration checks both signatures of a registration. Hard errors are
// those of its form, [RuleKey], [RulePossession] and [RuleConsensusSignature]; a
// type of consensus key that this version does not know is the soft [RuleUnsupported].
func VerifyRegistration(net Network, r *Registration, possession [96]byte, consensusSignature []byte) (VerifiedRegistration, error) {
	if err := checkJudgeable(r); err != nil {
		return VerifiedRegistration{}, err
	}
	key, err := parseKey(r.Key)
	if err != nil {
		return VerifiedRegistration{}, err
	}
	message := r.SigningRoot(net)
	if err := r.ConsensusKey.verify(message, consensusSignature); err != nil {
		return VerifiedRegistration{}, err
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
	if t := r.ConsensusKey.Type; t != KeyEd25519 && t != KeyEthereum {
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
