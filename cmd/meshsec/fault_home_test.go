package main

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/store/ledger"
)

// forkOf is a proof that beta has forked in its first epoch, which nobody is convicted of.
func (n *fakeNode) forkOf(t *testing.T, height uint64) *attest.FaultProof {
	t.Helper()
	var all []int
	for i := range n.mesh.Chains[1].Validators {
		all = append(all, i)
	}
	proof, err := n.mesh.Attack(attest.AttackFork, "beta", 1, height, all...)
	ok(t, err)
	return proof
}

// A fault that convicts nobody is listed, shown, explained and watched as what it is.
func TestAForkIsShownAsWhatItIs(t *testing.T) {
	n := aged(t)
	proof, other := n.forkOf(t, 3), n.forkOf(t, 4)
	id, second := proof.ID(), other.ID()
	n.learn(proof)
	text := done(t, "fault", "list", "--node", n.url)
	if !strings.Contains(text, "nobody, the chain has forked") || !strings.Contains(text, "verified") || !strings.Contains(text, "none") {
		t.Error(text)
	}
	n.play(t, home, n.submits(t, home, proof))
	n.learn(other) // of the same fork: there is nothing left for it to do
	for _, x := range [][32]byte{id, second} {
		text = done(t, "fault", "watch", hex.EncodeToString(x[:]), "--node", n.url) // it ends
		if !strings.Contains(text, "alpha     halted since epoch 2: the chain has forked, nobody is convicted") || !strings.Contains(text, "beta      goes on") {
			t.Error(text)
		}
	}
	if text = done(t, "fault", "watch", "--node", n.url); !strings.HasPrefix(text, "no fault is under way") {
		t.Error(text)
	}
	list := decoded[[]listed](t, done(t, "fault", "list", "--node", n.url, "--json"))
	if len(list) != 2 || !list[0].Forked || list[0].States["alpha"] != stateHalted || list[0].States["beta"] != stateNone || list[1].States["alpha"] != stateHalted {
		t.Errorf("%+v", list)
	}
	if text = done(t, "fault", "show", hex.EncodeToString(id[:]), "--node", n.url); !strings.Contains(text, "nobody, the chain has forked") {
		t.Error(text)
	}
	text = done(t, "fault", "explain", hex.EncodeToString(id[:]), "--node", n.url)
	for _, want := range []string{"light_client_attack by nobody who could be named of beta in epoch 1", "ledger of alpha     halted since epoch 2", "ledger of beta      goes on"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if text = done(t, "ledger", "show", "--node", n.url); !strings.Contains(text, "forked") {
		t.Error(text)
	}
}

// Proofs about a home chain are judged offline as all others are.
func TestProofsAboutHomeChainsAreVerifiedOffline(t *testing.T) {
	n := aged(t)
	dir := t.TempDir()
	attack, err := n.mesh.Attack(attest.AttackLunatic, "beta", 1, 3, 1)
	ok(t, err)
	operations, err := n.mesh.InvalidOperations("beta", 1, func(steps []*ledger.Step) []*ledger.Step {
		last := *steps[len(steps)-1]
		last.Time++
		return append(slices.Clone(steps[:len(steps)-1]), &last)
	})
	ok(t, err)
	set, err := attest.EncodeValidatorSet(n.mesh.Set("beta", 1).ValidatorSet())
	ok(t, err)
	manifest, sets := n.manifestIn(t, dir), write(t, dir, "set", hex.EncodeToString(set))
	for _, k := range []struct {
		proof     *attest.FaultProof
		kind      string
		offenders int
	}{
		{attack, "light_client_attack", 1},
		{n.forkOf(t, 3), "light_client_attack", 0},
		{operations, "invalid_operations", n.mesh.Set("beta", 1).Len()},
	} {
		encoded, err := attest.EncodeFaultProof(k.proof)
		ok(t, err)
		file := write(t, dir, "proof", hex.EncodeToString(encoded))
		r := decoded[evidence.Report](t, done(t, "fault", "verify", file, "--manifest", manifest, "--validators", sets, "--kind", k.kind, "--json"))
		if !r.Valid || r.Kind != k.kind || r.Chain != "beta" || r.Epoch != 1 || len(r.Offenders) != k.offenders {
			t.Errorf("%+v", r)
		}
	}
}
