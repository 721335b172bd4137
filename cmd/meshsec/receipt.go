package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newReceipt() *cobra.Command {
	cmd := &cobra.Command{
		Use: "receipt OPERATION", Short: "Say what became of an operation", Args: words("OPERATION, the id of an operation,"),
		Long: `Says what became of an operation, by the id that the command that sent it printed.
It fails if the operation was refused, or is not executed in time.`,
	}
	var t target
	var timeout time.Duration
	t.flags(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait for the receipt")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := parseHash(cmd, "OPERATION", args[0])
		if err != nil {
			return err
		}
		f, err := t.find()
		if err != nil {
			return err
		}
		r, err := (&session{node: f}).await(cmd.Context(), timeout, id)
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "operation %x in block %d of %s (epoch %d): %s\n", id, r.Height, r.Chain, r.Epoch, verdict(r))
		}
		return errors.Join(err, refused(r))
	}
	return cmd
}

// refused is an error unless the operation did what it says.
func refused(r api.Receipt) error {
	switch {
	case r.OK:
		return nil
	case r.Code == ledger.CodeQueued.String():
		return fmt.Errorf("not executed yet: it waits since block %d of %s, whose epoch was full", r.Height, r.Chain)
	}
	return fmt.Errorf("refused in block %d of %s: %s", r.Height, r.Chain, r.Reason)
}

// parseHash reads 64 hex digits from the command line.
func parseHash(cmd *cobra.Command, what, text string) (id [32]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, misuse(cmd, "%s is %q, want 64 hex digits", what, text)
	}
	return [32]byte(b), nil
}
