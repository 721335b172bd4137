// Command meshsec is the one binary of the mesh: it runs nodes, home chains for
// development and whole test networks, keeps keys, and asks and instructs nodes.
//
//	init start           a node's home, and the node
//	devchain             an embedded CometBFT chain
//	testnet              a whole network on this machine
//	keys register        keys, and their binding to an account
//	guard                what a key has signed: move and repair it
//	deposit withdraw     collateral in and out
//	pledge release       collateral behind a validator or a chain, and back
//	unjail               back from jail
//	params peer escrow   what a chain's authority decides
//	status ledger fault  what a node knows
//	ledger prove verify  what a ledger holds, for those who have no node
//	ledger replay        a stopped node's journal, run again
//	ledger run           what would happen if: no node is asked
//	ledger export import a state to begin with, instead of a journal
//	receipt health       what became of an operation, whether all is well
//
// docs/cli.md has every flag; it is generated from the commands.
//
// # Conventions
//
//   - Data goes to standard output, everything else to standard error. Every
//     command that prints data has --json, whose keys are lower case and stable.
//   - An error is one line that says what to do. Exit codes: 0 done, 1 failed,
//     2 wrong usage.
//   - Nothing that exists is overwritten; no secret is printed.
//
// # Where things are
//
// One file for each command. run.go starts and ends the process, usage.go says
// what wrong usage is, target.go finds the node to ask, order.go is the way of an
// operation from a key to its receipt, output.go prints.
//
// Nothing imports a command.
package main
