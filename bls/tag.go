package bls

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// uncompressedPublicKeySize is the length of a public key that has both coordinates.
const uncompressedPublicKeySize = 96

// VerifyTagged is [Verify] in a ciphersuite that differs from this package's in the
// domain separation tag alone, such as the basic scheme (…_NUL_) that other software
// signs in. A tag has 1 to 255 bytes.
func VerifyTagged(key PublicKey, tag string, msg []byte, sig Signature) bool {
	if key.IsZero() || sig.IsZero() || tag == "" || len(tag) > 255 {
		return false
	}
	hash, err := hashToCurveTagged(msg, tag)
	if err != nil {
		return false
	}
	r := residue([]herumi.G1{*herumi.CastFromPublicKey(&key.point.point)}, []herumi.G2{hash}, *herumi.CastFromSign(&sig.point.point))
	return r.IsOne()
}

// ParseUncompressedPublicKey decodes a public key that is written with both of its
// coordinates (96 bytes), and validates it as [ParsePublicKey] does. One key has one
// such encoding.
func ParseUncompressedPublicKey(b []byte) (PublicKey, error) {
	if len(b) != uncompressedPublicKeySize {
		return PublicKey{}, fmt.Errorf("parse public key: %w: want %d, got %d", ErrSize, uncompressedPublicKeySize, len(b))
	}
	ready()
	var g herumi.G1
	if err := g.DeserializeUncompressed(forC(b)); err != nil {
		return PublicKey{}, fmt.Errorf("parse public key: %w", ErrPoint)
	}
	if !bytes.Equal(g.SerializeUncompressed(), b) {
		return PublicKey{}, fmt.Errorf("parse public key: %w", ErrPoint)
	}
	return ParsePublicKey(g.Serialize())
}

// hashToCurveTagged is hash_to_curve of RFC 9380 §3 for G2 with a tag of the caller's:
// two field elements, each mapped, and the results added up. herumi's map clears the
// cofactor of each, which comes to the same as clearing that of the sum. (herumi's own
// SetDstG2 takes any tag and then uses its first 43 bytes, and is global.)
func hashToCurveTagged(msg []byte, tag string) (sum herumi.G2, err error) {
	ready()
	const elementSize = 64
	uniform := expandMessage(msg, tag, 4*elementSize)
	for range 2 {
		var u herumi.Fp2
		for i := range u.D {
			if err := u.D[i].SetBigEndianMod(uniform[:elementSize]); err != nil {
				return sum, err
			}
			uniform = uniform[elementSize:]
		}
		var q herumi.G2
		if err := herumi.MapToG2(&q, &u); err != nil {
			return sum, err
		}
		herumi.G2Add(&sum, &sum, &q)
	}
	return sum, nil
}

// expandMessage is expand_message_xmd of RFC 9380 §5.3.1 with SHA-256.
func expandMessage(msg []byte, tag string, size int) []byte {
	suffix := append([]byte(tag), byte(len(tag)))
	hash := func(parts ...[]byte) []byte {
		digest := sha256.Sum256(bytes.Join(append(parts, suffix), nil))
		return digest[:]
	}
	b0 := hash(make([]byte, sha256.BlockSize), msg, []byte{byte(size >> 8), byte(size), 0})
	block := make([]byte, sha256.Size)
	var out []byte
	for i := byte(1); len(out) < size; i++ {
		mixed := make([]byte, sha256.Size)
		for j := range mixed {
			mixed[j] = b0[j] ^ block[j]
		}
		block = hash(mixed, []byte{i})
		out = append(out, block...)
	}
	return out[:size]
}
