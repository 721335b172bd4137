package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/store/ledger"
)

// verifyInput is what the command line gives to a verifier.
type verifyInput struct {
	files      [][]byte
	kind       attest.FaultKind // 0: any
	chainID    string
	manifest   *ledger.Manifest // nil: not given
	validators [][]byte
	keys       [][]byte
	ethereum   *ethereum.Chain
}

// verifiers are the families of evidence, in the order in which they are tried. One
// that finds nothing it knows answers evidence.ErrShape.
var verifiers = []struct {
	kinds  []attest.FaultKind
	verify func(verifyInput) ([]evidence.Report, error)
}{
	{[]attest.FaultKind{
		attest.FaultDoubleVote, attest.FaultInvalidTransition, attest.FaultInvalidOperations,
		attest.FaultConsensusEquivocation, attest.FaultLightClientAttack, attest.FaultEthereumSlashing,
	}, verifyOwn},
	{[]attest.FaultKind{attest.FaultConsensusEquivocation, attest.FaultLightClientAttack}, func(in verifyInput) ([]evidence.Report, error) {
		return evidence.Comet{Kind: in.kind, ChainID: in.chainID, Validators: in.validators, Keys: in.keys}.Verify(in.files...)
	}},
	{[]attest.FaultKind{attest.FaultEthereumSlashing}, func(in verifyInput) ([]evidence.Report, error) {
		return evidence.EthereumFiles{Chain: in.ethereum, Keys: slices.Concat(in.keys, in.validators)}.Verify(in.files...)
	}},
}

// verifyOwn judges this protocol's own proofs.
func verifyOwn(in verifyInput) ([]evidence.Report, error) {
	m := evidence.Mesh{ChainID: in.chainID, Sets: in.validators, Breach: ledger.DescribeBreach}
	if in.manifest != nil {
		m.Law, m.Misplaced = in.manifest.Law(), in.manifest.Misplaced
	}
	return m.Verify(in.files...)
}

func newFaultVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify FILE...", Short: "Verify evidence of a fault, offline", Args: someFiles,
		Long: `Verifies evidence of misbehaviour and asks nobody. It tells by itself what the files
hold; "-" is standard input:

  double_vote              a proof of this protocol: what "meshsec fault show --json" or
                           the API prints, or its bytes, also in hex
  invalid_transition       the same; the steps in question are run again by the rules of
                           the network in --manifest
  consensus_equivocation   the same; CometBFT's DuplicateVoteEvidence in JSON as Go or
                           protobuf write it, a block that carries some, the message
                           submit-consumer-double-voting, or its two files
  light_client_attack      a proof of this protocol; CometBFT's LightClientAttackEvidence
                           together with the chain's own signed header, the message
                           submit-consumer-misbehaviour, or two conflicting signed headers
                           (CometBFT's, IBC's and Interchain Security's messages also in
                           protobuf, in bytes, hex or base64; where the bytes can be more
                           than one thing, --kind says which)
  invalid_operations       a proof of this protocol
  ethereum_slashing        AttesterSlashing and ProposerSlashing as the beacon API
                           writes them, alone, in lists, or in a block; the decoded form;
                           a proof of this protocol, with the --manifest of a network
                           that has the beacon chain in it

Signatures decide who is an offender, never a list in the evidence. Power is that in
--validators, or what the evidence claims. Every check is printed, and where one fails
it is the last, and the reason is one sentence. With --json there is one object, or a
list of them where there are several pieces of evidence.

Exit codes: 0 all evidence is valid, 1 some is not, 2 wrong usage, a file can't be read,
or something is needed that was not given.`,
		Example: `meshsec fault verify block.json --keys keys.txt
meshsec fault verify evidence.json infraction_header.json --chain-id consumer-1
meshsec fault verify attack.json commit.json --validators validators.json
meshsec fault verify slashing.json --keys validators.json --genesis-root 0x4b36…95 --fork-version 0x03000000`,
	}
	kind := cmd.Flags().String("kind", "", "judge evidence of this kind only")
	chainID := cmd.Flags().String("chain-id", "", "the chain whose validators signed (default what the evidence says)")
	manifest := cmd.Flags().String("manifest", "", "the network's manifest, for proofs of this protocol")
	validators := cmd.Flags().StringArray("validators", nil, "file with the validators at that height or epoch; repeat it for the pages of an RPC's answer")
	keys := cmd.Flags().StringArray("keys", nil, "file with public keys: any JSON that has some, or one in hex or base64 on each line")
	genesisRoot := cmd.Flags().String("genesis-root", "", "genesis validators root of a beacon chain")
	forkVersion := cmd.Flags().String("fork-version", "", "fork version of the epochs in which a beacon chain's validators signed")
	beacon := cmd.Flags().String("beacon-chain", "", "file with both, and with the fork where the evidence spans one")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *kind != "" && !slices.Contains(verifiedKinds(), *kind) {
			return misuse(cmd, "--kind is %q, want one of %s", *kind, strings.Join(verifiedKinds(), ", "))
		}
		in := verifyInput{chainID: *chainID}
		var err error
		if in.files, err = readEvidence(cmd, args); err != nil {
			return err
		}
		if in.validators, err = readEvidence(cmd, *validators); err != nil {
			return err
		}
		if in.keys, err = readEvidence(cmd, *keys); err != nil {
			return err
		}
		if *manifest != "" {
			m, err := node.LoadManifest(*manifest)
			if err != nil {
				return &usageError{err.Error()}
			}
			in.manifest = m
		}
		if in.ethereum, err = beaconChain(cmd, *beacon, *genesisRoot, *forkVersion); err != nil {
			return err
		}
		name := namesOf(args)
		in.kind = kindNamed(*kind)
		reports, err := verifyEvidence(in, *kind)
		if err != nil {
			return &usageError{name + ": " + explain(err)}
		}
		if err := printReports(cmd.OutOrStdout(), reports, *asJSON); err != nil {
			return err
		}
		return judgement(name, reports)
	}
	return cmd
}

// beaconChain is the chain that the flags say, nil if they say none.
func beaconChain(cmd *cobra.Command, file, root, version string) (*ethereum.Chain, error) {
	switch {
	case file != "" && (root != "" || version != ""):
		return nil, misuse(cmd, "give --beacon-chain, or --genesis-root and --fork-version")
	case file != "":
		b, err := readInput(cmd.InOrStdin(), file, evidence.MaxEthereumChain)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		c, err := evidence.ParseEthereumChain(b)
		if err != nil {
			return nil, &usageError{file + ": " + explain(err)}
		}
		return c, nil
	case root == "" && version == "":
		return nil, nil
	}
	c, err := evidence.NewEthereumChain(root, version)
	if err != nil {
		return nil, misuse(cmd, "--genesis-root and --fork-version: %v", err)
	}
	return c, nil
}

// someFiles takes at least one file, and standard input once.
func someFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return misuse(cmd, "FILE is missing")
	}
	if i := slices.Index(args, "-"); i >= 0 && slices.Contains(args[i+1:], "-") {
		return misuse(cmd, "standard input can be one file only")
	}
	return nil
}

// namesOf are files as errors name them.
func namesOf(files []string) string {
	names := slices.Clone(files)
	if i := slices.Index(names, "-"); i >= 0 {
		names[i] = "standard input"
	}
	return strings.Join(names, ", ")
}

func readEvidence(cmd *cobra.Command, names []string) ([][]byte, error) {
	var all [][]byte
	for _, name := range names {
		b, err := readInput(cmd.InOrStdin(), name, evidence.MaxFile)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		all = append(all, b)
	}
	return all, nil
}

// readInput is readBounded, and in where the name is "-".
func readInput(in io.Reader, name string, limit int64) ([]byte, error) {
	if name == "-" {
		return readAllBounded(in, "standard input", limit)
	}
	return readBounded(name, limit)
}

func verifiedKinds() []string {
	var names []string
	for _, v := range verifiers {
		for _, k := range v.kinds {
			if name := k.String(); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// kindNamed is the kind of that name, 0 if there is none.
func kindNamed(name string) attest.FaultKind {
	for _, v := range verifiers {
		for _, k := range v.kinds {
			if k.String() == name {
				return k
			}
		}
	}
	return 0
}

// verifyEvidence asks the families one after the other, until one knows the files.
func verifyEvidence(in verifyInput, kind string) ([]evidence.Report, error) {
	failed := fmt.Errorf("%w: neither a proof of this protocol nor evidence of CometBFT or Ethereum; --kind says why not", evidence.ErrShape)
	for _, v := range verifiers {
		if kind != "" && !slices.ContainsFunc(v.kinds, func(k attest.FaultKind) bool { return k.String() == kind }) {
			continue
		}
		reports, err := v.verify(in)
		if errors.Is(err, evidence.ErrShape) {
			if kind != "" {
				failed = err // of several families the last one's would only mislead
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if kind != "" {
			reports = slices.DeleteFunc(reports, func(r evidence.Report) bool { return r.Kind != kind })
		}
		if len(reports) == 0 {
			return nil, fmt.Errorf("there is no evidence of kind %s in it", kind)
		}
		return reports, nil
	}
	return nil, failed
}

func printReports(w io.Writer, reports []evidence.Report, asJSON bool) error {
	if asJSON {
		return printOneOrList(w, reports)
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := printReport(w, r); err != nil {
			return err
		}
	}
	return nil
}

func printReport(w io.Writer, r evidence.Report) error {
	t := newTable(w)
	verdict := "invalid"
	if r.Valid {
		verdict = "valid"
	}
	t.row(verdict, r.Kind)
	if r.Chain != "" {
		t.row("chain", r.Chain)
	}
	if r.Height > 0 {
		t.row("height", r.Height)
	}
	if r.Epoch > 0 {
		t.row("epoch", r.Epoch)
	}
	for _, o := range r.Offenders {
		line := o.Name
		if o.Total != "" {
			line += fmt.Sprintf(" with power %s of %s", groupedText(o.Power), groupedText(o.Total))
		}
		t.row("offender", line)
	}
	if r.Valid && len(r.Offenders) == 0 {
		t.row("offender", "-")
	}
	if err := t.print(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "check", "result", "detail")
	for _, c := range r.Checks {
		result := "failed"
		if c.OK {
			result = "ok"
		}
		t.row(c.Name, result, c.Detail)
	}
	return t.print()
}

// judgement is the error that evidence which is not valid ends the command with.
func judgement(name string, reports []evidence.Report) error {
	var failed []string
	for _, r := range reports {
		if !r.Valid {
			failed = append(failed, r.Failed)
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(reports) == 1:
		return fmt.Errorf("%s is not valid: %s", name, failed[0])
	}
	return fmt.Errorf("%s: %d of %d pieces of evidence are not valid: %s", name, len(failed), len(reports), strings.Join(failed, "; "))
}
