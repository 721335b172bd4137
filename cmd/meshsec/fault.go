package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newFault() *cobra.Command {
	return newGroup("fault", "Build, verify, submit and follow fault proofs",
		newFaultList(), newFaultShow(), newFaultVerify(), newFaultBuild(),
		newFaultSubmit(), newFaultWatch(), newFaultExplain())
}

func newFaultList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the fault proofs that a node holds", Args: words(),
		Long: `Lists the fault proofs that a node holds, and where each stands on every ledger:
verified (the ledger does not know it), recorded (it captures nothing there), frozen
(what it captured waits for the end of the window), executed, or refused (too old to be
recorded there, ever). A chain that has forked is halted on the ledgers of its peers, and
nobody is convicted: on its own ledger that is none. An offence that another proof has
brought to a ledger is what that one is.`}
	var t target
	var names naming
	t.flags(cmd)
	fullFlag(cmd, &names)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f, err := t.find()
		if err != nil {
			return err
		}
		faults, chains, err := listFaults(cmd.Context(), f)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), faults)
		}
		table := newTable(cmd.OutOrStdout(), slices.Concat([]string{"fault", "kind", "chain", "epoch", "seen"}, on(chains), []string{"offenders"})...)
		for _, x := range faults {
			row := []any{names.id(x.ID), x.Kind, x.Chain, x.Epoch, moment(x.Seen)}
			for _, chain := range chains {
				row = append(row, x.States[chain])
			}
			table.row(append(row, offendersOf(names, &x.Fault))...)
		}
		return table.print()
	}
	return cmd
}

// on are the heads of the columns of ledgers.
func on(chains []string) []string {
	heads := make([]string, len(chains))
	for i, chain := range chains {
		heads[i] = "on " + chain
	}
	return heads
}

// allFaults reads all pages.
func allFaults(ctx context.Context, f *found) ([]api.Fault, error) {
	all := []api.Fault{}
	for {
		page, err := f.Faults(ctx, uint64(len(all)), api.MaxFaults)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < api.MaxFaults {
			return all, nil
		}
	}
}

// faultReport is a fault with what it cost whom.
type faultReport struct {
	api.Fault
	Slashes []ledgerSlash `json:"slashes"`
}

// ledgerSlash is a slash and the ledger that it happened on.
type ledgerSlash struct {
	Ledger string `json:"ledger"`
	ledger.SlashView
}

func newFaultShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show FAULT", Short: "Show a fault proof and what it cost whom", Args: words("FAULT, the id of a fault or how that begins,"),
		Long: `Shows a fault: who broke which rule, when this node saw it, and on which ledgers it
is frozen and executed, with everything that was slashed. With --json the proof
itself is printed too, which convinces anyone offline.`,
	}
	var t target
	var names naming
	t.flags(cmd)
	fullFlag(cmd, &names)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		prefix, err := faultPrefix(cmd, args[0])
		if err != nil {
			return err
		}
		f, err := t.find()
		if err != nil {
			return err
		}
		report, err := reportFault(cmd.Context(), f, prefix)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), report)
		}
		return report.print(cmd.OutOrStdout(), names)
	}
	return cmd
}

// reportFault finds the fault whose id begins like that, and its slashes on all
// ledgers that the node keeps.
func reportFault(ctx context.Context, f *found, prefix string) (*faultReport, error) {
	x, err := findFault(ctx, f, prefix)
	if err != nil {
		return nil, err
	}
	report := &faultReport{Fault: x, Slashes: []ledgerSlash{}}
	status, err := f.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, chain := range slices.Sorted(maps.Keys(status.Ledgers)) {
		l, err := f.Ledger(ctx, chain)
		if err != nil {
			return nil, err
		}
		for _, s := range l.Slashes {
			if bytes.Equal(s.Fault, x.ID) {
				report.Slashes = append(report.Slashes, ledgerSlash{chain, s})
			}
		}
	}
	return report, nil
}

// offendersOf are the names of those whom a fault convicts.
func offendersOf(n naming, x *api.Fault) string {
	if x.Forked {
		return "nobody, the chain has forked"
	}
	return n.ids(x.Offenders)
}

// faultPrefix is the id of a fault, or how that begins, as it was typed.
func faultPrefix(cmd *cobra.Command, text string) (string, error) {
	prefix := strings.TrimPrefix(strings.ToLower(text), "0x")
	if strings.Trim(prefix, "0123456789abcdef") != "" || len(prefix) > 64 || prefix == "" {
		return "", misuse(cmd, "FAULT is %q, want up to 64 hex digits", text)
	}
	return prefix, nil
}

// findFault is the fault whose id begins like that. The error is no api.ErrNotFound.
func findFault(ctx context.Context, f *found, prefix string) (x api.Fault, err error) {
	if len(prefix) == 64 {
		x, err = f.faultOf(ctx, prefix)
		if errors.Is(err, api.ErrNotFound) {
			err = f.unknownFault(prefix)
		}
		return x, err
	}
	all, err := allFaults(ctx, f)
	if err != nil {
		return x, err
	}
	all = slices.DeleteFunc(all, func(x api.Fault) bool { return !strings.HasPrefix(hex.EncodeToString(x.ID), prefix) })
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return x, f.unknownFault(prefix + "…")
	}
	var some []string
	for _, x := range all[:min(len(all), 3)] {
		id := hex.EncodeToString(x.ID)
		some = append(some, id[:min(len(prefix)+8, len(id))]+"…")
	}
	if len(all) > len(some) {
		some = append(some, "others")
	}
	return x, fmt.Errorf("%d faults begin with %s: give more digits of %s", len(all), prefix, strings.Join(some, ", "))
}

// faultOf is the fault of a full id in hex.
func (f *found) faultOf(ctx context.Context, text string) (api.Fault, error) {
	id, err := hex.DecodeString(text)
	if err != nil {
		return api.Fault{}, err
	}
	return f.Fault(ctx, [32]byte(id))
}

func (f *found) unknownFault(id string) error {
	return fmt.Errorf("the node at %s knows no fault %s: \"meshsec fault list\" shows all", f.base, id)
}

func (r *faultReport) print(w io.Writer, n naming) error {
	t := newTable(w)
	t.row("fault", hex.EncodeToString(r.ID))
	t.row("kind", r.Kind)
	t.row("where", fmt.Sprintf("%s, epoch %d", r.Chain, r.Epoch))
	t.row("offenders", offendersOf(n, &r.Fault))
	t.row("seen", moment(r.Seen))
	t.row("proof", fmt.Sprintf("%d bytes", len(r.Proof)))
	if err := t.print(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "ledger", "frozen", "executed")
	ledgers := maps.Clone(r.Frozen)
	if ledgers == nil {
		ledgers = map[string]uint64{}
	}
	maps.Copy(ledgers, r.Executed)
	for _, chain := range slices.Sorted(maps.Keys(ledgers)) {
		t.row(chain, moment(r.Frozen[chain]), moment(r.Executed[chain]))
	}
	if err := t.print(); err != nil || len(r.Slashes) == 0 {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "ledger", "account", "consumer", "captured", "ratio", "taken", "burned", "reward", "compensation")
	for _, s := range r.Slashes {
		t.row(s.Ledger, n.id(s.Account[:]), s.Consumer, grouped(s.Captured), s.Ratio, grouped(s.Amount), grouped(s.Burned), grouped(s.Reward), grouped(s.Compensation))
	}
	return t.print()
}
