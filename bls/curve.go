package bls

import (
	"errors"
	"slices"
	"sync"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// Sizes of the encodings in bytes: compressed points, and a big-endian scalar.
const (
	PublicKeySize = 48
	SignatureSize = 96
	SecretKeySize = 32
)

// What parsing and aggregating refuse. Errors of this package wrap one of them.
var (
	// ErrSize: the encoding has the wrong number of bytes.
	ErrSize = errors.New("wrong number of bytes")
	// ErrPoint: not the canonical encoding of a point of the subgroup.
	ErrPoint = errors.New("not the canonical encoding of a point of the prime-order subgroup")
	// ErrInfinity: the point at infinity, which no honest signer produces.
	ErrInfinity = errors.New("the point at infinity is refused")
	// ErrScalar: a secret key that is zero, or not below the order of the group.
	ErrScalar = errors.New("a secret key must be between 1 and the group order")
	// ErrEmpty: nothing to aggregate, or a zero value among what is aggregated.
	ErrEmpty = errors.New("nothing to aggregate")
)

// ready initialises the C library. Any call before that is a segmentation fault
// that Go cannot recover, and the initialisation itself is not thread-safe: so
// everything that makes a key or signature, or hashes, goes through here first.
var ready = sync.OnceFunc(func() {
	if err := herumi.Init(herumi.BLS12_381); err != nil {
		panic("bls: the herumi library does not fit its Go binding: " + err.Error())
	}
	if err := herumi.SetETHmode(herumi.EthModeLatest); err != nil {
		panic("bls: select the Ethereum ciphersuite: " + err.Error())
	}
})

// negativeGenerator is −g, with g the generator of G1.
var negativeGenerator = sync.OnceValue(func() herumi.G1 {
	ready()
	var g herumi.PublicKey
	herumi.GetGeneratorOfPublicKey(&g)
	var neg herumi.G1
	herumi.G1Neg(&neg, herumi.CastFromPublicKey(&g))
	return neg
})

// hashToCurve maps a message of any length to G2 (RFC 9380, with the domain
// separation tag of the ciphersuite).
func hashToCurve(msg []byte) herumi.G2 {
	ready()
	var h herumi.G2
	if err := h.HashAndMapTo(forC(msg)); err != nil {
		panic("bls: hash to curve: " + err.Error()) // no input leads here
	}
	return h
}

// residue is ∏ e(keys[i], hashes[i]) · e(−g, signature), in one multi-pairing with
// one final exponentiation. It is one exactly when the signature is the sum of the
// signatures of these keys over these messages. keys and hashes have one length.
//
// It is a homomorphism: the residue of a sum of claims is the product of theirs.
func residue(keys []herumi.G1, hashes []herumi.G2, signature herumi.G2) herumi.GT {
	keys = append(slices.Clip(keys), negativeGenerator())
	hashes = append(slices.Clip(hashes), signature)
	var r herumi.GT
	herumi.MillerLoopVec(&r, keys, hashes)
	herumi.FinalExp(&r, &r)
	return r
}

// forC copies b to memory of its own. cgo refuses, with a panic, a slice that
// points into an object which holds Go pointers, such as a field of a decoded
// message.
func forC(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
