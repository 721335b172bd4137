// Package trie is a sparse Merkle trie: an authenticated map from byte keys to
// byte values whose root depends on its contents alone, never on their history.
//
// # Shape and hashing
//
// A key lives at the path SHA-256(key), read from its highest bit: 0 goes left, 1
// goes right. A subtree without a leaf is empty, a subtree with one leaf *is* that
// leaf (as in the Libra and jellyfish papers), everything else is an inner node:
//
//	empty = 32 zero bytes
//	leaf  = SHA-256(0x00 ‖ SHA-256(key) ‖ SHA-256(value))
//	inner = SHA-256(0x01 ‖ left ‖ right)
//
// That is the SmtSpec of ICS-23 (cosmos/ics23, go/proof.go), byte for byte, so that
// its verifiers can check our records; see [Proof].
//
// # Versions
//
// Nodes are stored under (version, depth, path) and never overwritten. A [Tree] reads
// them lazily through a [Reader], changes copies, and [Tree.Commit] says exactly which
// nodes the new version adds and which nodes of earlier versions it no longer uses.
// A caller that deletes the stale nodes of version v once no version before v is
// needed keeps exactly the nodes that the remaining versions reach.
//
// # Invariants
//
//   - Node bytes are checked against the hash that their parent holds before they are
//     used. Whatever a Reader, a [Proof] or a [Witness] brings, the answer is right or
//     an error, never wrong and never a panic.
//   - A version is not part of any hash. What a version says about a node's place can
//     only make it unfindable.
//   - A failed operation leaves the tree as it was.
//   - Each binary form is canonical and bounded: what decodes, encodes to the same bytes.
//
// # Use
//
// The package is pure: no I/O, clock, goroutine or lock. A Tree and its snapshots share
// nodes and belong to one goroutine at a time; trees from separate calls of [New] share
// nothing and are independent. It imports nothing of this module; store, store/ledger
// and attest may import it.
package trie
