package bls_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/meshsec/meshsec/bls"
)

// seededReader gives the same bytes for the same seed on every run.
func seededReader(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

func newKey(t testing.TB, seed uint64) bls.SecretKey {
	t.Helper()
	key, err := bls.GenerateKey(seededReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var theMessage = []byte("the signing root of some checkpoint")

// voter is a key with its valid vote over theMessage; making them is slow, so the
// tests share them.
type voter struct {
	secret bls.SecretKey
	vote   bls.Vote
}

var voters = sync.OnceValue(func() []voter {
	all := make([]voter, 256)
	for i := range all {
		secret, err := bls.GenerateKey(seededReader(uint64(i)))
		if err != nil {
			panic(err)
		}
		all[i] = voter{secret, bls.Vote{PublicKey: secret.PublicKey(), Signature: secret.Sign(theMessage)}}
	}
	return all
})

func votesOf(n int) []bls.Vote {
	votes := make([]bls.Vote, n)
	for i := range votes {
		votes[i] = voters()[i].vote
	}
	return votes
}

// signBit in the first byte of a compressed point tells a point from its negative.
const signBit = 0x20

func negative(t fataler, sig bls.Signature) bls.Signature {
	b := sig.Bytes()
	b[0] ^= signBit
	neg, err := bls.ParseSignature(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return neg
}

func plus(t fataler, a, b bls.Signature) bls.Signature {
	sum, err := bls.Aggregate([]bls.Signature{a, b})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
