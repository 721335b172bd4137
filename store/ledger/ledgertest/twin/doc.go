// Package twin is the vault rules a second time (DESIGN §3.1 to 3.5), written from
// the design and not from store/ledger, as plainly as possible: math/big, exact
// rationals, and no state of its own. [Replay] computes a ledger from all that ever
// happened on it, anew each time. Where the twin and the ledger differ, one of them
// has misread the design. It is for tests.
package twin
