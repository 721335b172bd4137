package chain_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/chain"
)

var encodings = []chain.Encoding{chain.Raw, chain.KeyValue}

func TestEveryOperationComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		operation := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "operation")
		for _, e := range encodings {
			tx, err := chain.EncodeTransaction(e, operation)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := attest.OperationIn(tx)
			if !ok || !bytes.Equal(got, operation) {
				t.Fatalf("%v: %x came back as %x, %v", e, operation, got, ok)
			}
		}
	})
}

func TestLimits(t *testing.T) {
	const largestOverRPC = 749_943 // bytes, see DEPENDENCIES
	for _, e := range encodings {
		tx, err := chain.EncodeTransaction(e, make([]byte, chain.MaxOperation))
		if err != nil {
			t.Fatalf("%v: %v", e, err)
		}
		if len(tx) > largestOverRPC {
			t.Errorf("%v: the largest operation makes a transaction of %d bytes", e, len(tx))
		}
		if got, ok := attest.OperationIn(tx); !ok || len(got) != chain.MaxOperation {
			t.Errorf("%v: the largest operation does not come back", e)
		}
		if _, err := chain.EncodeTransaction(e, make([]byte, chain.MaxOperation+1)); !errors.Is(err, chain.ErrTooLarge) {
			t.Errorf("%v: one byte too many: %v", e, err)
		}
		if _, err := chain.EncodeTransaction(e, nil); !errors.Is(err, chain.ErrRejected) {
			t.Errorf("%v: an empty operation: %v", e, err)
		}
	}
	if _, ok := attest.OperationIn(append([]byte("meshsec\x01"), make([]byte, chain.MaxOperation+1)...)); ok {
		t.Error("an operation above the limit decodes")
	}
}

func TestKeyValueSuitsKVStore(t *testing.T) {
	form := regexp.MustCompile(`^meshsec-[0-9a-f]{16}=[A-Za-z0-9_-]+$`)
	rapid.Check(t, func(t *rapid.T) {
		operation := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "operation")
		tx, err := chain.EncodeTransaction(chain.KeyValue, operation)
		if err != nil || !form.Match(tx) {
			t.Fatalf("%q, %v", tx, err)
		}
	})
}

func TestForeignAndMalleatedTransactionsAreIgnored(t *testing.T) {
	good, err := chain.EncodeTransaction(chain.KeyValue, []byte("op"))
	if err != nil {
		t.Fatal(err)
	}
	key, value, _ := strings.Cut(string(good), "=")
	for name, tx := range map[string]string{
		"nothing":             "",
		"foreign":             "name=satoshi",
		"bare prefix":         "meshsec\x01",
		"other magic":         "meshsec\x02op",
		"bare key":            key,
		"no value":            key + "=",
		"padding":             key + "=" + value + "=",
		"line break":          key + "=" + value[:1] + "\n" + value[1:],
		"trailing line break": key + "=" + value + "\n",
		"loose bits":          key + "=" + value[:2] + "x",
		"standard alphabet":   key + "=" + base64.StdEncoding.EncodeToString([]byte{0xfb, 0xff, 0xfe}),
		"key of another":      "meshsec-0000000000000000=" + value,
		"upper-case key":      strings.ToUpper(key[:10]) + key[10:] + "=" + value,
	} {
		if got, ok := attest.OperationIn([]byte(tx)); ok {
			t.Errorf("%s: %q decodes to %q", name, tx, got)
		}
	}
}

func TestEncodingNames(t *testing.T) {
	for _, e := range encodings {
		if got, err := chain.ParseEncoding(e.String()); err != nil || got != e {
			t.Errorf("%v: %v, %v", e, got, err)
		}
	}
	if _, err := chain.ParseEncoding("protobuf"); err == nil {
		t.Error("an unknown encoding parses")
	}
}

// decodeDumb is the twin: an operation is what one of the encoders, written out
// with fmt, maps to exactly these bytes.
func decodeDumb(tx []byte) ([]byte, bool) {
	var operation []byte
	if rest, ok := bytes.CutPrefix(tx, []byte("meshsec\x01")); ok {
		operation = rest
	} else if _, value, ok := bytes.Cut(tx, []byte("=")); ok {
		operation, _ = base64.RawURLEncoding.DecodeString(string(value))
		hash := sha256.Sum256(operation)
		if fmt.Sprintf("meshsec-%x=%s", hash[:8], base64.RawURLEncoding.EncodeToString(operation)) != string(tx) {
			return nil, false
		}
	}
	return operation, 0 < len(operation) && len(operation) <= chain.MaxOperation
}

func FuzzDecodeTransaction(f *testing.F) {
	for _, e := range encodings {
		tx, err := chain.EncodeTransaction(e, []byte("an operation"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tx)
	}
	f.Add([]byte("name=satoshi"))
	f.Add([]byte("meshsec-0000000000000000=AA\r\n"))
	f.Fuzz(func(t *testing.T, tx []byte) {
		got, ok := attest.OperationIn(tx)
		want, wantOK := decodeDumb(tx)
		if ok != wantOK || ok && !bytes.Equal(got, want) {
			t.Fatalf("%q decodes to %x, %v, the twin says %x, %v", tx, got, ok, want, wantOK)
		}
	})
}
