package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// trialOn is a double vote of beta-1 in epoch 5 that all fake nodes have seen,
// frozen and slashed.
func trialOn(t *testing.T) (*trial, map[string]*fakeNode) {
	t.Helper()
	n, nodes := stage(t)
	second := time.UnixMilli(1_000_000)
	id := digest(7, 7)
	i := uint64(0)
	for _, s := range n.nodes() {
		i++
		nodes[s.Name].faults = []api.Fault{
			{ID: digest(1, 1), Chain: "beta", Epoch: 2, Offenders: []ledger.AccountID{nodeAccount(1, 1)}},
			{ID: id, Kind: "double_vote", Chain: "beta", Epoch: 5, Offenders: []ledger.AccountID{nodeAccount(1, 1)},
				Seen:     1_000_000 + 100*i,
				Frozen:   map[string]uint64{"alpha": 1_003_000 + i, "beta": 1_004_000 + i},
				Executed: map[string]uint64{"alpha": 1_020_000 + i, "beta": 1_015_000 + i}},
		}
		for chain, l := range nodes[s.Name].ledgers {
			l.Epoch = 5
			l.Slashes = []ledger.SlashView{
				{Fault: digest(1, 1), Amount: ledger.Units(1)},
				{Fault: id, Account: nodeAccount(strings.Index("ab", chain[:1]), 1), Consumer: "beta", Captured: ledger.Units(300_000),
					Ratio: pledgeRatio, Amount: ledger.Units(90_000), Burned: ledger.Units(90_000)},
			}
			nodes[s.Name].ledgers[chain] = l
		}
	}
	return &trial{o: newObserver(n), crime: doubleVote, chain: n.Chains[1], offender: n.Chains[1].Nodes[1], witnesses: n.nodes(), ledgers: n.Chains, states: only(), epoch: 5, second: second}, nodes
}

// only are the states of the nodes of a stage if all run but these.
func only(ended ...string) func(context.Context) (map[string]State, error) {
	return func(context.Context) (map[string]State, error) {
		states := map[string]State{}
		for _, name := range []string{"alpha-0", "alpha-1", "beta-0", "beta-1"} {
			states[name] = Running
			if slices.Contains(ended, name) {
				states[name] = Killed
			}
		}
		return states, nil
	}
}

// silence has a node answer nothing any more.
func silence(r *trial, name string) {
	r.o.clients[name] = api.NewClient("http://127.0.0.1:1", http.DefaultClient)
}

func TestReportTellsWhoLostWhatAndWhen(t *testing.T) {
	r, _ := trialOn(t)
	report, err := r.follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Milliseconds != (FaultTimes{Proof: 400, FrozenEverywhere: 4004, ExecutedEverywhere: 20_004}) {
		t.Errorf("times %+v", report.Milliseconds)
	}
	golden(t, "fault.txt", strings.Join(report.Lines(), "\n")+"\n")
}

func TestWaitingSaysWhereItHangs(t *testing.T) {
	r, nodes := trialOn(t)
	// wait gives up once the first witness was asked twice: then the one where it
	// hangs was asked at least once.
	wait := func() error {
		ctx, giveUp := context.WithCancelCause(t.Context())
		asked := 0
		_, err := r.await(ctx, "frozen", time.Hour, func(f *api.Fault) (string, uint64) {
			if f.Seen == nodes["alpha-0"].faults[1].Seen { // it is the first one's
				if asked++; asked == 2 {
					giveUp(context.DeadlineExceeded)
				}
			}
			return r.everywhere(f.Frozen)
		})
		return err
	}
	delete(nodes["beta-0"].faults[1].Frozen, "alpha")
	if err := wait(); err == nil || !strings.Contains(err.Error(), "the double vote of beta-1 in epoch 5: not frozen on ledger alpha of node beta-0 after 1h0m0s; certified epochs alpha 5, beta 5, 4 of 4 nodes ready") {
		t.Errorf("await: %v", err)
	}
	nodes["alpha-1"].faults = nil
	if err := wait(); err == nil || !strings.Contains(err.Error(), "not frozen on node alpha-1") {
		t.Errorf("await: %v", err)
	}
}

func TestWitnessThatIsKilledIsLeftOut(t *testing.T) {
	var out bytes.Buffer
	// killed before each of the steps: the first of the witnesses, and the last
	for _, name := range []string{"alpha-0", "beta-1"} {
		r, _ := trialOn(t)
		silence(r, name)
		r.s, r.states = NewScreen(&out, false), only(name)
		if _, err := r.follow(t.Context()); err != nil || len(r.witnesses) != 3 {
			t.Errorf("%s: %d witnesses, %v", name, len(r.witnesses), err)
		}
		r, _ = trialOn(t)
		copy(r.id[:], digest(7, 7))
		silence(r, name)
		r.s, r.states = NewScreen(&out, false), only(name)
		if slashes, err := r.audit(t.Context()); err != nil || len(slashes) != 2 || len(r.witnesses) != 3 {
			t.Errorf("%s: %d witnesses, %d slashes, %v", name, len(r.witnesses), len(slashes), err)
		}
		r, _ = trialOn(t)
		silence(r, name)
		r.s, r.states = NewScreen(&out, false), only(name)
		if err := r.agree(t.Context()); err != nil || len(r.witnesses) != 3 {
			t.Errorf("%s: %d witnesses, %v", name, len(r.witnesses), err)
		}
		if n := strings.Count(out.String(), name+" is killed and is no witness any more\n"); n != 3 {
			t.Errorf("%s is named %d times in %s", name, n, out.String())
		}
	}
}

func TestWitnessThatIsKilledIsNamedWhileAnotherIsLate(t *testing.T) {
	r, nodes := trialOn(t)
	nodes["alpha-0"].faults = nil // late for ever
	silence(r, "beta-1")
	var out bytes.Buffer
	r.s, r.states = NewScreen(&out, false), only("beta-1")
	ctx, giveUp := context.WithCancelCause(t.Context())
	_, err := r.await(ctx, "frozen", time.Hour, func(*api.Fault) (string, uint64) {
		if len(r.witnesses) == 3 {
			giveUp(context.DeadlineExceeded)
		}
		return "", 1
	})
	if err == nil || !strings.Contains(err.Error(), "not frozen on node alpha-0") || !strings.Contains(out.String(), "beta-1 is killed and is no witness any more") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestNobodyIsWaitedForWhereNoWitnessIsLeft(t *testing.T) {
	r, _ := trialOn(t)
	for _, n := range r.witnesses {
		silence(r, n.Name)
	}
	r.states = only(names(r.witnesses)...)
	if _, err := r.follow(t.Context()); err == nil || !strings.Contains(err.Error(), "no node is left that could be a witness") {
		t.Errorf("%v", err)
	}
	r, _ = trialOn(t)
	if left, err := r.leave(t.Context(), r.witnesses[0]); left || err != nil || len(r.witnesses) != 4 {
		t.Errorf("one that runs and does not answer: left out %v, %v", left, err)
	}
	silence(r, "beta-0")
	r.states = func(context.Context) (map[string]State, error) { return nil, errStoppedElsewhere }
	if _, err := r.follow(t.Context()); !errors.Is(err, errStoppedElsewhere) {
		t.Errorf("%v", err)
	}
}

func TestAuditFindsWhatIsLost(t *testing.T) {
	r, nodes := trialOn(t)
	copy(r.id[:], digest(7, 7))
	l := nodes["beta-1"].ledgers["alpha"]
	l.Totals.Burned = ledger.Units(2)
	nodes["beta-1"].ledgers["alpha"] = l
	if _, err := r.audit(t.Context()); err == nil || !strings.Contains(err.Error(), "ledger alpha of node beta-1 does not conserve") {
		t.Errorf("audit: %v", err)
	}
}

func TestAuditFindsDifferentTales(t *testing.T) {
	r, nodes := trialOn(t)
	copy(r.id[:], digest(7, 7))
	l := nodes["beta-1"].ledgers["beta"]
	l.Slashes = l.Slashes[:1]
	nodes["beta-1"].ledgers["beta"] = l
	if _, err := r.audit(t.Context()); err == nil || !strings.Contains(err.Error(), "different slashes") {
		t.Errorf("audit: %v", err)
	}
}

func TestFaultsThatCannotBeCommitted(t *testing.T) {
	var fakes map[string]*fakeNode // of the trial under way
	for name, change := range map[string]func(*trial, *fakeNode){
		"is not in the validator set": func(r *trial, _ *fakeNode) { r.offender = r.chain.Nodes[1] },
		"was convicted": func(r *trial, f *fakeNode) {
			l := f.ledgers["beta"]
			l.Faults = []ledger.FaultView{{Kind: "double_vote", Chain: "beta", Epoch: 3, Offenders: []ledger.AccountID{r.offender.Account}}}
			f.ledgers["beta"] = l
		},
		"is halted on the ledger of alpha (why)": func(r *trial, _ *fakeNode) {
			for _, n := range r.o.t.nodes() {
				l := fakes[n.Name].ledgers["alpha"]
				l.Peers = []ledger.PeerView{{Chain: "beta", Halted: "why"}}
				fakes[n.Name].ledgers["alpha"] = l
			}
		},
		"no node is ready": func(r *trial, _ *fakeNode) { r.o.t.Network = "another" },
	} {
		r, nodes := trialOn(t)
		fakes = nodes
		r.offender = r.chain.Nodes[0]
		change(r, nodes["beta-0"])
		if err := r.prepare(r.o.look(t.Context())); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", name, err)
		}
	}
	r, _ := trialOn(t)
	r.offender, r.witnesses = r.chain.Nodes[0], nil
	if err := r.prepare(r.o.look(t.Context())); err != nil || len(r.witnesses) != 4 || r.epoch != 5 {
		t.Errorf("%d witnesses, epoch %d, %v", len(r.witnesses), r.epoch, err)
	}
}

func TestOutOfRangeIsOneClearLine(t *testing.T) {
	n := build(t, Shape{Mode: Processes, Chains: 2, Validators: 2})
	for _, c := range []struct {
		chain     string
		validator int
		want      string
	}{
		{"omega", 0, "there is no chain"},
		{"beta", 2, "choose one of 0 to 1"},
		{"beta", -1, "choose one of 0 to 1"},
		{"beta", 1, "is not running"},
	} {
		for _, fault := range []func(context.Context, string, int, *Screen) (*FaultReport, error){n.DoubleVote, n.Equivocation} {
			_, err := fault(t.Context(), c.chain, c.validator, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
	for _, err := range []error{n.Kill(t.Context(), "nobody", nil), n.Start(t.Context(), "nobody", nil)} {
		if err == nil || !strings.Contains(err.Error(), `there is no "nobody"`) {
			t.Errorf("of nobody: %v", err)
		}
	}
	for _, err := range []error{n.Kill(t.Context(), "beta-1", nil), n.Start(t.Context(), "beta-1", nil)} {
		if err == nil || !strings.Contains(err.Error(), n.advice("up")+" starts it") {
			t.Errorf("of a testnet that is down: %v", err)
		}
	}
}

func TestScreen(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out bytes.Buffer
		s := NewScreen(&out, terminal)
		s.begin("nodes")
		s.progress("%d of %d", 1, 2)
		s.end("%d ready", 2)
		s.draw([]string{"one", "two"})
		s.say("beta-1 was killed")
		s.draw([]string{"three"})
		golden(t, fmt.Sprintf("screen-%v.txt", terminal), strings.ReplaceAll(out.String(), "\x1b", "<ESC>"))
	}
}
