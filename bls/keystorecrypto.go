package bls

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Keystore files come from anywhere: every part is checked, and what it would cost
// bounded, before the first byte is derived. keystoreseal.go uses what passed here.

const (
	// maxScryptBlocks bounds n·r, each 128 bytes of memory: 512 MiB, twice what the
	// EIP's own parameters need.
	maxScryptBlocks = 1 << 22
	// maxScryptLanes bounds p, and with it the time. The EIP uses one.
	maxScryptLanes = 8
	// maxPBKDF2Rounds is 64 times the EIP's own.
	maxPBKDF2Rounds = 1 << 24
	derivedKeySize  = 32
	ivSize          = 16
	checksumSize    = 32
	maxSaltSize     = 1024
)

// The functions of EIP-2335 that this package knows, which are all it names.
const (
	functionScrypt = "scrypt"
	functionPBKDF2 = "pbkdf2"
	prfHMAC        = "hmac-sha256"
	functionSHA256 = "sha256"
	functionAES    = "aes-128-ctr"
)

// keystoreCrypto is the crypto object of EIP-2335.
type keystoreCrypto struct {
	KDF      keystoreKDF      `json:"kdf"`
	Checksum keystoreChecksum `json:"checksum"`
	Cipher   keystoreCipher   `json:"cipher"`
}

type keystoreKDF struct {
	Function string `json:"function"`
	Params   struct {
		Size   int    `json:"dklen"`
		Salt   string `json:"salt"`
		N      int    `json:"n,omitempty"`
		P      int    `json:"p,omitempty"`
		R      int    `json:"r,omitempty"`
		Rounds int    `json:"c,omitempty"`
		PRF    string `json:"prf,omitempty"`
	} `json:"params"`
	Message string `json:"message"`
}

type keystoreChecksum struct {
	Function string   `json:"function"`
	Params   struct{} `json:"params"`
	Message  string   `json:"message"`
}

type keystoreCipher struct {
	Function string `json:"function"`
	Params   struct {
		IV string `json:"iv"`
	} `json:"params"`
	Message string `json:"message"`
}

// checkedCrypto reads the crypto object. What it returns can be opened: no part is
// missing or malformed, and the cost is bounded.
func checkedCrypto(raw json.RawMessage) (*keystoreCrypto, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, errors.New("no crypto object")
	}
	c := new(keystoreCrypto)
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, err
	}
	if err := errors.Join(c.KDF.check(), c.Checksum.check(), c.Cipher.check()); err != nil {
		return nil, err
	}
	return c, nil
}

func (k *keystoreKDF) check() error {
	p := &k.Params
	if p.Size != derivedKeySize {
		return fmt.Errorf("kdf: dklen %d, want %d", p.Size, derivedKeySize)
	}
	if salt, err := hex.DecodeString(p.Salt); err != nil || len(salt) > maxSaltSize {
		return fmt.Errorf("kdf: salt is not hexadecimal, or has more than %d bytes", maxSaltSize)
	}
	switch k.Function {
	case functionPBKDF2:
		if p.PRF != prfHMAC {
			return fmt.Errorf("kdf: prf %q, want hmac-sha256", p.PRF)
		}
		if p.Rounds < 1 || p.Rounds > maxPBKDF2Rounds {
			return fmt.Errorf("kdf: %d rounds, want 1 to %d", p.Rounds, maxPBKDF2Rounds)
		}
	case functionScrypt:
		if p.N < 2 || p.N&(p.N-1) != 0 {
			return fmt.Errorf("kdf: n %d is not a power of two above one", p.N)
		}
		if p.R < 1 || p.N > maxScryptBlocks/p.R || p.P < 1 || p.P > maxScryptLanes {
			return fmt.Errorf("kdf: scrypt parameters n %d, r %d, p %d out of bounds", p.N, p.R, p.P)
		}
	default:
		return fmt.Errorf("kdf: function %q, want scrypt or pbkdf2", k.Function)
	}
	return nil
}

func (c *keystoreChecksum) check() error {
	if c.Function != functionSHA256 {
		return fmt.Errorf("checksum: function %q, want sha256", c.Function)
	}
	return checkHex("checksum", c.Message, checksumSize)
}

func (c *keystoreCipher) check() error {
	if c.Function != functionAES {
		return fmt.Errorf("cipher: function %q, want aes-128-ctr", c.Function)
	}
	return errors.Join(
		checkHex("cipher iv", c.Params.IV, ivSize),
		checkHex("cipher message", c.Message, SecretKeySize),
	)
}

func checkHex(field, s string, size int) error {
	if b, err := hex.DecodeString(s); err != nil || len(b) != size {
		return fmt.Errorf("%s: want %d bytes in hexadecimal", field, size)
	}
	return nil
}
