package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store/ledger"
)

func newEscrow() *cobra.Command {
	return newGroup("escrow", "Pay out what backstops paid for a chain that failed", newEscrowRelease())
}

func newEscrowRelease() *cobra.Command {
	cmd := &cobra.Command{
		Use: "release", Short: "Pay out of the escrow into an account", Args: words(),
		Long: `What the backstops of a failed chain paid waits in an escrow on the ledger of the
chain that provided them, until that chain's authority pays it into an account of
this ledger on behalf of the failed chain. From there it can be withdrawn.
"meshsec ledger show --peers" says how much there is.`,
		Example: `meshsec escrow release --consumer beta --account ACCOUNT --amount 25_000 --authority-key authority.key`,
	}
	var o order
	var a authority
	var consumer string
	var id ledger.AccountID
	var amount amountFlag
	o.flags(cmd)
	a.flags(cmd)
	cmd.Flags().StringVar(&consumer, "consumer", "", "chain that failed (required)")
	textVar(cmd, &id, "account", "id", "account to pay it into; one that is not there is opened (required)")
	textVar(cmd, &amount, "amount", "units", amountUsage)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "consumer", "account", "amount", "authority-key"); err != nil {
			return err
		}
		return o.decided(cmd, &a, id, func(_ context.Context, nonce uint64, s *session) (*ledger.Operation, error) {
			if _, err := s.peer(consumer); err != nil {
				return nil, err
			}
			return ledger.NewReleaseEscrow(nonce, consumer, id, amount.amount)
		})
	}
	return cmd
}
