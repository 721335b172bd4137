package bls

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// redacted is all that formatting or logging a secret key ever shows.
const redacted = "bls.SecretKey(redacted)"

// SecretKey is a valid secret key: a scalar between 1 and the group order. However
// it is printed, logged or marshalled, only Bytes reveals it. Methods see to that,
// and where fmt calls none, in the unexported field of someone's struct, a formatter
// follows pointers but not into a closure: so that is where the scalar is.
//
// The zero value is no key; using it panics.
type SecretKey struct {
	reveal func() *herumi.SecretKey
}

func newSecretKey(scalar *herumi.SecretKey) SecretKey {
	return SecretKey{reveal: func() *herumi.SecretKey { return scalar }}
}

// GenerateKey makes a key from 32 bytes of the reader (crypto/rand.Reader, or a
// seeded one in tests: the same bytes give the same key) with the KeyGen of the BLS
// draft and EIP-2333. The error is the reader's.
func GenerateKey(rand io.Reader) (SecretKey, error) {
	var seed [minSeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return SecretKey{}, fmt.Errorf("generate key: read randomness: %w", err)
	}
	return deriveModR(seed[:]), nil
}

// ParseSecretKey decodes 32 big-endian bytes. Errors are ErrSize, and ErrScalar for
// zero and for what is not below the group order; they never quote the bytes.
func ParseSecretKey(b []byte) (SecretKey, error) {
	ready()
	if len(b) != SecretKeySize {
		return SecretKey{}, fmt.Errorf("parse secret key: %w: want %d, got %d", ErrSize, SecretKeySize, len(b))
	}
	scalar := new(herumi.SecretKey)
	if scalar.Deserialize(forC(b)) != nil || scalar.IsZero() {
		return SecretKey{}, fmt.Errorf("parse secret key: %w", ErrScalar)
	}
	return newSecretKey(scalar), nil
}

// IsZero says whether k is the zero value, that is, no key.
func (k SecretKey) IsZero() bool { return k.reveal == nil }

// Bytes reveals the secret: 32 big-endian bytes.
func (k SecretKey) Bytes() [SecretKeySize]byte {
	return [SecretKeySize]byte(k.mustScalar().Serialize())
}

// PublicKey is the public key that belongs to k.
func (k SecretKey) PublicKey() PublicKey {
	return newPublicKey(k.mustScalar().GetPublicKey())
}

// Sign signs a message of any length. It is deterministic. Consensus objects are
// signed by way of their signing root, behind the guard against signing twice.
func (k SecretKey) Sign(msg []byte) Signature {
	return newSignature(k.mustScalar().SignByte(forC(msg)))
}

func (k SecretKey) mustScalar() *herumi.SecretKey {
	if k.reveal == nil {
		panic("bls: the zero SecretKey is no key: make one with GenerateKey, ParseSecretKey or DecryptKeystore")
	}
	return k.reveal()
}

// String does not reveal the key.
func (k SecretKey) String() string { return redacted }

// GoString does not reveal the key.
func (k SecretKey) GoString() string { return redacted }

// Format does not reveal the key, whatever the verb.
func (k SecretKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue does not reveal the key.
func (k SecretKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText refuses: a secret key leaves the process in a keystore only, and an
// encoder that meets one by accident should say so instead of writing "{}".
func (k SecretKey) MarshalText() ([]byte, error) {
	return nil, errors.New("a secret key is not marshalled: use EncryptKeystore")
}
