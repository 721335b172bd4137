package attest

import "github.com/meshsec/meshsec/bls"

// Keys, signatures and messages go to bls by value, never as a slice of one of our
// objects: the library behind it is C, and cgo refuses (with a panic) memory in
// which Go pointers lie, as they do in every struct that also has a slice.

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

func verifySignature(key bls.PublicKey, message [32]byte, signature bls.Signature) bool {
	return bls.Verify(key, message[:], signature)
}
