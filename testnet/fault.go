package testnet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/node/chain/devchain"
	"github.com/meshsec/meshsec/store/ledger"
)

// FaultReport is what a fault came to on the whole network, as `meshsec testnet
// fault … --json` prints it.
type FaultReport struct {
	Fault         ledger.HexBytes    `json:"fault"` // id
	Kind          string             `json:"kind"`
	Chain         string             `json:"chain"`
	Epoch         uint64             `json:"epoch"`
	Offenders     []ledger.AccountID `json:"offenders"`
	OffenderNames []string           `json:"offender_names"`
	Slashes       []FaultSlash       `json:"slashes"`
	Milliseconds  FaultTimes         `json:"milliseconds"`
}

// FaultSlash is what one account lost on one ledger.
type FaultSlash struct {
	Ledger       string           `json:"ledger"`
	Account      ledger.AccountID `json:"account"`
	AccountName  string           `json:"account_name"`
	Consumer     string           `json:"consumer"`
	Captured     ledger.Amount    `json:"captured"`
	Ratio        ledger.Ratio     `json:"ratio"`
	Amount       ledger.Amount    `json:"amount"`
	Burned       ledger.Amount    `json:"burned"`
	Reward       ledger.Amount    `json:"reward"`
	Compensation ledger.Amount    `json:"compensation"`
}

// FaultTimes count from the second signature until the last node had the proof, had it
// frozen on every ledger, and had it executed on every ledger.
type FaultTimes struct {
	Proof              int64 `json:"proof"`
	FrozenEverywhere   int64 `json:"frozen_everywhere"`
	ExecutedEverywhere int64 `json:"executed_everywhere"`
}

// Bounds of the steps of a fault.
const (
	proofTimeout   = time.Minute
	freezeTimeout  = 2 * time.Minute
	executeTimeout = 4 * time.Minute
	agreeTimeout   = 2 * time.Minute
)

// trial is a fault on its way through the network.
type trial struct {
	o         *observer
	s         *Screen
	crime     crime
	chain     *Chain
	offender  *Node
	witnesses []Service // nodes that were ready when it began, and whose processes have not ended since
	ledgers   []*Chain  // on which it must have consequences, and which must agree afterwards
	states    func(context.Context) (map[string]State, error)
	epoch     uint64
	second    time.Time // of the second vote; of the evidence that tells of it
	id        [32]byte
	found     api.Fault // as the last witness of a wait has it
}

// crime is a rule that a validator is made to break.
type crime struct {
	name   string
	any    string // the kind of fault, where any proof of it is one of this crime, whoever is in it
	commit func(*trial, context.Context) (done func() error, err error)
}

var (
	doubleVote   = crime{name: "double vote", commit: (*trial).doubleVote}
	equivocation = crime{name: "equivocation", commit: (*trial).equivocate}
)

// DoubleVote makes a validator sign two checkpoints of one epoch and gossip both,
// and waits until every node has the proof, and every ledger on every node has
// frozen and slashed what stood behind that validator. Then it checks that no ledger
// lost or made an amount, and that the roots agree again.
func (t *Testnet) DoubleVote(ctx context.Context, chain string, validator int, s *Screen) (*FaultReport, error) {
	return t.try(ctx, doubleVote, chain, validator, s)
}

// Equivocation makes a validator sign two blocks at one height of its home chain,
// hands that chain the evidence, and waits and checks as [Testnet.DoubleVote] does.
func (t *Testnet) Equivocation(ctx context.Context, chain string, validator int, s *Screen) (*FaultReport, error) {
	return t.try(ctx, equivocation, chain, validator, s)
}

func (t *Testnet) try(ctx context.Context, what crime, chain string, validator int, s *Screen) (*FaultReport, error) {
	c, err := t.chain(chain)
	if err != nil {
		return nil, err
	}
	if validator < 0 || validator >= len(c.Nodes) {
		return nil, fmt.Errorf("there is no validator %d on %s: choose one of 0 to %d", validator, chain, len(c.Nodes)-1)
	}
	if err := t.mustRun(ctx); err != nil {
		return nil, err
	}
	r, err := t.trial(ctx, what, c, validator, s)
	if err != nil {
		return nil, err
	}
	return r.run(ctx)
}

// trial is one of a validator, on every ledger.
func (t *Testnet) trial(ctx context.Context, what crime, c *Chain, validator int, s *Screen) (*trial, error) {
	b, err := t.backend(ctx)
	if err != nil {
		return nil, err
	}
	states := func(ctx context.Context) (map[string]State, error) { return t.calm(ctx, b) }
	return &trial{o: newObserver(t), s: s, crime: what, chain: c, offender: c.Nodes[validator], ledgers: t.Chains, states: states}, nil
}

func (r *trial) run(ctx context.Context) (*FaultReport, error) {
	defer r.s.abandon()
	v := r.o.look(ctx)
	if err := r.prepare(v); err != nil {
		return nil, err
	}
	done, err := r.crime.commit(r, ctx)
	if err != nil {
		return nil, err
	}
	report, err := r.follow(ctx)
	return report, errors.Join(err, done())
}

// prepare chooses the epoch and the witnesses.
func (r *trial) prepare(v *view) error {
	l, ok := v.ledgers[r.chain.ID]
	if r.epoch = v.epochs[r.chain.ID]; !ok || r.epoch == 0 {
		return fmt.Errorf("no node is ready with a certificate of %s yet: wait until `meshsec testnet status` shows one", r.chain.ID)
	}
	for _, f := range l.Faults {
		if f.Chain == r.chain.ID && slices.Contains(f.Offenders, r.offender.Account) {
			return fmt.Errorf("%s was convicted of a %s in epoch %d already: choose another validator", r.offender.Name, f.Kind, f.Epoch)
		}
	}
	if !slices.ContainsFunc(l.Power, func(p ledger.PowerView) bool { return p.Account == r.offender.Account }) {
		return fmt.Errorf("%s is not in the validator set of %s: choose another validator", r.offender.Name, r.chain.ID)
	}
	for _, c := range r.o.t.Chains {
		for _, p := range v.ledgers[c.ID].Peers {
			if p.Chain == r.chain.ID && p.Halted != "" {
				return fmt.Errorf("%s is halted on the ledger of %s (%s), which can't judge what its validators do now: choose another chain, or let the authority of %s trust it first (\"meshsec peer trust\")",
					r.chain.ID, c.ID, p.Halted, c.ID)
			}
		}
	}
	for _, n := range r.o.t.nodes() {
		if v.nodes[n.Name].Ready {
			r.witnesses = append(r.witnesses, n)
		} else {
			r.s.say(fmt.Sprintf("%s is not ready and can't be a witness", n.Name))
		}
	}
	return nil
}

// equivocate signs with the key of the validator that runs the home chain, and tells
// that chain, as a node of it would that has seen both votes. The chain does the rest.
func (r *trial) equivocate(ctx context.Context) (func() error, error) {
	r.s.begin(fmt.Sprintf("%s signs two blocks at one height in epoch %d", r.offender.Name, r.epoch))
	keys, err := devchain.ConsensusKeys(r.o.t.devchainDir(r.chain.ID))
	if err != nil {
		return nil, err
	}
	c, err := comet.Dial(ctx, "http://"+r.chain.RPC, comet.Options{ExpectChainID: r.chain.ID})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	height := r.epoch * epochBlocks
	evidence, err := c.DoubleSign(ctx, height, keys[slices.Index(r.chain.Nodes, r.offender)])
	if err != nil {
		return nil, err
	}
	r.second = time.Now()
	if err := c.SubmitEvidence(ctx, evidence); err != nil {
		return nil, err
	}
	r.s.end("%s has the evidence, of height %d", r.chain.ID, height)
	return func() error { return nil }, nil
}

// doubleVote signs with the key of the node's keystore, and gossips both votes.
func (r *trial) doubleVote(ctx context.Context) (func() error, error) {
	const entrances = 4
	r.s.begin(fmt.Sprintf("%s signs two checkpoints of epoch %d", r.offender.Name, r.epoch))
	key, err := r.o.t.voteKey(r.offender)
	if err != nil {
		return nil, err
	}
	network, err := r.o.t.networkID()
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, n := range r.witnesses {
		if n.Node != r.offender && len(addresses) < entrances {
			addresses = append(addresses, n.Node.addressHere())
		}
	}
	if len(addresses) == 0 { // nobody else is there: not even his own node lets him
		addresses = append(addresses, r.offender.addressHere())
	}
	a, err := infiltrate(ctx, network, names(r.o.t.devchains()), addresses)
	if err != nil {
		return nil, err
	}
	cp, err := a.checkpoint(ctx, r.chain.ID, r.epoch)
	if err == nil {
		r.second, err = a.doubleVote(ctx, key, cp)
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	r.s.end("both votes are out, entering at %d nodes", len(addresses))
	return a.close, nil
}

// follow waits for the consequences.
func (r *trial) follow(ctx context.Context) (*FaultReport, error) {
	report := &FaultReport{Chain: r.chain.ID}
	proofs, err := r.await(ctx, "proof", proofTimeout, func(f *api.Fault) (string, uint64) { return "", f.Seen })
	if err != nil {
		return nil, err
	}
	frozen, err := r.await(ctx, "frozen", freezeTimeout, func(f *api.Fault) (string, uint64) { return r.everywhere(f.Frozen) })
	if err != nil {
		return nil, err
	}
	executed, err := r.await(ctx, "slashed", executeTimeout, func(f *api.Fault) (string, uint64) { return r.everywhere(f.Executed) })
	if err != nil {
		return nil, err
	}
	report.Milliseconds = FaultTimes{proofs, frozen, executed}
	report.Fault, report.Kind, report.Epoch, report.Offenders = r.found.ID, r.found.Kind, r.found.Epoch, r.found.Offenders
	for _, id := range report.Offenders {
		report.OffenderNames = append(report.OffenderNames, r.o.t.nameOf(report.Chain, id))
	}
	if report.Slashes, err = r.audit(ctx); err != nil {
		return nil, err
	}
	return report, r.agree(ctx)
}

// everywhere is the latest of the moments on all ledgers; a ledger without one is
// named.
func (r *trial) everywhere(moments map[string]uint64) (missing string, last uint64) {
	for _, c := range r.ledgers {
		if moments[c.ID] == 0 {
			return c.ID, 0
		}
		last = max(last, moments[c.ID])
	}
	return "", last
}

// leave leaves a witness that does not answer out of what follows if its process has
// ended, and says so: there is nothing to wait for. It fails where no witness is left,
// or another command has stopped everything.
func (r *trial) leave(ctx context.Context, n Service) (left bool, err error) {
	states, err := r.states(ctx)
	if errors.Is(err, errBusy) || ctx.Err() != nil {
		return false, nil // not now
	}
	if err != nil || states[n.Name] == Running {
		return false, err
	}
	r.witnesses = slices.DeleteFunc(slices.Clone(r.witnesses), func(w Service) bool { return w.Name == n.Name })
	r.s.say(fmt.Sprintf("%s is %s and is no witness any more", n.Name, states[n.Name]))
	if len(r.witnesses) == 0 {
		return true, errors.New("no node is left that could be a witness")
	}
	return true, nil
}

// await waits for a moment on every witness, and returns how many milliseconds the
// last of them came after the second signature. All clocks are this machine's.
func (r *trial) await(ctx context.Context, what string, timeout time.Duration, moment func(*api.Fault) (missing string, at uint64)) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r.s.begin(what)
	var last uint64
	hanging := ""
	err := poll(ctx, 200*time.Millisecond, func() (bool, error) {
		latest, late, done := uint64(0), "", 0
		for _, n := range r.witnesses {
			f, err := r.find(ctx, n)
			if ctx.Err() != nil {
				return false, nil // what was missing before still is
			}
			missing, at := "", uint64(0)
			if err != nil {
				left, err := r.leave(ctx, n)
				if err != nil {
					return false, err
				}
				if left {
					continue
				}
			} else if f != nil {
				missing, at = moment(f)
			}
			switch {
			case at > 0:
				latest, done, r.found = max(latest, at), done+1, *f
			case late == "" && missing != "":
				late = fmt.Sprintf("ledger %s of node %s", missing, n.Name)
			case late == "":
				late = "node " + n.Name
			}
		}
		r.s.progress("on %d of %d nodes", done, len(r.witnesses))
		last, hanging = latest, late
		return late == "", nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		// A ledger stands still where its chain has no quorum: the epochs tell.
		v := r.o.look(context.WithoutCancel(ctx))
		return 0, fmt.Errorf("the %s of %s in epoch %d: not %s on %s after %v; %s", r.crime.name, r.offender.Name, r.epoch, what, hanging, timeout, v.epochLine())
	}
	if err != nil {
		return 0, err
	}
	after := max(0, int64(last)-r.second.UnixMilli())
	r.s.end("on all %d nodes after %v", len(r.witnesses), (time.Duration(after) * time.Millisecond).Round(10*time.Millisecond))
	return after, nil
}

// find asks a node for this fault; nil if it does not have it.
func (r *trial) find(ctx context.Context, n Service) (*api.Fault, error) {
	client := r.o.clients[n.Name]
	if r.id != [32]byte{} {
		f, err := client.Fault(ctx, r.id)
		if errors.Is(err, api.ErrNotFound) {
			return nil, nil
		}
		return &f, err
	}
	for from := uint64(0); ; from += api.MaxFaults {
		page, err := client.Faults(ctx, from, api.MaxFaults)
		if err != nil {
			return nil, err
		}
		for _, f := range page {
			if f.Chain == r.chain.ID && f.Epoch == r.epoch && (slices.Contains(f.Offenders, r.offender.Account) || f.Kind == r.crime.any) {
				copy(r.id[:], f.ID)
				return &f, nil
			}
		}
		if len(page) < api.MaxFaults {
			return nil, nil
		}
	}
}

// audit reads every ledger on every witness: nothing may be lost or made, and all
// must tell the same slashes.
func (r *trial) audit(ctx context.Context) (slashes []FaultSlash, err error) {
	r.s.begin("conservation")
	first := ""
	for _, n := range r.witnesses {
		ledgers, err := r.ledgersOf(ctx, n)
		if err != nil {
			left, leaveErr := r.leave(ctx, n)
			switch {
			case leaveErr != nil:
				return nil, leaveErr
			case left:
				continue
			}
			return nil, err
		}
		var here []FaultSlash
		for i, c := range r.ledgers {
			l := &ledgers[i]
			if !conserved(l.Totals) {
				return nil, fmt.Errorf("ledger %s of node %s does not conserve: deposited %v, collateral %v + escrow %v + withdrawn %v + burned %v",
					c.ID, n.Name, l.Totals.Deposited, l.Totals.Collateral, l.Totals.Escrow, l.Totals.Withdrawn, l.Totals.Burned)
			}
			here = append(here, r.slashesOn(c, l)...)
		}
		if first != "" && !slices.Equal(here, slashes) {
			return nil, fmt.Errorf("nodes %s and %s tell different slashes", first, n.Name)
		}
		slashes, first = here, cmp.Or(first, n.Name)
	}
	r.s.end("holds on %d ledgers of %d nodes", len(r.ledgers), len(r.witnesses))
	return slashes, nil
}

// ledgersOf are those on which the fault has consequences, as a witness has them.
func (r *trial) ledgersOf(ctx context.Context, n Service) ([]api.Ledger, error) {
	var all []api.Ledger
	for _, c := range r.ledgers {
		l, err := r.o.clients[n.Name].Ledger(ctx, c.ID)
		if err != nil {
			return nil, fmt.Errorf("read ledger %s of node %s: %w", c.ID, n.Name, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func conserved(t ledger.Totals) bool {
	sum := t.Collateral.Int()
	for _, a := range []ledger.Amount{t.Escrow, t.Withdrawn, t.Burned} {
		sum.Add(sum, a.Int())
	}
	return sum.Eq(t.Deposited.Int())
}

func (r *trial) slashesOn(c *Chain, l *api.Ledger) (out []FaultSlash) {
	for _, s := range l.Slashes {
		if bytes.Equal(s.Fault, r.id[:]) {
			out = append(out, FaultSlash{
				Ledger: c.ID, Account: s.Account, AccountName: r.o.t.nameOf(c.ID, s.Account), Consumer: s.Consumer,
				Captured: s.Captured, Ratio: s.Ratio, Amount: s.Amount,
				Burned: s.Burned, Reward: s.Reward, Compensation: s.Compensation,
			})
		}
	}
	return out
}

// agree waits until all witnesses hold the same certificates and roots, of an
// epoch in which all of it had happened.
func (r *trial) agree(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	r.s.begin("agreement")
	var executed map[string]uint64
	var v *view
	err := poll(ctx, pace, func() (bool, error) {
		v = r.o.look(ctx)
		for _, n := range r.witnesses {
			if _, answers := v.nodes[n.Name]; answers {
				continue
			}
			if _, err := r.leave(ctx, n); err != nil {
				return false, err
			}
		}
		if executed == nil && len(v.ledgers) >= len(r.ledgers) {
			executed = map[string]uint64{}
			for chain, l := range v.ledgers {
				executed[chain] = l.Epoch
			}
		}
		for _, c := range r.ledgers {
			same, ready := v.agreement(c.ID)
			if executed == nil || same < ready || ready < len(r.witnesses) || v.epochs[c.ID] < executed[c.ID] {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("the nodes do not agree again: %w; %s", err, v.epochLine())
	}
	r.s.end("all nodes hold the same certificates and ledger roots: %s", v.epochLine())
	return nil
}

// signedIn is what was signed in a fault of a kind.
var signedIn = map[string]string{
	attest.FaultDoubleVote.String():            "two different checkpoints",
	attest.FaultConsensusEquivocation.String(): "two different blocks at one height",
	attest.FaultInvalidTransition.String():     "what its operations do not lead to as the result",
}

// Lines tell the report to people.
func (f *FaultReport) Lines() []string {
	lines := []string{
		fmt.Sprintf("%s signed %s of epoch %d of %s, which is %s %s.", strings.Join(f.OffenderNames, ", "), signedIn[f.Kind], f.Epoch, f.Chain, article(f.Kind), f.Kind),
		"What stood behind that signature is slashed, up to the ratio that its owner had agreed to:",
		"",
	}
	rows := [][]string{{"ledger", "account", "behind", "captured", "ratio", "lost", "burned", "reward", "compensation"}}
	for _, s := range f.Slashes {
		rows = append(rows, []string{
			s.Ledger, s.AccountName, s.Consumer, s.Captured.String(), s.Ratio.String(), s.Amount.String(),
			s.Burned.String(), s.Reward.String(), s.Compensation.String(),
		})
	}
	lines = append(lines, align(rows, 3)...)
	seconds := func(ms int64) string { return fmt.Sprintf("%.1f s", float64(ms)/1000) }
	return append(lines, "",
		fmt.Sprintf("From the %s it took %s until all nodes had the proof, %s until every ledger had it frozen, %s until all was slashed.",
			lastAct(f.Kind), seconds(f.Milliseconds.Proof), seconds(f.Milliseconds.FrozenEverywhere), seconds(f.Milliseconds.ExecutedEverywhere)),
		fmt.Sprintf("Fault %x", f.Fault))
}

func article(kind string) string {
	if strings.ContainsAny(kind[:min(1, len(kind))], "aeiou") {
		return "an"
	}
	return "a"
}

// lastAct is what completes a fault of a kind.
func lastAct(kind string) string {
	if kind == attest.FaultInvalidTransition.String() {
		return "certificate"
	}
	return "second signature"
}
