package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// beaconNode is a fake node whose home chain is a beacon chain, of which epoch 1 is the
// beacon chain's epoch 100, slots 500 to 504. Its validator i has index 10+i there.
func beaconNode(t *testing.T) *fakeNode {
	t.Helper()
	n := newFakeNodeOf(t, ledgertest.New(2, 3, func(m *ledger.Manifest) { ledgertest.Beacon(m, home) }))
	for range 2 {
		_, err := n.mesh.Epoch(home)
		ok(t, err)
	}
	return n
}

func hexOf(b []byte) string { return fmt.Sprintf("0x%x", b) }

// beaconVote is a vote as the beacon API writes it.
func (n *fakeNode) beaconVote(t *testing.T, d *ethereum.AttestationData, by ...int) map[string]any {
	t.Helper()
	domain := n.mesh.Manifest.Law().Beacon(home).Domain(ethereum.DomainAttester, d.Target.Epoch)
	message := ethereum.SigningRoot(d.Root(), domain)
	var indices []string
	var signatures []bls.Signature
	for _, i := range by {
		indices = append(indices, fmt.Sprint(10+i))
		signatures = append(signatures, n.mesh.Chains[0].Validators[i].Beacon.Sign(message[:]))
	}
	sum, err := bls.Aggregate(signatures)
	ok(t, err)
	signature := sum.Bytes()
	checkpoint := func(c ethereum.Checkpoint) map[string]any {
		return map[string]any{"epoch": fmt.Sprint(c.Epoch), "root": hexOf(c.Root[:])}
	}
	return map[string]any{"attesting_indices": indices, "signature": hexOf(signature[:]), "data": map[string]any{
		"slot": fmt.Sprint(d.Slot), "index": fmt.Sprint(d.Index), "beacon_block_root": hexOf(d.BeaconBlockRoot[:]),
		"source": checkpoint(d.Source), "target": checkpoint(d.Target),
	}}
}

func (n *fakeNode) beaconBlock(t *testing.T, slot uint64, variant byte, by int) map[string]any {
	t.Helper()
	h := &ethereum.BeaconBlockHeader{Slot: slot, ProposerIndex: uint64(10 + by), BodyRoot: [32]byte{variant}}
	beacon := n.mesh.Manifest.Law().Beacon(home)
	message := ethereum.SigningRoot(h.Root(), beacon.Domain(ethereum.DomainProposer, beacon.EpochOf(slot)))
	signature := n.mesh.Chains[0].Validators[by].Beacon.Sign(message[:]).Bytes()
	zero := hexOf(make([]byte, 32))
	return map[string]any{"signature": hexOf(signature[:]), "message": map[string]any{
		"slot": fmt.Sprint(slot), "proposer_index": fmt.Sprint(10 + by), "parent_root": zero, "state_root": zero, "body_root": hexOf(h.BodyRoot[:]),
	}}
}

func jsonFile(t *testing.T, dir, name string, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	ok(t, err)
	return write(t, dir, name, string(b))
}

// beaconKeys are the keys of all validators by their index, and of a stranger, 99.
func (n *fakeNode) beaconKeys(t *testing.T, dir string) string {
	t.Helper()
	keys := map[string]string{}
	for i, v := range n.mesh.Chains[0].Validators {
		b := v.Beacon.PublicKey().Bytes()
		keys[fmt.Sprint(10+i)] = hexOf(b[:])
	}
	b := n.mesh.Chains[1].Validators[0].Key.PublicKey().Bytes()
	keys["99"] = hexOf(b[:])
	return jsonFile(t, dir, "keys.json", keys)
}

func TestSlashingsAreBuiltFromWhatABeaconNodeAnswers(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := beaconNode(t)
	dir := t.TempDir()
	keys, manifest := n.beaconKeys(t, dir), n.manifestIn(t, dir)
	set, err := attest.EncodeValidatorSet(n.mesh.Set(home, 2).ValidatorSet())
	ok(t, err)
	bare := write(t, dir, "set.ssz", string(set))
	vote := func(source, target uint64, variant byte) *ethereum.AttestationData {
		return &ethereum.AttestationData{BeaconBlockRoot: [32]byte{variant}, Source: ethereum.Checkpoint{Epoch: source}, Target: ethereum.Checkpoint{Epoch: target}}
	}
	double := jsonFile(t, dir, "double.json", map[string]any{"data": []any{map[string]any{
		"attestation_1": n.beaconVote(t, vote(100, 101, 0), 0, 1), "attestation_2": n.beaconVote(t, vote(100, 101, 1), 1, 2),
	}}})
	surround := jsonFile(t, dir, "surround.json", map[string]any{ // the outer target is of an epoch that nobody knows yet
		"attestation_1": n.beaconVote(t, vote(98, 999, 0), 1), "attestation_2": n.beaconVote(t, vote(99, 101, 0), 1),
	})
	blocks := jsonFile(t, dir, "blocks.json", map[string]any{"signed_header_1": n.beaconBlock(t, 505, 0, 1), "signed_header_2": n.beaconBlock(t, 505, 1, 1)})
	for _, file := range []string{double, surround, blocks} {
		for i, given := range [][]string{{"--node", n.url}, {"--validators", bare}} {
			out := filepath.Join(dir, fmt.Sprintf("%s-%d.proof", filepath.Base(file), i))
			args := append([]string{"fault", "build", "--kind", "ethereum_slashing", file, "--keys", keys, "--manifest", manifest, "--json", "--out", out}, given...)
			w := decoded[writtenProof](t, done(t, args...))
			if !w.Valid || w.Kind != "ethereum_slashing" || w.Epoch != 2 && file != surround || len(w.Offenders) != 1 ||
				w.Offenders[0].Name != n.mesh.Chains[0].Validators[1].ID.String() {
				t.Fatalf("%s %v: %+v", file, given, w)
			}
			r := decoded[evidence.Report](t, done(t, "fault", "verify", out, "--manifest", manifest, "--validators", bare, "--json"))
			if !r.Valid || r.Kind != "ethereum_slashing" || r.Chain != home {
				t.Errorf("%+v", r)
			}
			// The network id alone does not say which beacon chain it is.
			fails(t, exitUsage, []string{"--manifest"}, "fault", "verify", out, "--validators", bare)
		}
	}
}

func TestSlashingsThatTheMeshCantJudgeAreNotBuilt(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := beaconNode(t)
	dir := t.TempDir()
	keys, manifest := n.beaconKeys(t, dir), n.manifestIn(t, dir)
	d := &ethereum.AttestationData{Target: ethereum.Checkpoint{Epoch: 101}}
	other := *d
	other.Slot++
	a, b := n.beaconVote(t, d, 1), n.beaconVote(t, &other, 1)
	good := jsonFile(t, dir, "good.json", map[string]any{"attestation_1": a, "attestation_2": b})
	a["attesting_indices"] = []string{"11", "99"}
	stranger := jsonFile(t, dir, "stranger.json", map[string]any{"attestation_1": a, "attestation_2": b})
	a["attesting_indices"] = []string{"12"}
	another := jsonFile(t, dir, "another.json", map[string]any{"attestation_1": a, "attestation_2": n.beaconVote(t, &other, 1, 2)})
	a["attesting_indices"] = []string{"11", "77"}
	unknown := jsonFile(t, dir, "unknown.json", map[string]any{"attestation_1": a, "attestation_2": b})
	early := &ethereum.AttestationData{Target: ethereum.Checkpoint{Epoch: 9}}
	before := jsonFile(t, dir, "before.json", map[string]any{"signed_header_1": n.beaconBlock(t, 499, 0, 1), "signed_header_2": n.beaconBlock(t, 499, 1, 1)})
	same := jsonFile(t, dir, "same.json", map[string]any{"attestation_1": n.beaconVote(t, early, 1), "attestation_2": n.beaconVote(t, d, 1)})

	build := func(file string, more ...string) []string {
		return append([]string{"fault", "build", "--kind", "ethereum_slashing", file, "--node", n.url}, more...)
	}
	done(t, build(good, "--keys", keys, "--manifest", manifest)...)
	for _, k := range []struct {
		code int
		text string
		args []string
	}{
		{exitFailed, "1 of 2 signers are not in the validator set", build(stranger, "--keys", keys, "--manifest", manifest)},
		{exitFailed, "signature", build(another, "--keys", keys, "--manifest", manifest)},
		{exitUsage, "key of validator 77", build(unknown, "--keys", keys, "--manifest", manifest)},
		{exitUsage, "key of validator 11", build(good, "--manifest", manifest)},
		{exitUsage, "--manifest", build(good, "--keys", keys)},
		{exitFailed, "before the first slot", build(before, "--keys", keys, "--manifest", manifest)},
		{exitFailed, "do not contradict", build(same, "--keys", keys, "--manifest", manifest)},
		{exitUsage, "not evidence in any known form", build(keys, "--keys", keys, "--manifest", manifest)},
	} {
		fails(t, k.code, []string{k.text}, k.args...)
	}
	// In a network without a beacon chain nobody can judge it.
	plain := newFakeNode(t)
	fails(t, exitUsage, []string{"the one that describes the chain"}, build(good, "--keys", keys, "--manifest", plain.manifestIn(t, t.TempDir()))...)
}

// From the beacon API to the conviction. Without a manifest the node judges the proof,
// with one it is judged before it travels.
func TestASlashingIsSubmittedAndExplained(t *testing.T) {
	t.Setenv("MESHSEC_HOME", t.TempDir())
	n := beaconNode(t)
	dir := t.TempDir()
	keys, manifest, out := n.beaconKeys(t, dir), n.manifestIn(t, dir), filepath.Join(dir, "proof.json")
	blocks := jsonFile(t, dir, "blocks.json", map[string]any{"signed_header_1": n.beaconBlock(t, 509, 0, 1), "signed_header_2": n.beaconBlock(t, 509, 1, 1)})
	done(t, "fault", "build", "--kind", "ethereum_slashing", blocks, "--keys", keys, "--manifest", manifest, "--node", n.url, "--out", out)
	v := n.mesh.Chains[0].Validators
	r := decoded[reported](t, done(t, "fault", "submit", out, "--node", n.url, "--account", v[0].ID.String(), "--json"))
	if r.Outcome != outcomeRecorded || r.Kind != "ethereum_slashing" || r.Epoch != 2 || r.Recorded == nil || len(r.Recorded.Convicted) != 1 || r.Recorded.Convicted[0].Account != v[1].ID {
		t.Fatalf("%+v", r)
	}
	id := fmt.Sprintf("%x", []byte(r.Fault))
	for _, show := range [][]string{{"fault", "explain", id}, {"fault", "show", id}, {"fault", "list"}} {
		if text := done(t, append(show, "--node", n.url)...); !strings.Contains(text, "ethereum_slashing") {
			t.Errorf("%v does not name the kind: %s", show, text)
		}
	}

	again := decoded[reported](t, done(t, "fault", "submit", out, "--home", homeOf(t, n.mesh), "--node", n.url, "--account", v[0].ID.String(), "--json"))
	if again.Outcome != outcomeDuplicate || len(again.Offenders) != 1 || again.Offenders[0] != v[1].ID {
		t.Errorf("%+v", again)
	}
	file := decoded[proofFile](t, done(t, "fault", "build", "--kind", "ethereum_slashing", blocks, "--keys", keys, "--manifest", manifest, "--node", n.url))
	proof, err := attest.DecodeFaultProof(file.Proof)
	ok(t, err)
	e, err := attest.DecodeEthereumSlashing(proof.Body)
	ok(t, err)
	e.First.Signature, e.Second.Signature = e.Second.Signature, e.First.Signature
	proof.Body, err = attest.EncodeEthereumSlashing(e)
	ok(t, err)
	b, err := attest.EncodeFaultProof(proof)
	ok(t, err)
	forged := write(t, dir, "forged.ssz", string(b))
	fails(t, exitFailed, []string{"signature"}, "fault", "submit", forged, "--home", homeOf(t, n.mesh), "--node", n.url, "--account", v[0].ID.String())
}
