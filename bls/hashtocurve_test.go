package bls_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/bls"
)

// hash_to_curve exists twice in the package: herumi's, which knows one tag, and the
// one for any tag, composed from the specification and herumi's map to the curve. The
// vectors check the composition, and the composition checks herumi's.

const ciphersuiteTag = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"

func runHashToG2(t *testing.T, path string) {
	const vectorTag = "QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_"
	var v struct {
		Input struct {
			Message string `json:"msg"`
		} `json:"input"`
		Output struct{ X, Y string } `json:"output"`
	}
	readJSON(t, path, &v)
	// Uncompressed: x before y, imaginary before real part. The vectors write
	// "real,imaginary".
	var want []byte
	for _, coordinate := range []string{v.Output.X, v.Output.Y} {
		re, im, _ := strings.Cut(coordinate, ",")
		var reBytes, imBytes hexBytes
		if reBytes.UnmarshalText([]byte(re)) != nil || imBytes.UnmarshalText([]byte(im)) != nil {
			t.Fatalf("bad coordinate %q", coordinate)
		}
		want = append(append(want, imBytes...), reBytes...)
	}
	point := bls.HashToCurveTagged(t, []byte(v.Input.Message), vectorTag)
	if got := point.SerializeUncompressed(); !bytes.Equal(got, want) {
		t.Fatalf("got %x, want %x", got, want)
	}
}

func TestMessagesAreHashedToTheCurveAsSpecified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
		want := bls.HashToCurveTagged(t, msg, ciphersuiteTag)
		if got := bls.HashToCurve(msg); !bytes.Equal(got, want.Serialize()) {
			t.Fatalf("%x hashes to %x, want %x", msg, got, want.Serialize())
		}
	})
}

func TestSignatureOfAnotherTagIsVoid(t *testing.T) {
	key := newKey(t, 1)
	msg := []byte("message")
	sig := key.Sign(msg)
	if !bls.VerifyTagged(key.PublicKey(), ciphersuiteTag, msg, sig) {
		t.Error("a signature is not valid under the tag of the package")
	}
	for _, tag := range []string{"", "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_", ciphersuiteTag + "x", strings.Repeat("x", 256)} {
		if bls.VerifyTagged(key.PublicKey(), tag, msg, sig) {
			t.Errorf("valid under the tag %q", tag)
		}
	}
	if bls.VerifyTagged(key.PublicKey(), ciphersuiteTag, []byte("massage"), sig) || bls.VerifyTagged(bls.PublicKey{}, ciphersuiteTag, msg, sig) {
		t.Error("valid for another message or no key")
	}
}

func TestUncompressedKeysAreTheKeysWithTheOtherCoordinate(t *testing.T) {
	key := newKey(t, 1).PublicKey()
	long := bls.Uncompressed(key)
	got, err := bls.ParseUncompressedPublicKey(long)
	if err != nil || !got.Equal(key) {
		t.Fatalf("parsed %v: %v", got, err)
	}
	for _, wrong := range [][]byte{nil, long[:95], append(bytes.Clone(long), 0), make([]byte, 96), infinity(96, 0), flipped(long, 0), flipped(long, 47), flipped(long, 95)} {
		if _, err := bls.ParseUncompressedPublicKey(wrong); err == nil {
			t.Errorf("%x was parsed", wrong)
		}
	}
}

func flipped(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 1
	return c
}

type fataler interface{ Fatal(args ...any) }
