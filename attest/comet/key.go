package comet

import (
	"crypto/sha256"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	//lint:ignore SA1019 CometBFT's addresses of secp256k1 keys are defined by it
	"golang.org/x/crypto/ripemd160"
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

// KeyType is the algorithm of a consensus key: its field in the protobuf oneof
// tendermint.crypto.PublicKey.
type KeyType uint64

// The algorithms.
const (
	Ed25519   KeyType = 1
	Secp256k1 KeyType = 2
	BLS12381  KeyType = 3
)

// String is the algorithm's name.
func (t KeyType) String() string {
	return map[KeyType]string{Ed25519: "ed25519", Secp256k1: "secp256k1", BLS12381: "bls12_381"}[t]
}

// Lengths are those of the algorithm's keys in bytes. A BLS key is compressed (as
// in the release candidates before v1) or has both coordinates.
func (t KeyType) Lengths() []int {
	return map[KeyType][]int{Ed25519: {32}, Secp256k1: {33}, BLS12381: {48, 96}}[t]
}

// Key is a consensus key of a length that its algorithm has; whether it is a
// point is seen when it verifies.
type Key struct {
	Type  KeyType
	Bytes []byte
}

// Address is the name of the key's validator.
func (k Key) Address() []byte {
	digest := sha256.Sum256(k.Bytes)
	if k.Type == Secp256k1 {
		h := ripemd160.New()
		h.Write(digest[:]) // a hash does not fail
		return h.Sum(nil)
	}
	return digest[:AddressSize]
}

// Proto is tendermint.crypto.PublicKey.
func (k Key) Proto() Message {
	return Message(nil).Embed(uint64(k.Type), k.Bytes)
}

// Verify says whether the key signed the message, as the consensus engine decides it. The
// scheme is that of the commit or double vote that the signature is in.
func (k Key) Verify(msg, sig []byte, scheme *Scheme) bool {
	switch k.Type {
	case Ed25519:
		return VerifyEd25519(k.Bytes, msg, sig)
	case Secp256k1:
		return verifySecp256k1(k.Bytes, msg, sig)
	case BLS12381:
		return scheme.verify(k.Bytes, msg, sig)
	}
	return false
}

// verifySecp256k1 is ECDSA over SHA-256; the signature is R ‖ S with S in the lower
// half of the order.
func verifySecp256k1(encoded, msg, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	key, err := secp256k1.ParsePubKey(encoded)
	if err != nil {
		return false
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) || s.IsOverHalfOrder() {
		return false
	}
	digest := sha256.Sum256(msg)
	return ecdsa.NewSignature(&r, &s).Verify(digest[:], key)
}
