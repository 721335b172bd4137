package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// MaxOperation is the size in bytes of the largest operation. The limit leaves
// room in both encodings for what a stock CometBFT node takes over its RPC: a
// transaction of 749,943 bytes.
const MaxOperation = 540 << 10

// Encoding is the form in which an operation is submitted. Reading does not
// depend on it: [DecodeTransaction] knows both forms, so that nodes that are
// configured differently still agree on what the chain ordered. The zero value
// is Raw.
type Encoding uint8

const (
	// Raw is the operation behind a short magic prefix, for chains whose
	// transactions are opaque bytes, such as the devchain.
	Raw Encoding = iota
	// KeyValue is "meshsec-<16 hex digits>=<base64>", for CometBFT's stock
	// kvstore application. The key is the start of the operation's SHA-256,
	// the value is URL-safe base64 without padding: kvstore refuses a second
	// "=", and repeats in every block a transaction that holds a ":".
	KeyValue
)

const (
	rawPrefix   = "meshsec\x01"
	keyPrefix   = "meshsec-"
	keyHashSize = 8 // bytes of SHA-256 in the key, twice as many digits
	valueStart  = len(keyPrefix) + 2*keyHashSize + len("=")
)

// String returns the name that ParseEncoding accepts.
func (e Encoding) String() string {
	switch e {
	case Raw:
		return "raw"
	case KeyValue:
		return "kvstore"
	}
	return fmt.Sprintf("Encoding(%d)", uint8(e))
}

// ParseEncoding returns the encoding of that name: "raw" or "kvstore".
func ParseEncoding(name string) (Encoding, error) {
	switch name {
	case "raw":
		return Raw, nil
	case "kvstore":
		return KeyValue, nil
	}
	return 0, fmt.Errorf("unknown transaction encoding %q: use raw or kvstore", name)
}

// EncodeTransaction returns the transaction that carries operation. It returns
// [ErrTooLarge] above MaxOperation, and [ErrRejected] for an empty operation.
func EncodeTransaction(e Encoding, operation []byte) ([]byte, error) {
	switch {
	case len(operation) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrRejected)
	case len(operation) > MaxOperation:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(operation), MaxOperation)
	case e == KeyValue:
		return appendKeyValue(nil, operation), nil
	default:
		return append([]byte(rawPrefix), operation...), nil
	}
}

// DecodeTransaction returns the operation that the transaction carries, or
// false when it carries none: then it belongs to somebody else. For each
// encoding, exactly one transaction decodes to a given operation. The result
// does not share memory with transaction.
func DecodeTransaction(transaction []byte) (operation []byte, ok bool) {
	switch {
	case bytes.HasPrefix(transaction, []byte(rawPrefix)):
		operation = bytes.Clone(transaction[len(rawPrefix):])
	case bytes.HasPrefix(transaction, []byte(keyPrefix)):
		operation, ok = decodeKeyValue(transaction)
		if !ok {
			return nil, false
		}
	}
	if len(operation) == 0 || len(operation) > MaxOperation {
		return nil, false
	}
	return operation, true
}

func appendKeyValue(to, operation []byte) []byte {
	hash := sha256.Sum256(operation)
	to = append(to, keyPrefix...)
	to = hex.AppendEncode(to, hash[:keyHashSize])
	to = append(to, '=')
	return base64.RawURLEncoding.AppendEncode(to, operation)
}

func decodeKeyValue(transaction []byte) ([]byte, bool) {
	if len(transaction) <= valueStart {
		return nil, false
	}
	value := transaction[valueStart:]
	if base64.RawURLEncoding.DecodedLen(len(value)) > MaxOperation {
		return nil, false
	}
	operation := make([]byte, base64.RawURLEncoding.DecodedLen(len(value)))
	n, err := base64.RawURLEncoding.Strict().Decode(operation, value)
	if err != nil {
		return nil, false
	}
	operation = operation[:n]
	// Go's decoder skips line breaks, and the key has to fit: only the
	// transaction that we would have built ourselves counts.
	if !bytes.Equal(appendKeyValue(make([]byte, 0, len(transaction)), operation), transaction) {
		return nil, false
	}
	return operation, true
}
