// Package ledger is one chain's collateral as a deterministic state machine
// (DESIGN §3). It decides who may do what with which stake, and what a proven
// fault costs whom.
//
//	Manifest   what the peer chains agreed on: parameters and genesis ledgers
//	Operation  what a home chain orders; signed by an account or by nobody
//	Execute    one epoch: (state, input) → (state, receipts, checkpoint)
//	Reader     answers questions about a state
//
// A state is nothing but records: bytes under keys in a [State], which a
// store/trie tree implements. There is no scan: every access is a read or a
// write of one key, so each step can be re-run from a witness of the few trie
// nodes that it read. Lists are records too (a count, and one record an index),
// and only ever grow.
//
// # The vault (DESIGN §3.1, 3.2)
//
// For an account with collateral C and liens (L, r), its home stake and what is
// being released included:
//
//	I1  max L ≤ C
//	I2  Σ r·L ≤ C
//
// A lien L is never stored. Stored are, per part of it, what the owner's
// operations made it (nominal) and what slashes took (slashed); [vault.effective]
// computes L from them and C, so that any order of the same slashes ends in the
// same liens. What a validator's power was computed from is kept as the part's
// history, and slashes are computed from that, never from the current size.
//
// # Conservation
//
//	Σ collateral + Σ escrow + Σ withdrawn + Σ burned = Σ deposited
//
// # Where things are
//
//	records, keys, keyname, describe, text, codec  what a state is made of, and how it is written and named
//	manifest, params, validate, candidate, beacon  what the network agreed on; genesis makes the first state of it
//	operations, refusal                            what a chain orders, and why it is refused
//	execute, machine, end, bounds, state           an epoch, step by step, within its limits
//	vault, vault_record, stake, maturity           accounts and liens: pledge, release, withdraw, repair
//	peers, authority, power, downtime              other chains, rules that change, the next validator set, absence
//	fault, fork, penalty, slash, backstop          what a proven fault costs, and whom
//	transcript, witness, transition                a step re-run alone; prosecute, breach and refute judge it
//	reader, views, conviction, recordproof, trail  questions to a state, answered with proofs where wanted
//	scenario…                                      what-if questions to the vault rules, offline
//
// What ends in _ssz is generated.
//
// # Purity
//
// No I/O, no clock, no goroutine, no map order and no float reaches a root. Time
// comes in with the blocks. The package imports attest and store/trie.
package ledger
