package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newFaultSubmit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "submit FILE", Short: "Bring fault proofs to the mesh, as their reporter", Args: words("FILE"),
		Long: `Verifies a proof, hands it to a node, and waits for what the ledger of the node's home
chain makes of it. A file with several proofs is brought one after the other; with --json
there is a list then. The node verifies it again, submits it to its home chain with you as
the reporter, and tells the mesh, whose other nodes submit it to their chains. "-" is
standard input.

The reward is a share of what the offenders lose of their own stake. It is paid on the
ledger of their own chain, to whom the first submission there names: take a node of that
chain, and an account that is open on its ledger and not an offender's.

Exit codes: 0 recorded, now or before, or kept until the ledger can take it; 1 a proof is
not valid, or refused; 2 wrong usage, or the file can't be read.`,
		Example: `meshsec fault submit proof.json --account ACCOUNT
meshsec fault submit proof.json --account-key account.key --node http://127.0.0.1:7480`,
	}
	var t target
	var own signer
	var id ledger.AccountID
	t.flags(cmd)
	own.flags(cmd)
	textVar(cmd, &id, "account", "id", "account to reward (default that of the account key)")
	noWait := cmd.Flags().Bool("no-wait", false, "return when the chain has taken the operation, before it is executed")
	timeout := cmd.Flags().Duration("timeout", 2*time.Minute, "how long to wait for the receipt")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("account") && own.file != "" {
			return misuse(cmd, "give --account or --account-key, not both")
		}
		proofs, err := readProofs(cmd, args[0])
		if err != nil {
			return &usageError{namesOf(args) + ": " + explain(err)}
		}
		if !cmd.Flags().Changed("account") {
			key, err := own.key(&t)
			if err != nil {
				return fmt.Errorf("who is to be rewarded: %w; or name the account with --account", err)
			}
			id = ledger.AccountOf(key)
		}
		s, err := t.open(cmd.Context())
		if err != nil {
			return err
		}
		var refused []error
		var all []*reported
		for i, proof := range proofs {
			name := namesOf(args)
			if len(proofs) > 1 {
				name = fmt.Sprintf("%s: proof %d of %d", name, i+1, len(proofs))
			}
			done, err := s.report(cmd.Context(), proof, id, *timeout, *noWait)
			if err != nil {
				refused = append(refused, fmt.Errorf("%s: %w", name, err))
				break
			}
			all = append(all, done)
			refused = append(refused, done.refusal())
			if *asJSON {
				continue
			}
			if i > 0 {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			if err := done.print(cmd.OutOrStdout()); err != nil {
				return err
			}
		}
		if *asJSON && len(all) > 0 {
			refused = append(refused, printOneOrList(cmd.OutOrStdout(), all))
		}
		return errors.Join(refused...)
	}
	return cmd
}

// readProofs reads proofs in any of the forms in which they are written.
func readProofs(cmd *cobra.Command, name string) ([]*attest.FaultProof, error) {
	b, err := readInput(cmd.InOrStdin(), name, evidence.MaxFile)
	if err != nil {
		return nil, err
	}
	return evidence.ParseProofs(b)
}

// reported is what became of a proof that was submitted.
type reported struct {
	Fault ledger.HexBytes `json:"fault"`
	Kind  string          `json:"kind"`
	Chain string          `json:"chain"` // of the offenders
	Epoch uint64          `json:"epoch"`
	// Those whom it convicts, null if the node does not know the set yet, or if it takes a
	// manifest to judge it and none is here.
	Offenders []ledger.AccountID `json:"offenders"`
	Ledger    string             `json:"ledger"` // that it was submitted to
	Reporter  ledger.AccountID   `json:"reporter"`
	Operation ledger.HexBytes    `json:"operation,omitempty"`
	Receipt   *api.Receipt       `json:"receipt"` // null with --no-wait, or without an operation
	Outcome   string             `json:"outcome"`
	Notes     []string           `json:"notes,omitempty"`
	// What the ledger has recorded, null if nothing yet.
	Recorded *ledger.ConvictionView `json:"recorded"`
}

// The outcomes of a submission.
const (
	outcomeRecorded  = "recorded"  // by this submission
	outcomeDuplicate = "duplicate" // it, or another proof of the same, was there before
	outcomeHanded    = "handed on" // the receipt was not waited for
	outcomeKept      = "kept"      // the node has it, its ledger can't take it yet
	outcomeRefused   = "refused"
)

// report verifies a proof and brings it to the node.
func (s *session) report(ctx context.Context, proof *attest.FaultProof, reporter ledger.AccountID, timeout time.Duration, noWait bool) (*reported, error) {
	accusation, err := attest.Peek(proof)
	if err != nil {
		return nil, fmt.Errorf("the proof is not valid: %w", err)
	}
	offenders, err := s.check(ctx, proof, accusation)
	if err != nil {
		return nil, err
	}
	id := proof.ID()
	done := &reported{
		Fault: id[:], Kind: accusation.Kind.String(), Chain: accusation.ChainID, Epoch: accusation.Epoch, Offenders: offenders, Ledger: s.chain,
		Reporter: reporter, Outcome: outcomeHanded, Notes: s.rewardNotes(accusation.ChainID, reporter),
	}
	answer, err := s.node.Report(ctx, proof, reporter)
	if err != nil {
		return nil, err
	}
	done.Operation = answer.Operation
	switch {
	case len(answer.Operation) == 0:
		done.Outcome = outcomeKept
		done.Notes = append(done.Notes, answer.Reason)
	case noWait:
		return done, nil
	case len(answer.Operation) != len(id):
		return nil, fmt.Errorf("the node at %s answered with an id of %d bytes, want 32", s.node.base, len(answer.Operation))
	default:
		r, err := s.await(ctx, timeout, [32]byte(answer.Operation))
		if err != nil {
			return nil, err
		}
		done.Receipt = &r
		done.Outcome = outcomeRecorded
		if !r.OK {
			done.Outcome = outcomeRefused
		}
	}
	return done, done.look(ctx, s)
}

// check judges the proof before it travels, as far as the node's sets reach, and tells
// whom it convicts.
func (s *session) check(ctx context.Context, proof *attest.FaultProof, a attest.Accusation) ([]ledger.AccountID, error) {
	set, err := s.node.setOf(ctx, a.ChainID, a.Epoch)
	if errors.Is(err, api.ErrNotFound) {
		return nil, nil // the node judges it when it knows the set
	}
	if err != nil {
		return nil, err
	}
	_, file, err := (&built{proof: proof, law: s.law(), set: set}).judge()
	if errors.Is(err, evidence.ErrManifest) {
		return nil, nil // the node judges it, which has one
	}
	var missing *evidence.Missing
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("the proof is about another validator set than that of %s epoch %d", a.ChainID, a.Epoch)
	}
	if err != nil {
		return nil, err
	}
	return file.Offenders, nil
}

// rewardNotes say what stands between the reporter and a reward.
func (s *session) rewardNotes(chain string, reporter ledger.AccountID) (notes []string) {
	switch {
	case chain != s.chain:
		notes = append(notes, fmt.Sprintf("the reward is paid on the ledger of %s, not of %s: only a node of %s can submit it there in your name", chain, s.chain, chain))
	case account(s.ledger, reporter) == nil:
		notes = append(notes, fmt.Sprintf("account %v is not on the ledger of %s: there is no reward unless it is opened before the execution", reporter, chain))
	}
	return notes
}

// look reads what the ledger has recorded, and explains what was refused by it.
func (r *reported) look(ctx context.Context, s *session) error {
	v, err := s.node.Conviction(ctx, s.chain, [32]byte(r.Fault))
	switch {
	case errors.Is(err, api.ErrNotFound):
	case err != nil:
		return err
	default:
		r.Recorded = &v
	}
	if r.Recorded != nil && r.Outcome != outcomeRecorded {
		r.Outcome = outcomeDuplicate
		note := fmt.Sprintf("the fault is recorded already since epoch %d of %s; the first submission gets the reward, and named %v", v.Recorded, s.chain, v.Reporter)
		if v.Reporter == r.Reporter {
			note = fmt.Sprintf("the fault is recorded already since epoch %d of %s, with you as the reporter", v.Recorded, s.chain)
		}
		r.Notes = []string{note}
		return nil
	}
	if r.Outcome != outcomeRefused && r.Outcome != outcomeKept {
		return nil
	}
	l, err := s.node.Ledger(ctx, s.chain)
	if err != nil {
		return err
	}
	if by := convictedBefore(&l, r.Kind, r.Chain, r.Epoch, r.Offenders); by != nil {
		r.Outcome = outcomeDuplicate
		r.Notes = []string{fmt.Sprintf("all of its offenders are convicted of epoch %d already since epoch %d of %s, by fault %x; the first submission gets the reward",
			r.Epoch, by.Recorded, s.chain, []byte(by.ID))}
	}
	return nil
}

// convictedBefore is the fault that completed the conviction of all these offenders of
// one epoch, nil while one of them is not convicted, or only of what costs less: then a
// fault of this kind is news to the ledger.
func convictedBefore(l *api.Ledger, kind, chain string, epoch uint64, offenders []ledger.AccountID) (last *ledger.FaultView) {
	all, price := l.Faults, l.Params.Penalty.Base
	for _, o := range offenders {
		i := slices.IndexFunc(all, func(f ledger.FaultView) bool {
			return f.Chain == chain && f.Epoch == epoch && price(f.Kind) >= price(kind) && slices.Contains(f.Offenders, o)
		})
		if i < 0 {
			return nil
		}
		if last == nil || all[i].Recorded > last.Recorded {
			last = &all[i]
		}
	}
	return last
}

// refusal is an error if the ledger refused the proof for another reason than that it
// knows it.
func (r *reported) refusal() error {
	if r.Outcome != outcomeRefused {
		return nil
	}
	return fmt.Errorf("refused in block %d of %s: %s", r.Receipt.Height, r.Ledger, r.Receipt.Reason)
}

func (r *reported) print(w io.Writer) error {
	t := newTable(w)
	t.row("fault", fmt.Sprintf("%x", []byte(r.Fault)))
	t.row("kind", fmt.Sprintf("%s, %s epoch %d", r.Kind, r.Chain, r.Epoch))
	outcome := r.Outcome
	switch {
	case r.Receipt != nil && r.Outcome == outcomeRecorded:
		outcome = fmt.Sprintf("recorded in block %d of %s (epoch %d)", r.Receipt.Height, r.Ledger, r.Receipt.Epoch)
	case r.Outcome == outcomeHanded:
		outcome = fmt.Sprintf("handed to %s as operation %x", r.Ledger, []byte(r.Operation))
	}
	t.row("outcome", outcome)
	t.row("reporter", r.Reporter)
	if v := r.Recorded; v != nil && v.Pending != nil {
		t.row("executed", fmt.Sprintf("not before epoch %d of %s ends, and %s", v.Pending.Epoch, r.Ledger, moment(v.Pending.Time)))
	}
	for _, note := range r.Notes {
		t.row("note", note)
	}
	if err := t.print(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n\"meshsec fault watch %.6x\" follows it\n", []byte(r.Fault))
	return err
}
