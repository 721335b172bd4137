package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store/ledger"
)

func newLedgerRun() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run FILE", Short: "Run a what-if scenario of slashes, pledges and releases", Args: words("FILE, a scenario in JSON or - for standard input,"),
		Long: `Runs a scenario with the ledger's own rules and shows every account after each step.
No node is needed and nothing is changed. docs/scenarios.md has the format.

A step that the rules refuse is an answer, not an error: the output says why.`,
		Example: `meshsec ledger run scenario.json
meshsec ledger run - --json < scenario.json`,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		b, err := readScenario(args[0], cmd.InOrStdin())
		if err != nil {
			return err
		}
		s, err := ledger.ParseScenario(b)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		result, err := s.Run()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), result)
		}
		return printScenario(cmd.OutOrStdout(), result)
	}
	return cmd
}

// readScenario reads a file, or in where that is "-"; no more than a scenario may
// have and one byte, which tells that it has more.
func readScenario(name string, in io.Reader) ([]byte, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, ledger.MaxScenario+1))
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return b, nil
}

func printScenario(w io.Writer, r *ledger.ScenarioResult) error {
	for i, s := range r.Steps {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "step %d, %s: %s\n", s.Step, s.Action, s.Detail)
		for _, x := range s.Refused {
			what := ""
			if s.Step == 0 {
				what = fmt.Sprintf(" the lien of %s to %s", x.Account, x.Consumer)
			}
			fmt.Fprintf(w, "refused%s: %s: %s\n", what, x.Code, x.Reason)
		}
		if s.Slashes != nil && len(s.Slashes) == 0 {
			fmt.Fprintln(w, "nothing was taken")
		}
		for _, x := range s.Slashes {
			validator := x.Validator
			if x.Backstop {
				validator = "the backstop"
			}
			fmt.Fprintf(w, "taken from %s, behind %s of %s: %s (%v of the captured %s, less what was taken before)\n",
				x.Account, validator, x.Consumer, grouped(x.Amount), x.Ratio, grouped(x.Captured))
		}
		if err := printScenarioAccounts(w, s.Accounts); err != nil {
			return err
		}
	}
	return nil
}

// printScenarioAccounts prints one table: a line for an account, and below it one
// for each of its liens.
func printScenarioAccounts(w io.Writer, accounts []ledger.ScenarioAccount) error {
	if len(accounts) == 0 {
		_, err := fmt.Fprintln(w, "no accounts")
		return err
	}
	t := newTable(w, "account", "collateral", "max lien", "slashable", "free", "slashed", "lien to", "ratio", "amount", "slashed", "behind")
	for _, a := range accounts {
		row := []any{a.ID, grouped(a.Collateral), grouped(a.MaxLien), groupedText(a.Slashable), grouped(a.Free), grouped(a.Slashed)}
		for _, l := range a.Liens {
			t.row(append(row, l.Consumer, l.Ratio, grouped(l.Amount), grouped(l.Slashed), behind(l))...)
			row = []any{"", "", "", "", "", ""}
		}
		if len(a.Liens) == 0 {
			t.row(append(row, "-")...)
		}
	}
	return t.print()
}

// behind is whom a lien stands behind with how much.
func behind(l ledger.ScenarioLien) string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(l.Stakes)) {
		parts = append(parts, v+" "+grouped(l.Stakes[v]))
	}
	if !l.Backstop.IsZero() {
		parts = append(parts, "backstop "+grouped(l.Backstop))
	}
	if !l.Unbonding.IsZero() {
		parts = append(parts, "unbonding "+grouped(l.Unbonding))
	}
	return strings.Join(parts, ", ")
}
