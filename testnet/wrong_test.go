package testnet

import (
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
)

func TestOnlyATestNetworkCanBeToldToMisbehave(t *testing.T) {
	n, nodes := stage(t) // of nodes that were not started for it
	r := &trial{o: newObserver(n), crime: wrongEpoch, chain: n.Chains[1], offender: n.Chains[1].Nodes[0], witnesses: n.nodes(), ledgers: n.Chains[:1], epoch: 5}
	if _, err := r.certifyWrong(t.Context()); err == nil || !strings.Contains(err.Error(), "beta-0 can't be told to misbehave: it was not started by this version's") {
		t.Errorf("%v", err)
	}
	for _, f := range nodes {
		if len(f.submitted) > 0 {
			t.Error("something was submitted")
		}
	}
	r.witnesses = r.witnesses[:2] // of alpha only
	if _, err := r.certifyWrong(t.Context()); err == nil || !strings.Contains(err.Error(), "0 of 2 nodes of beta are ready, more than 2/3 must") {
		t.Errorf("%v", err)
	}
	n.Chains = n.Chains[1:]
	if err := (&trial{o: newObserver(n)}).withoutItself(n.Chains[0]); err == nil || !strings.Contains(err.Error(), "beta has no peer that could find out") {
		t.Errorf("%v", err)
	}
}

func TestReportOfAWrongEpoch(t *testing.T) {
	f := &FaultReport{Kind: "invalid_transition", Chain: "beta", Epoch: 7, OffenderNames: []string{"beta-0", "beta-1"}, Offenders: []ledger.AccountID{{1}, {2}}}
	text := strings.Join(f.Lines(), "\n")
	for _, want := range []string{
		"beta-0, beta-1 signed what its operations do not lead to as the result of epoch 7 of beta, which is an invalid_transition.",
		"From the certificate it took",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
