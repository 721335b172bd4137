package main

import (
	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/testnet"
)

func newTestnetWrongEpoch() *cobra.Command {
	cmd := &cobra.Command{
		Use: "invalid-transition", Short: "Make a chain certify a state that no operation led to", Args: words(),
		Long: `Tells all nodes of a chain to put into their ledger, in one epoch, what no operation
did, and to certify that as their result. Nobody else is told. It waits until every node
of the other chains has found the proof, and their ledgers have frozen and slashed what
stood behind the chain's validators. Then it checks that these ledgers lost or made no
amount, and that they agree again. A node that is not ready, or killed meanwhile, is
left out and named. The chain is halted on all of them from then on.`,
		Example: `meshsec testnet fault invalid-transition --chain beta`,
	}
	home := homeFlag(cmd)
	chain := cmd.Flags().String("chain", "", "the chain (required)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "chain"); err != nil {
			return err
		}
		t, err := loadTestnet(*home)
		if err != nil {
			return err
		}
		report, err := t.InvalidTransition(cmd.Context(), *chain, screen(cmd, !*asJSON))
		if err != nil {
			return err
		}
		return printFaultReport(cmd, report, *asJSON)
	}
	return cmd
}

func printFaultReport(cmd *cobra.Command, report *testnet.FaultReport, asJSON bool) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), report)
	}
	return printLines(cmd, append([]string{""}, report.Lines()...))
}
