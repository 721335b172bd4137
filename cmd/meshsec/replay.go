package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

func newLedgerReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay", Short: "Run a stopped node's journal again, and compare", Args: words(),
		Long: `Runs every epoch in the journal of a stopped node again, from the beginning, in memory
and with the rules of this binary, and compares all that comes of it with what the
store has: every step, receipt and root, and the chain of hashes. It fails at the first
difference and says where that is. It takes as long as the epochs took.`,
		Example: `meshsec ledger replay --home /srv/mesh --chain alpha`,
	}
	var at place
	var chain string
	at.flags(cmd)
	cmd.Flags().StringVar(&chain, "chain", "", "chain whose journal to run (default all)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := openStopped(&at)
		if err != nil {
			return err
		}
		return errors.Join(s.replay(cmd, chain, *asJSON), s.Close())
	}
	return cmd
}

// stopped is the store of a node that does not run.
type stopped struct {
	*store.Store
	manifest *ledger.Manifest
}

// openStopped opens a store that is there.
func openStopped(at *place) (*stopped, error) {
	c, err := at.load()
	if err != nil {
		return nil, err
	}
	dir := node.StoreFolder(c)
	if _, err := os.Stat(filepath.Join(dir, "head")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store in %s: name the home of a node that has run", dir)
	}
	return openStore(c)
}

// openStore opens a node's store, which is made if it is not there.
func openStore(c node.Config) (*stopped, error) {
	m, err := node.LoadManifest(c.Manifest)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(node.StoreFolder(c), m, node.StoreOptions(c, m, slog.New(slog.DiscardHandler)))
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%w: this command needs the node to be stopped", err)
	}
	return &stopped{s, m}, err
}

// chosen are the chains that are asked for: one, or all.
func (s *stopped) chosen(cmd *cobra.Command, chain string) ([]string, error) {
	all := s.manifest.ChainIDs()
	switch {
	case chain == "":
		return all, nil
	case !slices.Contains(all, chain):
		return nil, misuse(cmd, "--chain is %q, the network has %v", chain, all)
	}
	return []string{chain}, nil
}

// replayed is what running a chain's journal again came to.
type replayed struct {
	Chain      string          `json:"chain"`
	Epoch      uint64          `json:"epoch"` // the last one
	Journal    ledger.HexBytes `json:"journal"`
	LedgerRoot ledger.HexBytes `json:"ledger_root"`
	Same       bool            `json:"same"`
	Difference string          `json:"difference,omitempty"` // the first one
}

func (s *stopped) replay(cmd *cobra.Command, chain string, asJSON bool) error {
	chains, err := s.chosen(cmd, chain)
	if err != nil {
		return err
	}
	var out []replayed
	var first error
	for _, id := range chains {
		r, err := s.replayChain(cmd.Context(), id)
		if err != nil && !errors.Is(err, store.ErrDiverged) && !errors.Is(err, store.ErrCorrupt) {
			return err
		}
		if first == nil {
			first = err
		}
		out = append(out, r)
	}
	if asJSON {
		return errors.Join(printJSON(cmd.OutOrStdout(), out), first)
	}
	return errors.Join(printReplayed(cmd.OutOrStdout(), out), first)
}

func (s *stopped) replayChain(ctx context.Context, id string) (replayed, error) {
	h := s.Head(id)
	r := replayed{Chain: id, Epoch: h.Epoch, Journal: h.Journal[:], LedgerRoot: h.Ref.Hash[:]}
	err := s.Replay(ctx, id)
	if r.Same = err == nil; !r.Same {
		r.Difference = err.Error()
	}
	return r, err
}

func printReplayed(w io.Writer, all []replayed) error {
	t := newTable(w, "chain", "last epoch", "journal", "ledger root", "replay")
	for _, r := range all {
		verdict := "the same"
		if !r.Same {
			verdict = "DIFFERS"
		}
		t.row(r.Chain, r.Epoch, naming{}.id(r.Journal), naming{}.id(r.LedgerRoot), verdict)
	}
	return t.print()
}
