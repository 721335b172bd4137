// Package comet follows and feeds a CometBFT chain over the plain JSON-RPC of
// one of its nodes. It implements chain.Chain for any CometBFT chain from
// v0.34 to v1 whose mempool takes one of the encodings of package chain; the
// chain's code stays as it is.
//
// What it takes from the node it checks as far as that is cheap: the chain id,
// the height, the header's hash, the hashes of transactions and evidence in the
// header, the hash of the validator set. It does not verify commits: an
// operator points the adapter at his own node.
//
// A chain is followed by asking for blocks by height. Events over WebSocket are
// not used: they get lost when the node restarts. Errors of the node come as
// free text, so no decision hangs on it, except where the protocol offers
// nothing else (see Submit).
//
// Packages node and testnet may import it.
package comet
