package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain/comet"
)

func newHealth() *cobra.Command {
	cmd := &cobra.Command{
		Use: "health", Short: "Exit with 0 if a node is ready, with 1 if not", Args: words(),
		Long: `Asks a node whether it is ready, or with --devchain a home chain whether it has
blocks, prints one line, and exits with 0 or 1. It is what a container's health
check runs.`,
		Example: `meshsec health --home /data
meshsec health --devchain http://127.0.0.1:26657`,
	}
	var t target
	var rpc string
	var timeout time.Duration
	t.flags(cmd)
	cmd.Flags().StringVar(&rpc, "devchain", "", "URL of a CometBFT RPC to ask instead of a node")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for the answer")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		if rpc != "" {
			return chainHealth(ctx, cmd, rpc)
		}
		f, err := t.find()
		if err != nil {
			return err
		}
		err = f.Ready(ctx)
		if errors.Is(err, api.ErrUnavailable) {
			return fmt.Errorf("the node at %s is not ready: %w", f.base, err)
		}
		if err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the node at %s is ready\n", f.base)
		}
		return err
	}
	return cmd
}

// chainHealth is nil once the chain has a block.
func chainHealth(ctx context.Context, cmd *cobra.Command, rpc string) error {
	c, err := comet.Dial(ctx, rpc, comet.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if s.Height == 0 || s.CatchingUp {
		return fmt.Errorf("chain %s at %s is not ready: block %d, catching up: %s", s.ChainID, rpc, s.Height, yesNo(s.CatchingUp))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "chain %s at %s is at block %d\n", s.ChainID, rpc, s.Height)
	return err
}
