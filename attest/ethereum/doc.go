// Package ethereum is what the validators of an Ethereum beacon chain sign, and which
// two of their signatures contradict each other: the objects of attester and proposer
// slashings, their encoding and roots, and the domains. It follows the consensus
// specification (phase0 and electra, beacon-chain.md) and verifies no signature.
//
//	Chain   for which chain, and which fork of it, signatures were made
//	Vote    what of an attestation decides whether it contradicts another
//
// # Invariants
//
//   - What decodes has one encoding, and its size is checked first.
//   - A domain follows from a [Chain] alone, never from what was signed.
//   - No I/O, no clock, no goroutine.
//
// It may be imported by every room but bls, and imports none of them.
package ethereum
