package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
)

func newStatus() *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "Show where a node stands", Args: words()}
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
		s, err := f.Status(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), s)
		}
		return printStatus(cmd.OutOrStdout(), names, s)
	}
	return cmd
}

func fullFlag(cmd *cobra.Command, n *naming) {
	cmd.Flags().BoolVar(&n.full, "full", false, "do not shorten ids in tables")
}

func printStatus(w io.Writer, n naming, s api.Status) error {
	t := newTable(w)
	t.row("node", s.Name+" "+s.Version)
	t.row("network", s.Network)
	ready := "yes"
	if !s.Ready {
		ready = "no: " + s.Reason
	}
	t.row("ready", ready)
	home := fmt.Sprintf("%s, block %d of %s", s.Chain, s.Home.Height, moment(s.Home.Time))
	if s.Home.Error != "" {
		home += ", not reached now: " + s.Home.Error
	}
	t.row("home chain", home)
	t.row("peers", s.Peers)
	if v := s.Validator; v != nil {
		state := "not in the next epoch's set"
		if v.Active {
			state = "in the next epoch's set"
		}
		t.row("validator", fmt.Sprintf("%s, key %s, %s", n.id(v.Account[:]), n.id(v.Key), state))
	} else {
		t.row("validator", "none, this node only follows")
	}
	if s.Diverged != "" {
		t.row("diverged", s.Diverged)
	}
	for _, warning := range s.Warnings {
		t.row("warning", warning)
	}
	if err := t.print(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "ledger", "certified", "executed", "ledger root", "certificate")
	for _, chain := range slices.Sorted(maps.Keys(s.Ledgers)) {
		l := s.Ledgers[chain]
		t.row(chain, l.Epoch, l.Executed, n.id(l.LedgerRoot), n.id(l.Certificate))
	}
	return t.print()
}
