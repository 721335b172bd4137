package main

import (
	"context"
	"crypto/ed25519"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store/ledger"
)

const amountUsage = "amount in base units of the chain's token, such as 1_000_000 (required)"

func newDeposit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "deposit", Short: "Credit collateral to an account, on the word of the chain's authority", Args: words(),
		Long: `Credits collateral to an account of the node's home chain. The chain's authority,
which the manifest names, signs for it: custody of the tokens is its own. Give
--authority-key once for each key that has to sign.

The account is opened by its first deposit.`,
		Example: `meshsec deposit --authority-key authority.key --account ACCOUNT --amount 1_000_000`,
	}
	var o order
	var own signer
	var amount amountFlag
	var id ledger.AccountID
	var authority []string
	var nonce uint64
	o.flags(cmd)
	own.flags(cmd)
	textVar(cmd, &id, "account", "id", "account to credit (default that of the account key)")
	textVar(cmd, &amount, "amount", "units", amountUsage)
	cmd.Flags().StringArrayVar(&authority, "authority-key", nil, "file with a key of the authority; repeat it for each (required)")
	cmd.Flags().Uint64Var(&nonce, "nonce", 0, "the authority's next nonce (default: the node is asked)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "amount", "authority-key"); err != nil {
			return err
		}
		if !cmd.Flags().Changed("account") {
			key, err := own.key(&o.target)
			if err != nil {
				return err
			}
			id = ledger.AccountOf(key)
		}
		var keys []ed25519.PrivateKey
		for _, file := range authority {
			key, err := readAccountKey(file)
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return o.send(cmd, id, func(_ context.Context, s *session) (*ledger.Operation, error) {
			if !cmd.Flags().Changed("nonce") {
				nonce = s.ledger.AuthorityNonce
			}
			op, err := ledger.NewDeposit(nonce, id, amount.amount)
			if err != nil {
				return nil, err
			}
			s.date(op)
			for _, key := range keys {
				if err := op.Sign(s.network, s.chain, key); err != nil {
					return nil, err
				}
			}
			return op, nil
		})
	}
	return cmd
}

func newWithdraw() *cobra.Command {
	cmd := &cobra.Command{
		Use: "withdraw", Short: "Take free collateral out", Args: words(),
		Long: `Takes free collateral out of the account. What liens need stays: "meshsec release"
frees it after the unbonding time.`,
		Example: `meshsec withdraw --account-key account.key --amount 1_000`,
	}
	var o order
	var own signer
	var amount amountFlag
	o.flags(cmd)
	own.flags(cmd)
	textVar(cmd, &amount, "amount", "units", amountUsage)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "amount"); err != nil {
			return err
		}
		return o.signed(cmd, &own, func(id ledger.AccountID, nonce uint64, _ *session) (*ledger.Operation, error) {
			return ledger.NewWithdraw(id, nonce, amount.amount)
		})
	}
	return cmd
}

// lien are the flags that name a part of a lien.
type lien struct {
	consumer  string
	validator ledger.AccountID
	amount    amountFlag
}

func (l *lien) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.consumer, "consumer", "", "chain that relies on the collateral; the home chain for stake at home (required)")
	textVar(cmd, &l.validator, "validator", "id", "account, on the consumer chain, of the validator that it stands behind (required)")
	textVar(cmd, &l.amount, "amount", "units", amountUsage)
}

func newPledge() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pledge", Short: "Put collateral behind a validator, at home or of a peer chain", Args: words(),
		Long: `Creates or enlarges the part of the account's lien to a consumer chain that stands
behind one of its validators. The same collateral can stand behind several chains,
as long as no lien exceeds it and all slashes together could be paid.

The ratio is the largest share that a fault may take. It belongs to the lien: a
later pledge can raise it, never lower it.`,
		Example: `meshsec pledge --consumer beta --validator ACCOUNT --amount 500_000 --ratio 0.05`,
	}
	var o order
	var own signer
	var l lien
	var ratio ledger.Ratio
	o.flags(cmd)
	own.flags(cmd)
	l.flags(cmd)
	textVar(cmd, &ratio, "ratio", "share", "largest share that a fault may take, such as 0.05 (required)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "consumer", "validator", "amount", "ratio"); err != nil {
			return err
		}
		return o.signed(cmd, &own, func(id ledger.AccountID, nonce uint64, _ *session) (*ledger.Operation, error) {
			return ledger.NewPledge(id, nonce, l.consumer, l.validator, l.amount.amount, ratio)
		})
	}
	return cmd
}

func newRelease() *cobra.Command {
	cmd := &cobra.Command{
		Use: "release", Short: "Start to unbond collateral from behind a validator", Args: words(),
		Long: `Starts to unbond part of a lien. It gives no power from the next statement on, and
stays slashable until the unbonding time has passed; then it is free.`,
		Example: `meshsec release --consumer beta --validator ACCOUNT --amount 500_000`,
	}
	var o order
	var own signer
	var l lien
	o.flags(cmd)
	own.flags(cmd)
	l.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "consumer", "validator", "amount"); err != nil {
			return err
		}
		return o.signed(cmd, &own, func(id ledger.AccountID, nonce uint64, _ *session) (*ledger.Operation, error) {
			return ledger.NewRelease(id, nonce, l.consumer, l.validator, l.amount.amount)
		})
	}
	return cmd
}
