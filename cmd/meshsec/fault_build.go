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
	files    [][]byte
	offences *foundOffences // instead of files, if they are from a chain's RPC
	kind     string         // that was asked for, empty: any
	chain    blockSource    // whose RPC has the chain that an attack was made on
	attacks  int            // how many attacks the files were found to hold
	sets     [][]byte
	chainID  string
	manifest *ledger.Manifest // nil: ask the node
	keys     [][]byte         // of validators of another chain
	ask      func() (*found, error)
}

// built is a proof that its builder has verified, with the set by which it is judged.
type built struct {
	proof    *attest.FaultProof
	law      attest.Law
	manifest *ledger.Manifest // nil: not given
	set      []byte
	chainID  string // that it must be about, empty: any
}

// builders make proofs of one kind or of several, of all that is in the input, in the
// order in which they are tried. They return evidence.ErrShape and evidence.Missing where something
// can't be read or is not there, evidence.ErrNoFault where it proves nothing. What proves
// nothing beside what does is refused.
var builders = []struct {
	kinds []attest.FaultKind
	build func(context.Context, *raw) (all []*built, refused []error, err error)
}{
	{[]attest.FaultKind{attest.FaultDoubleVote}, buildDoubleVote},
	{cometKinds, buildComet},
	{[]attest.FaultKind{attest.FaultEthereumSlashing}, buildEthereumSlashing},
}

func newFaultBuild() *cobra.Command {
	cmd := &cobra.Command{
		Use: "build FILE... | build --rpc URL --height HEIGHT | build --from-node URL FAULT | build --from-store HOME [FAULT]", Short: "Make a fault proof out of what was signed",
		Long: `Makes a fault proof and verifies it before it is written. "meshsec fault verify" and
"meshsec fault submit" read it. What the files hold is seen by itself:

  double_vote              two votes or certificates of one epoch that name different
                           checkpoints: their bytes, also in hex, or JSON as a node
                           answers to /v1/ledgers/CHAIN/certificates/EPOCH;
                           {"attestation": "HEX"} is a vote. Who signed both is
                           convicted. Several files, or one that holds several, are
                           searched for the first two that contradict each other
  consensus_equivocation   CometBFT's DuplicateVoteEvidence in any form that "meshsec
                           fault verify" reads. The chain comes from the block or
                           header, or from --chain-id
  light_client_attack      CometBFT's LightClientAttackEvidence in any such form, with --rpc:
                           the headers of the chain itself come from there, back from the
                           end of the epoch, which must be certified. The certificate
                           comes from the node or from --validators, as a node answers
                           about it. Nothing else in files is looked for at an RPC, and
                           --rpc beside it is wrong usage
` + buildEthereumHelp + `
With --rpc and --height the evidence is what that block of a CometBFT chain carries. A chain
commits evidence in a block after that of the offence.

Several proofs are one file, a JSON list. Evidence that proves nothing beside some that does
is told of on standard error.

The set that signed the epoch comes from a node's answer, that of the epoch or of the one
before, or from --validators. What is in none of the files, and the network and the length
of its epochs where there is no --manifest, is asked of the node: with both given nobody
is asked.

With --from-node it is a proof that a node holds, by its id or how that begins. With
--from-store it is what a stopped node has kept on its disk: one proof, or all of them.

Exit codes: 0 the proof is written, 1 nothing is proven, 2 wrong usage, a file or block
can't be read, or something is needed that was not given.`,
		Example: `meshsec fault build vote-a.ssz vote-b.ssz --out proof.json
meshsec fault build fork-a.json fork-b.json --manifest manifest.toml --out proof.json
meshsec fault build evidence.json infraction_header.json --out proof.json
meshsec fault build --rpc http://127.0.0.1:26657 --height 1042 --out proof.json
meshsec fault build attack.json --rpc http://127.0.0.1:26657 --out proof.json
meshsec fault build --from-node http://127.0.0.1:7480 3f9ac2 --out proof.json
meshsec fault build --from-store /srv/mesh --out proofs.json`,
	}
	var t target
	var source blockSource
	t.flags(cmd)
	source.flags(cmd)
	kind := cmd.Flags().String("kind", "", "kind of the fault: "+strings.Join(builtKinds(), ", ")+" (default what the files hold)")
	chainID := cmd.Flags().String("chain-id", "", "the chain whose validators signed (default what the evidence or the RPC says)")
	manifest := cmd.Flags().String("manifest", "", "the network's manifest (default that of the configuration, or the node's network)")
	validators := cmd.Flags().StringArray("validators", nil, "file with the validator set of the epoch (default in the other files, or the node's)")
	keys := cmd.Flags().StringArray("keys", nil, "file with the keys of a beacon chain's validators, by their index")
	from := cmd.Flags().String("from-node", "", "URL of a node whose proof to save")
	stored := cmd.Flags().String("from-store", "", "home of a stopped node whose proofs to save")
	out := cmd.Flags().String("out", "", "file to write; it must not exist (default standard output)")
	asJSON := jsonFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		remote, offline, byRPC := cmd.Flags().Changed("from-node"), cmd.Flags().Changed("from-store"), source.given(cmd)
		switch {
		case offline && (remote || byRPC):
			return misuse(cmd, "give one of --rpc, --from-node and --from-store")
		case offline && len(args) > 1:
			return misuse(cmd, "--from-store takes one FAULT, the id of a fault or how that begins, or none for all")
		case offline:
			return nil
		case remote && byRPC:
			return misuse(cmd, "give --rpc or --from-node, not both")
		case remote:
			return words("FAULT, the id of a fault or how that begins,")(cmd, args)
		case byRPC && *kind != "" && !slices.Contains(namesOfKinds(cometKinds), *kind):
			return misuse(cmd, "--kind is %q, and --rpc has proofs of %s", *kind, strings.Join(namesOfKinds(cometKinds), " and "))
		case byRPC:
			return source.args(cmd, args)
		}
		return someFiles(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *kind != "" && !slices.Contains(builtKinds(), *kind) {
			return misuse(cmd, "--kind is %q, want one of %s", *kind, strings.Join(builtKinds(), ", "))
		}
		in := &raw{chainID: *chainID, kind: *kind, chain: source, ask: t.find}
		var err error
		if in.manifest, err = manifestOf(&t, *manifest); err != nil {
			return err
		}
		if in.sets, err = readEvidence(cmd, *validators); err != nil {
			return err
		}
		name := namesOf(args)
		var all []*built
		var refused []error
		switch {
		case *from != "":
			t.node, name = *from, ""
			all, err = copyFault(cmd, in, args[0])
		case *stored != "":
			name = ""
			all, err = readStore(cmd, in, *stored, args)
		case len(args) == 0:
			name = source.String()
			if in.offences, err = source.read(cmd.Context(), *chainID); err != nil {
				return err
			}
			all, refused, err = buildComet(cmd.Context(), in)
		default:
			if in.files, err = readEvidence(cmd, args); err != nil {
				return err
			}
			if in.keys, err = readEvidence(cmd, *keys); err != nil {
				return err
			}
			all, refused, err = buildAny(cmd.Context(), in)
			if err == nil && in.chain.rpc != "" && in.attacks == 0 {
				return misuse(cmd, "%s: --rpc is for attacks on light clients, and there is none in it: leave --rpc out", name)
			}
		}
		if err != nil {
			return unbuilt(name, err)
		}
		for _, why := range refused {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", name, explain(why))
		}
		return writeProofs(cmd.OutOrStdout(), all, *out, *asJSON)
	}
	return cmd
}

func builtKinds() []string {
	var names []string
	for _, b := range builders {
		names = append(names, namesOfKinds(b.kinds)...)
	}
	return names
}

func namesOfKinds(kinds []attest.FaultKind) []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.String())
	}
	return names
}

// buildAny asks the builders one after the other, until one knows the files.
func buildAny(ctx context.Context, in *raw) (all []*built, refused []error, err error) {
	for _, b := range builders {
		if in.kind != "" && !slices.Contains(namesOfKinds(b.kinds), in.kind) {
			continue
		}
		all, refused, err = b.build(ctx, in)
		if !errors.Is(err, evidence.ErrShape) || in.kind != "" {
			return all, refused, err
		}
	}
	return nil, nil, fmt.Errorf("%w: neither votes or certificates of this protocol nor evidence of CometBFT or Ethereum; --kind says why not", evidence.ErrShape)
}

// manifestOf is the manifest in a file, by default that of the configuration, or nil.
func manifestOf(t *target, path string) (*ledger.Manifest, error) {
	if path == "" {
		c, err := t.optional()
		if err != nil || c == nil {
			return nil, err
		}
		path = c.Manifest
	}
	m, err := node.LoadManifest(path)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	return m, nil
}

// unbuilt says which exit code an error of a builder ends with, and what it is about.
func unbuilt(name string, err error) error {
	var missing *evidence.Missing
	if name == "" {
		return err
	}
	if errors.As(err, &missing) || errors.Is(err, evidence.ErrShape) || errors.Is(err, evidence.ErrSize) {
		return &usageError{name + ": " + explain(err)}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// buildDoubleVote makes a proof out of two votes or certificates.
func buildDoubleVote(ctx context.Context, in *raw) ([]*built, []error, error) {
	statements, err := evidence.ParseStatements(in.files...)
	if err != nil {
		return nil, nil, err
	}
	c, err := evidence.FindContradiction(statements)
	if err != nil {
		return nil, nil, err
	}
	sets, err := in.setsOf(ctx, c.Chain, c.Epoch, in.files...)
	if err != nil {
		return nil, nil, err
	}
	law, err := in.law(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err := in.built(c.Prove(law, sets...))
	if err != nil {
		return nil, nil, err
	}
	b.law = law
	return []*built{b}, nil, nil
}

// built is a proof with the set by which it is valid.
func (in *raw) built(proof *attest.FaultProof, set *attest.Set, err error) (*built, error) {
	if err != nil {
		return nil, err
	}
	encoded, err := attest.EncodeValidatorSet(set.ValidatorSet())
	return &built{proof: proof, manifest: in.manifest, set: encoded, chainID: in.chainID}, err
}

// setsOf are the sets that may have signed an epoch: those of --validators and of more
// files, or else the node's.
func (in *raw) setsOf(ctx context.Context, chain string, epoch uint64, more ...[]byte) ([]*attest.Set, error) {
	sets, err := evidence.Sets(chain, epoch, slices.Concat(in.sets, more)...)
	if err != nil {
		return nil, &evidence.Missing{What: err.Error()}
	}
	if len(sets) > 0 {
		return sets, nil
	}
	answer, err := in.setOf(ctx, chain, epoch)
	if err != nil {
		return nil, err
	}
	return evidence.Sets(chain, epoch, answer)
}

// law is that of the manifest, or else the network of the node.
func (in *raw) law(ctx context.Context) (attest.Law, error) {
	if in.manifest != nil {
		return in.manifest.Law(), nil
	}
	f, err := in.ask()
	if err != nil {
		return nil, err
	}
	status, err := f.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s; or give the network's --manifest", explain(err))
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
func copyFault(cmd *cobra.Command, in *raw, id string) ([]*built, error) {
	prefix, err := faultPrefix(cmd, id)
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
	law, err := in.law(cmd.Context())
	if err != nil {
		return nil, err
	}
	set, err := in.setOf(cmd.Context(), x.Chain, x.Epoch)
	return []*built{{proof, law, in.manifest, set, in.chainID}}, err
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

// writeProofs verifies proofs once more, as a stranger would, and writes them: one as an
// object, several as a list.
func writeProofs(w io.Writer, all []*built, path string, asJSON bool) error {
	var reports []evidence.Report
	var files []*proofFile
	for _, b := range all {
		report, file, err := b.judge()
		if err != nil {
			return err
		}
		reports, files = append(reports, *report), append(files, file)
	}
	if path == "" {
		return printOneOrList(w, files)
	}
	var encoded bytes.Buffer
	if err := printOneOrList(&encoded, files); err != nil {
		return err
	}
	if err := createFile(path, encoded.Bytes()); err != nil {
		return err
	}
	if asJSON {
		var written []writtenProof
		for i, r := range reports {
			written = append(written, writtenProof{path, r, files[i].ID})
		}
		return printOneOrList(w, written)
	}
	if err := printReports(w, reports, false); err != nil {
		return err
	}
	written, them := fmt.Sprintf("proof %x", []byte(files[0].ID)), "it"
	if len(files) > 1 {
		written, them = fmt.Sprintf("%d proofs", len(files)), "them"
	}
	_, err := fmt.Fprintf(w, "\n%s written to %s: \"meshsec fault submit %s\" brings %s to the mesh\n", written, path, path, them)
	return err
}

// judge verifies the proof from its bytes.
func (b *built) judge() (*evidence.Report, *proofFile, error) {
	encoded, err := attest.EncodeFaultProof(b.proof)
	if err != nil {
		return nil, nil, err
	}
	m := evidence.Mesh{ChainID: b.chainID, Law: b.law, Sets: [][]byte{b.set}, Breach: ledger.DescribeBreach}
	if b.manifest != nil {
		m.Misplaced = b.manifest.Misplaced
	}
	reports, err := m.Verify(encoded)
	if err != nil {
		return nil, nil, err
	}
	report := &reports[0]
	if !report.Valid {
		return nil, nil, fmt.Errorf("the proof is not valid: %s", report.Failed)
	}
	id := b.proof.ID()
	file := &proofFile{ID: id[:], Kind: report.Kind, Chain: report.Chain, Epoch: report.Epoch, Offenders: []ledger.AccountID{}, Proof: encoded}
	for _, o := range report.Offenders {
		account, err := hex.DecodeString(o.Name)
		if err != nil || len(account) != len(ledger.AccountID{}) {
			return nil, nil, fmt.Errorf("offender %q has no account", o.Name)
		}
		file.Offenders = append(file.Offenders, ledger.AccountID(account))
	}
	return report, file, nil
}
