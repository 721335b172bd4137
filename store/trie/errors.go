package trie

import (
	"errors"
	"fmt"
)

var (
	// ErrMissingNode is what a [Reader] returns for a key that it does not hold.
	ErrMissingNode = errors.New("node is missing: its version was pruned, or the store is damaged and must be rebuilt")
	// ErrCorruptNode says that stored bytes do not match the hash in their parent.
	ErrCorruptNode = errors.New("node does not match its hash: the store is damaged and must be rebuilt")
	// ErrNotInWitness says that an operation needs a node that the witness does not show.
	ErrNotInWitness = errors.New("node is not in the witness")
	// ErrWitnessRoot says that a witness is about another root.
	ErrWitnessRoot = errors.New("trie: witness does not have the expected root")
	// ErrInvalidProof says that a proof does not prove anything about this root and key.
	ErrInvalidProof = errors.New("trie: proof does not verify")
	// ErrMalformed says that bytes are not the canonical form of what they should be.
	ErrMalformed = errors.New("trie: malformed or not canonical")
	// ErrVersion says that Commit was given a version that is not above the last one.
	ErrVersion = errors.New("trie: version must be above the last committed one")
	// ErrOrder says that a [Builder] was given a record whose path is not above the last one.
	ErrOrder = errors.New("trie: records must come in the order of their paths, each once")
	// ErrKeySize says that a key is empty or longer than MaxKey.
	ErrKeySize = errors.New("trie: key must have 1 to 1024 bytes")
	// ErrValueSize says that a value is empty or longer than MaxValue.
	ErrValueSize = errors.New("trie: value must have 1 to 524288 bytes; to remove a key, delete it")
	// ErrWitnessSize says that a witness is larger than MaxWitness.
	ErrWitnessSize = errors.New("trie: witness is larger than 524288 bytes: split the step")
)

// NodeError names the stored node that an operation failed on. It wraps
// [ErrMissingNode], [ErrCorruptNode], [ErrNotInWitness], or the Reader's own error.
type NodeError struct {
	Key NodeKey
	Err error
}

func (e *NodeError) Error() string { return fmt.Sprintf("trie: node %v: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *NodeError) Unwrap() error { return e.Err }
