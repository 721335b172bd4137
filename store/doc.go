// Package store keeps what a node knows on disk, in one Badger database: for every
// chain of the network its journal and the state trees that follow from it, validator
// sets, certificates and receipts, and the fault proofs of all chains.
//
//	Commit          the outcome of an epoch, atomically and in order
//	Head, Tree      the last committed state, from memory and fresh for each caller
//	Journal         every epoch's input, transcript, receipts and checkpoint
//	PutCertificate  who signed it
//	PutFault        who must be slashed
//	Verify, Replay  check a chain's journal, and run it again from its beginning
//	Export, Import  begin with the state of a certified epoch instead of genesis
//
// # One step at a time
//
// Every change is a step: a set of records and a new head, which counts the steps and
// is hash-chained to the head before it. One goroutine makes the steps: one Badger
// transaction with an fsync, then the head into a file of its own, which replaces the
// old one atomically, then the answer. What was answered survives kill -9 and loss of
// power. A step that is larger than a Badger transaction is written in pieces; nothing
// refers to them until the last one moves the head, and what a crash leaves of them is
// removed by the next Open.
//
// # Nothing is lost in silence
//
// Badger can open a damaged directory without an error and with data missing or with
// old data in its place. Therefore the head holds a checksum of the contents, a sum of
// hashes that each step brings up to date, and Open reads all records and compares. The
// head in Badger must be that of the file or exactly one step ahead. Whatever is not as
// it was left is [ErrCorrupt]; the directory is then to be put aside with [SetAside], and
// the node syncs anew instead of attesting to nonsense. The price is an Open that reads
// the whole database, once for the checksums of Badger's tables and once for the sum.
//
// # Versions
//
// The trees of the last Options.KeepVersions epochs are readable. Older nodes are deleted
// exactly, in bounded pieces, with the commits and when there is nothing else to do.
//
// # Where a journal begins
//
// With genesis, unless the chain was imported, or Options.Keep lets journal entries,
// receipts and certificates go that are older. Then it begins with the epoch Head.Base,
// whose tree is kept with it: all that follows can be run again from there. What is
// asked for of an earlier epoch is [ErrPruned]. Sets and faults are kept.
//
// # Concurrency
//
// A [Store] is safe for concurrent use: any number of readers, which never wait for
// each other, and one writer for each chain (a second one loses with [ErrOrder]).
// Readers see a step completely or not at all. No lock is held across I/O; a caller of a
// writing method waits on a channel. After a failed write the store refuses to write
// until it has been opened anew, for nobody can know what is on the disk.
//
// The package imports attest, store/ledger and store/trie. It may be imported by p2p and
// what is above it.
package store
