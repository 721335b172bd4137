package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newLedger() *cobra.Command {
	return newGroup("ledger", "Look at ledgers, prove what is in them, ask what if", newLedgerShow(), newLedgerProve(), newLedgerVerify(),
		newLedgerReplay(), newLedgerExport(), newLedgerImport(), newLedgerRun())
}

func newLedgerShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "Show a chain's ledger as a node has it", Args: words(),
		Long: `Shows the newest state of a chain's ledger that the node has executed. Without one
of the flags that name a part it shows all but liens, faults and slashes.`,
		Example: `meshsec ledger show --chain beta --liens
meshsec ledger show --account 3f9a --liens`,
	}
	var t target
	var names naming
	var chain, account string
	var parts ledgerParts
	t.flags(cmd)
	cmd.Flags().StringVar(&chain, "chain", "", "chain whose ledger to show (default the node's home chain)")
	cmd.Flags().StringVar(&account, "account", "", "only what concerns this account: its id, or how that begins")
	parts.flags(cmd)
	fullFlag(cmd, &names)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if strings.Trim(account, "0123456789abcdef") != "" {
			return misuse(cmd, "--account is %q, want hex digits", account)
		}
		f, err := t.find()
		if err != nil {
			return err
		}
		if chain == "" {
			s, err := f.Status(cmd.Context())
			if err != nil {
				return err
			}
			chain = s.Chain
		}
		l, err := f.Ledger(cmd.Context(), chain)
		if err != nil {
			return err
		}
		only(&l, account)
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), l)
		}
		return parts.print(cmd.OutOrStdout(), names, l)
	}
	return cmd
}

// only leaves of a ledger what concerns accounts whose id begins like that.
func only(l *api.Ledger, prefix string) {
	matches := func(ids ...ledger.AccountID) bool {
		return slices.ContainsFunc(ids, func(id ledger.AccountID) bool { return strings.HasPrefix(id.String(), prefix) })
	}
	l.Accounts = slices.DeleteFunc(l.Accounts, func(a ledger.AccountView) bool { return !matches(a.ID) })
	l.Liens = slices.DeleteFunc(l.Liens, func(x ledger.LienView) bool { return !matches(x.Account, x.Validator) })
	l.Power = slices.DeleteFunc(l.Power, func(p ledger.PowerView) bool { return !matches(p.Account) })
	l.Faults = slices.DeleteFunc(l.Faults, func(f ledger.FaultView) bool { return prefix != "" && !matches(f.Offenders...) })
	l.Slashes = slices.DeleteFunc(l.Slashes, func(s ledger.SlashView) bool { return !matches(s.Account, s.Validator) })
}

// ledgerParts are the tables to show.
type ledgerParts struct{ totals, accounts, liens, peers, power, faults, slashes, params bool }

func (p *ledgerParts) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.totals, "totals", false, "show the sums")
	cmd.Flags().BoolVar(&p.accounts, "accounts", false, "show the accounts")
	cmd.Flags().BoolVar(&p.liens, "liens", false, "show the liens")
	cmd.Flags().BoolVar(&p.peers, "peers", false, "show the other chains as this ledger knows them")
	cmd.Flags().BoolVar(&p.power, "power", false, "show the validators of the next epoch")
	cmd.Flags().BoolVar(&p.faults, "faults", false, "show the recorded faults")
	cmd.Flags().BoolVar(&p.slashes, "slashes", false, "show what was slashed")
	cmd.Flags().BoolVar(&p.params, "params", false, "show the rules in force, and those that wait")
}

func (p *ledgerParts) print(w io.Writer, n naming, l api.Ledger) error {
	if *p == (ledgerParts{}) {
		*p = ledgerParts{totals: true, accounts: true, peers: true, power: true}
	}
	fmt.Fprintf(w, "ledger of %s after epoch %d, root %s\n", l.Chain, l.Epoch, n.id(l.Root))
	for _, part := range []struct {
		shown bool
		print func() error
	}{
		{p.totals, func() error { return printTotals(w, l.Totals) }},
		{p.accounts, func() error { return printAccounts(w, n, l.Accounts) }},
		{p.liens, func() error { return printLiens(w, n, l.Liens) }},
		{p.peers, func() error { return printPeers(w, l.Peers) }},
		{p.power, func() error { return printPower(w, n, l) }},
		{p.faults, func() error { return printFaults(w, n, l.Faults) }},
		{p.slashes, func() error { return printSlashes(w, n, l.Slashes) }},
		{p.params, func() error { return printParams(w, l) }},
	} {
		if !part.shown {
			continue
		}
		fmt.Fprintln(w)
		if err := part.print(); err != nil {
			return err
		}
	}
	return nil
}

func printTotals(w io.Writer, s ledger.Totals) error {
	t := newTable(w, "deposited", "collateral", "escrow", "withdrawn", "burned")
	t.row(grouped(s.Deposited), grouped(s.Collateral), grouped(s.Escrow), grouped(s.Withdrawn), grouped(s.Burned))
	return t.print()
}

func printAccounts(w io.Writer, n naming, accounts []ledger.AccountView) error {
	t := newTable(w, "account", "nonce", "collateral", "max lien", "slashable", "free")
	for _, a := range accounts {
		t.row(n.id(a.ID[:]), a.Nonce, grouped(a.Collateral), grouped(a.MaxLien), grouped(a.Slashable), grouped(a.Free))
	}
	return t.print()
}

func printLiens(w io.Writer, n naming, liens []ledger.LienView) error {
	t := newTable(w, "account", "consumer", "validator", "amount", "bonded", "ratio", "frozen", "slashed")
	for _, l := range liens {
		behind := n.behind(l.Validator)
		if l.Validator == ledger.Backstop {
			behind += " up to " + grouped(l.Accepts)
		}
		t.row(n.id(l.Account[:]), l.Consumer, behind, grouped(l.Amount), grouped(l.Bonded), l.Ratio, grouped(l.Frozen), grouped(l.Slashed))
	}
	return t.print()
}

func printPeers(w io.Writer, peers []ledger.PeerView) error {
	t := newTable(w, "peer", "accepted", "confirmed", "final", "statement", "virtual stake", "escrow", "halted")
	for _, p := range peers {
		halted := "no"
		if p.Halted != "" {
			halted = p.Halted
		}
		if p.Overturned != 0 {
			halted += fmt.Sprintf("; overturned from epoch %d on", p.Overturned)
		}
		if p.Backstop != "" {
			halted += "; backstop " + p.Backstop
		}
		t.row(p.Chain, p.Accepted, p.Confirmed, p.Final, p.Imported, grouped(p.Virtual), grouped(p.Escrow), halted)
	}
	if err := t.print(); err != nil {
		return err
	}
	for _, p := range peers {
		if p.Warning != "" {
			fmt.Fprintln(w, "warning:", p.Warning)
		}
	}
	return nil
}

func printPower(w io.Writer, n naming, l api.Ledger) error {
	t := newTable(w, "validator", "key", "own stake", "power")
	for _, p := range l.Power {
		t.row(n.id(p.Account[:]), n.id(p.Key), grouped(p.Own), grouped(p.Power))
	}
	if err := t.print(); err != nil {
		return err
	}
	for _, j := range l.Jailed {
		fmt.Fprintf(w, "jailed for downtime: %s in epoch %d; it may send \"meshsec unjail\" from epoch %d on\n", n.id(j.Account[:]), j.Epoch, j.Until)
	}
	return nil
}

func printFaults(w io.Writer, n naming, faults []ledger.FaultView) error {
	t := newTable(w, "fault", "kind", "chain", "epoch", "recorded in", "executed", "offenders")
	for _, f := range faults {
		t.row(n.id(f.ID), f.Kind, f.Chain, f.Epoch, f.Recorded, yesNo(f.Executed), n.ids(f.Offenders))
	}
	return t.print()
}

func printSlashes(w io.Writer, n naming, slashes []ledger.SlashView) error {
	t := newTable(w, "fault", "account", "consumer", "validator", "captured", "ratio", "taken", "burned", "reward", "compensation", "epoch")
	for _, s := range slashes {
		t.row(n.id(s.Fault), n.id(s.Account[:]), s.Consumer, n.behind(s.Validator), grouped(s.Captured), s.Ratio,
			grouped(s.Amount), grouped(s.Burned), grouped(s.Reward), grouped(s.Compensation), s.Epoch)
	}
	return t.print()
}
