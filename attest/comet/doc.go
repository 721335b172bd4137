// Package comet is what CometBFT's validators sign, and how that is verified: the
// canonical bytes of a vote, which are the same from v0.34 to v1, in the protobuf
// encoding, and the rule by which an ed25519 signature is valid.
//
// It knows nothing of this protocol, so that both its own fault proofs and the
// readers of other software's evidence build on it.
package comet
