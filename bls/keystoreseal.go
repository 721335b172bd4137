package bls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"

	"golang.org/x/crypto/scrypt"
)

// Costs of the KDFs: those of EIP-2335's own test vectors, and the cheap one.
const (
	scryptN      = 1 << 18
	scryptR      = 8
	scryptP      = 1
	pbkdf2Rounds = 1 << 18
	cheapRounds  = 1 << 10
	saltSize     = 32
)

// seal encrypts secret under a normalised password (EIP-2335, "Encryption"): the
// first half of the derived key encrypts, the second makes the checksum. Salt and
// iv are fresh, so the same key is never used twice.
func seal(secret [SecretKeySize]byte, password string, kdf KDF) (*keystoreCrypto, error) {
	var salt [saltSize]byte
	var iv [ivSize]byte
	_, _ = rand.Read(salt[:]) // never fails: it ends the program instead
	_, _ = rand.Read(iv[:])
	c := &keystoreCrypto{KDF: kdf.params(salt[:])}
	key, err := c.KDF.derive(password)
	if err != nil {
		return nil, err
	}
	message, err := aes128CTR(key[:16], iv[:], secret[:])
	if err != nil {
		return nil, err
	}
	c.Checksum.Function = functionSHA256
	sum := checksum(key, message)
	c.Checksum.Message = hex.EncodeToString(sum[:])
	c.Cipher.Function = functionAES
	c.Cipher.Params.IV = hex.EncodeToString(iv[:])
	c.Cipher.Message = hex.EncodeToString(message)
	return c, nil
}

// open is the inverse of seal, for what checkedCrypto accepted. The error is
// ErrWrongPassword, or ErrKeystore for parameters that the KDF itself refuses.
func (c *keystoreCrypto) open(password string) ([]byte, error) {
	key, err := c.KDF.derive(password)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeystore, err)
	}
	message, want, iv := checkedHex(c.Cipher.Message), checkedHex(c.Checksum.Message), checkedHex(c.Cipher.Params.IV)
	if sum := checksum(key, message); subtle.ConstantTimeCompare(sum[:], want) != 1 {
		return nil, ErrWrongPassword
	}
	return aes128CTR(key[:16], iv, message)
}

// derive makes the 32 bytes that encrypt and authenticate.
func (k *keystoreKDF) derive(password string) ([]byte, error) {
	p := &k.Params
	salt := checkedHex(p.Salt)
	if k.Function == functionScrypt {
		return scrypt.Key([]byte(password), salt, p.N, p.R, p.P, p.Size)
	}
	return pbkdf2.Key(sha256.New, password, salt, p.Rounds, p.Size)
}

// params are what a new keystore says about its KDF.
func (k KDF) params(salt []byte) keystoreKDF {
	var out keystoreKDF
	p := &out.Params
	p.Size, p.Salt = derivedKeySize, hex.EncodeToString(salt)
	switch k {
	case KDFPBKDF2:
		out.Function, p.Rounds, p.PRF = functionPBKDF2, pbkdf2Rounds, prfHMAC
	case KDFCheap:
		out.Function, p.Rounds, p.PRF = functionPBKDF2, cheapRounds, prfHMAC
	default:
		out.Function, p.N, p.R, p.P = functionScrypt, scryptN, scryptR, scryptP
	}
	return out
}

// checksum tells whether the password was right before anything is decrypted.
func checksum(key, message []byte) [32]byte {
	return sha256.Sum256(append(append(make([]byte, 0, 48), key[16:]...), message...))
}

// aes128CTR encrypts and decrypts.
func aes128CTR(key, iv, in []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(in))
	cipher.NewCTR(block, iv).XORKeyStream(out, in)
	return out, nil
}

// checkedHex decodes a field that checkedCrypto accepted.
func checkedHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("bls: a keystore field was not checked: " + err.Error())
	}
	return b
}
