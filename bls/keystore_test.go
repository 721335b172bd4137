package bls_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/bls"
)

const (
	// Of EIP-2335's test cases: mathematical letters and a key, NFKD makes
	// "testpassword" and the key of them.
	vectorPassword = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑"
	vectorSecret   = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
)

func TestKeystoreVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorsFolder(t, "keystores"), "eip2335", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no keystores found: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		passwords := []string{vectorPassword}
		if strings.Contains(string(data), "pbkdf2") { // the quick one
			passwords = append(passwords, "testpassword🔑", "test\x00pass\nword\u0085\x7f🔑")
		}
		for _, password := range passwords {
			key, err := bls.DecryptKeystore(data, password)
			if err != nil {
				t.Errorf("%s, password %q: %v", filepath.Base(file), password, err)
				continue
			}
			if got := key.Bytes(); hex.EncodeToString(got[:]) != vectorSecret {
				t.Errorf("%s: another key came out", filepath.Base(file))
			}
		}
	}
}

func encrypted(t testing.TB, key bls.SecretKey, password string) []byte {
	t.Helper()
	data, err := bls.EncryptKeystore(key, password, "m/12381/3600/0/0/0", bls.KDFCheap)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKeystoreOpensWithItsPasswordOnly(t *testing.T) {
	key := newKey(t, 1)
	data := encrypted(t, key, "correct horse ü\u0085")
	for _, password := range []string{"correct horse ü\u0085", "correct horse u\u0308", "correct\u009f horse ü\r\n"} {
		if got, err := bls.DecryptKeystore(data, password); err != nil || got.Bytes() != key.Bytes() {
			t.Errorf("password %q: %v", password, err)
		}
	}
	for _, password := range []string{"", "correct horse u", "Correct horse ü"} {
		got, err := bls.DecryptKeystore(data, password)
		if !errors.Is(err, bls.ErrWrongPassword) || errors.Is(err, bls.ErrKeystore) || !got.IsZero() {
			t.Errorf("password %q: %v", password, err)
		}
	}
	if _, err := bls.DecryptKeystore(data, "\xff"); !errors.Is(err, bls.ErrPassword) {
		t.Errorf("invalid UTF-8: %v", err)
	}
	if _, err := bls.EncryptKeystore(key, "\xff", "", bls.KDFCheap); !errors.Is(err, bls.ErrPassword) {
		t.Errorf("encrypt with invalid UTF-8: %v", err)
	}
	if _, err := bls.EncryptKeystore(key, "p", "12381/0", bls.KDFCheap); !errors.Is(err, bls.ErrPath) {
		t.Errorf("encrypt with a bad path: %v", err)
	}
}

func TestKeystoreHasTheFormOfTheEIP(t *testing.T) {
	key := newKey(t, 1)
	for kdf, want := range map[bls.KDF]string{
		bls.KDFScrypt: `"n":262144,"p":1,"r":8`,
		bls.KDFPBKDF2: `"c":262144`,
		bls.KDFCheap:  `"c":1024`,
	} {
		data, err := bls.EncryptKeystore(key, "p", "", kdf)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bls.DecryptKeystore(data, "p"); err != nil || got.Bytes() != key.Bytes() {
			t.Errorf("kdf %d: %v", kdf, err)
		}
		var file struct {
			Crypto      json.RawMessage
			PubKey      hexBytes
			Description *string
			Path        *string
			UUID        string
			Version     int
		}
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		if public := key.PublicKey().Bytes(); string(file.PubKey) != string(public[:]) {
			t.Errorf("pubkey %x", file.PubKey)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(file.UUID) {
			t.Errorf("uuid %q", file.UUID)
		}
		if file.Version != 4 || file.Path == nil || file.Description == nil {
			t.Errorf("version %d, path %v, description %v", file.Version, file.Path, file.Description)
		}
		compact := strings.Join(strings.Fields(string(file.Crypto)), "")
		for _, part := range []string{want, `"dklen":32`, `"function":"sha256"`, `"function":"aes-128-ctr"`, `"iv":"`} {
			if !strings.Contains(compact, part) {
				t.Errorf("kdf %d: no %s in %s", kdf, part, compact)
			}
		}
		secret := key.Bytes()
		if strings.Contains(string(data), hex.EncodeToString(secret[:])) {
			t.Error("the keystore shows the key")
		}
	}
	if a, b := encrypted(t, key, "p"), encrypted(t, key, "p"); string(a) == string(b) {
		t.Error("salt, iv and uuid are the same twice")
	}
}

// edited returns the keystore with one field, named by its path, set to value;
// nil deletes it.
func edited(t *testing.T, data []byte, path string, value any) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	at := file
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		at = at[step].(map[string]any)
	}
	last := steps[len(steps)-1]
	if at[last] = value; value == nil {
		delete(at, last)
	}
	out, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBrokenKeystoresAreRefused(t *testing.T) {
	data := encrypted(t, newKey(t, 1), "p")
	scrypt := func(n, r, p int) map[string]any {
		return map[string]any{"function": "scrypt", "message": "", "params": map[string]any{"dklen": 32, "n": n, "r": r, "p": p, "salt": "00"}}
	}
	other := newKey(t, 2).PublicKey().String()
	for _, c := range []struct {
		path  string
		value any
	}{
		{"version", 3}, {"version", nil}, {"version", "4"},
		{"crypto", nil}, {"crypto", "x"}, {"crypto", map[string]any{}},
		{"crypto.kdf", nil}, {"crypto.kdf.params", nil}, {"crypto.kdf.function", "md5"},
		{"crypto.kdf.params.dklen", 16}, {"crypto.kdf.params.dklen", 1 << 40}, {"crypto.kdf.params.salt", "xy"},
		{"crypto.kdf.params.salt", strings.Repeat("00", 1<<20)}, {"crypto.kdf.params.prf", "hmac-md5"},
		{"crypto.kdf.params.c", 0}, {"crypto.kdf.params.c", -1}, {"crypto.kdf.params.c", 1 << 40}, {"crypto.kdf.params.c", 1.5},
		{"crypto.kdf", scrypt(0, 8, 1)}, {"crypto.kdf", scrypt(1, 8, 1)}, {"crypto.kdf", scrypt(1000, 8, 1)}, {"crypto.kdf", scrypt(-1024, 8, 1)},
		{"crypto.kdf", scrypt(1024, 0, 1)}, {"crypto.kdf", scrypt(1024, -1, 1)}, {"crypto.kdf", scrypt(1024, 8, 0)}, {"crypto.kdf", scrypt(1024, 8, 1<<20)},
		{"crypto.kdf", scrypt(1<<40, 8, 1)}, {"crypto.kdf", scrypt(2, 1<<40, 1)}, {"crypto.kdf", scrypt(1<<62, 1<<62, 1)},
		{"crypto.checksum", nil}, {"crypto.checksum.function", "crc"}, {"crypto.checksum.message", "00"}, {"crypto.checksum.message", "zz"},
		{"crypto.cipher", nil}, {"crypto.cipher.function", "rot13"}, {"crypto.cipher.params", nil},
		{"crypto.cipher.params.iv", "00"}, {"crypto.cipher.params.iv", ""}, {"crypto.cipher.message", "00"}, {"crypto.cipher.message", ""},
		{"pubkey", other}, {"pubkey", "00"},
	} {
		key, err := bls.DecryptKeystore(edited(t, data, c.path, c.value), "p")
		if !errors.Is(err, bls.ErrKeystore) || errors.Is(err, bls.ErrWrongPassword) || !key.IsZero() {
			t.Errorf("%s = %v: %v", c.path, c.value, err)
		}
	}
	for _, junk := range []string{"", "null", "{}", "[]", "4", string(data) + "x", string(data[:100])} {
		if _, err := bls.DecryptKeystore([]byte(junk), "p"); !errors.Is(err, bls.ErrKeystore) {
			t.Errorf("%.20q: %v", junk, err)
		}
	}
}

func TestKeystoreFieldsThatAreOptional(t *testing.T) {
	key := newKey(t, 1)
	data := encrypted(t, key, "p")
	for _, c := range []struct {
		path  string
		value any
	}{
		{"pubkey", nil}, {"pubkey", ""}, {"pubkey", key.PublicKey().String()}, {"description", nil}, {"path", ""}, {"name", "of another tool"},
	} {
		if got, err := bls.DecryptKeystore(edited(t, data, c.path, c.value), "p"); err != nil || got.Bytes() != key.Bytes() {
			t.Errorf("%s = %v: %v", c.path, c.value, err)
		}
	}
}

func FuzzDecryptKeystore(f *testing.F) {
	key := newKey(f, 1)
	f.Add(encrypted(f, key, "p"), "p")
	f.Add([]byte(`{"crypto":{"kdf":{"function":"scrypt","params":{"dklen":32,"n":2,"r":1,"p":1,"salt":""}},"checksum":{},"cipher":{}},"version":4}`), "")
	f.Add([]byte(`{"crypto":null,"version":4}`), "\xff")
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		var cost struct {
			Crypto struct {
				KDF struct {
					Params struct{ N, R, C int }
				}
			}
		}
		if json.Unmarshal(data, &cost) == nil && (cost.Crypto.KDF.Params.N > 1<<10 || cost.Crypto.KDF.Params.R > 1<<6 || cost.Crypto.KDF.Params.C > 1<<12) {
			t.Skip("allowed, but slow")
		}
		key, err := bls.DecryptKeystore(data, password)
		typed := errors.Is(err, bls.ErrKeystore) || errors.Is(err, bls.ErrWrongPassword) || errors.Is(err, bls.ErrPassword)
		if (err != nil) != typed || (err != nil) != key.IsZero() {
			t.Fatalf("key %v, error %v", key, err)
		}
	})
}
