package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node"
)

func newStart() *cobra.Command {
	cmd := &cobra.Command{
		Use: "start", Short: "Run a node until it is told to stop", Args: words(),
		Long: `Runs the node whose home "meshsec init" made, until Ctrl-C or SIGTERM. It can be
killed at any time: it continues where it was, and signs nothing twice.

--new-guard makes an empty guard, for a key that has never signed. Given for any
other key it lets the validator sign against itself, which is slashed.`,
		Example: `meshsec start --home /srv/mesh`,
	}
	var at place
	var o node.Options
	at.flags(cmd)
	cmd.Flags().BoolVar(&o.NewGuard, "new-guard", false, "make an empty guard: only for a key that has never signed")
	cmd.Flags().BoolVar(&o.ResetCorrupt, "reset-store", false, "if the store is damaged, set it aside and sync anew")
	// The name of the configuration's key, which the node's own advice uses.
	cmd.Flags().BoolVar(&o.ResetCorrupt, "reset-corrupt", false, "the same as --reset-store")
	_ = cmd.Flags().MarkHidden("reset-corrupt") // it exists
	cmd.Flags().BoolVar(&o.Misbehave, "misbehave", false, "let the API make this node certify what is wrong: for test networks")
	_ = cmd.Flags().MarkHidden("misbehave") // it exists
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := at.load()
		if err != nil {
			return err
		}
		log, err := newLogger(cmd.ErrOrStderr(), config.Log)
		if err != nil {
			return err
		}
		o.Version = thisBuild().Version
		o.Registry = prometheus.NewRegistry()
		o.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		n, err := node.New(cmd.Context(), config, log, o)
		if err != nil {
			return err
		}
		return errors.Join(n.Run(cmd.Context()), n.Close())
	}
	return cmd
}

// newLogger is the log of a process as the configuration says.
func newLogger(w io.Writer, c node.LogConfig) (*slog.Logger, error) {
	var o slog.HandlerOptions
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fmt.Errorf("log.level is %q, want debug, info, warn or error", c.Level)
	}
	o.Level = level
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, &o)), nil
	}
	return slog.New(slog.NewTextHandler(w, &o)), nil
}
