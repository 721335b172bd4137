package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
)

// snapshotReport says what is in a snapshot file.
type snapshotReport struct {
	File         string          `json:"file"`
	Chain        string          `json:"chain"`
	Epoch        uint64          `json:"epoch"`
	Records      uint64          `json:"records"`
	Certificates int             `json:"certificates"`
	Checkpoint   ledger.HexBytes `json:"checkpoint"` // for --trust
	LedgerRoot   ledger.HexBytes `json:"ledger_root"`
}

func (s *stopped) report(file string, h *store.Snapshot, records uint64) (*snapshotReport, error) {
	e, err := s.Journal(h.Chain, h.Epoch)
	if err != nil {
		return nil, err
	}
	root := e.Checkpoint.Root()
	return &snapshotReport{file, h.Chain, h.Epoch, records, len(h.Trail), root[:], e.Checkpoint.LedgerRoot[:]}, nil
}

// print says it in one line, with a verb for what was done.
func (r *snapshotReport) print(w io.Writer, done string, asJSON bool) error {
	if asJSON {
		return printJSON(w, r)
	}
	_, err := fmt.Fprintf(w, "%d records of %s at the end of epoch %d %s %s; its checkpoint is %s:%d:%x\n",
		r.Records, r.Chain, r.Epoch, done, r.File, r.Chain, r.Epoch, []byte(r.Checkpoint))
	return err
}

func newLedgerExport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Write the state of a stopped node's ledger to a file", Args: words(),
		Long: `Writes all records of one chain's ledger at the end of a certified epoch to a file, with
the certificate and the set that signed it: what another node needs to begin there
instead of running everything since genesis. See "meshsec ledger import".

With --from-genesis the file convinces whoever has the manifest, with --from whoever
trusts the checkpoint of that epoch.`,
		Example: `meshsec ledger export --home /srv/mesh --chain beta --out beta.snapshot`,
	}
	var at place
	var chain, out string
	var span epochs
	at.flags(cmd)
	cmd.Flags().StringVar(&chain, "chain", "", "chain whose ledger to write (required)")
	span.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to write; it must not exist (required)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "chain", "out"); err != nil {
			return err
		}
		epoch, from, err := span.read(cmd)
		if err != nil {
			return err
		}
		s, err := openStopped(&at)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }() // only read
		if _, err := s.chosen(cmd, chain); err != nil {
			return err
		}
		var h *store.Snapshot
		var records uint64
		err = fillFile(out, func(w io.Writer) (err error) {
			h, records, err = s.Export(cmd.Context(), w, chain, epoch, from)
			return err
		})
		if errors.Is(err, store.ErrPruned) {
			return fmt.Errorf("%w: %s can be exported from epoch %d on", err, chain, s.Head(chain).Oldest)
		}
		if newest := s.Certified(chain); errors.Is(err, store.ErrNotFound) && epoch > newest {
			return fmt.Errorf("epoch %d of %s is not certified in this store, the newest is %d", epoch, chain, newest)
		}
		if err != nil {
			return err
		}
		r, err := s.report(out, h, records)
		if err != nil {
			return err
		}
		return r.print(cmd.OutOrStdout(), "written to", *asJSON)
	}
	return cmd
}

func newLedgerImport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Have a new node begin with a state instead of genesis", Args: words("FILE"),
		Long: `Reads a file of "meshsec ledger export" into the store of a node that has not followed
that chain yet, one file for each chain. When the node is started it goes on from there.

Everything is verified before anything is written: the certificates against what you
trust, and every record against the certified root. Without a flag the genesis of the
home's manifest is trusted, for which the file must be made with --from-genesis. Once the
network is older than its unbonding time trust a checkpoint that you got from somebody
you believe: keys whose stake has left can sign any history.`,
		Example: `meshsec ledger import beta.snapshot --home /srv/mesh --trust beta:4711:9a31…07`,
	}
	var at place
	var trust trustFlags
	at.flags(cmd)
	trust.anchors(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := trust.load(cmd)
		if err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return &usageError{err.Error()}
		}
		defer func() { _ = f.Close() }() // only read
		c, err := at.load()
		if err != nil {
			return err
		}
		s, err := openStore(c)
		if err != nil {
			return err
		}
		h, records, err := s.Import(cmd.Context(), f, t)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", args[0], err), s.Close())
		}
		r, err := s.report(args[0], h, records)
		if err = errors.Join(err, s.Close()); err != nil {
			return err
		}
		return r.print(cmd.OutOrStdout(), "read from", *asJSON)
	}
	return cmd
}
