// Package comet is the consensus of CometBFT, v0.34 to v1, as far as it can be checked
// from outside: what validators sign, which keys and signatures are valid, and which
// hashes name blocks, transactions and validator sets.
//
//	[SignBytes]            what a validator signs for a vote
//	[Header.Hash]          the name of a block
//	[Set.Hash]             the name of a validator set, in a header
//	[TransactionsHash]     the name of a block's transactions, in a header
//	[LightBlock.SignedBy]  who signed a block, if they are more than 2/3 of the power
//
// It knows nothing of this protocol, so that both its own fault proofs and the readers of
// other software's evidence build on it. Values are as they were read: each type has a
// Check for its form, and nothing else is promised of a value that was not checked.
//
// Of this module it imports bls.
package comet
