package evidence_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudflare/circl/ecc/bls12381"

	"github.com/meshsec/meshsec/attest/evidence"
)

// TestBLSKeysSignInTheWaysOfEveryRelease takes another library's word for what the
// releases of CometBFT sign with blst.
func TestBLSKeysSignInTheWaysOfEveryRelease(t *testing.T) {
	secret := new(bls12381.Scalar)
	secret.SetUint64(7)
	key := new(bls12381.G1)
	key.ScalarMult(secret, bls12381.G1Generator())
	sign := func(tag string, msg []byte) []byte {
		sig := new(bls12381.G2)
		sig.Hash(msg, []byte(tag))
		sig.ScalarMult(secret, sig)
		return sig.BytesCompressed()
	}
	digest := func(msg []byte) []byte {
		d := sha256.Sum256(msg)
		return d[:]
	}
	plain := func(msg []byte) []byte { return msg }
	for _, tc := range []struct {
		release, tag string
		encoded      []byte
		message      func([]byte) []byte
		valid        bool
	}{
		{"v1.0.1", "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_", key.Bytes(), plain, true},
		{"v1.0.0", "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_", key.Bytes(), plain, true},
		{"v1.0.0-rc1", "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_", key.BytesCompressed(), digest, true},
		{"none", "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_AUG_", key.Bytes(), plain, false},
		{"none", "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_", key.Bytes(), func(msg []byte) []byte { return digest(digest(msg)) }, false},
	} {
		address := sha256.Sum256(tc.encoded)
		unsigned := func(seed byte, sig string) string {
			hash := hex.EncodeToString([]byte(strings.Repeat(string(rune(seed)), 32)))
			return fmt.Sprintf(`{"type":2,"height":"5","round":0,"block_id":{"hash":"%s","parts":{"total":1,"hash":"%s"}},"timestamp":"2026-01-02T03:04:05Z","validator_address":"%X","signature":"%s"}`,
				hash, hash, address[:20], sig)
		}
		file := func(a, b string) []byte {
			return []byte(`{"vote_a":` + unsigned('a', a) + `,"vote_b":` + unsigned('b', b) + `}`)
		}
		a, b := evidence.SignBytes(file("", ""), "bera-1")
		encode := func(msg []byte) string { return base64.StdEncoding.EncodeToString(sign(tc.tag, tc.message(msg))) }
		knows := evidence.Comet{ChainID: "bera-1", Keys: [][]byte{[]byte(`{"type":"cometbft/PubKeyBls12_381","value":"` + base64.StdEncoding.EncodeToString(tc.encoded) + `"}`)}}
		r := one(t, knows, file(encode(a), encode(b)))
		if r.Valid != tc.valid {
			t.Errorf("%s: %+v", tc.release, r)
		}
		if r := one(t, knows, file(encode(b), encode(a))); r.Valid {
			t.Errorf("%s, signatures swapped: %+v", tc.release, r)
		}
		// The point at infinity is a signature under no key.
		infinity := base64.StdEncoding.EncodeToString(append([]byte{0xc0}, make([]byte, 95)...))
		if r := one(t, knows, file(infinity, infinity)); r.Valid {
			t.Errorf("%s, infinity: %+v", tc.release, r)
		}
	}
}
