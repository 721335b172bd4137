// Package chain says what the mesh needs of a home chain, and nothing more: its
// finalized blocks with the operations in them, its validators, its evidence,
// and a way to hand it bytes to order.
//
// A home chain orders operations as opaque bytes. It does not read them: a
// CometBFT chain joins without changing its code, as long as one of the two
// transaction forms of this package (see [Encoding]) passes its mempool.
//
// Invariants:
//
//   - A block that a [Chain] returned is final. The same height gives the same
//     block for ever.
//   - Which transactions are operations depends on their bytes alone, see
//     [attest.OperationsIn]: not on configuration, not on the chain, not on the
//     node that reads them. Two honest nodes see the same operations in the
//     same order.
//   - Inclusion is never promised and never unique: an operation may come
//     never, late or twice. The ledger deduplicates; whoever submits looks, and
//     submits again.
//
// The sub-packages are the CometBFT adapter (comet) and an embedded chain of
// real CometBFT validators for development and tests (devchain). Package node
// and what stands above it may import this one.
package chain
