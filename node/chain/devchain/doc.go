// Package devchain runs a whole CometBFT chain inside one process: 1 to n real
// validators, connected over loopback, with a tiny application that does
// nothing but order operations. It is the home chain of development, tests and
// demonstrations; from the outside it is a CometBFT chain like any other, with
// a JSON-RPC that package comet follows.
//
// A chain is a directory: Init fills it once, Start runs what is in it.
//
//	genesis.json                     written last: with it, the chain exists
//	validator-00/config/             consensus key, node key
//	validator-00/data/               blocks, state, write-ahead log, last signature
//	validator-01/…
//
// Invariants:
//
//   - Nothing that exists is ever overwritten, a key least of all.
//   - All validators of the chain are in the process: killed at any point and
//     started again, it continues with the same blocks and signs nothing twice.
//   - After Stop the directory, the port and all connections are free, also for
//     another Start in the same process. Any number of chains run side by side.
//   - The application knows no semantics: it takes what decodes as an operation
//     and refuses the rest.
//
// CometBFT leaves its mark on the process: its write-ahead log catches SIGHUP
// for good, and leaves two idle goroutines per validator behind at each Stop.
//
// The keys lie unencrypted on disk. This is not a chain to hold value.
//
// Packages cmd, testnet and tests may import it.
package devchain
