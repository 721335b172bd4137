package bls

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// minSeedSize is the least entropy, in bytes, that EIP-2333 derives keys from.
const minSeedSize = 32

// Why a key could not be derived.
var (
	// ErrSeed: the seed is shorter than 32 bytes.
	ErrSeed = errors.New("a seed must have at least 32 bytes")
	// ErrPath: not a path of the form m/12381/3600/0/0.
	ErrPath = errors.New("a derivation path looks like m/12381/3600/0/0, each number below 2^32 and without leading zeros")
)

// DeriveMaster is derive_master_SK of EIP-2333: the root of a tree of keys. The
// error is ErrSeed.
func DeriveMaster(seed []byte) (SecretKey, error) {
	if len(seed) < minSeedSize {
		return SecretKey{}, fmt.Errorf("derive master key: %w, got %d", ErrSeed, len(seed))
	}
	return deriveModR(seed), nil
}

// DeriveChild is derive_child_SK of EIP-2333. Children are hardened: neither a
// child nor all of them reveal the parent.
func (k SecretKey) DeriveChild(index uint32) SecretKey {
	lamport := lamportPublicKey(k.Bytes(), index)
	return deriveModR(lamport[:])
}

// DerivePath walks from the master key of the seed along a path of EIP-2334. Errors
// are ErrSeed and ErrPath.
func DerivePath(seed []byte, path string) (SecretKey, error) {
	indices, err := ParsePath(path)
	if err != nil {
		return SecretKey{}, err
	}
	key, err := DeriveMaster(seed)
	if err != nil {
		return SecretKey{}, err
	}
	for _, index := range indices {
		key = key.DeriveChild(index)
	}
	return key, nil
}

// ParsePath reads a path of EIP-2334, "m" or "m/12381/3600/0/0", as the indices of
// the children on the way. Every sequence of indices has one path. The error is
// ErrPath.
func ParsePath(path string) ([]uint32, error) {
	steps := strings.Split(path, "/")
	if steps[0] != "m" {
		return nil, fmt.Errorf("parse path %q: %w", path, ErrPath)
	}
	indices := make([]uint32, 0, len(steps)-1)
	for _, step := range steps[1:] {
		index, err := strconv.ParseUint(step, 10, 32)
		if err != nil || strconv.FormatUint(index, 10) != step {
			return nil, fmt.Errorf("parse path %q: %w", path, ErrPath)
		}
		indices = append(indices, uint32(index))
	}
	return indices, nil
}

// deriveModR is hkdf_mod_r of EIP-2333 with empty key_info, the same as KeyGen of
// the BLS draft: 48 bytes of output make the bias of the reduction negligible.
func deriveModR(ikm []byte) SecretKey {
	const size = 48
	ready()
	secret := append(append(make([]byte, 0, len(ikm)+1), ikm...), 0)
	info := string([]byte{0, size})
	salt := []byte("BLS-SIG-KEYGEN-SALT-")
	scalar := new(herumi.SecretKey)
	for scalar.IsZero() {
		digest := sha256.Sum256(salt)
		salt = digest[:]
		okm := expand(secret, salt, info, size)
		if err := herumi.CastFromSecretKey(scalar).SetBigEndianMod(okm); err != nil {
			panic("bls: reduce a derived key: " + err.Error()) // 48 bytes always fit
		}
	}
	return newSecretKey(scalar)
}

// lamportPublicKey is parent_SK_to_lamport_PK of EIP-2333.
func lamportPublicKey(parent [SecretKeySize]byte, index uint32) [32]byte {
	const chunks = 255
	salt := binary.BigEndian.AppendUint32(nil, index)
	flipped := parent
	for i := range flipped {
		flipped[i] = ^flipped[i]
	}
	compressed := sha256.New()
	for _, ikm := range [][SecretKeySize]byte{parent, flipped} {
		okm := expand(ikm[:], salt, "", chunks*sha256.Size)
		for ; len(okm) > 0; okm = okm[sha256.Size:] {
			public := sha256.Sum256(okm[:sha256.Size])
			compressed.Write(public[:])
		}
	}
	return [32]byte(compressed.Sum(nil))
}

// expand is HKDF-SHA256 (RFC 5869), extract and expand. It can fail only for more
// than 255 blocks of output, which nothing here asks for.
func expand(secret, salt []byte, info string, size int) []byte {
	okm, err := hkdf.Key(sha256.New, secret, salt, info, size)
	if err != nil {
		panic("bls: derive key: " + err.Error())
	}
	return okm
}
