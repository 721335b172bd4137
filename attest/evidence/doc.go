// Package evidence verifies proofs of misbehaviour in the forms in which other
// software writes them, and this protocol's own, offline, and says in a [Report] what
// it looked at.
//
//	Mesh     fault proofs of this protocol
//	Comet    CometBFT v0.34 to v0.38 and v1: DuplicateVoteEvidence,
//	         LightClientAttackEvidence, blocks that carry them, and what a provider
//	         chain of Interchain Security takes
//	Ethereum attester and proposer slashings of a beacon chain, see [ParseEthereum]
//	         and [EthereumFiles]
//
// # Invariants
//
//   - Signatures convict, claims do not: offenders are derived from what verifies,
//     never from a list in the evidence.
//   - A report is valid exactly if each of its checks is OK, and the first that is
//     not OK ends it; of two signatures both are looked at.
//   - What is missing is not what is wrong: evidence that can't be judged without
//     something that the caller has to give is a [Missing], not an invalid report.
//   - Input is bounded before it is parsed, and each level of JSON is only opened on
//     the way to what is known.
//   - No network, no disk, no clock, no goroutine, and none of CometBFT's code.
//
// Of this module it imports bls, attest, attest/comet and attest/ethereum.
package evidence
