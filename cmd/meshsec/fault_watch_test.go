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

// A fault that a ledger will never record is not waited for.
func TestWatchingEndsWhenALedgerRefuses(t *testing.T) {
	n := aged(t)
	_, proof := n.proofIn(t, t.TempDir(), home, 1)
	id := proof.ID()
	n.learn(proof)
	n.play(t, "beta", n.submits(t, "beta", proof))
	p := launch(t, "fault", "watch", hex.EncodeToString(id[:4]), "--node", n.url)
	p.says(t, p.out, `alpha +(verified), not on the ledger yet`)
	p.says(t, p.out, `beta +(recorded)`)
	for range 2 {
		n.play(t, "beta")
	}
	p.says(t, p.out, `beta +(executed)`)
	for range 13 { // the evidence age is a minute, of twelve epochs
		n.play(t, home)
	}
	p.says(t, p.out, `alpha +(refused) for ever: the offence is too old`)
	select {
	case code := <-p.code:
		if code != exitFailed {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(time.Minute):
		t.Fatal("does not end")
	}
	p.says(t, p.err, `meshsec: (alpha will never record fault [0-9a-f]{12}…: the offence is too old)\n`)
	fails(t, exitFailed, []string{"alpha will never record fault"}, "fault", "watch", hex.EncodeToString(id[:]), "--node", n.url, "--json")
	if out := done(t, "fault", "watch", "--node", n.url); !strings.HasPrefix(out, "no fault is under way") {
		t.Error(out)
	}
	list := decoded[[]listed](t, done(t, "fault", "list", "--node", n.url, "--json"))
	if len(list) != 1 || list[0].States[home] != stateRefused || list[0].States["beta"] != stateExecuted {
		t.Errorf("%+v", list)
	}
	if out := done(t, "fault", "explain", hex.EncodeToString(id[:4]), "--node", n.url); !strings.Contains(out, "ledger of alpha: never recorded: the offence is too old") {
		t.Error(out)
	}
	// The ledger agrees.
	n.mu.Lock()
	defer n.mu.Unlock()
	r, err := n.mesh.Epoch(home, n.submits(t, home, proof))
	ok(t, err)
	if got := ledger.Code(r.Receipts[0].Code); got != ledger.CodeExpired {
		t.Errorf("%v", got)
	}
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

// Odd ids of faults each give one clear line, whatever asks for them.
func TestOddFaultIDs(t *testing.T) {
	n := aged(t)
	dir := t.TempDir()
	var ids []string
	for i := range 2 {
		_, proof := n.proofIn(t, dir, home, i)
		n.learn(proof)
		id := proof.ID()
		ids = append(ids, hex.EncodeToString(id[:]))
	}
	// Whose ids begin alike.
	n.faults[0].ID, n.faults[1].ID = append(ledger.HexBytes{}, n.faults[0].ID...), append(ledger.HexBytes{}, n.faults[1].ID...)
	n.faults[0].ID[0], n.faults[1].ID[0] = 0xab, 0xab
	n.faults[0].ID[1], n.faults[1].ID[1] = 0x10, 0x20
	unknown := strings.Repeat("0", 64)
	for _, command := range [][]string{{"show"}, {"explain"}, {"watch", "--timeout", "1m"}, {"build", "--from-node", n.url}} {
		ask := func(code int, text, id string) {
			t.Helper()
			args := append([]string{"fault"}, command...)
			if command[0] != "build" {
				args = append(args, "--node", n.url)
			}
			fails(t, code, []string{text}, append(args, "--", id)...)
		}
		ask(exitUsage, `FAULT is "", want up to 64 hex digits`, "")
		ask(exitUsage, `FAULT is "xyz", want up to 64 hex digits`, "xyz")
		ask(exitUsage, `FAULT is "0x", want up to 64 hex digits`, "0x")
		ask(exitUsage, "want up to 64 hex digits", unknown+"0")
		ask(exitUsage, "want up to 64 hex digits", " ab")
		ask(exitFailed, "2 faults begin with ab: give more digits of ab10", "ab")
		ask(exitFailed, "2 faults begin with a: give more digits of ab10", "A")
		ask(exitFailed, "knows no fault cd…", "cd")
		if command[0] == "watch" {
			command = []string{"watch", "--timeout", "10ms"} // it may come: that is waited for
			ask(exitFailed, "the node does not know it", unknown)
		} else {
			ask(exitFailed, "knows no fault "+unknown, unknown)
		}
	}
	fails(t, exitUsage, []string{`unexpected argument "ab"`}, "fault", "list", "ab", "--node", n.url)
	// An odd number of digits is a prefix as well, and so is what others write before hex.
	for _, id := range []string{"ab1", "AB1", "0xab10"} {
		if out := done(t, "fault", "show", id, "--node", n.url); !strings.Contains(out, "ab10"+ids[0][4:]) {
			t.Error(out)
		}
	}
}
