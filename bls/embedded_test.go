package bls_test

import (
	"testing"

	"github.com/meshsec/meshsec/bls"
)

// Messages hold keys and signatures as arrays beside slices and pointers; cgo
// would panic if such memory were handed to it as it is.
func TestBytesMayLieInsideAnObjectWithPointers(t *testing.T) {
	type message struct {
		chain     []byte
		key       [48]byte
		signature [96]byte
		root      [32]byte
		secret    [32]byte
	}
	key, err := bls.ParseSecretKey(append(make([]byte, 31), 7))
	if err != nil {
		t.Fatal(err)
	}
	m := &message{chain: []byte("alpha"), key: key.PublicKey().Bytes(), secret: key.Bytes()}
	m.signature = key.Sign(m.root[:]).Bytes()
	if _, err := bls.ParseSecretKey(m.secret[:]); err != nil {
		t.Fatal(err)
	}
	public, err := bls.ParsePublicKey(m.key[:])
	if err != nil {
		t.Fatal(err)
	}
	signature, err := bls.ParseSignature(m.signature[:])
	if err != nil {
		t.Fatal(err)
	}
	if !bls.Verify(public, m.root[:], signature) || !bls.FastAggregateVerify([]bls.PublicKey{public}, m.root[:], signature) {
		t.Fatal("a valid signature does not verify")
	}
}
