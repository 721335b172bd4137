package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

func TestTablesAreReadable(t *testing.T) {
	n := newFakeNode(t)
	n.convict(t)
	for name, args := range map[string]string{
		"status.golden":       "status",
		"ledger.golden":       "ledger show",
		"ledger-all.golden":   "ledger show --totals --accounts --liens --peers --power --faults --slashes",
		"ledger-beta.golden":  "ledger show --chain beta --full",
		"fault-list.golden":   "fault list",
		"fault-show.golden":   "fault show " + hex.EncodeToString(n.faults[0].ID),
		"fault-prefix.golden": "fault show " + hex.EncodeToString(n.faults[0].ID[:3]) + " --full",
	} {
		golden(t, name, done(t, append(strings.Fields(args), "--node", n.url)...))
	}
}

func TestStatusTellsTroubles(t *testing.T) {
	n := newFakeNode(t)
	s := &n.status
	s.Ready, s.Reason, s.Validator = false, "beta is 4 epochs behind", nil
	s.Home.Error, s.Diverged, s.Warnings = "connection refused", "beta, epoch 7, step 3", []string{
		"the clock is 3s off",
		"beta is halted on the ledger of alpha: at least 1/3 of its power was convicted of faults",
		"beta alone gives 0.4 of the power here, more than 1/3: it can stop this chain",
	}
	golden(t, "status-troubled.golden", done(t, "status", "--node", n.url))
	got := decoded[api.Status](t, done(t, "status", "--node", n.url, "--json"))
	if got.Ready || got.Diverged != s.Diverged || len(got.Ledgers) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestLedgerShowsWhatConcernsAnAccount(t *testing.T) {
	n := newFakeNode(t)
	n.convict(t)
	guilty := n.mesh.Chains[0].Validators[1].ID
	l := decoded[api.Ledger](t, done(t, "ledger", "show", "--node", n.url, "--json", "--account", guilty.String()[:10]))
	if l.Chain != home || len(l.Accounts) != 1 || l.Accounts[0].ID != guilty || len(l.Liens) != 1 || len(l.Faults) != 1 || len(l.Slashes) != 1 || len(l.Power) != 0 {
		t.Errorf("%+v", l)
	}
	innocent := n.mesh.Chains[0].Validators[0].ID
	l = decoded[api.Ledger](t, done(t, "ledger", "show", "--node", n.url, "--json", "--account", innocent.String()))
	if len(l.Accounts) != 1 || len(l.Power) != 1 || len(l.Faults) != 0 || len(l.Slashes) != 0 {
		t.Errorf("%+v", l)
	}
	l = decoded[api.Ledger](t, done(t, "ledger", "show", "--node", n.url, "--json", "--chain", "beta"))
	if l.Chain != "beta" || len(l.Accounts) != 2 || l.Totals.Deposited != ledger.Units(2_000_000) {
		t.Errorf("%+v", l)
	}
	fails(t, exitFailed, []string{`chain "nope": not found`}, "ledger", "show", "--node", n.url, "--chain", "nope")
}

func TestFaultsTellWhoLostWhat(t *testing.T) {
	n := newFakeNode(t)
	if list := decoded[[]api.Fault](t, done(t, "fault", "list", "--node", n.url, "--json")); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	n.convict(t)
	id := hex.EncodeToString(n.faults[0].ID)
	r := decoded[faultReport](t, done(t, "fault", "show", id, "--node", n.url, "--json"))
	if len(r.Slashes) != 1 || r.Slashes[0].Ledger != home || r.Slashes[0].Amount.IsZero() || len(r.Proof) == 0 {
		t.Errorf("%+v", r)
	}
	fails(t, exitFailed, []string{"knows no fault"}, "fault", "show", strings.Repeat("0", 64), "--node", n.url)
	fails(t, exitFailed, []string{`knows no fault 00000000…: "meshsec fault list" shows all`}, "fault", "show", "00000000", "--node", n.url)
	twin := n.faults[0]
	twin.ID = append(ledger.HexBytes{}, twin.ID...)
	twin.ID[31] ^= 1
	n.faults = append(n.faults, twin)
	fails(t, exitFailed, []string{"2 faults begin with " + id[:6] + ": give more digits"}, "fault", "show", id[:6], "--node", n.url)
}

func TestManyFaultsComeInPages(t *testing.T) {
	n := newFakeNode(t)
	for i := range 2*api.MaxFaults + 50 {
		id := make([]byte, 32)
		id[0], id[1] = byte(i>>8), byte(i)
		n.faults = append(n.faults, api.Fault{ID: id, Kind: "double_vote"})
	}
	if list := decoded[[]api.Fault](t, done(t, "fault", "list", "--node", n.url, "--json")); len(list) != len(n.faults) {
		t.Errorf("%d of %d", len(list), len(n.faults))
	}
	if out := done(t, "fault", "list", "--node", n.url); strings.Count(out, "\n") != len(n.faults)+1 {
		t.Errorf("%d lines", strings.Count(out, "\n"))
	}
}

func TestHealthIsTheExitCode(t *testing.T) {
	n := newFakeNode(t)
	if out := done(t, "health", "--node", n.url); out != "the node at "+n.url+" is ready\n" {
		t.Error(out)
	}
	n.status.Ready, n.status.Reason = false, "no block of the home chain was read yet"
	fails(t, exitFailed, []string{"is not ready", "no block of the home chain was read yet"}, "health", "--node", n.url)
	fails(t, exitFailed, nil, "health", "--devchain", n.url)
	fails(t, exitFailed, nil, "health", "--devchain", "http://127.0.0.1:1")
}

func TestAmountsAreGrouped(t *testing.T) {
	for v, want := range map[uint64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 1_000_000: "1,000,000"} {
		if got := grouped(ledger.Units(v)); got != want {
			t.Errorf("%d = %s, want %s", v, got, want)
		}
	}
}
