package main

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// proofIn writes a proof that a validator of a chain signed twice in epoch 1.
func (n *fakeNode) proofIn(t *testing.T, dir, chain string, validator int) (path string, proof *attest.FaultProof) {
	t.Helper()
	proof, err := n.mesh.DoubleVote(chain, 1, validator)
	ok(t, err)
	b, err := attest.EncodeFaultProof(proof)
	ok(t, err)
	return write(t, dir, "proof.ssz", string(b)), proof
}

// aged is a fake node whose chains have made an epoch.
func aged(t *testing.T) *fakeNode {
	t.Helper()
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	for _, c := range n.mesh.Chains {
		_, err := n.mesh.Epoch(c.ID)
		ok(t, err)
	}
	return n
}

func TestASubmittedProofIsRecordedWithItsReporter(t *testing.T) {
	n := aged(t)
	path, proof := n.proofIn(t, t.TempDir(), home, 1)
	id, v := proof.ID(), n.mesh.Chains[0].Validators[0]
	text := done(t, "fault", "submit", path, "--node", n.url, "--account-key", accountKeyFile(t, v))
	golden(t, "fault-submit.golden", text)
	f, err := n.mesh.Reader(home).Fault(id)
	ok(t, err)
	if f == nil || f.Reporter != v.ID {
		t.Fatalf("%+v", f)
	}
	// Again, by another one.
	again := decoded[reported](t, done(t, "fault", "submit", path, "--node", n.url, "--account", ledger.AccountID{7}.String(), "--json"))
	if again.Outcome != outcomeDuplicate || again.Recorded == nil || again.Recorded.Reporter != v.ID || len(again.Notes) != 1 ||
		!strings.Contains(again.Notes[0], "is recorded already since epoch 2 of alpha; the first submission gets the reward") {
		t.Errorf("%+v", again)
	}
	again = decoded[reported](t, done(t, "fault", "submit", path, "--node", n.url, "--account", v.ID.String(), "--json"))
	if again.Outcome != outcomeDuplicate || !strings.Contains(again.Notes[0], "with you as the reporter") {
		t.Errorf("%+v", again)
	}
}

func TestSomebodyWasFaster(t *testing.T) {
	n := aged(t)
	path, proof := n.proofIn(t, t.TempDir(), home, 1)
	rival, err := n.mesh.SubmitFault(home, proof, ledger.AccountID{9})
	ok(t, err)
	n.rival = rival
	mine := []string{"fault", "submit", path, "--node", n.url, "--account", n.mesh.Chains[0].Validators[0].ID.String(), "--json"}
	r := decoded[reported](t, done(t, mine...))
	if r.Outcome != outcomeDuplicate || r.Receipt == nil || r.Receipt.OK || r.Recorded.Reporter != (ledger.AccountID{9}) {
		t.Errorf("%+v", r)
	}
	// With another proof of the same offence.
	cp := *n.mesh.Past(home, 1).Checkpoint
	cp.OpsRoot[0] ^= 1
	other, err := n.mesh.Network.DoubleVote(n.mesh.Set(home, 1), &cp, n.mesh.Chains[0].Validators[1])
	ok(t, err)
	b, err := attest.EncodeFaultProof(other)
	ok(t, err)
	n.rival, mine[2] = nil, write(t, t.TempDir(), "other.ssz", string(b))
	r = decoded[reported](t, done(t, mine...))
	if r.Outcome != outcomeDuplicate || r.Recorded != nil || r.Receipt == nil || !strings.Contains(r.Notes[0], "all of its offenders are convicted of epoch 1 already since epoch 2 of alpha, by fault") {
		t.Errorf("%+v", r)
	}
}

func TestWhoIsConvictedOfLessIsNotConvictedBefore(t *testing.T) {
	params := ledger.DefaultParams()
	params.Penalty.DoubleVote, params.Penalty.Equivocation = ledger.One/20, ledger.One/10
	offenders := []ledger.AccountID{{1}}
	l := &api.Ledger{Params: &params, Faults: []ledger.FaultView{{Kind: "double_vote", Chain: home, Epoch: 3, Offenders: offenders}}}
	for kind, before := range map[string]bool{"double_vote": true, "consensus_equivocation": false} {
		if got := convictedBefore(l, kind, home, 3, offenders); (got != nil) != before {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	if convictedBefore(l, "double_vote", home, 4, offenders) != nil || convictedBefore(l, "double_vote", home, 3, append(offenders, ledger.AccountID{2})) != nil {
		t.Error("another epoch, or another offender")
	}
}

func TestWhatBarsARewardIsSaid(t *testing.T) {
	n := aged(t)
	path, _ := n.proofIn(t, t.TempDir(), home, 1)
	r := decoded[reported](t, done(t, "fault", "submit", path, "--node", n.url, "--account", ledger.AccountID{7}.String(), "--json"))
	if r.Outcome != outcomeRecorded || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "is not on the ledger of alpha: there is no reward unless") {
		t.Errorf("%+v", r)
	}
	if r.Recorded == nil || r.Recorded.Pending == nil || len(r.Offenders) != 1 {
		t.Errorf("%+v", r)
	}
	n.lazy = true
	path, _ = n.proofIn(t, t.TempDir(), home, 0)
	r = decoded[reported](t, done(t, "fault", "submit", path, "--node", n.url, "--account", ledger.AccountID{7}.String(), "--no-wait", "--json"))
	if r.Outcome != outcomeHanded || r.Receipt != nil || len(r.Operation) != 32 {
		t.Errorf("%+v", r)
	}
	fails(t, exitFailed, []string{"not executed in time"}, "fault", "submit", path, "--node", n.url, "--account", ledger.AccountID{7}.String(), "--timeout", "1ms")
}

func TestWhatConvictsNobodyIsNotSubmitted(t *testing.T) {
	n := aged(t)
	dir := t.TempDir()
	path, proof := n.proofIn(t, dir, home, 1)
	proof.Body[len(proof.Body)-2] ^= 1 // in the second checkpoint
	b, err := attest.EncodeFaultProof(proof)
	ok(t, err)
	broken := write(t, dir, "broken.ssz", string(b))
	to := []string{"--node", n.url, "--account", n.mesh.Chains[0].Validators[0].ID.String()}
	fails(t, exitFailed, []string{"broken.ssz: the proof is not valid: "}, append([]string{"fault", "submit", broken}, to...)...)
	if len(n.faults) != 0 || n.mesh.Head(home).Checkpoint.Epoch != 1 {
		t.Error("something was submitted")
	}
	fails(t, exitUsage, []string{"not evidence in any known form"}, append([]string{"fault", "submit", write(t, dir, "rubbish", "rubbish")}, to...)...)
	fails(t, exitUsage, []string{"no such file"}, append([]string{"fault", "submit", filepath.Join(dir, "missing")}, to...)...)
	fails(t, exitUsage, []string{"FILE is missing"}, append([]string{"fault", "submit"}, to...)...)
	fails(t, exitUsage, []string{"give --account or --account-key, not both"}, append([]string{"fault", "submit", path, "--account-key", "x"}, to...)...)
	fails(t, exitFailed, []string{"who is to be rewarded: no account key", "or name the account with --account"}, "fault", "submit", path, "--node", n.url)
	fails(t, exitFailed, []string{"no node answers at http://127.0.0.1:1"}, "fault", "submit", path, "--node", "http://127.0.0.1:1", "--account", ledger.AccountID{7}.String())
	var out, errOut bytes.Buffer
	b, err = attest.EncodeFaultProof(proof)
	ok(t, err)
	if code := run(t.Context(), append([]string{"fault", "submit", "-"}, to...), bytes.NewReader(b), &out, &errOut); code != exitFailed || !strings.Contains(errOut.String(), "standard input: the proof is not valid") {
		t.Errorf("standard input: %d %s", code, errOut.String())
	}
}

// Of several proofs in a file each is brought, until one is not valid; which, is said.
func TestSeveralProofsAreSubmittedInOrder(t *testing.T) {
	n := aged(t)
	dir := t.TempDir()
	_, first := n.proofIn(t, dir, home, 1)
	_, second := n.proofIn(t, dir, home, 0)
	encoded := func(p *attest.FaultProof) string {
		b, err := attest.EncodeFaultProof(p)
		ok(t, err)
		return hex.EncodeToString(b)
	}
	list := func(name string, proofs ...string) string {
		return write(t, dir, name, `[{"proof":"`+strings.Join(proofs, `"},{"proof":"`)+`"}]`)
	}
	to := []string{"--node", n.url, "--account", n.mesh.Chains[0].Validators[0].ID.String()}
	good := encoded(first)
	broken := *second
	broken.Body = bytes.Clone(second.Body)
	broken.Body[len(broken.Body)-2] ^= 1
	r := fails(t, exitFailed, []string{"list.json: proof 2 of 3: the proof is not valid: "}, append([]string{"fault", "submit", list("list.json", good, encoded(&broken), encoded(second))}, to...)...)
	if !strings.Contains(r.out, "recorded in block") || len(n.faults) != 1 {
		t.Errorf("%+v", r)
	}
	text := done(t, append([]string{"fault", "submit", list("both.json", good, encoded(second))}, to...)...)
	if !strings.Contains(text, "duplicate") || strings.Count(text, "fault watch") != 2 || len(n.faults) != 2 {
		t.Error(text)
	}
}
