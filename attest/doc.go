// Package attest is the pure protocol core: the objects that validators sign,
// how they are verified, how votes become certificates, and how contradicting
// ones become fault proofs.
//
//	Checkpoint        what a chain's validators sign once per epoch
//	Attestation       one validator's signature on a checkpoint
//	Certificate       a checkpoint with more than 2/3 of the power behind it
//	CrossClaim        "we re-executed that peer's epochs and got its roots"
//	CrossAttestation  one validator's signature on a claim
//	CrossCertificate  a claim with more than 2/3 of the power behind it
//	FaultProof        bytes that convict named validators, offline
//
// # Invariants
//
//   - Every object has exactly one encoding (SSZ); whatever decodes encodes to
//     the same bytes, and an object that could not be decoded is not encoded.
//   - A validator is named by its key. A bitfield means something only together
//     with the [Set] it was made for, so each verification takes the set.
//   - State machines accept [VerifiedVote], [VerifiedCertificate],
//     [VerifiedCrossCertificate] and [VerifiedFault] only. Their fields are
//     unexported: the sole way to get one is to verify.
//   - No I/O, no clock, no goroutine, no randomness that reaches a result.
//
// # From bytes to state
//
//	Decode…            one canonical form, size checked first
//	Check…, Verify…    bound to a [Network] and to the [Set] of the epoch
//	[Follow]           from one trusted checkpoint to the next
//	[Tally]            votes become certificates, contradictions become proofs
//	[Peek]             what a proof says, before anything dear is done
//	[VerifyFault]      whom it convicts
//
// Every error is an [*Error] that names a [Rule]; [Rules] is the table of them all,
// and says which are the sender's fault.
//
// It may be imported by every room but bls. Of this module it imports only bls,
// attest/comet and attest/ethereum.
package attest
