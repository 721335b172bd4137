package bls

import (
	"bytes"
	"encoding/hex"
	"fmt"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// PublicKey is a valid public key: a point of the prime-order subgroup of G1, not
// infinity. Compare keys with Equal, use Bytes as a map key; == does not compile.
// The zero value is no key and verifies nothing.
type PublicKey struct {
	_     [0]func() // two pointers to one key must not look different
	point *publicKeyPoint
}

// publicKeyPoint never changes once it is published; point is in affine form.
type publicKeyPoint struct {
	point   herumi.PublicKey
	encoded [PublicKeySize]byte
}

// ParsePublicKey decodes a compressed public key and validates it (KeyValidate of
// draft-irtf-cfrg-bls-signature-05 §2.5). Errors are ErrSize, ErrPoint and
// ErrInfinity. A validated key is remembered in a bounded cache of the process, so
// that parsing it again costs a look-up instead of a tenth of a millisecond.
func ParsePublicKey(b []byte) (PublicKey, error) {
	if len(b) != PublicKeySize {
		return PublicKey{}, fmt.Errorf("parse public key: %w: want %d, got %d", ErrSize, PublicKeySize, len(b))
	}
	encoded := [PublicKeySize]byte(b)
	if known := parsedKeys.get(encoded); known != nil {
		return PublicKey{point: known}, nil
	}
	point, err := decodePublicKey(b)
	if err != nil {
		return PublicKey{}, fmt.Errorf("parse public key: %w", err)
	}
	if point.IsZero() {
		return PublicKey{}, fmt.Errorf("parse public key: %w", ErrInfinity)
	}
	parsed := &publicKeyPoint{point: point, encoded: encoded}
	parsedKeys.put(parsed)
	return PublicKey{point: parsed}, nil
}

// decodePublicKey accepts any point of the subgroup, infinity included, but each
// in one encoding only: herumi reads infinity with junk behind it, hence the
// comparison with what it would have written.
func decodePublicKey(b []byte) (herumi.PublicKey, error) {
	ready()
	var point herumi.PublicKey
	if len(b) != PublicKeySize {
		return point, ErrSize
	}
	if point.Deserialize(forC(b)) != nil || !bytes.Equal(point.Serialize(), b) {
		return point, ErrPoint
	}
	return point, nil
}

// newPublicKey takes a valid point, in any coordinates, that is not infinity.
func newPublicKey(point *herumi.PublicKey) PublicKey {
	k := new(publicKeyPoint)
	herumi.G1Normalize(herumi.CastFromPublicKey(&k.point), herumi.CastFromPublicKey(point))
	copy(k.encoded[:], k.point.Serialize())
	return PublicKey{point: k}
}

// IsZero says whether k is the zero value, that is, no key.
func (k PublicKey) IsZero() bool { return k.point == nil }

// Bytes is the compressed encoding; of the zero value, 48 zero bytes, which do not
// parse.
func (k PublicKey) Bytes() [PublicKeySize]byte {
	if k.point == nil {
		return [PublicKeySize]byte{}
	}
	return k.point.encoded
}

// Equal says whether k and other are the same key.
func (k PublicKey) Equal(other PublicKey) bool { return k.Bytes() == other.Bytes() }

// String is the compressed encoding in hexadecimal with a leading 0x.
func (k PublicKey) String() string {
	b := k.Bytes()
	return "0x" + hex.EncodeToString(b[:])
}

// AggregatePublicKeys adds public keys up. The sum means something only if
// possession of every one of them is proven: otherwise the last to come can choose
// a key that cancels the others. Errors are ErrEmpty for no keys or a zero value
// among them, and ErrInfinity if they cancel out.
func AggregatePublicKeys(keys []PublicKey) (PublicKey, error) {
	if len(keys) == 0 {
		return PublicKey{}, fmt.Errorf("aggregate public keys: %w", ErrEmpty)
	}
	var sum herumi.PublicKey // infinity, the neutral element
	for i, k := range keys {
		if k.IsZero() {
			return PublicKey{}, fmt.Errorf("aggregate public keys: %w: number %d is the zero value", ErrEmpty, i)
		}
		sum.Add(&k.point.point)
	}
	if sum.IsZero() {
		return PublicKey{}, fmt.Errorf("aggregate public keys: they cancel out: %w", ErrInfinity)
	}
	return newPublicKey(&sum), nil
}
