package main

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// submits is the operation that brings a proof to a chain.
func (n *fakeNode) submits(t *testing.T, chain string, proof *attest.FaultProof) *ledger.Operation {
	t.Helper()
	op, err := n.mesh.SubmitFault(chain, proof, n.mesh.Chains[0].Validators[0].ID)
	ok(t, err)
	return op
}

func TestAFaultIsWatchedUntilItIsExecutedEverywhere(t *testing.T) {
	n := aged(t)
	_, proof := n.proofIn(t, t.TempDir(), home, 1)
	id := proof.ID()
	p := launch(t, "fault", "watch", hex.EncodeToString(id[:]), "--node", n.url)
	p.says(t, p.out, `(submitted): the node does not know it yet`)
	n.learn(proof)
	p.says(t, p.out, `alpha +(verified), not on the ledger yet`)
	n.play(t, home, n.submits(t, home, proof))
	p.says(t, p.out, `alpha +(frozen) in epoch 2: 600,000 captured, 300,000 due when epoch 4 ends, not before 2023`)
	n.play(t, "beta", n.submits(t, "beta", proof))
	p.says(t, p.out, `beta +(recorded) in epoch 2: 0 captured, 0 due`)
	for range 2 {
		n.play(t, home)
	}
	p.says(t, p.out, `alpha +(executed): 300,000 taken, 285,000 burned, 15,000 reward, 0 compensation`)
	for range 2 {
		n.play(t, "beta")
	}
	p.says(t, p.out, `beta +(executed): 0 taken`)
	select {
	case code := <-p.code:
		if code != exitOK {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(time.Minute):
		t.Fatal("does not end")
	}
	if out := done(t, "fault", "watch", "--node", n.url); !strings.HasPrefix(out, "no fault is under way") {
		t.Error(out)
	}
	text := done(t, "fault", "watch", hex.EncodeToString(id[:4]), "--node", n.url, "--json")
	var states []string
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var e faultEvent
		ok(t, d.Decode(&e))
		states = append(states, e.Ledger+" "+e.State)
	}
	if got := strings.Join(states, ", "); got != "alpha executed, beta executed" {
		t.Error(got)
	}
}

func TestWatchingCanEndBefore(t *testing.T) {
	n := aged(t)
	_, proof := n.proofIn(t, t.TempDir(), home, 1)
	n.learn(proof)
	n.play(t, home, n.submits(t, home, proof))
	fails(t, exitFailed, []string{"not executed everywhere within 10ms: "}, "fault", "watch", "--node", n.url, "--timeout", "10ms")
	f, err := (&target{node: n.url}).find()
	ok(t, err)
	w := &watch{node: f, out: io.Discard, last: map[string]faultEvent{}}
	if got := w.open(); got != "the node does not know it" {
		t.Error(got)
	}
	if done, err := w.look(t.Context(), [][32]byte{proof.ID()}); err != nil || done || w.open() != "frozen on alpha, verified on beta" {
		t.Errorf("%v %v %s", done, err, w.open())
	}
	fails(t, exitFailed, []string{"knows no fault"}, "fault", "watch", "00000000", "--node", n.url)
	fails(t, exitFailed, []string{"no node answers"}, "fault", "watch", "--node", "http://127.0.0.1:1")
	fails(t, exitUsage, []string{"want up to 64 hex digits"}, "fault", "watch", "xyz")
	fails(t, exitUsage, []string{`unexpected argument "b"`}, "fault", "watch", "a", "b")
	p := launch(t, "fault", "watch", "--node", n.url)
	p.says(t, p.out, `alpha +(frozen)`)
	p.ends(t) // Ctrl-C is no error
}

func TestTheListTellsWhereFaultsStand(t *testing.T) {
	n := aged(t)
	_, proof := n.proofIn(t, t.TempDir(), home, 1)
	cp := *n.mesh.Past(home, 1).Checkpoint
	cp.OpsRoot[0] ^= 1
	twin, err := n.mesh.Network.DoubleVote(n.mesh.Set(home, 1), &cp, n.mesh.Chains[0].Validators[1])
	ok(t, err)
	n.learn(proof)
	n.learn(twin)
	states := func() string {
		var out []string
		for _, x := range decoded[[]listed](t, done(t, "fault", "list", "--node", n.url, "--json")) {
			out = append(out, x.States[home]+"/"+x.States["beta"])
		}
		return strings.Join(out, " ")
	}
	look := func(want string) {
		t.Helper()
		if got := states(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	look("verified/verified verified/verified")
	n.play(t, home, n.submits(t, home, proof))
	look("frozen/verified frozen/verified")
	n.play(t, "beta", n.submits(t, "beta", twin))
	look("frozen/recorded frozen/recorded")
	for range 2 {
		n.play(t, home)
	}
	look("executed/recorded executed/recorded")
	golden(t, "fault-states.golden", done(t, "fault", "list", "--node", n.url))
}
