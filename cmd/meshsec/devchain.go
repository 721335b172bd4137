package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/chain/devchain"
)

// startTimeout bounds the time until a devchain's validators take part in consensus.
const startTimeout = 2 * time.Minute

func newDevchain() *cobra.Command {
	cmd := &cobra.Command{
		Use: "devchain", Short: "Run a CometBFT chain for development", Args: words(),
		Long: `Runs a CometBFT chain with all its validators in this process until Ctrl-C or
SIGTERM. Its application does nothing but order operations. The chain is made where
there is none, and continued where there is one; its keys lie unencrypted on disk.

A node reaches it at the address of --rpc. Its --chain-id must be the chain's id in
the manifest.`,
		Example: `meshsec devchain --home /srv/alpha --chain-id alpha --validators 4`,
	}
	var home, log string
	g := devchain.Genesis{ChainID: "devchain", Validators: 1}
	var o devchain.Options
	cmd.Flags().StringVar(&home, "home", "", "folder of the chain (required)")
	cmd.Flags().StringVar(&g.ChainID, "chain-id", g.ChainID, "id of a new chain")
	cmd.Flags().IntVar(&g.Validators, "validators", g.Validators, "validators of a new chain")
	cmd.Flags().DurationVar(&o.BlockInterval, "block-interval", time.Second, "time from block to block")
	cmd.Flags().StringVar(&o.RPCAddress, "rpc", "127.0.0.1:26657", "host:port of the RPC; port 0 takes a free one")
	cmd.Flags().StringVar(&log, "log-level", "warn", "debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "home"); err != nil {
			return err
		}
		var level slog.Level
		if err := level.UnmarshalText([]byte(log)); err != nil {
			return misuse(cmd, "--log-level is %q, want debug, info, warn or error", log)
		}
		o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
		if err := checkHome(home); err != nil {
			return err
		}
		if err := ensureChain(cmd, home, g); err != nil {
			return err
		}
		return runChain(cmd, home, o)
	}
	return cmd
}

// ensureChain makes the chain if there is none. One that is there must be the one
// asked for, as far as anything was.
func ensureChain(cmd *cobra.Command, home string, g devchain.Genesis) error {
	keys, err := devchain.ConsensusKeys(home)
	switch {
	case err == nil && !cmd.Flags().Changed("chain-id"):
		if n := len(keys); cmd.Flags().Changed("validators") && n != g.Validators {
			return fmt.Errorf("%s holds a chain of %d validators, not %d: leave --validators out, or choose another --home", home, n, g.Validators)
		}
		return nil
	case err == nil && !cmd.Flags().Changed("validators"):
		g.Validators = len(keys)
	case err != nil && !errors.Is(err, devchain.ErrNoChain):
		return err
	}
	g.Time = time.Now()
	return devchain.Init(home, g)
}

func runChain(cmd *cobra.Command, home string, o devchain.Options) error {
	starting, cancel := context.WithTimeout(cmd.Context(), startTimeout)
	defer cancel()
	c, err := devchain.Start(starting, home, o)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: stop what listens there, or choose another --rpc", err)
	case err != nil && cmd.Context().Err() != nil:
		return nil // told to stop before it ran
	case err != nil:
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "chain %s runs, its RPC is %s\n", c.ID(), c.RPC())
	return errors.Join(c.Wait(cmd.Context()), c.Stop())
}
