package main

import (
	"context"

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
	var a authority
	o.flags(cmd)
	own.flags(cmd)
	a.flags(cmd)
	textVar(cmd, &id, "account", "id", "account to credit (default that of the account key)")
	textVar(cmd, &amount, "amount", "units", amountUsage)
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
		return o.decided(cmd, &a, id, func(_ context.Context, nonce uint64, _ *session) (*ledger.Operation, error) {
			return ledger.NewDeposit(nonce, id, amount.amount)
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
	backstop  bool
	amount    amountFlag
}

func (l *lien) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.consumer, "consumer", "", "chain that relies on the collateral; the home chain for stake at home (required)")
	textVar(cmd, &l.validator, "validator", "id", "account, on the consumer chain, of the validator that it stands behind")
	cmd.Flags().BoolVar(&l.backstop, "backstop", false, "it stands behind the consumer chain as a whole, not behind a validator")
	textVar(cmd, &l.amount, "amount", "units", amountUsage)
}

// need fails unless the part is named, and these flags were given.
func (l *lien) need(cmd *cobra.Command, flags ...string) error {
	named := cmd.Flags().Changed("validator")
	switch {
	case named && l.backstop:
		return misuse(cmd, "give --validator or --backstop, not both")
	case !named && !l.backstop:
		return misuse(cmd, "--validator or --backstop is missing")
	}
	return need(cmd, append([]string{"consumer", "amount"}, flags...)...)
}

func newPledge() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pledge", Short: "Put collateral behind a validator, at home or of a peer chain, or behind a whole peer chain", Args: words(),
		Long: `Creates or enlarges the part of the account's lien to a consumer chain that stands
behind one of its validators. The same collateral can stand behind several chains,
as long as no lien exceeds it and all slashes together could be paid.

The ratio is the largest share that a fault may take. It belongs to the lien: a
later pledge can raise it, never lower it.

With --backstop it stands behind the chain as a whole: it gives no power, and pays when
a third of the chain's power is convicted and what stands behind the offenders does not
reach the chain's covered value. --accepts is the largest covered value that you stand
for; it too can only be raised.`,
		Example: `meshsec pledge --consumer beta --validator ACCOUNT --amount 500_000 --ratio 0.05
meshsec pledge --consumer beta --backstop --accepts 2_000_000 --amount 500_000 --ratio 0.05`,
	}
	var o order
	var own signer
	var l lien
	var ratio ledger.Ratio
	var accepts amountFlag
	o.flags(cmd)
	own.flags(cmd)
	l.flags(cmd)
	textVar(cmd, &ratio, "ratio", "share", "largest share that a fault may take, such as 0.05 (required)")
	textVar(cmd, &accepts, "accepts", "units", "of a backstop: the largest covered value of the consumer, in its base units, that it stands for")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		required := []string{"ratio"}
		if l.backstop {
			required = append(required, "accepts")
		} else if cmd.Flags().Changed("accepts") {
			return misuse(cmd, "--accepts is for a --backstop")
		}
		if err := l.need(cmd, required...); err != nil {
			return err
		}
		return o.signed(cmd, &own, func(id ledger.AccountID, nonce uint64, _ *session) (*ledger.Operation, error) {
			if l.backstop {
				return ledger.NewBackstop(id, nonce, l.consumer, l.amount.amount, ratio, accepts.amount)
			}
			return ledger.NewPledge(id, nonce, l.consumer, l.validator, l.amount.amount, ratio)
		})
	}
	return cmd
}

func newRelease() *cobra.Command {
	cmd := &cobra.Command{
		Use: "release", Short: "Start to unbond collateral from behind a validator, or a whole chain", Args: words(),
		Long: `Starts to unbond part of a lien. It gives no power from the next statement on, and
stays slashable until the unbonding time has passed; then it is free.`,
		Example: `meshsec release --consumer beta --validator ACCOUNT --amount 500_000
meshsec release --consumer beta --backstop --amount 500_000`,
	}
	var o order
	var own signer
	var l lien
	o.flags(cmd)
	own.flags(cmd)
	l.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := l.need(cmd); err != nil {
			return err
		}
		return o.signed(cmd, &own, func(id ledger.AccountID, nonce uint64, _ *session) (*ledger.Operation, error) {
			return ledger.NewRelease(id, nonce, l.consumer, l.validator, l.amount.amount) // the zero validator is the backstop
		})
	}
	return cmd
}
