package bls_test

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/bls"
)

// Its twin is the sum of parsed keys, whichever way each was added.
func TestKeySumIsTheSumOfItsKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sum bls.KeySum
		var keys []bls.PublicKey
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, 255), 1, 12).Draw(t, "keys") {
			key := voters()[i].vote.PublicKey
			keys = append(keys, key)
			b := key.Bytes()
			if rapid.Bool().Draw(t, "vouched") {
				b[0] ^= signBit // −key
				keys[len(keys)-1] = parsed(t, b)
				if err := sum.AddVouched(b[:]); err != nil {
					t.Fatal(err)
				}
			} else if err := sum.Add(key); err != nil {
				t.Fatal(err)
			}
		}
		want, wantErr := bls.AggregatePublicKeys(keys)
		got, err := sum.PublicKey()
		if errors.Is(wantErr, bls.ErrInfinity) != errors.Is(err, bls.ErrInfinity) || (wantErr == nil) != (err == nil) || err == nil && !got.Equal(want) {
			t.Fatalf("got %v, %v, want %v, %v", got, err, want, wantErr)
		}
	})
}

func parsed(t fataler, b [48]byte) bls.PublicKey {
	key, err := bls.ParsePublicKey(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Any 48 bytes are accepted just as parsing does it, but for the subgroup.
func TestVouchedKeysHaveOneEncoding(t *testing.T) {
	outside, inside := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		b := voters()[rapid.IntRange(0, 7).Draw(t, "key")].vote.PublicKey.Bytes()
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			b[0] = rapid.Byte().Draw(t, "flags")
		case 1:
			b[rapid.IntRange(1, 47).Draw(t, "at")] ^= rapid.Byte().Draw(t, "flip")
		case 2:
			b = [48]byte(rapid.SliceOfN(rapid.Byte(), 48, 48).Draw(t, "bytes"))
		}
		var sum bls.KeySum
		_, parseErr := bls.ParsePublicKey(b[:])
		err := sum.AddVouched(b[:])
		key, sumErr := sum.PublicKey()
		switch {
		case parseErr == nil:
			inside++
			if err != nil || sumErr != nil || key.Bytes() != b {
				t.Fatalf("%x parses, but: %v, %v", b, err, sumErr)
			}
		case err == nil: // of the curve, not of the subgroup
			outside++
			if !errors.Is(sumErr, bls.ErrPoint) || !key.IsZero() || !onCurve(b) {
				t.Fatalf("%x is a key: %v", b, sumErr)
			}
		case errors.Is(parseErr, bls.ErrInfinity) != errors.Is(err, bls.ErrInfinity) || onCurve(b):
			t.Fatalf("%x: %v and %v", b, parseErr, err)
		}
	})
	if outside == 0 || inside == 0 {
		t.Errorf("%d keys outside of the subgroup, %d inside", outside, inside)
	}
}

// onCurve is the twin: whether b is a compressed point that is not infinity, by the
// equation of the curve, y² = x³ + 4, over plain integers.
func onCurve(b [48]byte) bool {
	p, _ := new(big.Int).SetString("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16)
	compressed, infinite := b[0]&0x80 != 0, b[0]&0x40 != 0
	b[0] &= 0x1f
	x := new(big.Int).SetBytes(b[:])
	square := new(big.Int).Exp(x, big.NewInt(3), p)
	square.Mod(square.Add(square, big.NewInt(4)), p)
	return compressed && !infinite && x.Cmp(p) < 0 && big.Jacobi(square, p) >= 0
}

func TestKeySumRefuses(t *testing.T) {
	var sum bls.KeySum
	if _, err := sum.PublicKey(); !errors.Is(err, bls.ErrEmpty) {
		t.Errorf("no keys: %v", err)
	}
	if err := sum.Add(bls.PublicKey{}); !errors.Is(err, bls.ErrEmpty) {
		t.Errorf("the zero value: %v", err)
	}
	for last := range 256 {
		want := bls.ErrPoint
		if last == 0 {
			want = bls.ErrInfinity
		}
		if err := sum.AddVouched(infinity(bls.PublicKeySize, byte(last))); !errors.Is(err, want) {
			t.Errorf("infinity with last byte %#x: %v", last, err)
		}
	}
	key := voters()[0].vote.PublicKey
	b := key.Bytes()
	for _, wrong := range [][]byte{nil, b[:47], append(b[:], 0)} {
		if err := sum.AddVouched(wrong); !errors.Is(err, bls.ErrSize) {
			t.Errorf("%d bytes: %v", len(wrong), err)
		}
	}
	if _, err := sum.PublicKey(); !errors.Is(err, bls.ErrEmpty) {
		t.Errorf("what was refused counts: %v", err)
	}
	b[0] ^= signBit
	if err := errors.Join(sum.Add(key), sum.AddVouched(b[:])); err != nil {
		t.Fatal(err)
	}
	if _, err := sum.PublicKey(); !errors.Is(err, bls.ErrInfinity) {
		t.Errorf("keys that cancel out: %v", err)
	}
}

// BenchmarkKeySum adds keys that the process has not seen, parsed or vouched for.
func BenchmarkKeySum(b *testing.B) {
	const n = 2*8192 + 64 // more than are remembered
	keys := make([][48]byte, 0, n)
	for i := range n {
		x, y := voters()[i%256].vote.PublicKey, voters()[(i+1+i/256)%256].vote.PublicKey
		sum, err := bls.AggregatePublicKeys([]bls.PublicKey{x, y})
		if err != nil {
			b.Fatal(err)
		}
		keys = append(keys, sum.Bytes())
	}
	for name, add := range map[string]func(*bls.KeySum, []byte) error{
		"parsed": func(s *bls.KeySum, k []byte) error {
			key, err := bls.ParsePublicKey(k)
			if err != nil {
				return err
			}
			return s.Add(key)
		},
		"vouched": (*bls.KeySum).AddVouched,
	} {
		b.Run(name, func(b *testing.B) {
			var sum bls.KeySum
			i := 0
			for b.Loop() {
				if err := add(&sum, keys[i%n][:]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
