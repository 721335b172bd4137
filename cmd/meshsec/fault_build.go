package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// raw is what the command line gives to a builder.
type raw struct {
	files   [][]byte
	sets    [][]byte
	network *attest.Network // nil: ask the node
	ask     func() (*found, error)
}

// built is a proof that its builder has verified, with the set by which it is judged.
type built struct {
	proof   *attest.FaultProof
	network attest.Network
	set     []byte
}

// builders make proofs of one kind each. They return evidence.ErrShape and
// evidence.Missing where something can't be read or is not there, evidence.ErrNoFault
// where it proves nothing.
var builders = map[string]func(context.Context, *raw) (*built, error){
	attest.FaultDoubleVote.String(): buildDoubleVote,
}

func newFaultBuild() *cobra.Command {
	cmd := &cobra.Command{
		Use: "build FILE... | build --from-node URL FAULT", Short: "Make a fault proof out of what was signed",
		Long: `Makes a fault proof and verifies it before it is written. "meshsec fault verify" and
"meshsec fault submit" read it.

  double_vote   from two votes or certificates of one epoch that name different
                checkpoints: their bytes, also in hex, or JSON as a node answers to
                /v1/ledgers/CHAIN/certificates/EPOCH; {"attestation": "HEX"} is a vote.
                Who signed both is convicted. Several files, or one that holds several,
                are searched for the first two that contradict each other

The set that signed the epoch comes from such an answer, that of the epoch or of the one
before, or from --validators. What is in none of the files, and the network where there
is no --manifest, is asked of the node: with both given nobody is asked.

With --from-node it is a proof that a node holds, by its id or how that begins.

Exit codes: 0 the proof is written, 1 nothing is proven, 2 wrong usage, a file can't be
read, or something is needed that was not given.`,
		Example: `meshsec fault build vote-a.ssz vote-b.ssz --out proof.json
meshsec fault build fork-a.json fork-b.json --manifest manifest.toml --out proof.json
meshsec fault build --from-node http://127.0.0.1:7480 3f9ac2 --out proof.json`,
	}
	var t target
	t.flags(cmd)
	kind := cmd.Flags().String("kind", attest.FaultDoubleVote.String(), "kind of the fault: "+strings.Join(builtKinds(), ", "))
	manifest := cmd.Flags().String("manifest", "", "the network's manifest (default that of the configuration, or the node's network)")
	validators := cmd.Flags().StringArray("validators", nil, "file with the validator set of the epoch (default in the other files, or the node's)")
	from := cmd.Flags().String("from-node", "", "URL of a node whose proof to save")
	out := cmd.Flags().String("out", "", "file to write; it must not exist (default standard output)")
	asJSON := jsonFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("from-node") {
			return words("FAULT, the id of a fault or how that begins,")(cmd, args)
		}
		return someFiles(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		build, known := builders[*kind]
		if !known {
			return misuse(cmd, "--kind is %q, want one of %s", *kind, strings.Join(builtKinds(), ", "))
		}
		in := &raw{ask: t.find}
		var err error
		if in.network, err = networkOf(&t, *manifest); err != nil {
			return err
		}
		var b *built
		if *from != "" {
			t.node = *from
			b, err = copyFault(cmd, in, args[0])
		} else {
			if in.files, err = readEvidence(cmd, args); err != nil {
				return err
			}
			if in.sets, err = readEvidence(cmd, *validators); err != nil {
				return err
			}
			b, err = build(cmd.Context(), in)
		}
		if err != nil {
			return unbuilt(namesOf(args), err)
		}
		return b.write(cmd.OutOrStdout(), *out, *asJSON)
	}
	return cmd
}

func builtKinds() []string {
	var names []string
	for k := range builders {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// networkOf is the network of a manifest, by default that of the configuration, or nil.
func networkOf(t *target, manifest string) (*attest.Network, error) {
	if manifest == "" {
		c, err := t.optional()
		if err != nil || c == nil {
			return nil, err
		}
		manifest = c.Manifest
	}
	m, err := node.LoadManifest(manifest)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	network := attest.Network(m.ID())
	return &network, nil
}

// unbuilt says which exit code an error of a builder ends with.
func unbuilt(name string, err error) error {
	var missing *evidence.Missing
	if errors.As(err, &missing) || errors.Is(err, evidence.ErrShape) || errors.Is(err, evidence.ErrSize) {
		return &usageError{name + ": " + explain(err)}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// buildDoubleVote makes a proof out of two votes or certificates.
func buildDoubleVote(ctx context.Context, in *raw) (*built, error) {
	statements, err := evidence.ParseStatements(in.files...)
	if err != nil {
		return nil, err
	}
	c, err := evidence.FindContradiction(statements)
	if err != nil {
		return nil, err
	}
	sets, err := c.Sets(append(slices.Clone(in.sets), in.files...)...)
	if err != nil {
		return nil, &evidence.Missing{What: err.Error()}
	}
	if len(sets) == 0 {
		answer, err := in.setOf(ctx, c.Chain, c.Epoch)
		if err != nil {
			return nil, err
		}
		if sets, err = c.Sets(answer); err != nil {
			return nil, err
		}
	}
	network, err := in.networkID(ctx)
	if err != nil {
		return nil, err
	}
	proof, set, err := c.Prove(network, sets...)
	if err != nil {
		return nil, err
	}
	encoded, err := attest.EncodeValidatorSet(set.ValidatorSet())
	return &built{proof, network, encoded}, err
}

// networkID is the network of the manifest, or of the node.
func (in *raw) networkID(ctx context.Context) (attest.Network, error) {
	if in.network != nil {
		return *in.network, nil
	}
	f, err := in.ask()
	if err != nil {
		return attest.Network{}, err
	}
	status, err := f.Status(ctx)
	if err != nil {
		return attest.Network{}, fmt.Errorf("%s; or give the network's --manifest", explain(err))
	}
	return f.networkOf(status)
}

// setOf asks the node for the set of an epoch; the answer is about the certificate of the
// epoch, or of the one before.
func (in *raw) setOf(ctx context.Context, chain string, epoch uint64) ([]byte, error) {
	f, err := in.ask()
	if err != nil {
		return nil, err
	}
	answer, err := f.setOf(ctx, chain, epoch)
	if err != nil {
		return nil, fmt.Errorf("the validator set of %s epoch %d is in none of the files: %s; or give it with --validators", chain, epoch, explain(err))
	}
	return answer, nil
}

// setOf is the node's answer about the certificate of an epoch, or of the one before.
func (f *found) setOf(ctx context.Context, chain string, epoch uint64) ([]byte, error) {
	answer, err := f.Certificate(ctx, chain, epoch)
	if errors.Is(err, api.ErrNotFound) && epoch > 1 {
		answer, err = f.Certificate(ctx, chain, epoch-1)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// copyFault takes a proof from a node, and verifies it as any other.
func copyFault(cmd *cobra.Command, in *raw, prefix string) (*built, error) {
	prefix, err := faultPrefix(cmd, prefix)
	if err != nil {
		return nil, err
	}
	f, err := in.ask()
	if err != nil {
		return nil, err
	}
	x, err := findFault(cmd.Context(), f, prefix)
	if err != nil {
		return nil, err
	}
	proof, err := attest.DecodeFaultProof(x.Proof)
	if err != nil {
		return nil, fmt.Errorf("the proof that the node at %s gives can't be read, ask another one: %w", f.base, err)
	}
	network, err := in.networkID(cmd.Context())
	if err != nil {
		return nil, err
	}
	set, err := in.setOf(cmd.Context(), x.Chain, x.Epoch)
	return &built{proof, network, set}, err
}

// proofFile is what a proof is written as.
type proofFile struct {
	ID        ledger.HexBytes    `json:"id"`
	Kind      string             `json:"kind"`
	Chain     string             `json:"chain"`
	Epoch     uint64             `json:"epoch"`
	Offenders []ledger.AccountID `json:"offenders"`
	Proof     ledger.HexBytes    `json:"proof"` // canonical bytes
}

// writtenProof says what was written.
type writtenProof struct {
	File string `json:"file"`
	evidence.Report
	ID ledger.HexBytes `json:"id"`
}

// write verifies the proof once more, as a stranger would, and writes it.
func (b *built) write(w io.Writer, path string, asJSON bool) error {
	report, file, err := b.judge()
	if err != nil {
		return err
	}
	if path == "" {
		return printJSON(w, file)
	}
	var content bytes.Buffer
	if err := printJSON(&content, file); err != nil {
		return err
	}
	if err := createFile(path, content.Bytes()); err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, writtenProof{path, *report, file.ID})
	}
	if err := printReport(w, *report); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nproof %x written to %s: \"meshsec fault submit %s\" brings it to the mesh\n", []byte(file.ID), path, path)
	return err
}

// judge verifies the proof from its bytes.
func (b *built) judge() (*evidence.Report, *proofFile, error) {
	encoded, err := attest.EncodeFaultProof(b.proof)
	if err != nil {
		return nil, nil, err
	}
	reports, err := evidence.Mesh{Law: b.network, Sets: [][]byte{b.set}}.Verify(encoded)
	if err != nil {
		return nil, nil, err
	}
	report := &reports[0]
	if !report.Valid {
		return nil, nil, fmt.Errorf("the proof is not valid: %s", report.Failed)
	}
	id := b.proof.ID()
	file := &proofFile{ID: id[:], Kind: report.Kind, Chain: report.Chain, Epoch: report.Epoch, Proof: encoded}
	for _, o := range report.Offenders {
		account, err := hex.DecodeString(o.Name)
		if err != nil || len(account) != len(ledger.AccountID{}) {
			return nil, nil, fmt.Errorf("offender %q has no account", o.Name)
		}
		file.Offenders = append(file.Offenders, ledger.AccountID(account))
	}
	return report, file, nil
}
