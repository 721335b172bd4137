package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/store/ledger"
)

func newLedgerVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "Verify a proof of what a ledger holds, offline", Args: words("FILE"),
		Long: `Verifies a file of "meshsec ledger prove" and prints the records in it. It asks nobody:
all that is trusted is what you say with one of the flags.

  --manifest           the network's manifest: the file must hold the certificates from
                       genesis on (prove --from-genesis)
  --trust              a checkpoint that you know: the file must hold the certificates
                       from its epoch on (prove --from EPOCH)
  --validators-root    root of the validator set that signs the epoch

The manifest is enough while the network is young. Keys whose stake has left can sign
any history: after an unbonding time trust something newer, from a source that you
believe. With --manifest beside another flag the network is checked as well.

Exit codes: 0 the proof is valid, 1 it is not, 2 wrong usage or the file can't be read.`,
		Example: `meshsec ledger verify proof.json --manifest manifest.toml
meshsec ledger verify proof.json --trust alpha:118:9a31…07`,
	}
	var names naming
	var trust trustFlags
	trust.flags(cmd)
	fullFlag(cmd, &names)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := trust.load(cmd)
		if err != nil {
			return err
		}
		if t == (ledger.Trust{}) {
			return misuse(cmd, "nothing is trusted: give --manifest, --trust or --validators-root")
		}
		b, err := readBounded(args[0], ledger.MaxProofFile)
		if err != nil {
			return &usageError{err.Error()}
		}
		p, err := ledger.DecodeProof(b)
		if err != nil {
			return fmt.Errorf("%s is not valid: %w", args[0], err)
		}
		certificate, err := p.Verify(t)
		if err != nil {
			return fmt.Errorf("%s is not valid: %w", args[0], err)
		}
		report, err := reportProof(p, certificate, t)
		if err != nil {
			return fmt.Errorf("%s is proven, but this program does not know such a record: %w", args[0], err)
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), report)
		}
		return report.print(cmd.OutOrStdout(), names)
	}
	return cmd
}

// trustFlags say what a file is verified against.
type trustFlags struct{ manifest, checkpoint, validators string }

func (f *trustFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.manifest, "manifest", "", "the network's manifest, whose genesis is trusted")
	f.anchors(cmd)
}

// anchors are the flags beside the manifest.
func (f *trustFlags) anchors(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.checkpoint, "trust", "", "checkpoint that is trusted, as chain:epoch:root")
	cmd.Flags().StringVar(&f.validators, "validators-root", "", "root of a validator set that is trusted, 64 hex digits")
}

// load reads what is trusted, the zero value if no flag says anything.
func (f *trustFlags) load(cmd *cobra.Command) (t ledger.Trust, err error) {
	if f.validators != "" && f.checkpoint != "" {
		return t, misuse(cmd, "--trust and --validators-root are two ways to say the same: give one")
	}
	if f.validators != "" {
		root, err := parseHash(cmd, "--validators-root", f.validators)
		if err != nil {
			return t, err
		}
		t.ValidatorsRoot = &root
	}
	if f.checkpoint != "" {
		if t.Checkpoint, err = parseCheckpoint(cmd, f.checkpoint); err != nil {
			return t, err
		}
	}
	if f.manifest != "" {
		if t.Manifest, err = node.LoadManifest(f.manifest); err != nil {
			return t, &usageError{err.Error()}
		}
	}
	return t, nil
}

// parseCheckpoint reads chain:epoch:root.
func parseCheckpoint(cmd *cobra.Command, text string) (*ledger.CheckpointName, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil, misuse(cmd, "--trust is %q, want chain:epoch:root", text)
	}
	epoch, err := strconv.ParseUint(parts[1], 10, 64)
	root, bad := hex.DecodeString(parts[2])
	if err != nil || bad != nil || len(root) != 32 {
		return nil, misuse(cmd, "--trust is %q, want chain:epoch:root, the root being that of the checkpoint in 64 hex digits", text)
	}
	if epoch == 0 {
		return nil, misuse(cmd, "--trust is %q, and epoch 0 is the genesis, which has no checkpoint: it is the network's manifest that says it", text)
	}
	return &ledger.CheckpointName{Chain: parts[0], Epoch: epoch, Root: [32]byte(root)}, nil
}

// readBounded reads a file that must not be larger than so many bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return readAllBounded(f, path, limit)
}

func readAllBounded(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes, which no such file has: name the right one", name, limit)
	}
	return b, err
}

// proofReport is what a proof proves.
type proofReport struct {
	Network    ledger.HexBytes `json:"network"`
	Chain      string          `json:"chain"`
	Epoch      uint64          `json:"epoch"`
	Time       uint64          `json:"time"`
	Checkpoint ledger.HexBytes `json:"checkpoint"`
	LedgerRoot ledger.HexBytes `json:"ledger_root"`
	Trusted    string          `json:"trusted"`
	Records    []provenRecord  `json:"records"`
}

// provenRecord is a record that is proven; Record is nil where none is.
type provenRecord struct {
	Key     string `json:"key"`
	Present bool   `json:"present"`
	Record  any    `json:"record"`
}

func reportProof(p *ledger.Proof, certificate attest.VerifiedCertificate, t ledger.Trust) (*proofReport, error) {
	c, root := certificate.Checkpoint(), certificate.Root()
	out := &proofReport{
		Network: p.Network, Chain: p.Chain, Epoch: p.Epoch, Time: c.Time,
		Checkpoint: root[:], LedgerRoot: c.LedgerRoot[:], Trusted: t.String(),
	}
	for _, r := range p.Records {
		x := provenRecord{Key: r.Name, Present: r.Present}
		if r.Present {
			var err error
			if x.Record, err = ledger.Describe(r.Key, r.Value); err != nil {
				return nil, err
			}
		}
		out.Records = append(out.Records, x)
	}
	return out, nil
}

func (r *proofReport) print(w io.Writer, n naming) error {
	t := newTable(w)
	t.row("valid", fmt.Sprintf("%s at the end of epoch %d, %s", r.Chain, r.Epoch, moment(r.Time)))
	t.row("network", n.id(r.Network))
	t.row("checkpoint", n.id(r.Checkpoint))
	t.row("ledger root", n.id(r.LedgerRoot))
	t.row("trusted", r.Trusted)
	if err := t.print(); err != nil {
		return err
	}
	for _, x := range r.Records {
		if !x.Present {
			fmt.Fprintf(w, "\n%s is absent\n", x.Key)
			continue
		}
		fmt.Fprintf(w, "\n%s\n", x.Key)
		if err := printJSON(w, x.Record); err != nil {
			return err
		}
	}
	return nil
}
