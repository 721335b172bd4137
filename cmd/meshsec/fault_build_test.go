package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// twice are two votes of validator 1 of alpha in epoch 1, of which the first is for the
// certified checkpoint.
func (n *fakeNode) twice(t *testing.T) (first, second *attest.Attestation) {
	t.Helper()
	cp := *n.mesh.Past(home, 1).Checkpoint
	key := n.mesh.Chains[0].Validators[1].Key
	first, err := attest.SignAttestation(key, n.mesh.ID, &cp)
	ok(t, err)
	cp.BlockHash[0] ^= 1
	second, err = attest.SignAttestation(key, n.mesh.ID, &cp)
	ok(t, err)
	return first, second
}

func voteFile(t *testing.T, dir, name string, a *attest.Attestation) string {
	t.Helper()
	b, err := attest.EncodeAttestation(a)
	ok(t, err)
	return write(t, dir, name, string(b))
}

// manifestIn writes the network's manifest.
func (n *fakeNode) manifestIn(t *testing.T, dir string) string {
	t.Helper()
	b, err := n.mesh.Manifest.Encode()
	ok(t, err)
	return write(t, dir, "manifest.toml", string(b))
}

// certificateFile is what the node answers about a certificate.
func (n *fakeNode) certificateFile(t *testing.T, dir string, epoch uint64) string {
	t.Helper()
	c, err := n.Certificate(t.Context(), home, epoch)
	ok(t, err)
	b, err := json.Marshal(c)
	ok(t, err)
	return write(t, dir, "certificate.json", string(b))
}

func TestDoubleVotesAreBuiltFromEveryForm(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	_, err := n.mesh.Epoch(home)
	ok(t, err)
	dir := t.TempDir()
	first, second := n.twice(t)
	a, b := voteFile(t, dir, "a.ssz", first), voteFile(t, dir, "b.ssz", second)
	manifest, answer := n.manifestIn(t, dir), n.certificateFile(t, dir, 1)
	encoded, err := attest.EncodeAttestation(second)
	ok(t, err)
	inHex := write(t, dir, "b.hex", "0x"+hex.EncodeToString(encoded)+"\n")
	inJSON := write(t, dir, "b.json", `[{"attestation":"`+hex.EncodeToString(encoded)+`"}]`)
	trail, err := n.mesh.Trail(home, 1, 1)
	ok(t, err)
	links, err := json.Marshal(api.Trail{Links: trail})
	ok(t, err)
	page := write(t, dir, "page.json", string(links))
	set, err := attest.EncodeValidatorSet(n.mesh.Set(home, 1).ValidatorSet())
	ok(t, err)
	bare := write(t, dir, "set.ssz", string(set))

	proof, err := n.mesh.DoubleVote(home, 1, 1)
	ok(t, err)
	single := proof.ID()
	for i, args := range [][]string{
		{a, b, "--node", n.url}, // the set and the network from the node
		{b, a, "--node", n.url, "--manifest", manifest},
		{a, inHex, "--manifest", manifest, "--validators", answer}, // nobody is asked
		{a, inJSON, "--manifest", manifest, "--validators", bare},
		{answer, b, "--manifest", manifest}, // a vote against an aggregate
		{page, inJSON, "--manifest", manifest},
	} {
		out := filepath.Join(dir, "proof-"+string(rune('0'+i))+".json")
		w := decoded[writtenProof](t, done(t, append([]string{"fault", "build", "--json", "--out", out}, args...)...))
		if !w.Valid || w.Kind != "double_vote" || w.Epoch != 1 || len(w.Offenders) != 1 || w.Offenders[0].Name != n.mesh.Chains[0].Validators[1].ID.String() {
			t.Errorf("%v: %+v", args, w)
		}
		if i < 4 && [32]byte(w.ID) != single {
			t.Errorf("%v: proof %x, want %x", args, []byte(w.ID), single)
		}
		done(t, "fault", "verify", out, "--manifest", manifest, "--validators", answer)
	}
	file := decoded[proofFile](t, done(t, "fault", "build", a, b, "--node", n.url))
	if [32]byte(file.ID) != single || len(file.Proof) == 0 || len(file.Offenders) != 1 {
		t.Errorf("%+v", file)
	}
}

func TestWhatIsNoFaultIsNotBuilt(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	for range 2 {
		_, err := n.mesh.Epoch(home)
		ok(t, err)
	}
	dir := t.TempDir()
	first, second := n.twice(t)
	a, b := voteFile(t, dir, "a.ssz", first), voteFile(t, dir, "b.ssz", second)
	manifest, answer := n.manifestIn(t, dir), n.certificateFile(t, dir, 1)
	forged := *second
	forged.Signature = first.Signature
	stranger := *second
	stranger.Signer = n.mesh.Chains[1].Validators[0].Key.PublicKey().Bytes()
	later := *second
	later.Checkpoint.Epoch = 2
	elsewhere := *second
	elsewhere.Checkpoint.ChainID = []byte("beta")
	out := filepath.Join(dir, "proof.json")
	for _, tc := range []struct {
		code int
		want string
		args []string
	}{
		{exitFailed, "no fault: both are for the same checkpoint", []string{a, answer}},
		{exitFailed, "no fault: one is of epoch 1, the other of epoch 2", []string{a, voteFile(t, dir, "later.ssz", &later)}},
		{exitFailed, "no fault: one is of chain alpha, the other of beta", []string{a, voteFile(t, dir, "beta.ssz", &elsewhere)}},
		{exitFailed, "takes two votes or certificates, and this is 1", []string{a}},
		{exitFailed, "no fault: attest: signature: ", []string{a, voteFile(t, dir, "forged.ssz", &forged), "--validators", answer}},
		{exitFailed, "no fault: attest: signer: ", []string{a, voteFile(t, dir, "stranger.ssz", &stranger), "--validators", answer}},
		{exitUsage, "not evidence in any known form", []string{a, write(t, dir, "rubbish", "rubbish")}},
		{exitUsage, "no vote and no certificate", []string{a, write(t, dir, "empty.json", "{}"), "--kind", "double_vote"}},
		{exitUsage, "no such file", []string{a, filepath.Join(dir, "missing")}},
		{exitUsage, "read the validators", []string{a, b, "--validators", write(t, dir, "set.json", `{"set":"00"}`)}},
		{exitUsage, `--kind is "amnesia", want one of double_vote`, []string{a, b, "--kind", "amnesia"}},
		{exitFailed, "the proof is about chain alpha, not beta", []string{a, b, "--chain-id", "beta"}},
		{exitUsage, "FILE is missing", nil},
		{exitUsage, "a.ssz, " + b + ": --rpc is for attacks on light clients, and there is none in it: leave --rpc out", []string{a, b, "--rpc", "http://127.0.0.1:1"}},
	} {
		fails(t, tc.code, []string{tc.want}, append([]string{"fault", "build", "--manifest", manifest, "--node", n.url, "--out", out}, tc.args...)...)
	}
	fails(t, exitFailed, []string{"no node answers", "or give it with --validators"}, "fault", "build", a, b, "--manifest", manifest, "--node", "http://127.0.0.1:1")
	fails(t, exitFailed, []string{"no node answers", "--manifest"}, "fault", "build", a, b, "--validators", answer, "--node", "http://127.0.0.1:1")
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
}

func TestAProofIsTakenFromANode(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := newFakeNode(t)
	n.convict(t)
	id := hex.EncodeToString(n.faults[0].ID)
	out := filepath.Join(t.TempDir(), "proof.json")
	text := done(t, "fault", "build", "--from-node", n.url, id[:8], "--out", out)
	golden(t, "fault-build.golden", strings.ReplaceAll(text, out, "proof.json"))
	b, err := os.ReadFile(out)
	ok(t, err)
	var file proofFile
	ok(t, json.Unmarshal(b, &file))
	if hex.EncodeToString(file.ID) != id || string(file.Proof) != string(n.faults[0].Proof) {
		t.Errorf("%+v", file)
	}
	fails(t, exitFailed, []string{"exists"}, "fault", "build", "--from-node", n.url, id, "--out", out)
	fails(t, exitFailed, []string{"knows no fault"}, "fault", "build", "--from-node", n.url, "00000000")
	fails(t, exitUsage, []string{"FAULT, the id of a fault or how that begins, is missing"}, "fault", "build", "--from-node", n.url)
	n.faults[0].Proof = append(ledger.HexBytes{}, n.faults[0].Proof...)
	n.faults[0].Proof[len(n.faults[0].Proof)-1] ^= 1
	fails(t, exitFailed, []string{"the proof is not valid: "}, "fault", "build", "--from-node", n.url, id)
}
