package store

import (
	"encoding/binary"

	"github.com/meshsec/meshsec/store/trie"
)

// The key space. Numbers are big-endian, so that keys sort as their fields do. A chain
// is its position in the manifest (2 bytes), which the network id fixes.
//
//	00                                          the head, see head.go
//	01 chain epoch                              epoch record, see epoch.go and Import
//	02 chain epoch part(4)                  *   the journal entry's bytes, in pieces
//	03 chain version depth(2) path          *   a node of the state tree
//	04 chain version node                   *   the node is not used from this version on
//	05 chain root(32)                           a validator set
//	06 chain epoch                              the best certificate
//	07 chain operation(32) failed(1) epoch index(4) *  height (8) and receipt
//	08 cursor                                   id (32) and fault proof
//	09 id(32)                                   cursor of the fault
//
// Those with a star may be written before the head is moved to their epoch: nothing
// reads them when their epoch is above it, and Open removes them.
const (
	kindHead byte = iota
	kindEpoch
	kindJournal
	kindNode
	kindStale
	kindSet
	kindCertificate
	kindReceipt
	kindFault
	kindFaultID
)

const (
	chainSize    = 1 + 2         // kind and chain
	epochKeySize = chainSize + 8 // and epoch
)

var headKey = []byte{kindHead}

// chainKey is the prefix of all that one chain has of a kind.
func chainKey(kind byte, chain int) []byte {
	return binary.BigEndian.AppendUint16(append(make([]byte, 0, 64), kind), uint16(chain))
}

func epochKey(kind byte, chain int, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(chainKey(kind, chain), epoch)
}

func partKey(chain int, epoch uint64, part int) []byte {
	return binary.BigEndian.AppendUint32(epochKey(kindJournal, chain, epoch), uint32(part))
}

func nodeKey(chain int, k trie.NodeKey) []byte {
	return append(chainKey(kindNode, chain), k.Bytes()...)
}

func staleKey(chain int, version uint64, k trie.NodeKey) []byte {
	return append(epochKey(kindStale, chain, version), k.Bytes()...)
}

// parseStale returns the version and the form of the node that a stale key is about.
func parseStale(key []byte) (version uint64, node []byte) {
	return binary.BigEndian.Uint64(key[chainSize:]), key[epochKeySize:]
}

func setKey(chain int, root [32]byte) []byte { return append(chainKey(kindSet, chain), root[:]...) }

// receiptsKey is the prefix of all receipts of one operation with one outcome.
func receiptsKey(chain int, operation [32]byte, failed bool) []byte {
	var outcome byte
	if failed {
		outcome = 1
	}
	return append(append(chainKey(kindReceipt, chain), operation[:]...), outcome)
}

func receiptKey(chain int, operation [32]byte, failed bool, epoch uint64, index int) []byte {
	k := binary.BigEndian.AppendUint64(receiptsKey(chain, operation, failed), epoch)
	return binary.BigEndian.AppendUint32(k, uint32(index))
}

// receiptEpoch is the inverse of receiptKey as far as the epoch is concerned.
func receiptEpoch(key []byte) uint64 { return binary.BigEndian.Uint64(key[chainSize+32+1:]) }

func faultKey(cursor uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindFault}, cursor)
}

func faultIDKey(id [32]byte) []byte { return append([]byte{kindFaultID}, id[:]...) }

// address says what a key is about. Early keys are those with a star.
type address struct {
	kind  byte
	chain int
	epoch uint64
	early bool
}

// parseKey returns what a key is about; ok is false for keys that are never written.
func parseKey(key []byte) (a address, ok bool) {
	if len(key) == 0 {
		return a, false
	}
	if a.kind = key[0]; a.kind >= kindFault {
		return a, a.kind <= kindFaultID
	}
	if len(key) < epochKeySize {
		return a, false
	}
	a.chain = int(binary.BigEndian.Uint16(key[1:]))
	switch a.kind {
	case kindEpoch, kindCertificate:
		a.epoch = binary.BigEndian.Uint64(key[chainSize:])
	case kindJournal, kindNode, kindStale:
		a.epoch, a.early = binary.BigEndian.Uint64(key[chainSize:]), true
	case kindReceipt:
		if len(key) != chainSize+32+1+8+4 {
			return a, false
		}
		a.epoch, a.early = receiptEpoch(key), true
	}
	return a, true
}
