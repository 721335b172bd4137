package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// vectorFile finds an input that nobody here wrote; without them the test is
// skipped, loudly.
func vectorFile(t *testing.T, name ...string) string {
	t.Helper()
	root := os.Getenv("MESHSEC_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	path := filepath.Join(append([]string{root}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS CHECKED: no third-party vectors: %v; set MESHSEC_VECTORS to their folder", err)
	}
	return path
}

// osmosisKey is that of the validator in the example of docs/fraud-proofs.md.
const osmosisKey = "7163b2c1debfbad1baec5b898d3c979fca2ed5d201359b5aa9229b1fad96821b"

// TestFraudProofsDocument runs the examples of docs/fraud-proofs.md with CometBFT's
// evidence: each block of a shell command is followed by a block with what it prints.
func TestFraudProofsDocument(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "fraud-proofs.md"))
	ok(t, err)
	files := map[string]string{
		"block.json":             vectorFile(t, "cometbft", "osmosis-1_block_15317185.json"),
		"evidence.pb":            osmosisProto(t),
		"evidence.json":          vectorFile(t, "cometbft", "ics_double_vote_evidence.json"),
		"infraction_header.json": vectorFile(t, "cometbft", "ics_infraction_header.json"),
		"misbehaviour.json":      vectorFile(t, "cometbft", "ics_light_client_attack.json"),
		"keys.txt":               write(t, t.TempDir(), "keys.txt", osmosisKey+"\n"),
	}
	commands := 0
	_, examples, found := strings.Cut(string(doc), "\n## Evidence of CometBFT\n")
	if !found {
		t.Fatal("the document has no section on CometBFT")
	}
	examples, _, _ = strings.Cut(examples, "\n## ")
	parts := strings.Split(examples, "```")
	for i := 1; i < len(parts); i += 2 {
		text, isCommand := strings.CutPrefix(parts[i], "sh\nmeshsec ")
		if !isCommand {
			continue
		}
		commands++
		args := strings.Fields(text)
		for j, a := range args {
			if path, known := files[a]; known {
				args[j] = path
			}
		}
		r := meshsec(t, args...)
		got := r.out
		for name, path := range files {
			got = strings.ReplaceAll(got, path, name)
			r.err = strings.ReplaceAll(r.err, path, name)
		}
		if want := strings.TrimPrefix(parts[i+2], "\n"); got+r.err != want {
			t.Errorf("meshsec %s prints\n%s\nand the document says\n%s", text, got+r.err, want)
		}
	}
	if commands != 4 {
		t.Errorf("%d commands in the document", commands)
	}
}

// osmosisProto is a file with the evidence of that block as CometBFT encodes it.
func osmosisProto(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(vectorFile(t, "cometbft", "osmosis-1_block_15317185.json"))
	ok(t, err)
	var answer struct {
		Result coretypes.ResultBlock `json:"result"`
	}
	ok(t, cmtjson.Unmarshal(b, &answer))
	if answer.Result.Block == nil {
		ok(t, cmtjson.Unmarshal(b, &answer.Result))
	}
	m, err := types.EvidenceToProto(answer.Result.Block.Evidence.Evidence[0])
	ok(t, err)
	encoded, err := m.Marshal()
	ok(t, err)
	return write(t, t.TempDir(), "evidence.pb", string(encoded))
}

func TestFaultVerifyOfForeignEvidence(t *testing.T) {
	block := vectorFile(t, "cometbft", "osmosis-1_block_15317185.json")
	double, header := vectorFile(t, "cometbft", "ics_double_vote_evidence.json"), vectorFile(t, "cometbft", "ics_infraction_header.json")
	attack := vectorFile(t, "cometbft", "ics_light_client_attack.json")
	keys := write(t, t.TempDir(), "keys.txt", osmosisKey)

	r := decoded[evidence.Report](t, done(t, "fault", "verify", block, "--keys", keys, "--json"))
	want := evidence.Offender{Name: "2D159B72D40C1C1DADDF24D2511200001B74ED84", Power: "737515", Total: "367532352"}
	if !r.Valid || r.Kind != "consensus_equivocation" || r.Chain != "osmosis-1" || r.Height != 15317184 || len(r.Offenders) != 1 || r.Offenders[0] != want {
		t.Errorf("%+v", r)
	}
	if r := decoded[evidence.Report](t, done(t, "fault", "verify", attack, "--kind", "light_client_attack", "--json")); len(r.Offenders) != 4 {
		t.Errorf("%+v", r)
	}
	f := fails(t, exitFailed, []string{"is not valid: the signature of vote_a is not that of 6821B5870F39673ED8960A6CCB6EB720954910C0 for chain consumer-2"},
		"fault", "verify", double, "--keys", header, "--chain-id", "consumer-2", "--json")
	if r := decoded[evidence.Report](t, f.out); r.Valid || r.Failed == "" {
		t.Errorf("%+v", r)
	}
	fails(t, exitUsage, []string{"give --validators or --keys"}, "fault", "verify", block)
	fails(t, exitUsage, []string{"give --chain-id"}, "fault", "verify", double, "--keys", header)
	fails(t, exitUsage, []string{"a mere list of keys is for --keys"}, "fault", "verify", double, "--validators", header, "--chain-id", "consumer")
	fails(t, exitUsage, []string{"there is no evidence of kind light_client_attack in it"}, "fault", "verify", block, "--keys", keys, "--kind", "light_client_attack")
	fails(t, exitUsage, []string{"not evidence in any known form"}, "fault", "verify", block, "--kind", "double_vote")
	fails(t, exitUsage, []string{"there is no evidence in it, only 0 blocks without any and 1 signed headers"}, "fault", "verify", vectorFile(t, "cometbft", "signed_blocks", "3000", "signed_block.json"))
	fails(t, exitUsage, []string{"not evidence in any known form"}, "fault", "verify", keys)
	fails(t, exitUsage, []string{"no such file"}, "fault", "verify", block, "--keys", keys+"2")
}

func TestFaultVerifyUsage(t *testing.T) {
	file := write(t, t.TempDir(), "evidence.json", `{"vote_a":{},"vote_b":{}}`)
	fails(t, exitUsage, []string{"FILE is missing"}, "fault", "verify")
	fails(t, exitUsage, []string{"standard input can be one file only"}, "fault", "verify", "-", "-")
	fails(t, exitUsage, []string{`--kind is "murder", want one of double_vote, invalid_transition, invalid_operations, consensus_equivocation, light_client_attack, ethereum_slashing`}, "fault", "verify", file, "--kind", "murder")
	fails(t, exitUsage, []string{"no such file"}, "fault", "verify", file+"2")
	fails(t, exitUsage, []string{"standard input", "not evidence in any known form"}, "fault", "verify", "-")
	fails(t, exitFailed, []string{"evidence.json is not valid: vote_a: it is neither a prevote nor a precommit"}, "fault", "verify", file, "--chain-id", "x")
	list := write(t, t.TempDir(), "list.json", `[{"vote_a":{},"vote_b":{}},{"vote_a":{},"vote_b":5}]`)
	f := fails(t, exitFailed, []string{"2 of 2 pieces of evidence are not valid: "}, "fault", "verify", list, "--chain-id", "x", "--json")
	if r := decoded[[]evidence.Report](t, f.out); len(r) != 2 || r[0].Valid || r[1].Valid {
		t.Error(f.out)
	}
	fails(t, exitUsage, []string{"neither a proof of this protocol nor evidence of CometBFT or Ethereum; --kind says why not"}, "fault", "verify", write(t, t.TempDir(), "empty", ""))
}

// TestFaultVerifyOfOwnProofs takes what a node says about a fault.
func TestFaultVerifyOfOwnProofs(t *testing.T) {
	mesh, err := ledgertest.Play(ledgertest.New(2, 2, nil))
	ok(t, err)
	_, err = mesh.Epoch(home)
	ok(t, err)
	proof, err := mesh.DoubleVote(home, 1, 0)
	ok(t, err)
	b, err := attest.EncodeFaultProof(proof)
	ok(t, err)
	set, err := attest.EncodeValidatorSet(mesh.Set(home, 1).ValidatorSet())
	ok(t, err)
	id := proof.ID()
	fault, err := json.Marshal(api.Fault{ID: id[:], Kind: "double_vote", Chain: home, Epoch: 1, Proof: b})
	ok(t, err)
	certificate, err := json.Marshal(api.Certificate{Set: set})
	ok(t, err)
	m, err := mesh.Manifest.Encode()
	ok(t, err)
	dir := t.TempDir()
	manifest, sets := write(t, dir, "manifest.toml", string(m)), write(t, dir, "certificate.json", string(certificate))
	account := mesh.Chains[0].Validators[0].ID
	for name, content := range map[string]string{"fault.json": string(fault), "fault.hex": hex.EncodeToString(b) + "\n"} {
		file := write(t, dir, name, content)
		r := decoded[evidence.Report](t, done(t, "fault", "verify", file, "--manifest", manifest, "--validators", sets, "--json"))
		if !r.Valid || r.Kind != "double_vote" || r.Chain != home || r.Epoch != 1 || len(r.Offenders) != 1 || r.Offenders[0].Name != hex.EncodeToString(account[:]) {
			t.Errorf("%s: %+v", name, r)
		}
		fails(t, exitUsage, []string{"give its --manifest"}, "fault", "verify", file, "--validators", sets)
		fails(t, exitUsage, []string{"/v1/ledgers/alpha/certificates/1"}, "fault", "verify", file, "--manifest", manifest)
		fails(t, exitFailed, []string{"the proof is about chain alpha, not beta"}, "fault", "verify", file, "--manifest", manifest, "--validators", sets, "--chain-id", "beta")
	}
}

// A proof of an equivocation is judged offline as a ledger would: with its epoch.
func TestEquivocationsAreVerifiedOffline(t *testing.T) {
	m, err := ledgertest.Play(ledgertest.New(1, 3, nil))
	ok(t, err)
	dir, set := t.TempDir(), m.Set("alpha", 1)
	encodedSet, err := attest.EncodeValidatorSet(set.ValidatorSet())
	ok(t, err)
	manifest, err := m.Manifest.Encode()
	ok(t, err)
	verify := func(height uint64) result {
		proof, err := m.Network.Equivocation(set, "alpha", 1, height, m.Chains[0].Validators[1])
		ok(t, err)
		encoded, err := attest.EncodeFaultProof(proof)
		ok(t, err)
		return meshsec(t, "fault", "verify", write(t, dir, "proof", hex.EncodeToString(encoded)), "--kind", "consensus_equivocation",
			"--manifest", write(t, dir, "manifest.toml", string(manifest)), "--validators", write(t, dir, "set", hex.EncodeToString(encodedSet)))
	}
	if r := verify(5); r.code != 0 || !strings.Contains(r.out, "height 5 is in epoch 1") {
		t.Errorf("%+v", r)
	}
	if r := verify(6); r.code != 1 || !strings.Contains(r.out, "height 6 of alpha is not in epoch 1") {
		t.Errorf("%+v", r)
	}
}

// TestFaultVerifyOfProtobuf: what a chain commits, in bytes and in text.
func TestFaultVerifyOfProtobuf(t *testing.T) {
	n := newFakeNode(t)
	offender := n.mesh.Chains[0].Validators[1]
	double := consensusTwice(t, offender.Consensus, 3)
	wrapped, err := types.EvidenceToProto(double)
	ok(t, err)
	b, err := wrapped.Marshal()
	ok(t, err)
	dir := t.TempDir()
	keys := write(t, dir, "keys.txt", hex.EncodeToString(offender.Consensus.Public().(ed25519.PublicKey)))
	want := decoded[evidence.Report](t, done(t, "fault", "verify", write(t, dir, "evidence.json", amino(t, double)), "--keys", keys, "--chain-id", home, "--json"))
	for name, content := range map[string]string{"evidence.pb": string(b), "evidence.hex": hex.EncodeToString(b), "evidence.b64": base64.StdEncoding.EncodeToString(b) + "\n"} {
		file := write(t, dir, name, content)
		for _, more := range [][]string{nil, {"--kind", "consensus_equivocation"}} {
			got := decoded[evidence.Report](t, done(t, append([]string{"fault", "verify", file, "--keys", keys, "--chain-id", home, "--json"}, more...)...))
			if !reflect.DeepEqual(got, want) || !got.Valid {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
		}
		fails(t, exitFailed, []string{"is not valid: the signature of vote_a is not that of"}, "fault", "verify", file, "--keys", keys, "--chain-id", "beta", "--json")
	}
	empty := write(t, dir, "empty.pb", "\x0a\x00\x12\x00")
	fails(t, exitUsage, []string{"not evidence in any known form"}, "fault", "verify", empty, "--chain-id", home)
	fails(t, exitFailed, []string{"is not valid: vote_a: "}, "fault", "verify", empty, "--chain-id", home, "--kind", "consensus_equivocation")
}
