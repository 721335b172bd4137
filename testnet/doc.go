// Package testnet builds a mesh of several chains on one machine, runs it, and
// attacks it. It is what `meshsec testnet` does.
//
//	Shape    how many chains and validators, as processes or in containers
//	Build    fills a home folder: keys, configurations, the manifest, testnet.toml
//	Up       runs what is in it, until all nodes agree and all stake counts
//	Look     asks every node and merges the answers into one Status
//	Fault    makes a validator sign twice, and waits for every ledger to slash it
//	Trust    has the chains trust peers anew that went stale while it rested
//	Kill …   ends or starts one process, as an accident would
//
// # A home
//
//	testnet.toml         names, ports, accounts; written last: with it, the testnet exists
//	manifest.toml        what the chains agreed on
//	compose.yaml         in containers only
//	chains/alpha/        the authority's key, and the devchain with its validators
//	nodes/alpha-0/       config.toml, keys, guard, store
//	logs/ run/           one log and one pid file for each process
//
// The back end is hidden behind one small interface: processes of the own binary,
// or containers from a generated compose file. Everything else here talks to
// nodes over their HTTP API and over gossip, as anybody could.
//
// # Invariants
//
//   - A signal goes only to a process that this home started: a pid file holds
//     the pid together with the time at which that process began.
//   - Keys are made once. A home is resumed, never rebuilt; one of another shape
//     is an error.
//   - In containers a guard lives and dies with its volume: when the volumes go,
//     so do the keys.
//   - All listeners are on loopback.
//   - Status needs no agreement between the nodes that it asks, and shows where
//     there is none.
//
// The keys lie on disk with their passwords beside them. This is not a network to
// hold value.
//
// Only cmd/meshsec imports this package.
package testnet
