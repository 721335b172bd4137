package bls

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"sync"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// KeySum adds up the public keys of one aggregate, one after the other: it needs no
// memory for them. The zero value is ready. As with [AggregatePublicKeys], possession of
// every key must be proven. It must not be used from several goroutines at once.
type KeySum struct {
	sum herumi.G1 // infinity, the neutral element
	n   int

	point  herumi.G1 // being decoded
	square herumi.Fp
}

// Add adds a key. The zero value of a PublicKey is ErrEmpty.
func (s *KeySum) Add(key PublicKey) error {
	if key.IsZero() {
		return fmt.Errorf("add public key: %w", ErrEmpty)
	}
	s.add(herumi.CastFromPublicKey(&key.point.point))
	return nil
}

// AddVouched adds a compressed key that somebody else has validated, at a third of the
// cost of [ParsePublicKey]: that it is a point of the curve is checked, that it is one of
// the subgroup only of the sum. A sum in the subgroup is verified as any other, but says
// nothing of each key in it: whoever holds a key against its owner must parse it. Errors
// are ErrSize, ErrPoint and ErrInfinity.
func (s *KeySum) AddVouched(b []byte) error {
	if err := s.decompress(b); err != nil {
		return fmt.Errorf("add public key: %w", err)
	}
	s.add(&s.point)
	return nil
}

func (s *KeySum) add(point *herumi.G1) {
	ready()
	herumi.G1Add(&s.sum, &s.sum, point)
	s.n++
}

// PublicKey is the sum, a valid key. Errors are ErrEmpty if nothing was added, ErrInfinity
// if the keys cancel out, and ErrPoint if one of them was not of the subgroup.
func (s *KeySum) PublicKey() (PublicKey, error) {
	var sum herumi.PublicKey
	*herumi.CastFromPublicKey(&sum) = s.sum
	switch {
	case s.n == 0:
		return PublicKey{}, fmt.Errorf("sum of public keys: %w", ErrEmpty)
	case sum.IsZero():
		return PublicKey{}, fmt.Errorf("sum of public keys: they cancel out: %w", ErrInfinity)
	case !sum.IsValidOrder():
		return PublicKey{}, fmt.Errorf("sum of public keys: %w", ErrPoint)
	}
	return newPublicKey(&sum), nil
}

// Flags in the first byte of a compressed point.
const (
	flagCompressed = 0x80
	flagInfinity   = 0x40
	flagLargest    = 0x20 // of the two points with that x, the one with the larger y
)

// fieldOrder is the p of BLS12-381, big-endian.
var fieldOrder = sync.OnceValue(func() []byte {
	p, err := hex.DecodeString("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab")
	if err != nil {
		panic("bls: the order of the field: " + err.Error())
	}
	return p
})

// curveCoefficient is the 4 of y² = x³ + 4.
var curveCoefficient = sync.OnceValue(func() *herumi.Fp {
	ready()
	four := new(herumi.Fp)
	four.SetInt64(4)
	return four
})

// decompress decodes a point of the curve, which need not be of the subgroup, into
// s.point. It accepts one encoding of a point, as [ParsePublicKey] does.
func (s *KeySum) decompress(b []byte) error {
	if len(b) != PublicKeySize {
		return fmt.Errorf("%w: want %d, got %d", ErrSize, PublicKeySize, len(b))
	}
	ready()
	flags, x, point := b[0], forC(b), &s.point
	x[0] &= 0xff >> 3
	switch {
	case flags&flagCompressed == 0:
		return ErrPoint
	case flags&flagInfinity != 0 && flags&flagLargest == 0 && bytes.Count(x, []byte{0}) == len(x):
		return ErrInfinity
	case flags&flagInfinity != 0 || bytes.Compare(x, fieldOrder()) >= 0 || point.X.SetBigEndianMod(x) != nil:
		return ErrPoint
	}
	four := curveCoefficient()
	herumi.FpSqr(&s.square, &point.X)
	herumi.FpMul(&s.square, &s.square, &point.X)
	herumi.FpAdd(&s.square, &s.square, four)
	if !herumi.FpSquareRoot(&point.Y, &s.square) {
		return ErrPoint
	}
	if point.Y.IsNegative() != (flags&flagLargest != 0) {
		herumi.FpNeg(&point.Y, &point.Y)
	}
	point.Z.SetInt64(1)
	return nil
}
