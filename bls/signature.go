package bls

import (
	"bytes"
	"encoding/hex"
	"fmt"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// Signature is a point of the prime-order subgroup of G2 that is not infinity; of
// whom and over what only verification says. Compare with Equal; == does not
// compile. The zero value is no signature and never verifies.
type Signature struct {
	_     [0]func() // two pointers to one signature must not look different
	point *signaturePoint
}

// signaturePoint never changes once it is published; point is in affine form.
type signaturePoint struct {
	point   herumi.Sign
	encoded [SignatureSize]byte
}

// ParseSignature decodes a compressed signature and checks that it lies in the
// subgroup. Errors are ErrSize, ErrPoint and ErrInfinity. It is the dearest part
// of a batched vote (130 µs); callers with several cores parse in parallel.
func ParseSignature(b []byte) (Signature, error) {
	point, err := decodeSignature(b)
	if err != nil {
		return Signature{}, fmt.Errorf("parse signature: %w", err)
	}
	if point.IsZero() {
		return Signature{}, fmt.Errorf("parse signature: %w", ErrInfinity)
	}
	return Signature{point: &signaturePoint{point: point, encoded: [SignatureSize]byte(b)}}, nil
}

// decodeSignature accepts any point of the subgroup, infinity included, each in
// one encoding only, see decodePublicKey.
func decodeSignature(b []byte) (herumi.Sign, error) {
	ready()
	var point herumi.Sign
	if len(b) != SignatureSize {
		return point, fmt.Errorf("%w: want %d, got %d", ErrSize, SignatureSize, len(b))
	}
	if point.Deserialize(forC(b)) != nil || !bytes.Equal(point.Serialize(), b) {
		return point, ErrPoint
	}
	return point, nil
}

// newSignature takes a valid point, in any coordinates, that is not infinity.
func newSignature(point *herumi.Sign) Signature {
	s := new(signaturePoint)
	herumi.G2Normalize(herumi.CastFromSign(&s.point), herumi.CastFromSign(point))
	copy(s.encoded[:], s.point.Serialize())
	return Signature{point: s}
}

// IsZero says whether s is the zero value, that is, no signature.
func (s Signature) IsZero() bool { return s.point == nil }

// Bytes is the compressed encoding; of the zero value, 96 zero bytes, which do not
// parse.
func (s Signature) Bytes() [SignatureSize]byte {
	if s.point == nil {
		return [SignatureSize]byte{}
	}
	return s.point.encoded
}

// Equal says whether s and other are the same signature.
func (s Signature) Equal(other Signature) bool { return s.Bytes() == other.Bytes() }

// String is the compressed encoding in hexadecimal with a leading 0x.
func (s Signature) String() string {
	b := s.Bytes()
	return "0x" + hex.EncodeToString(b[:])
}

// Aggregate adds signatures up. It does not verify them: see the package
// documentation. Errors are ErrEmpty for no signatures or a zero value among them,
// and ErrInfinity if they cancel out, which valid signatures do not.
func Aggregate(signatures []Signature) (Signature, error) {
	points := make([]herumi.Sign, len(signatures))
	for i, s := range signatures {
		if s.IsZero() {
			return Signature{}, fmt.Errorf("aggregate signatures: %w: number %d is the zero value", ErrEmpty, i)
		}
		points[i] = s.point.point
	}
	sum, err := sumSignatures(points)
	if err != nil {
		return Signature{}, fmt.Errorf("aggregate signatures: %w", err)
	}
	if sum.IsZero() {
		return Signature{}, fmt.Errorf("aggregate signatures: they cancel out: %w", ErrInfinity)
	}
	return newSignature(&sum), nil
}

// sumSignatures is Aggregate of draft-irtf-cfrg-bls-signature-05 §2.8 on points:
// the sum may be infinity, but nothing has no sum (herumi would say infinity).
func sumSignatures(points []herumi.Sign) (sum herumi.Sign, err error) {
	if len(points) == 0 {
		return sum, ErrEmpty
	}
	sum.Aggregate(points)
	return sum, nil
}
