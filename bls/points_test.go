package bls_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/bls"
)

// infinity is its canonical encoding; herumi decodes it with any last byte.
func infinity(size int, last byte) []byte {
	b := make([]byte, size)
	b[0], b[size-1] = 0xc0, last
	return b
}

func TestInfinityIsRefusedInEveryEncoding(t *testing.T) {
	for last := range 256 {
		want := bls.ErrPoint
		if last == 0 {
			want = bls.ErrInfinity
		}
		if _, err := bls.ParsePublicKey(infinity(bls.PublicKeySize, byte(last))); !errors.Is(err, want) {
			t.Errorf("public key with last byte %#x: %v", last, err)
		}
		if _, err := bls.ParseSignature(infinity(bls.SignatureSize, byte(last))); !errors.Is(err, want) {
			t.Errorf("signature with last byte %#x: %v", last, err)
		}
	}
}

func TestWrongSizesAreRefused(t *testing.T) {
	key, sig := voters()[0].vote.PublicKey.Bytes(), voters()[0].vote.Signature.Bytes()
	for _, b := range [][]byte{nil, {}, key[:47], append(key[:], 0), sig[:]} {
		if _, err := bls.ParsePublicKey(b); !errors.Is(err, bls.ErrSize) {
			t.Errorf("public key of %d bytes: %v", len(b), err)
		}
	}
	for _, b := range [][]byte{nil, {}, sig[:95], append(sig[:], 0), key[:]} {
		if _, err := bls.ParseSignature(b); !errors.Is(err, bls.ErrSize) {
			t.Errorf("signature of %d bytes: %v", len(b), err)
		}
	}
}

func TestParsingReturnsWhatBytesWrote(t *testing.T) {
	for _, v := range voters()[:8] {
		key, sig := v.vote.PublicKey.Bytes(), v.vote.Signature.Bytes()
		gotKey, err := bls.ParsePublicKey(key[:])
		if err != nil || !gotKey.Equal(v.vote.PublicKey) {
			t.Errorf("public key %v came back as %v, %v", v.vote.PublicKey, gotKey, err)
		}
		gotSig, err := bls.ParseSignature(sig[:])
		if err != nil || !gotSig.Equal(v.vote.Signature) {
			t.Errorf("signature %v came back as %v, %v", v.vote.Signature, gotSig, err)
		}
	}
	if voters()[0].vote.PublicKey.Equal(voters()[1].vote.PublicKey) || voters()[0].vote.Signature.Equal(voters()[1].vote.Signature) {
		t.Error("different ones are equal")
	}
	if s := voters()[0].vote.PublicKey.String(); !strings.HasPrefix(s, "0x") || len(s) != 2+2*bls.PublicKeySize {
		t.Errorf("public key prints as %q", s)
	}
	if s := voters()[0].vote.Signature.String(); !strings.HasPrefix(s, "0x") || len(s) != 2+2*bls.SignatureSize {
		t.Errorf("signature prints as %q", s)
	}
}

func TestZeroValuesAreInert(t *testing.T) {
	var key bls.PublicKey
	var sig bls.Signature
	good := voters()[0].vote
	if !key.IsZero() || !sig.IsZero() || good.PublicKey.IsZero() || good.Signature.IsZero() {
		t.Error("IsZero is wrong")
	}
	keyBytes, sigBytes := key.Bytes(), sig.Bytes()
	if _, err := bls.ParsePublicKey(keyBytes[:]); err == nil {
		t.Error("the bytes of a zero public key parse")
	}
	if _, err := bls.ParseSignature(sigBytes[:]); err == nil {
		t.Error("the bytes of a zero signature parse")
	}
	verdicts := map[string]bool{
		"Verify key":                    bls.Verify(key, theMessage, good.Signature),
		"Verify signature":              bls.Verify(good.PublicKey, theMessage, sig),
		"Verify both":                   bls.Verify(key, theMessage, sig),
		"FastAggregateVerify key":       bls.FastAggregateVerify([]bls.PublicKey{good.PublicKey, key}, theMessage, good.Signature),
		"FastAggregateVerify signature": bls.FastAggregateVerify([]bls.PublicKey{good.PublicKey}, theMessage, sig),
		"FastAggregateVerify no keys":   bls.FastAggregateVerify(nil, theMessage, good.Signature),
		"AggregateVerify key":           bls.AggregateVerify([]bls.PublicKey{good.PublicKey, key}, [][]byte{theMessage, nil}, good.Signature),
		"AggregateVerify signature":     bls.AggregateVerify([]bls.PublicKey{good.PublicKey}, [][]byte{theMessage}, sig),
		"AggregateVerify no keys":       bls.AggregateVerify(nil, nil, good.Signature),
		"AggregateVerify lengths":       bls.AggregateVerify([]bls.PublicKey{good.PublicKey}, nil, good.Signature),
		"VerifyPossession":              bls.VerifyPossession(key, [32]byte{}, sig),
	}
	for name, verdict := range verdicts {
		if verdict {
			t.Errorf("%s: valid", name)
		}
	}
	if _, err := bls.AggregatePublicKeys([]bls.PublicKey{good.PublicKey, key}); !errors.Is(err, bls.ErrEmpty) {
		t.Errorf("AggregatePublicKeys: %v", err)
	}
	if _, err := bls.Aggregate([]bls.Signature{good.Signature, sig}); !errors.Is(err, bls.ErrEmpty) {
		t.Errorf("Aggregate: %v", err)
	}
}

func TestNothingHasNoAggregate(t *testing.T) {
	if _, err := bls.Aggregate(nil); !errors.Is(err, bls.ErrEmpty) {
		t.Errorf("Aggregate: %v", err)
	}
	if _, err := bls.AggregatePublicKeys(nil); !errors.Is(err, bls.ErrEmpty) {
		t.Errorf("AggregatePublicKeys: %v", err)
	}
}

func TestWhatCancelsOutHasNoAggregate(t *testing.T) {
	v := voters()[0].vote
	if _, err := bls.Aggregate([]bls.Signature{v.Signature, negative(t, v.Signature)}); !errors.Is(err, bls.ErrInfinity) {
		t.Errorf("Aggregate: %v", err)
	}
	b := v.PublicKey.Bytes()
	b[0] ^= signBit
	opposite, err := bls.ParsePublicKey(b[:])
	if err != nil {
		t.Fatal(err)
	}
	keys := []bls.PublicKey{v.PublicKey, opposite}
	if _, err := bls.AggregatePublicKeys(keys); !errors.Is(err, bls.ErrInfinity) {
		t.Errorf("AggregatePublicKeys: %v", err)
	}
	if bls.FastAggregateVerify(keys, theMessage, v.Signature) {
		t.Error("keys that cancel out verify a signature")
	}
}

func TestAggregatesVerifyInAllWays(t *testing.T) {
	var keys []bls.PublicKey
	var sigs []bls.Signature
	for _, v := range voters()[:10] {
		keys, sigs = append(keys, v.vote.PublicKey), append(sigs, v.vote.Signature)
	}
	sum, err := bls.Aggregate(sigs)
	if err != nil {
		t.Fatal(err)
	}
	key, err := bls.AggregatePublicKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	for name, valid := range map[string]func(msg []byte, keys []bls.PublicKey, key bls.PublicKey) bool{
		"FastAggregateVerify": func(msg []byte, keys []bls.PublicKey, _ bls.PublicKey) bool {
			return bls.FastAggregateVerify(keys, msg, sum)
		},
		"AggregateVerify": func(msg []byte, keys []bls.PublicKey, _ bls.PublicKey) bool {
			all := make([][]byte, len(keys))
			for i := range all {
				all[i] = msg // equal messages are allowed, possession is proven
			}
			return bls.AggregateVerify(keys, all, sum)
		},
		"Verify with the sum of the keys": func(msg []byte, _ []bls.PublicKey, key bls.PublicKey) bool {
			return bls.Verify(key, msg, sum)
		},
	} {
		if !valid(theMessage, keys, key) {
			t.Errorf("%s: invalid", name)
		}
		if valid([]byte("another"), keys, key) {
			t.Errorf("%s: valid for another message", name)
		}
		if valid(theMessage, keys[1:], keys[0]) {
			t.Errorf("%s: valid for other keys", name)
		}
	}
	if !bls.FastAggregateVerify(append(keys, keys[0]), theMessage, plus(t, sum, sigs[0])) {
		t.Error("a key that occurs twice does not count twice")
	}
}

func TestPossessionIsBoundToKeyAndContext(t *testing.T) {
	key, other := newKey(t, 1), newKey(t, 2)
	context := [32]byte{1, 2, 3}
	proof := bls.ProvePossession(key, context)
	if !bls.VerifyPossession(key.PublicKey(), context, proof) {
		t.Error("refused")
	}
	public := key.PublicKey().Bytes()
	message := sha256.Sum256(slices.Concat([]byte("meshsec/v1/possession"), public[:], context[:]))
	if !proof.Equal(key.Sign(message[:])) {
		t.Error("the proof does not sign what the protocol says")
	}
	if bls.VerifyPossession(key.PublicKey(), [32]byte{1, 2, 4}, proof) {
		t.Error("valid in another context")
	}
	if bls.VerifyPossession(other.PublicKey(), context, proof) {
		t.Error("valid for another key")
	}
	if bls.VerifyPossession(key.PublicKey(), context, key.Sign(context[:])) {
		t.Error("a signature over the bare context proves possession")
	}
}

func TestKeyCacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	const limit = 4
	cache := bls.NewKeyCache(limit)
	used := voters()[0].vote.PublicKey
	cache.Put(used)
	for i, v := range voters()[1:100] {
		cache.Put(v.vote.PublicKey)
		if !cache.Has(used) {
			t.Fatalf("forgot a key in use after %d others", i)
		}
		if !cache.Has(v.vote.PublicKey) {
			t.Fatal("forgot the newest key")
		}
		if cache.Size() > 2*limit {
			t.Fatalf("holds %d keys, limit %d", cache.Size(), 2*limit)
		}
	}
	if cache.Has(voters()[1].vote.PublicKey) {
		t.Error("remembers a key that was not used for long")
	}
}

func TestParsedKeysAreRemembered(t *testing.T) {
	b := newKey(t, 1000).PublicKey().Bytes()
	first, err1 := bls.ParsePublicKey(b[:])
	second, err2 := bls.ParsePublicKey(b[:])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !bls.SamePoint(first, second) {
		t.Error("the key was decoded again")
	}
}

func FuzzParsePublicKey(f *testing.F) {
	key := newKey(f, 1).PublicKey().Bytes()
	f.Add(key[:])
	f.Add(key[:20])
	f.Add(infinity(bls.PublicKeySize, 0))
	f.Add(infinity(bls.PublicKeySize, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := bls.ParsePublicKey(b)
		checkParsed(t, b, err, k.IsZero(), func() []byte { e := k.Bytes(); return e[:] })
	})
}

func FuzzParseSignature(f *testing.F) {
	sig := newKey(f, 1).Sign(theMessage).Bytes()
	f.Add(sig[:])
	f.Add(sig[:48])
	f.Add(infinity(bls.SignatureSize, 0))
	f.Add(infinity(bls.SignatureSize, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := bls.ParseSignature(b)
		checkParsed(t, b, err, s.IsZero(), func() []byte { e := s.Bytes(); return e[:] })
	})
}

// checkParsed: either a typed error and no value, or a value that encodes to what
// it was parsed from.
func checkParsed(t *testing.T, b []byte, err error, zero bool, encode func() []byte) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, bls.ErrSize) && !errors.Is(err, bls.ErrPoint) && !errors.Is(err, bls.ErrInfinity) {
			t.Fatalf("untyped error %v", err)
		}
		if !zero {
			t.Fatal("an error and a value")
		}
		return
	}
	if zero || string(encode()) != string(b) || b[0]&0x40 != 0 {
		t.Fatalf("%x parsed as %x", b, encode())
	}
}
