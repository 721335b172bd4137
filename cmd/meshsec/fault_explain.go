package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newFaultExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain FAULT", Short: "Explain what a fault costs whom, and why", Args: words("FAULT, the id of a fault or how that begins,"),
		Long: `Explains one fault in words and numbers, from the shares of power to the last unit: who
is convicted, how severe that is, what the penalty rule makes of it, and on each ledger
what was captured, what each lien owes, what was taken, burned, given to the reporter or
kept for the chain that failed, and what is still to come.`,
	}
	var t target
	var names naming
	t.flags(cmd)
	fullFlag(cmd, &names)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		prefix, err := faultPrefix(cmd, args[0])
		if err != nil {
			return err
		}
		f, err := t.find()
		if err != nil {
			return err
		}
		e, err := explainFault(cmd.Context(), f, prefix)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), e)
		}
		return e.print(cmd.OutOrStdout(), names)
	}
	return cmd
}

// explanation is a fault and what every ledger made of it.
type explanation struct {
	Fault   api.Fault         `json:"fault"`
	Ledgers []explainedLedger `json:"ledgers"`
}

// explainedLedger is a fault on one ledger.
type explainedLedger struct {
	faultState
	Conviction *ledger.ConvictionView `json:"conviction"` // null: not recorded there under this proof
}

func explainFault(ctx context.Context, f *found, prefix string) (*explanation, error) {
	x, err := findFault(ctx, f, prefix)
	if err != nil {
		return nil, err
	}
	status, err := f.Status(ctx)
	if err != nil {
		return nil, err
	}
	e := &explanation{Fault: x}
	for _, chain := range ledgersOf(status) {
		v, err := f.Conviction(ctx, chain, [32]byte(x.ID))
		switch {
		case err == nil:
			e.Ledgers = append(e.Ledgers, explainedLedger{newFaultState(&v), &v})
		case errors.Is(err, api.ErrNotFound):
			s, err := f.stateOf(ctx, chain, &x)
			if err != nil {
				return nil, err
			}
			e.Ledgers = append(e.Ledgers, explainedLedger{s, nil})
		default:
			return nil, err
		}
	}
	return e, nil
}

func (e *explanation) print(w io.Writer, n naming) error {
	x := &e.Fault
	by := "by " + count(len(x.Offenders), "validator")
	if x.Forked {
		by = "by nobody who could be named"
	}
	fmt.Fprintf(w, "fault %x: %s %s of %s in epoch %d\n", []byte(x.ID), x.Kind, by, x.Chain, x.Epoch)
	for _, l := range e.Ledgers {
		fmt.Fprintln(w)
		var err error
		switch {
		case l.State == stateHalted || l.State == stateNone:
			_, err = fmt.Fprintf(w, "ledger of %s\n", l.faultState)
		case l.Conviction != nil:
			err = printConviction(w, n, l.Conviction)
		case len(l.By) > 0:
			_, err = fmt.Fprintf(w, "ledger of %s: the offenders were convicted of that epoch before, by fault %x, and pay once: \"meshsec fault explain %.6x\"\n", l.Ledger, []byte(l.By), []byte(l.By))
		case l.State == stateRefused:
			_, err = fmt.Fprintf(w, "ledger of %s: never recorded: %s\n", l.Ledger, l.Reason)
		default:
			_, err = fmt.Fprintf(w, "ledger of %s: not recorded\n", l.Ledger)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func printConviction(w io.Writer, n naming, v *ledger.ConvictionView) error {
	fmt.Fprintf(w, "ledger of %s (after epoch %d): recorded in epoch %d, reported by %s\n", v.Ledger, v.LastEpoch, v.Recorded, n.id(v.Reporter[:]))
	t := newTable(w, "offender", "power", "of", "share", "severity q", "penalty", "executed")
	for _, c := range v.Convicted {
		t.row(n.id(c.Account[:]), grouped(c.Power), grouped(c.Total), c.Share, c.Severity, c.Penalty, c.Executed)
	}
	if err := t.print(); err != nil {
		return err
	}
	if len(v.Convicted) > 0 {
		fmt.Fprintln(w, penaltyInWords(v.Penalty, v.Convicted[0]))
	}
	if err := printLiable(w, n, v); err != nil {
		return err
	}
	if err := printTaken(w, n, v); err != nil {
		return err
	}
	printFailure(w, v)
	printToCome(w, v)
	return nil
}

// penaltyInWords is the rule with the numbers of an offender.
func penaltyInWords(p ledger.Penalty, c ledger.ConvictedView) string {
	const q = "q is the share of the power that was convicted within the correlation window"
	switch p.Rule {
	case ledger.Flat:
		return fmt.Sprintf("penalty: flat, the base %v whatever q; %s", c.Base, q)
	case ledger.Quadratic:
		return fmt.Sprintf("penalty: quadratic, max(base, min(1, (m·q)²)) = max(%v, min(1, (%d·%v)²)) = %v; %s", c.Base, p.Multiplier, c.Severity, c.Penalty, q)
	}
	return fmt.Sprintf("penalty: %v, max(base, min(1, m·q)) = max(%v, min(1, %d·%v)) = %v; %s", p.Rule, c.Base, p.Multiplier, c.Severity, c.Penalty, q)
}

// printLiable tells what stands behind the offenders, and what that owes.
func printLiable(w io.Writer, n naming, v *ledger.ConvictionView) error {
	if len(v.Parts) == 0 {
		_, err := fmt.Fprintln(w, "nothing on this ledger stands behind the offenders")
		return err
	}
	fmt.Fprintln(w, capturesInWords(v.Convicted))
	fmt.Fprintln(w, "owed: captured × min(penalty, the lien's ratio), for all offences of the validator together")
	t := newTable(w, "account", "behind", "captured", "ratio", "owed", "taken", "due")
	for _, p := range v.Parts {
		who := n.id(p.Validator[:])
		if v.Ledger == v.Chain && p.Account == p.Validator {
			who = "itself"
		}
		t.row(n.id(p.Account[:]), who, grouped(p.Captured), p.Ratio, grouped(p.Owed), grouped(p.Taken), grouped(p.Due))
	}
	return t.print()
}

// capturesInWords says as of when liens are captured.
func capturesInWords(convicted []ledger.ConvictedView) string {
	epochs := map[uint64]bool{}
	for _, c := range convicted {
		for _, epoch := range c.Captures {
			epochs[epoch] = true
		}
	}
	if len(epochs) == 0 {
		return "captured: nothing, no statement of this ledger was in force on the offenders' chain"
	}
	var text []string
	for _, epoch := range slices.Sorted(maps.Keys(epochs)) {
		text = append(text, strconv.FormatUint(epoch, 10))
	}
	return "captured: what this ledger said, after its epoch " + strings.Join(text, " or ") + ", to stand behind the offenders; the larger counts"
}

// printTaken tells what executions took under this fault, and who got it.
func printTaken(w io.Writer, n naming, v *ledger.ConvictionView) error {
	if len(v.Slashes) == 0 {
		return nil
	}
	s := newFaultState(v)
	fmt.Fprintf(w, "taken: %s = %s burned + %s reward + %s compensation\n", grouped(s.Taken), grouped(s.Burned), grouped(s.Reward), grouped(s.Compensation))
	t := newTable(w, "epoch", "account", "behind", "captured", "ratio", "taken", "burned", "reward", "compensation")
	for _, x := range v.Slashes {
		t.row(x.Epoch, n.id(x.Account[:]), n.behind(x.Validator), grouped(x.Captured), x.Ratio, grouped(x.Amount), grouped(x.Burned), grouped(x.Reward), grouped(x.Compensation))
	}
	return t.print()
}

// printFailure tells of the backstops of a chain that has failed.
func printFailure(w io.Writer, v *ledger.ConvictionView) {
	f := v.Failure
	if f == nil {
		return
	}
	by := fmt.Sprintf("fault %.6x…", []byte(f.Fault))
	if string(f.Fault) == string(v.ID) {
		by = "this fault"
	}
	fmt.Fprintf(w, "%s has failed: with %s, in epoch %d, a third of its power was convicted, and its backstops are %s", v.Chain, by, f.Recorded, f.State)
	switch f.State {
	case "unproven":
		fmt.Fprintln(w, ": what stood behind it is to be proven first")
	case "settled":
		fmt.Fprintf(w, "; %s are in escrow for it\n", grouped(f.Escrow))
	default:
		fmt.Fprintf(w, ": they cover %s, and %s of them can be drawn (both in its units)\n", grouped(f.Covered), grouped(f.Pool))
	}
}

// printToCome tells what is still to happen.
func printToCome(w io.Writer, v *ledger.ConvictionView) {
	s := newFaultState(v)
	switch {
	case v.Pending == nil:
		fmt.Fprintln(w, "executed: no lien owes more, unless others are convicted within the correlation window and the penalty grows")
	default:
		fmt.Fprintf(w, "to come: %s are due when epoch %d ends, not before %s\n", grouped(s.Due), v.Pending.Epoch, moment(v.Pending.Time))
		fmt.Fprintln(w, rewardInWords(v))
	}
	if f := v.Failure; f != nil && f.State != "settled" {
		fmt.Fprintf(w, "to come: the backstops are settled when epoch %d ends, not before %s\n", f.Settles.Epoch, moment(f.Settles.Time))
	}
}

// rewardInWords says who gets what of what is due.
func rewardInWords(v *ledger.ConvictionView) string {
	if v.Ledger != v.Chain {
		return fmt.Sprintf("reward: none on this ledger; it is paid on that of %s, out of the offenders' own stake", v.Chain)
	}
	if !v.Known {
		return "reward: none as it is, the reporter has no account on this ledger"
	}
	for _, o := range v.Offenders {
		if o == v.Reporter {
			return "reward: none of what the reporter loses himself"
		}
	}
	return fmt.Sprintf("reward: %v of what the offenders' own stake loses goes to the reporter", v.Reward)
}
