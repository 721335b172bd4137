package bls_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	herumi "github.com/herumi/bls-eth-go-binary/bls"

	"github.com/meshsec/meshsec/bls"
)

// groupOrder is r of BLS12-381.
var groupOrder, _ = new(big.Int).SetString("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001", 16)

func TestSecretKeysAreBetweenOneAndTheGroupOrder(t *testing.T) {
	one := big.NewInt(1)
	for _, c := range []struct {
		name   string
		scalar *big.Int
		want   error
	}{
		{"zero", new(big.Int), bls.ErrScalar},
		{"one", one, nil},
		{"r-1", new(big.Int).Sub(groupOrder, one), nil},
		{"r", groupOrder, bls.ErrScalar},
		{"r+1", new(big.Int).Add(groupOrder, one), bls.ErrScalar},
		{"2^256-1", new(big.Int).Sub(new(big.Int).Lsh(one, 256), one), bls.ErrScalar},
	} {
		b := c.scalar.FillBytes(make([]byte, bls.SecretKeySize))
		key, err := bls.ParseSecretKey(b)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err == nil {
			if got := key.Bytes(); !bytes.Equal(got[:], b) {
				t.Errorf("%s: %x came back as %x", c.name, b, got)
			}
			if sig := key.Sign(theMessage); !bls.Verify(key.PublicKey(), theMessage, sig) {
				t.Errorf("%s: its signature is invalid", c.name)
			}
		} else if !key.IsZero() {
			t.Errorf("%s: an error and a key", c.name)
		}
	}
	for _, size := range []int{0, 31, 33} {
		if _, err := bls.ParseSecretKey(make([]byte, size)); !errors.Is(err, bls.ErrSize) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestGenerateKeyUsesNothingButTheReader(t *testing.T) {
	a, b, c := newKey(t, 7).Bytes(), newKey(t, 7).Bytes(), newKey(t, 8).Bytes()
	if a != b {
		t.Error("one seed, two keys")
	}
	if a == c {
		t.Error("two seeds, one key")
	}
	if _, err := bls.GenerateKey(strings.NewReader("too little")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short reader: %v", err)
	}
}

// wallet stands for any struct that a developer may print in a hurry.
type wallet struct {
	Exported bls.SecretKey
	hidden   bls.SecretKey
}

func TestSecretKeysAreNeverShown(t *testing.T) {
	key := newKey(t, 1)
	w := wallet{Exported: key, hidden: key}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("key", "key", key, "pointer", &key, "wallet", w)
	}
	shown := []string{log.String(), key.String(), key.GoString(), fmt.Errorf("with %v", key).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%U", "%t", "%e", "%p"} {
		shown = append(shown, fmt.Sprintf(verb, key), fmt.Sprintf(verb, &key), fmt.Sprintf(verb, w), fmt.Sprintf(verb, &w), fmt.Sprintf(verb, []bls.SecretKey{key}))
	}
	if marshalled, err := json.Marshal(w); err == nil {
		t.Errorf("marshalled as %s", marshalled)
	}
	for _, s := range shown {
		for _, secret := range formsOf(t, key) {
			if strings.Contains(strings.ToLower(s), secret) {
				t.Errorf("%q shows the key", s)
				break
			}
		}
	}
}

// formsOf is how the key, its bytes and herumi's words in Montgomery form would look
// in any base.
func formsOf(t *testing.T, key bls.SecretKey) []string {
	raw := key.Bytes()
	var scalar herumi.SecretKey
	if err := scalar.Deserialize(raw[:]); err != nil {
		t.Fatal(err)
	}
	forms := []string{strings.ToLower(string(raw[:8])), new(big.Int).SetBytes(raw[:]).String()}
	for _, verb := range []string{"%d", "%x", "%o", "%b"} {
		for _, value := range []any{raw[:8], scalar} {
			for _, word := range strings.FieldsFunc(fmt.Sprintf(verb, value), func(r rune) bool { return strings.ContainsRune("{[]} ", r) }) {
				if len(word) > 12 {
					forms = append(forms, word)
				}
			}
		}
	}
	forms = append(forms, strings.Trim(fmt.Sprint(raw[:8]), "[]"))
	if len(forms) < 16 {
		t.Fatalf("only %d forms to look for", len(forms))
	}
	return forms
}

func TestZeroSecretKeyPanicsWithAdvice(t *testing.T) {
	var key bls.SecretKey
	if !key.IsZero() {
		t.Error("IsZero is wrong")
	}
	for name, use := range map[string]func(){
		"Sign":      func() { key.Sign(nil) },
		"PublicKey": func() { key.PublicKey() },
		"Bytes":     func() { key.Bytes() },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "GenerateKey") {
					t.Errorf("%s: recovered %v", name, r)
				}
			}()
			use()
		}()
	}
}

func TestEmptyMessageCanBeSigned(t *testing.T) {
	key := newKey(t, 1)
	sig := key.Sign(nil)
	if !bls.Verify(key.PublicKey(), []byte{}, sig) || bls.Verify(key.PublicKey(), []byte{0}, sig) {
		t.Error("wrong verdict about the empty message")
	}
}
