package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store/ledger"
)

func newUnjail() *cobra.Command {
	cmd := &cobra.Command{
		Use: "unjail", Short: "Let a validator take part again that was jailed for downtime", Args: words(),
		Long: `A validator that missed too many epochs is jailed: it has no power until its account
sends this, which it may once its time in jail is over. "meshsec ledger show --power"
says who is jailed, and until when. See to it first that the node signs again.`,
		Example: `meshsec unjail --account-key account.key`,
	}
	var o order
	var own signer
	o.flags(cmd)
	own.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return o.signed(cmd, &own, func(id ledger.AccountID, nonce uint64, s *session) (*ledger.Operation, error) {
			i := slices.IndexFunc(s.ledger.Jailed, func(j ledger.JailView) bool { return j.Account == id })
			if i < 0 {
				return nil, fmt.Errorf("validator %v is not jailed on the ledger of %s", id, s.chain)
			}
			j := s.ledger.Jailed[i]
			if next := s.ledger.Epoch + 1; next < j.Until {
				return nil, fmt.Errorf("validator %v was jailed in epoch %d of %s: send this again from epoch %d on, now is epoch %d", id, j.Epoch, s.chain, j.Until, next)
			}
			o.effect = "it has power again from the next set on"
			return ledger.NewUnjail(id, nonce, j.Epoch)
		})
	}
	return cmd
}
