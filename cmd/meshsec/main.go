package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// newRoot is the command tree. Every call makes a new one, so that tests can run
// side by side.
func newRoot() *cobra.Command {
	root := newGroup("meshsec", "Shared collateral for sovereign proof-of-stake chains",
		newInit(), newStart(), newDevchain(),
		newKeys(), newGuard(), newRegister(),
		newDeposit(), newWithdraw(), newPledge(), newRelease(), newUnjail(), newReceipt(),
		newParams(), newPeer(), newEscrow(),
		newStatus(), newLedger(), newFault(), newHealth(),
		newTestnet(), newVersion(),
	)
	root.Long = `meshsec runs the nodes of a mesh of chains that secure each other, and asks and
instructs them.

Start with "meshsec testnet up": it brings a whole network up on this machine.`
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	return root
}
