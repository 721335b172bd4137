package attest

import "github.com/meshsec/meshsec/bls"

func parseKey(encoded [48]byte) (bls.PublicKey, error) {
	key, err := bls.ParsePublicKey(encoded[:])
	if err != nil {
		return bls.PublicKey{}, refuse(RuleKey, "%x: %v", encoded, err)
	}
	return key, nil
}

func parseSignature(encoded [96]byte) (bls.Signature, error) {
	signature, err := bls.ParseSignature(encoded[:])
	if err != nil {
		return bls.Signature{}, refuse(RuleSignature, "%v", err)
	}
	return signature, nil
}
