// Package bls is the one door to BLS12-381: keys, signatures, aggregates,
// batches, key derivation and keystores.
//
// The ciphersuite is BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_ of
// draft-irtf-cfrg-bls-signature-05, as the Ethereum consensus specification uses
// it: public keys are points of G1 (48 bytes compressed), signatures points of
// G2 (96 bytes compressed), and whoever adds up public keys must have seen a
// proof of possession of each ([VerifyPossession]). The curve arithmetic is
// herumi's, through github.com/herumi/bls-eth-go-binary.
//
// # Invariants
//
//   - A [PublicKey], [Signature] or [SecretKey] that is not the zero value was
//     checked when it was made: canonical encoding, on the curve, in the subgroup
//     of prime order, not the point at infinity, not the scalar zero. So nothing
//     that takes one needs to check again, and an (infinity key, infinity
//     signature) pair, which satisfies every pairing equation, cannot exist.
//   - The zero values are inert: they verify nothing, and aggregates refuse them.
//     Only signing with a zero SecretKey panics, for want of anything true to
//     return.
//   - One point has one encoding: Parse accepts exactly what Bytes returns.
//   - The C library is initialised before its first use, whoever comes first, and
//     its process-wide settings are never touched afterwards.
//   - All values are immutable and all functions may be called from many
//     goroutines at once; the package starts none.
//
// # What to use when
//
//	one vote                                [Verify]
//	many votes, one message                 [VerifySameMessage], names the bad ones
//	many votes, each its own message        [VerifyBatch], all or nothing
//	an aggregate over one message           [FastAggregateVerify]
//	an aggregate over several messages      [AggregateVerify]
//
// A valid aggregate does not show that the signatures added up in it were valid:
// two invalid ones can cancel. Where single signatures count, verify them singly
// or in a batch, which weighs each with a random scalar, and aggregate afterwards.
//
// The package is pure: no network, disk or clock. Randomness (batch scalars,
// keystore salts) comes from crypto/rand; keys come from the reader given to
// [GenerateKey]. Every other package of the module may import it, it imports none.
package bls
