// Package api is what a node says over HTTP, and a client that asks it.
//
//	GET  /v1/status                                Status
//	GET  /v1/ledgers/{chain}                       Ledger
//	GET  /v1/ledgers/{chain}/checkpoints/{epoch}   Checkpoint
//	GET  /v1/ledgers/{chain}/certificates/{epoch}  Certificate
//	GET  /v1/ledgers/{chain}/certificates          Trail, ?from= epoch, ?limit=
//	GET  /v1/ledgers/{chain}/records               Record, ?key= name, ?epoch=
//	GET  /v1/faults                                []Fault, ?from= position, ?limit=
//	GET  /v1/faults/{id}                           Fault
//	POST /v1/faults                                Report → Report
//	GET  /v1/ledgers/{chain}/faults/{id}           ledger.ConvictionView
//	POST /v1/operations                            Submission → Submission
//	GET  /v1/operations/{id}                       Receipt
//	POST /v1/misbehave                             Misdeed, only with --misbehave
//	GET  /healthz                                  200 while the process runs
//	GET  /readyz                                   200, or 503 with the reason
//	GET  /metrics                                  Prometheus
//
// types.go is the contract: what those bodies hold. Every answer that is not 2xx
// has a [Problem] as its body.
//
// [Handler] serves from a [Backend], which the node implements; it holds no state
// of its own. [Client] is the other end, for the command line, the testnet and
// tests.
//
// # Invariants
//
//   - A request is read up to a limit, never further, and has a deadline.
//   - Nothing here can make a node sign. What POST /v1/operations takes was
//     signed by its account before, and goes to the home chain as it is. What POST
//     /v1/faults takes is verified before anything comes of it. POST /v1/misbehave,
//     which makes a node of a test network sign what is wrong, is there only if the
//     node was started for it.
//
// The node imports it, and so may whoever talks to a node; it imports
// store/ledger for the views that it shows, and attest to open a [Certificate].
package api
