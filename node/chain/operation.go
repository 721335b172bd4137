package chain

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// MaxOperation is the size in bytes of the largest operation.
const MaxOperation = attest.MaxOperation

// Encoding is the form in which an operation is submitted. Reading does not
// depend on it: [attest.OperationIn] knows both forms, so that nodes that are
// configured differently still agree on what the chain ordered. The zero value
// is Raw.
type Encoding uint8

const (
	// Raw is [attest.RawTransaction], for chains whose transactions are opaque
	// bytes, such as the devchain.
	Raw Encoding = iota
	// KeyValue is [attest.KeyValueTransaction], for CometBFT's stock kvstore.
	KeyValue
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
		return attest.KeyValueTransaction(operation), nil
	default:
		return attest.RawTransaction(operation), nil
	}
}
