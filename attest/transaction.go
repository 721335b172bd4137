package attest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// Which transactions of a home chain are operations depends on the bytes of its blocks
// alone: not on configuration, nor on who reads them. So anybody who has a block can
// say which operations an epoch must hold, see [InvalidOperations].

// MaxOperation is the size in bytes of the largest operation. The limit leaves
// room in both forms for what a stock CometBFT node takes over its RPC: a
// transaction of 749,943 bytes.
const MaxOperation = 540 << 10

// Limits of what is looked at in a block, so that whatever is said of one fits into a
// proof. What is beyond them is ordered in vain, and can be sent again.
const (
	MaxBlockTransactions = 2048 // the first ones of a block, a power of two
	MaxBlockOperations   = 512  // the first ones in those
)

// What an epoch takes from its blocks is bounded too, since all nodes of all chains must
// get and keep it. Of its operations count those that still find room: each block has an
// equal share of maxEpochRoom, and what the ones before it have left.
const (
	maxEpochRoom = 64 << 20 // bytes
	orderedCost  = 512      // bytes that an operation takes beside its own: of its step, receipts and lengths
)

// EpochRoom is how many bytes of operations an epoch of so many blocks, at most 2^32, takes
// up to its n-th one. An operation counts if those before it in the epoch took less.
func EpochRoom(n, blocks uint64) uint64 {
	if blocks == 0 {
		return 0
	}
	return maxEpochRoom * n / blocks
}

// OrderedSize is how much room an operation of so many bytes takes.
func OrderedSize(operation int) uint64 { return orderedCost + uint64(operation) }

const (
	rawPrefix   = "meshsec\x01"
	keyPrefix   = "meshsec-"
	keyHashSize = 8 // bytes of SHA-256 in the key, twice as many digits
	valueStart  = len(keyPrefix) + 2*keyHashSize + len("=")
)

// RawTransaction is the operation behind a short magic prefix, for chains whose
// transactions are opaque bytes.
func RawTransaction(operation []byte) []byte {
	return append([]byte(rawPrefix), operation...)
}

// KeyValueTransaction is "meshsec-<16 hex digits>=<base64>", for CometBFT's stock
// kvstore application. The key is the start of the operation's SHA-256, the value is
// URL-safe base64 without padding: kvstore refuses a second "=", and repeats in every
// block a transaction that holds a ":".
func KeyValueTransaction(operation []byte) []byte {
	return appendKeyValue(nil, operation)
}

// OperationIn is the operation that a transaction carries, or false when it carries
// none: then it belongs to somebody else. The only transactions that carry a given
// operation are its [RawTransaction] and its [KeyValueTransaction]. The result shares no
// memory with the transaction.
func OperationIn(transaction []byte) (operation []byte, ok bool) {
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

// OperationsIn are the operations of a block with these transactions, in its order. The
// same one can come again. Which of them count depends on [EpochRoom] too.
func OperationsIn(transactions [][]byte) (operations [][]byte) {
	for _, tx := range transactions[:min(len(transactions), MaxBlockTransactions)] {
		if operation, ok := OperationIn(tx); ok && len(operations) < MaxBlockOperations {
			operations = append(operations, operation)
		}
	}
	return operations
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
