// Package p2p is how nodes of one network talk: a libp2p host, gossip, and sync.
//
//	Node       the host: identity, listeners, redialled peers, gossip topics, sync
//	Handler    what the node above knows: it judges each message
//	Condition  what was found out about a message; [Conditions] is the table that
//	           turns it into an answer to gossip (DESIGN §6), and the source of
//	           metric labels and of docs/gossip.md
//	Source     what the node above has: certificates, epochs, faults and votes that
//	           peers may ask for
//	Batcher    collects signatures over the same message, to be verified together
//
// # The way of a message
//
//	gossip ─┐                                               ┌ Accept  forwarded
//	sync ───┼─ size ─ canonical form ─ chain ─ Handler ─────┼ Ignore  dropped
//	parked ─┘  cheap checks first         ↑      Condition  ├ Park    kept, then again
//	                                      └──── Release ────┘ Reject  counted on the sender
//
// All input takes this one way: what gossip carries, what sync fetches
// ([Node.Deliver]) and what was parked ([Node.Release]). Only what the node makes
// itself ([Node.PublishVote] and its siblings) skips the Handler, which is the
// node's own judgement.
//
// # Invariants
//
//   - The network id is part of every topic name and protocol id, so that nodes of
//     different networks have nothing to say to each other.
//   - Nothing is decoded, and no memory reserved, before a length was compared with
//     its limit.
//   - Memory that a peer can make us use is bounded per peer and in total: the
//     parking queue, the sync pages being built, the validation queue.
//   - A panic or a slow answer of the Handler costs one message, never the node,
//     and never the peer that sent it.
//   - After [Node.Close] no Handler or Source method is called, and none is running.
//   - No package state: any number of nodes live in one process, also in virtual
//     time (testing/synctest). No lock is held across I/O.
//
// p2p imports attest and nothing else of meshsec; only node and the rooms above it
// import p2p.
package p2p
