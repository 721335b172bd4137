package bls

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Why a keystore could not be written or read.
var (
	// ErrKeystore: not a keystore of EIP-2335 that this package can read, or one
	// that contradicts itself. Another password will not help.
	ErrKeystore = errors.New("not a usable EIP-2335 keystore")
	// ErrWrongPassword: the keystore is well formed, the password does not open it.
	ErrWrongPassword = errors.New("wrong keystore password")
	// ErrPassword: the password is not valid UTF-8, so it has no normal form.
	ErrPassword = errors.New("a keystore password must be valid UTF-8")
)

// KDF is how a keystore derives its encryption key from the password: what one
// guess costs an attacker, and one start costs the operator.
type KDF uint8

const (
	// KDFScrypt needs 256 MiB and about a second (scrypt, n = 2^18, r = 8). The
	// default.
	KDFScrypt KDF = iota
	// KDFPBKDF2 needs a tenth of a second and no memory (2^18 rounds).
	KDFPBKDF2
	// KDFCheap is PBKDF2 with 2^10 rounds, for tests and networks that are thrown
	// away: it does not protect a guessable password.
	KDFCheap
)

const (
	keystoreVersion     = 4
	keystoreDescription = "meshsec BLS key"
)

// keystore is the file format of EIP-2335.
type keystore struct {
	Crypto      json.RawMessage `json:"crypto"`
	Description string          `json:"description"`
	PublicKey   string          `json:"pubkey"`
	Path        string          `json:"path"`
	UUID        string          `json:"uuid"`
	Version     int             `json:"version"`
}

// EncryptKeystore writes key into a keystore of EIP-2335 (version 4, JSON). path is
// the EIP-2334 path that key was derived along, empty if unknown. The password is
// normalised as the EIP says: NFKD, control characters stripped. Errors are
// ErrPassword and ErrPath. It panics for a zero key.
func EncryptKeystore(key SecretKey, password, path string, kdf KDF) ([]byte, error) {
	if path != "" {
		if _, err := ParsePath(path); err != nil {
			return nil, fmt.Errorf("encrypt keystore: %w", err)
		}
	}
	password, err := normalPassword(password)
	if err != nil {
		return nil, fmt.Errorf("encrypt keystore: %w", err)
	}
	secret := key.Bytes()
	sealed, err := seal(secret, password, kdf)
	if err != nil {
		return nil, fmt.Errorf("encrypt keystore: %w", err)
	}
	crypto, err := json.Marshal(sealed)
	if err != nil {
		return nil, fmt.Errorf("encrypt keystore: encode: %w", err)
	}
	public := key.PublicKey().Bytes()
	return json.MarshalIndent(keystore{
		Crypto:      crypto,
		Description: keystoreDescription,
		PublicKey:   hex.EncodeToString(public[:]),
		Path:        path,
		UUID:        randomUUID(),
		Version:     keystoreVersion,
	}, "", "  ")
}

// DecryptKeystore opens a keystore of EIP-2335 and checks that the key inside is the
// one that it claims to hold. Errors are ErrWrongPassword, ErrPassword and
// ErrKeystore; the last also for a keystore whose password would take absurd memory
// or time to check (more than twice the memory of KDFScrypt, say). They never quote
// secrets.
func DecryptKeystore(data []byte, password string) (SecretKey, error) {
	password, err := normalPassword(password)
	if err != nil {
		return SecretKey{}, fmt.Errorf("decrypt keystore: %w", err)
	}
	var file keystore
	if err := json.Unmarshal(data, &file); err != nil {
		return SecretKey{}, fmt.Errorf("decrypt keystore: %w: %w", ErrKeystore, err)
	}
	if file.Version != keystoreVersion {
		return SecretKey{}, fmt.Errorf("decrypt keystore: %w: version %d, want %d", ErrKeystore, file.Version, keystoreVersion)
	}
	sealed, err := checkedCrypto(file.Crypto)
	if err != nil {
		return SecretKey{}, fmt.Errorf("decrypt keystore: %w: %w", ErrKeystore, err)
	}
	secret, err := sealed.open(password)
	if err != nil {
		return SecretKey{}, fmt.Errorf("decrypt keystore: %w", err)
	}
	key, err := ParseSecretKey(secret)
	if err != nil {
		return SecretKey{}, fmt.Errorf("decrypt keystore: %w: %w", ErrKeystore, err)
	}
	// The EIP leaves the public key optional. Some tools write it with a prefix.
	if claimed := strings.TrimPrefix(file.PublicKey, "0x"); claimed != "" {
		public := key.PublicKey().Bytes()
		if !strings.EqualFold(claimed, hex.EncodeToString(public[:])) {
			return SecretKey{}, fmt.Errorf("decrypt keystore: %w: the key inside is not that of its pubkey field", ErrKeystore)
		}
	}
	return key, nil
}

// normalPassword is NFKD without control characters (C0, DEL and C1). Neither step
// undoes the other: a decomposition contains none.
func normalPassword(password string) (string, error) {
	if !utf8.ValidString(password) {
		return "", ErrPassword
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(password)), nil
}

// randomUUID is a version 4 UUID (RFC 9562 §5.4).
func randomUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails: it ends the program instead
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
