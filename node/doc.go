// Package node is one member of the mesh: it follows its home chain, executes every
// chain's ledger, attests its own, and tells its home chain what the others came to
// (DESIGN §4 to §8). It is the room that wires all others.
//
//	New, Node   opens everything, runs it, stops it; parts is the order of that
//	wire        one page: the rooms of a node and how they are connected
//	Config      what the operator decides; docs/configuration.md comes from it
//
// # The flow
//
//	 home chain ──blocks──▶ home ─────────┐ executes each epoch when it is complete
//	 peers ──────epochs───▶ follower …  ──┤ executes a peer's certified epoch
//	 mesh ───────gossip───▶ handler … ────┤ verifies signatures, in batches
//	 mesh ───────pages────▶ syncer ─▶ handler
//	                                      │ what is verified
//	                                      ▼
//	┌─ loop ──────────────────────────────────────────────────────────────┐
//	│ council: votes → certificates → what is to be signed, kept, sent    │
//	│          two distinct votes → proof                                 │
//	└─────────────────────────────────┬───────────────────────────────────┘
//	                                  │ effects, in order
//	                                  ▼
//	                                clerk ──▶ signer (guard first), store, mesh
//	                                  │
//	        certificates, faults      ▼
//	 home chain ◀──operations── submitter: tasks from the home ledger, in its turn
//
// # Who owns what
//
// Each box is one goroutine and owns its state; they talk by [ask] and mailboxes. The
// council is a value machine without I/O or clock, so that the loop, which owns it,
// never waits. The store is shared: each chain has one goroutine that commits to it
// (home or its follower), certificates and faults come from the clerk as well.
// Who comes to another result than a certified one asks the prosecutor for a proof.
// Nobody holds a lock across I/O. The desk, which derives tasks, keeps nothing; the
// queue, which decides when to submit, counts home-chain blocks and no seconds.
//
// # Invariants
//
//   - A node signs at most one checkpoint per epoch and one claim per epoch and
//     peer, each recorded in the guard before, and only what it executed itself.
//   - A node whose result of its own chain differs from the certified one says where,
//     attests nothing any more, also after a restart, and goes on to answer. If that of
//     a peer does, it proves the certified one wrong, and leaves that chain.
//   - What is stored is stored before it is sent.
//   - A certificate is believed only against the set that the executed epoch before
//     it committed to; a peer's input only if its transcript is the certified one.
//   - The wall clock decides when to publish and to ask again, and dates faults for
//     people. No ledger sees it.
//   - No package state: any number of nodes live in one process, also in virtual
//     time (testing/synctest).
//
// Only testnet and the command line import node.
package node
