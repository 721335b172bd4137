package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

func TestAFaultIsExplained(t *testing.T) {
	n := aged(t)
	_, proof := n.proofIn(t, t.TempDir(), home, 1)
	n.learn(proof)
	n.play(t, home, n.submits(t, home, proof))
	id := proof.ID()
	args := []string{"fault", "explain", hex.EncodeToString(id[:4]), "--node", n.url}
	golden(t, "fault-explain-frozen.golden", done(t, args...))
	n.play(t, "beta", n.submits(t, "beta", proof))
	for range 2 {
		n.play(t, home)
	}
	golden(t, "fault-explain.golden", done(t, args...))
	e := decoded[explanation](t, done(t, append(args, "--json")...))
	if len(e.Ledgers) != 2 || e.Ledgers[0].Conviction == nil || e.Ledgers[0].Taken != ledger.Units(300_000) || e.Ledgers[1].State != stateRecorded {
		t.Errorf("%+v", e)
	}
	fails(t, exitFailed, []string{"knows no fault"}, "fault", "explain", "00000000", "--node", n.url)
	fails(t, exitUsage, []string{"FAULT is \"x\""}, "fault", "explain", "x")
}

// A third of beta is convicted: alpha's page tells of the backstops.
func TestAFailedChainIsExplained(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNodeOf(t, ledgertest.New(2, 3, nil))
	n.play(t, home)
	n.play(t, "beta")
	_, proof := n.proofIn(t, t.TempDir(), "beta", 1)
	n.learn(proof)
	n.play(t, home, n.submits(t, home, proof))
	id := proof.ID()
	text := done(t, "fault", "explain", hex.EncodeToString(id[:]), "--node", n.url)
	for _, want := range []string{
		"ledger of beta: not recorded",
		"nothing on this ledger stands behind the offenders",
		"beta has failed: with this fault, in epoch 2, a third of its power was convicted, and its backstops are unproven",
		"reward: none on this ledger; it is paid on that of beta",
		"to come: the backstops are settled when epoch 3 ends",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestAnOffenceUnderAnotherProofIsExplained(t *testing.T) {
	n := aged(t)
	_, proof := n.proofIn(t, t.TempDir(), home, 1)
	cp := *n.mesh.Past(home, 1).Checkpoint
	cp.OpsRoot[0] ^= 1
	twin, err := n.mesh.Network.DoubleVote(n.mesh.Set(home, 1), &cp, n.mesh.Chains[0].Validators[1])
	ok(t, err)
	n.learn(twin)
	n.play(t, home, n.submits(t, home, proof))
	id, by := twin.ID(), proof.ID()
	text := done(t, "fault", "explain", hex.EncodeToString(id[:]), "--node", n.url)
	if !strings.Contains(text, "convicted of that epoch before, by fault "+hex.EncodeToString(by[:])+", and pay once") {
		t.Error(text)
	}
}

func TestPenaltyRulesAreSpelledOut(t *testing.T) {
	c := ledger.ConvictedView{Base: ledger.One / 20, Severity: ledger.One / 4, Penalty: ledger.One / 4 * 3}
	for rule, want := range map[ledger.PenaltyRule]string{
		ledger.Flat:         "penalty: flat, the base 0.05 whatever q;",
		ledger.Quadratic:    "max(0.05, min(1, (3·0.25)²)) = 0.75;",
		ledger.Proportional: "penalty: proportional, max(base, min(1, m·q)) = max(0.05, min(1, 3·0.25)) = 0.75;",
	} {
		if got := penaltyInWords(ledger.Penalty{Rule: rule, Multiplier: 3}, c); !strings.Contains(got, want) {
			t.Errorf("%v: %s", rule, got)
		}
	}
}
