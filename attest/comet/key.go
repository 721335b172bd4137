package comet

import (
	"crypto/sha256"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// AddressSize is the length of a validator's address in bytes.
const AddressSize = 20

// Address is the name of the validator with an ed25519 key.
func Address(key []byte) [AddressSize]byte {
	digest := sha256.Sum256(key)
	return [AddressSize]byte(digest[:AddressSize])
}

// VerifyEd25519 says whether an ed25519 key signed msg, by ZIP-215, as CometBFT: a
// stricter rule would let a validator make signatures that its chain takes and this
// package does not.
func VerifyEd25519(key, msg, sig []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(sig) == ed25519.SignatureSize &&
		ed25519.VerifyWithOptions(key, msg, sig, &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215})
}
