package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func newFaultWatch() *cobra.Command {
	cmd := &cobra.Command{
		Use: "watch [FAULT]", Short: "Follow a fault until it is executed on every ledger",
		Long: `Follows a fault and prints a line whenever its state on a ledger changes:

  submitted   the node does not know it yet; so only by its full id
  verified    the node has judged it, the ledger does not know it
  recorded    the ledger has it, and nothing that it captures
  frozen      what it captured waits for the end of the challenge window
  executed    what is due was taken
  refused     the ledger will never record it: the offence is too old, or of a chain that
              it does not know

It ends when the fault is executed, or refused, on every ledger that the node keeps. Without
FAULT it follows all faults of which neither is true everywhere now. With --json each change is an
object in a line of its own.

Exit codes: 0 executed everywhere, or interrupted; 1 refused somewhere, not executed before
--timeout, or the node does not answer; 2 wrong usage.`,
		Example: `meshsec fault watch 3f9ac2
meshsec fault watch --timeout 1h --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse(cmd, "unexpected argument %q", args[1])
			}
			return nil
		},
	}
	var t target
	var names naming
	t.flags(cmd)
	fullFlag(cmd, &names)
	timeout := cmd.Flags().Duration("timeout", 0, "how long to follow it (default until it is executed)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		prefix := ""
		if len(args) == 1 {
			var err error
			if prefix, err = faultPrefix(cmd, args[0]); err != nil {
				return err
			}
		}
		f, err := t.find()
		if err != nil {
			return err
		}
		ctx, cancel := cmd.Context(), context.CancelFunc(func() {})
		if *timeout > 0 {
			ctx, cancel = context.WithTimeout(ctx, *timeout)
		}
		defer cancel()
		w := &watch{node: f, out: cmd.OutOrStdout(), names: names, asJSON: *asJSON, last: map[string]faultEvent{}}
		err = w.follow(ctx, prefix)
		switch {
		case cmd.Context().Err() != nil:
			return nil // interrupted
		case ctx.Err() != nil:
			return fmt.Errorf("not executed everywhere within %v: %s; look again with \"meshsec fault watch\"", *timeout, w.open())
		case err != nil:
			return err
		}
		return w.refusal()
	}
	return cmd
}

// stateSubmitted is that of a fault that the node does not know.
const stateSubmitted = "submitted"

// faultEvent is a change that watch has seen.
type faultEvent struct {
	Fault ledger.HexBytes `json:"fault"`
	faultState
}

type watch struct {
	node   *found
	out    io.Writer
	names  naming
	asJSON bool

	order []string // of what is followed, by fault and ledger
	last  map[string]faultEvent
}

// follow looks until nothing is open.
func (w *watch) follow(ctx context.Context, prefix string) error {
	ids, err := w.begin(ctx, prefix)
	if err != nil {
		return err
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		done, err := w.look(ctx, ids)
		if err != nil && !errors.Is(err, api.ErrUnavailable) || done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// begin finds what to follow.
func (w *watch) begin(ctx context.Context, prefix string) (ids [][32]byte, err error) {
	if prefix != "" {
		if len(prefix) == 64 {
			if _, err := w.node.faultOf(ctx, prefix); errors.Is(err, api.ErrNotFound) {
				return w.awaited(prefix)
			}
		}
		x, err := findFault(ctx, w.node, prefix)
		if err != nil {
			return nil, err
		}
		return [][32]byte{[32]byte(x.ID)}, nil
	}
	all, chains, err := listFaults(ctx, w.node)
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		for _, chain := range chains {
			if !over(x.States[chain]) {
				ids = append(ids, [32]byte(x.ID))
				break
			}
		}
	}
	if len(ids) == 0 && !w.asJSON {
		_, err = fmt.Fprintln(w.out, "no fault is under way: all that the node holds are executed on every ledger, or refused")
	}
	return ids, err
}

// awaited is a fault that the node does not know yet.
func (w *watch) awaited(id string) ([][32]byte, error) {
	b, err := hex.DecodeString(id)
	if err != nil {
		return nil, err
	}
	return [][32]byte{[32]byte(b)}, w.see(faultEvent{b, faultState{State: stateSubmitted}})
}

// look tells what has changed, and whether nothing is open any more.
func (w *watch) look(ctx context.Context, ids [][32]byte) (done bool, err error) {
	status, err := w.node.Status(ctx)
	if err != nil {
		return false, err
	}
	done = true
	for _, id := range ids {
		x, err := w.node.Fault(ctx, id)
		if errors.Is(err, api.ErrNotFound) {
			done = false
			continue
		}
		if err != nil {
			return false, err
		}
		for _, chain := range ledgersOf(status) {
			s, err := w.node.stateOf(ctx, chain, &x)
			if err != nil {
				return false, err
			}
			done = done && over(s.State)
			if err := w.see(faultEvent{x.ID, s}); err != nil {
				return false, err
			}
		}
	}
	return done, nil
}

// see tells of a state if it is another one than before.
func (w *watch) see(e faultEvent) error {
	key := string(e.Fault) + e.Ledger
	before, known := w.last[key]
	w.last[key] = e
	if !known {
		w.order = append(w.order, key)
	}
	if known && before.State == e.State {
		return nil
	}
	if w.asJSON {
		return json.NewEncoder(w.out).Encode(e)
	}
	_, err := fmt.Fprintf(w.out, "%s  %s\n", w.names.id(e.Fault), e.faultState)
	return err
}

// refusal is an error if a ledger will never record what was followed.
func (w *watch) refusal() error {
	var parts []string
	for _, key := range w.order {
		if e := w.last[key]; e.State == stateRefused {
			parts = append(parts, fmt.Sprintf("%s will never record fault %.6x…: %s", e.Ledger, []byte(e.Fault), e.Reason))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return errors.New(strings.Join(parts, "; "))
}

// open says where what is not done stands.
func (w *watch) open() string {
	var parts []string
	for _, key := range w.order {
		if e := w.last[key]; e.Ledger != "" && (!over(e.State) || e.State == stateRefused) {
			parts = append(parts, fmt.Sprintf("%s on %s", e.State, e.Ledger))
		}
	}
	if len(parts) == 0 {
		return "the node does not know it"
	}
	return strings.Join(parts, ", ")
}

// String is the state in words.
func (s faultState) String() string {
	var text string
	switch s.State {
	case stateSubmitted:
		return "submitted: the node does not know it yet"
	case stateVerified:
		text = "verified, not on the ledger yet"
	case stateRefused:
		text = "refused for ever: " + s.Reason
	case stateHalted:
		text = fmt.Sprintf("halted since epoch %d: the chain has forked, nobody is convicted", s.Recorded)
	case stateNone:
		text = "goes on: that it has forked means something to its peers only"
	case stateExecuted:
		text = fmt.Sprintf("executed: %s taken", grouped(s.Taken))
		if !s.Taken.IsZero() {
			text += fmt.Sprintf(", %s burned, %s reward, %s compensation", grouped(s.Burned), grouped(s.Reward), grouped(s.Compensation))
		}
	default:
		text = fmt.Sprintf("%s in epoch %d: %s captured, %s due", s.State, s.Recorded, grouped(s.Captured), grouped(s.Due))
		if s.Pending != nil {
			text += fmt.Sprintf(" when epoch %d ends, not before %s", s.Pending.Epoch, moment(s.Pending.Time))
		}
	}
	if len(s.By) > 0 {
		text += fmt.Sprintf(" (by fault %.6x…)", []byte(s.By))
	}
	return fmt.Sprintf("%-8s  %s", s.Ledger, text)
}
