package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/attest/evidence"
)

// ethAnswers are the members of a vector that say what comes out.
var ethAnswers = []string{"expected_valid", "computed_result", "slashed"}

// ethOfState are the vectors that are invalid for a reason which is not in the
// evidence: it is, byte for byte, that of a vector which is valid.
var ethOfState = map[string]string{
	"attester_slashing/participants_already_slashed": "attester_slashing/success_double",
	"proposer_slashing/proposer_is_not_activated":    "proposer_slashing/success",
	"proposer_slashing/proposer_is_slashed":          "proposer_slashing/success",
	"proposer_slashing/proposer_is_withdrawn":        "proposer_slashing/success",
}

func ethVectorTrees(t *testing.T) map[string]ethTree {
	t.Helper()
	var all []ethTree
	if err := json.Unmarshal(ethVectors(t), &all); err != nil {
		t.Fatal(err)
	}
	trees := make(map[string]ethTree)
	for _, vector := range all {
		trees[vector["kind"].(string)+"/"+path.Base(vector["origin"].(string))] = vector
	}
	if len(trees) != 45 {
		t.Fatalf("%d vectors, want 45", len(trees))
	}
	return trees
}

func TestEthereumVectorsAtOnce(t *testing.T) {
	data := ethVectors(t)
	var want []struct {
		Expected bool `json:"expected_valid"`
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	all, err := evidence.ParseEthereum(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(want) {
		t.Fatalf("%d slashings, want %d", len(all), len(want))
	}
	right := 0
	for i := range all {
		if report := all[i].Verify(nil, nil); report.Valid != want[i].Expected {
			t.Errorf("vector %d: valid %v, want %v: %+v", i, report.Valid, want[i].Expected, report)
		} else {
			right++
		}
	}
	t.Logf("%d of %d vectors are judged as expected", right, len(all))
}

// TestEthereumVectorsWithoutTheirAnswers judges what is left when nothing tells the
// outcome: 41 come out as expected from the evidence alone. The other 4 depend on the
// state of the chain, and each is the same evidence as one that is valid.
func TestEthereumVectorsWithoutTheirAnswers(t *testing.T) {
	trees := ethVectorTrees(t)
	for name, twin := range ethOfState {
		if string(ethJSON(t, trees[name]["sides"])) != string(ethJSON(t, trees[twin]["sides"])) {
			t.Errorf("%s and %s differ in their evidence", name, twin)
		}
	}
	for name, vector := range trees {
		t.Run(name, func(t *testing.T) {
			expected := vector["expected_valid"].(bool)
			slashed, _ := vector["slashed"].([]any)
			for _, answer := range ethAnswers {
				delete(vector, answer)
			}
			report := ethRead(t, ethJSON(t, vector)).Verify(nil, nil)
			if _, ofState := ethOfState[name]; report.Valid != (expected || ofState) {
				t.Fatalf("valid %v, want %v: %+v", report.Valid, expected, report)
			}
			if expected {
				ethSameOffenders(t, report, slashed)
			}
			ethSameSignatures(t, report, vector["sides"].([]any))
		})
	}
}

// ethSameOffenders holds the offenders against those whom the specification slashed.
func ethSameOffenders(t *testing.T, report evidence.Report, slashed []any) {
	t.Helper()
	if len(report.Offenders) != len(slashed) {
		t.Fatalf("%d offenders, want %d", len(report.Offenders), len(slashed))
	}
	for i, offender := range report.Offenders {
		want := fmt.Sprintf("validator %v 0x", slashed[i].(ethTree)["index"])
		if !strings.HasPrefix(offender.Name, want) {
			t.Errorf("offender %s, want %s", offender.Name, want)
		}
	}
}

// ethSameSignatures holds what each signature check said against what the vector says.
func ethSameSignatures(t *testing.T, report evidence.Report, sides []any) {
	t.Helper()
	for _, check := range report.Checks {
		for i := range sides {
			if want := sides[i].(ethTree)["signature_valid"]; check.Name == fmt.Sprintf("signature_%d", i+1) && check.OK != want {
				t.Errorf("%s: %v, want %v", check.Name, check.OK, want)
			}
		}
	}
}

func TestEthereumVectorsHoldTheirPower(t *testing.T) {
	report := ethRead(t, ethJSON(t, ethVectorTrees(t)["attester_slashing/success_double"])).Verify(nil, nil)
	if len(report.Offenders) == 0 || report.Offenders[0].Power != "32000000000" {
		t.Fatalf("got %+v", report.Offenders)
	}
}

// TestEthereumDecodedFormIsRecomputed changes each statement of a valid vector that
// something else commits to.
func TestEthereumDecodedFormIsRecomputed(t *testing.T) {
	for _, kind := range []string{"attester_slashing/success_double", "attester_slashing/success_surround", "proposer_slashing/success"} {
		for _, change := range []struct {
			rule  string
			apply func(vector, side ethTree)
		}{
			{"domain", func(v, _ ethTree) { v["genesis_validators_root"] = ethFlip(v["genesis_validators_root"]) }},
			{"domain", func(v, _ ethTree) { v["fork_current_version"] = "0x00000002" }},
			{"domain", func(_, s ethTree) { s["domain"] = ethFlip(s["domain"]) }},
			{"domain", func(_, s ethTree) { s["object_root"] = ethFlip(s["object_root"]) }},
			{"domain", func(_, s ethTree) { s["signing_root"] = ethFlip(s["signing_root"]) }},
			{"keys", func(_, s ethTree) { s["pubkeys"] = s["pubkeys"].([]any)[1:] }},
			{"keys", func(_, s ethTree) { delete(s, "pubkeys") }},
			{"keys", func(_, s ethTree) { s["pubkeys"].([]any)[0] = ethFlip(s["pubkeys"].([]any)[0]) }},
			{"keys", func(_, s ethTree) { s["pubkeys"].([]any)[0] = "0xc0" + strings.Repeat("00", 47) }},
			{"signature_2", func(_, s ethTree) { s["signature"] = ethFlip(s["signature"]) }},
			{"signature_2", func(_, s ethTree) { s["signature"] = "0xc0" + strings.Repeat("00", 95) }},
			{"signature_2", func(_, s ethTree) { s["signature"] = s["signature"].(string)[:190] }},
			{"signature_2", func(_, s ethTree) { s["signature"] = s["signature"].(string) + "00" }},
			{"slashable_validators", func(v, _ ethTree) { v["slashed"] = []any{} }},
			{"slashable_validators", func(v, _ ethTree) { v["slashed"] = []any{ethTree{"index": 1}} }},
		} {
			vector := ethVectorTrees(t)[kind]
			change.apply(vector, vector["sides"].([]any)[1].(ethTree))
			ethFailsAt(t, ethRead(t, ethJSON(t, vector)).Verify(nil, nil), change.rule)
		}
	}
}

// TestEthereumDecodedFormAgainstWhatIsGiven holds chain and keys of the file against
// those of the caller.
func TestEthereumDecodedFormAgainstWhatIsGiven(t *testing.T) {
	e := ethRead(t, ethJSON(t, ethVectorTrees(t)["proposer_slashing/success"]))
	const root = "0x5dec7ae03261fde20d5b024dfabce8bac3276c9a4908e23d50ba8c9b50b0adff"
	const key = "0x911bb496153aa457e3302ea8e74427962c6eb57e97096f65cafe45a238f739b86d4b790debd5c7359f18f3642d7d774c"
	chain := func(root, version string) *ethereum.Chain {
		c, err := evidence.NewEthereumChain(root, version)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	keys := func(text string) evidence.EthereumKeys {
		k, err := evidence.ParseEthereumKeys([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if r := e.Verify(chain(root, "0x00000001"), keys(`{"63":"`+key+`"}`)); !r.Valid {
		t.Fatalf("got %+v", r)
	}
	ethFailsAt(t, e.Verify(chain(ethFlip(root), "0x00000001"), nil), "chain")
	ethFailsAt(t, e.Verify(chain(root, "0x00000000"), nil), "domain")
	ethFailsAt(t, e.Verify(nil, keys(`{"62":"`+key+`"}`)), "keys")
	ethFailsAt(t, e.Verify(nil, keys(`{"63":"`+ethFlip(key)+`"}`)), "keys")
	if err := e.Needs(nil, nil); err != nil {
		t.Fatal(err)
	}
}

// TestEthereumDecodedFormNamesKeysOnce: a key that has two indices, or an index that
// has two keys, is nobody's.
func TestEthereumDecodedFormNamesKeysOnce(t *testing.T) {
	for name, change := range map[string]func(first, second ethTree){
		"two indices": func(first, _ ethTree) {
			first["attesting_indices"] = append(first["attesting_indices"].([]any), 64)
			first["pubkeys"] = append(first["pubkeys"].([]any), first["pubkeys"].([]any)[0])
		},
		"two keys": func(first, second ethTree) {
			second["pubkeys"].([]any)[0] = first["pubkeys"].([]any)[1]
		},
	} {
		t.Run(name, func(t *testing.T) {
			vector := ethVectorTrees(t)["attester_slashing/success_double"]
			sides := vector["sides"].([]any)
			change(sides[0].(ethTree), sides[1].(ethTree))
			ethFailsAt(t, ethRead(t, ethJSON(t, vector)).Verify(nil, nil), "keys")
		})
	}
}

// TestEthereumExampleOfTheDocumentation holds the page against what comes out.
func TestEthereumExampleOfTheDocumentation(t *testing.T) {
	vector := ethVectorTrees(t)["attester_slashing/success_proposer_index_slashed"]
	page, err := os.ReadFile("../../docs/fraud-proofs.md")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, ethJSON(t, ethRead(t, ethJSON(t, vector)).Verify(nil, nil)), "", "  "); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```json\n"+got.String()+"\n```") {
		t.Fatalf("the page must say:\n%s", got.String())
	}
}

// ethFlip changes the last digit of a hexadecimal string.
func ethFlip(v any) string {
	s := v.(string)
	last := "0"
	if strings.HasSuffix(s, "0") {
		last = "1"
	}
	return s[:len(s)-1] + last
}
