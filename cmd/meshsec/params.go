package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newParams() *cobra.Command {
	return newGroup("params", "Look at a chain's rules, and change them", newParamsShow(), newParamsSet())
}

// rules is what "params show --json" prints.
type rules struct {
	Chain   string              `json:"chain"`
	Epoch   uint64              `json:"epoch"`
	Params  *ledger.Params      `json:"params"`
	Pending *ledger.PendingView `json:"pending"` // null: nothing waits
}

func newParamsShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "Show a chain's rules, those in force and those that wait", Args: words(),
		Long: `Prints the rules in force in TOML, as "meshsec params set" reads them. Rules that wait
to be in force follow as a comment.`,
		Example: `meshsec params show > params.toml`,
	}
	var t target
	t.flags(cmd)
	chain := cmd.Flags().String("chain", "", "chain of the ledger (default the node's home chain)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f, err := t.find()
		if err != nil {
			return err
		}
		if *chain == "" {
			s, err := f.Status(cmd.Context())
			if err != nil {
				return err
			}
			*chain = s.Chain
		}
		l, err := f.Ledger(cmd.Context(), *chain)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), rules{l.Chain, l.Epoch, l.Params, l.Pending})
		}
		return printParams(cmd.OutOrStdout(), l)
	}
	return cmd
}

// printParams prints rules as a manifest has them. It is valid TOML of those in force.
func printParams(w io.Writer, l api.Ledger) error {
	if l.Params == nil {
		return errors.New("the node does not tell the rules: is it of the same version?")
	}
	text, err := l.Params.Encode()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "# rules of %s in force after epoch %d\n%s", l.Chain, l.Epoch, text)
	if p := l.Pending; p != nil {
		text, err := p.Params.Encode()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n# rules that wait, not in force before the end of epoch %d and %s\n", p.FromEpoch, moment(p.FromTime))
		for line := range strings.Lines(string(text)) {
			fmt.Fprint(w, "# ", line)
		}
	}
	return nil
}

func newParamsSet() *cobra.Command {
	cmd := &cobra.Command{
		Use: "set", Short: "Change the chain's rules", Args: words(),
		Long: `Changes the rules of the node's home chain to those of a file, which has every key
that "meshsec params show" prints. What binds others waits for one unbonding time: a longer
reach, a shorter protection, a higher covered value, any change of penalties, downtime
or limits. Everything else is in force at the end of the epoch. A later change replaces
one that waits.`,
		Example: `meshsec params show > params.toml
meshsec params set --file params.toml --authority-key authority.key`,
	}
	var o order
	var a authority
	o.flags(cmd)
	a.flags(cmd)
	file := cmd.Flags().String("file", "", "the rules, in TOML (required)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "file", "authority-key"); err != nil {
			return err
		}
		next, err := readParams(*file)
		if err != nil {
			return err
		}
		return o.decided(cmd, &a, ledger.AccountID{}, func(_ context.Context, nonce uint64, s *session) (*ledger.Operation, error) {
			now := s.ledger.Params
			switch {
			case now == nil:
				return nil, fmt.Errorf("the node at %s does not tell the rules in force: is it of the same version?", s.node.base)
			case *now == *next && s.ledger.Pending != nil:
				o.effect = "what waited to be in force is taken back"
			case *now == *next:
				return nil, fmt.Errorf("the rules of %s are in force already: change something", *file)
			case now.Binding(next):
				o.effect = fmt.Sprintf("the rules bind others: they are in force once one unbonding time has passed (%d epochs and %v)", now.Unbonding.Epochs, now.Unbonding.Time.Span())
			default:
				o.effect = "the rules are in force from the end of that epoch on"
			}
			return ledger.NewSetParams(nonce, next)
		})
	}
	return cmd
}

// readParams reads rules that can be in force.
func readParams(path string) (*ledger.Params, error) {
	const most = 1 << 16
	b, err := readBounded(path, most)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	p, err := ledger.ParseParams(b)
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("rules %s: %w", path, err)
	}
	return p, nil
}
