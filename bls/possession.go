package bls

import "crypto/sha256"

// possessionDomain keeps a proof of possession apart from every other message: a
// signing root is the hash of 64 bytes, this one of 101.
const possessionDomain = "meshsec/v1/possession"

// ProvePossession shows that the signer holds key, and that it consents to what
// context commits to (the hash of network, chain, account, public key and consensus
// key). The proof signs SHA-256("meshsec/v1/possession" ‖ public key ‖ context). It
// answers rogue-key attacks: who has to prove possession cannot have built his key
// from the keys of others.
func ProvePossession(key SecretKey, context [32]byte) Signature {
	m := possessionMessage(key.PublicKey(), context)
	return key.Sign(m[:])
}

// VerifyPossession checks a proof made by ProvePossession for the same context.
func VerifyPossession(key PublicKey, context [32]byte, proof Signature) bool {
	m := possessionMessage(key, context)
	return Verify(key, m[:], proof)
}

func possessionMessage(key PublicKey, context [32]byte) [32]byte {
	encoded := key.Bytes()
	m := make([]byte, 0, len(possessionDomain)+len(encoded)+len(context))
	m = append(m, possessionDomain...)
	m = append(m, encoded[:]...)
	m = append(m, context[:]...)
	return sha256.Sum256(m)
}
