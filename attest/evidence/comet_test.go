package evidence_test

import (
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest/evidence"
)

// osmosisKey is the key of the validator that voted twice on osmosis-1.
const osmosisKey = "7163b2c1debfbad1baec5b898d3c979fca2ed5d201359b5aa9229b1fad96821b\n"

// decodedVote is an item of double_votes.json.
type decodedVote struct {
	ChainID string `json:"chain_id"`
	A       struct {
		SignBytes string `json:"canonical_sign_bytes"`
	} `json:"vote_a"`
	B struct {
		SignBytes string `json:"canonical_sign_bytes"`
	} `json:"vote_b"`
	Address string      `json:"validator_address"`
	Power   json.Number `json:"validator_power"`
	Total   json.Number `json:"total_voting_power"`
}

// one judges files that hold one piece of evidence.
func one(t testing.TB, c evidence.Comet, files ...[]byte) evidence.Report {
	t.Helper()
	reports, err := c.Verify(files...)
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	consistent(t, reports[0])
	return reports[0]
}

// consistent holds the promises of a report.
func consistent(t testing.TB, r evidence.Report) {
	t.Helper()
	allOK := len(r.Checks) > 0
	for _, c := range r.Checks {
		allOK = allOK && c.OK
	}
	if r.Valid != allOK || r.Valid != (r.Failed == "") {
		t.Errorf("valid %v, failed %q, checks %+v", r.Valid, r.Failed, r.Checks)
	}
	if !r.Valid && len(r.Offenders) > 0 {
		t.Errorf("invalid, and convicts %v", r.Offenders)
	}
}

func valid(t testing.TB, r evidence.Report, kind, chain string, height uint64, offenders ...evidence.Offender) {
	t.Helper()
	if !r.Valid || r.Kind != kind || r.Chain != chain || r.Height != height {
		t.Errorf("%+v", r)
	}
	if len(r.Offenders) != len(offenders) {
		t.Fatalf("offenders %v, want %v", r.Offenders, offenders)
	}
	for i, o := range offenders {
		if r.Offenders[i] != o {
			t.Errorf("offender %v, want %v", r.Offenders[i], o)
		}
	}
}

func TestSignBytesAreThoseOfTheVectors(t *testing.T) {
	var all []json.RawMessage
	parse(t, vector(t, "cometbft", "double_votes.json"), &all)
	for _, raw := range all {
		var d decodedVote
		parse(t, raw, &d)
		a, b := evidence.SignBytes(raw, d.ChainID)
		if hex.EncodeToString(a) != d.A.SignBytes || hex.EncodeToString(b) != d.B.SignBytes {
			t.Errorf("%s: sign bytes %x and %x", d.ChainID, a, b)
		}
		valid(t, one(t, evidence.Comet{}, raw), "consensus_equivocation", d.ChainID, map[string]uint64{"osmosis-1": 15317184, "consumer": 25}[d.ChainID],
			evidence.Offender{Name: d.Address, Power: d.Power.String(), Total: d.Total.String()})
	}
	if len(all) != 2 {
		t.Errorf("%d double votes", len(all))
	}
}

func TestMainnetBlockWithEvidence(t *testing.T) {
	block := vector(t, "cometbft", "osmosis-1_block_15317185.json")
	offender := evidence.Offender{Name: "2D159B72D40C1C1DADDF24D2511200001B74ED84", Power: "737515", Total: "367532352"}
	for _, keys := range [][]byte{[]byte(osmosisKey), vector(t, "cometbft", "double_votes.json")} {
		valid(t, one(t, evidence.Comet{Keys: [][]byte{keys}}, block), "consensus_equivocation", "osmosis-1", 15317184, offender)
	}
	_, err := evidence.Comet{}.Verify(block)
	wantMissing(t, err, "--validators or --keys")
	r := one(t, evidence.Comet{Keys: [][]byte{vector(t, "cometbft", "ics_infraction_header.json")}}, block)
	if r.Valid || !strings.Contains(r.Failed, "is not among those that were given") {
		t.Errorf("%+v", r)
	}
	r = one(t, evidence.Comet{Keys: [][]byte{[]byte(osmosisKey)}, ChainID: "osmosis-2"}, block)
	if r.Valid || r.Failed != "the evidence is of chain osmosis-1, not of osmosis-2" {
		t.Errorf("%+v", r)
	}
}

func TestInterchainSecurityDoubleVote(t *testing.T) {
	file, header := vector(t, "cometbft", "ics_double_vote_evidence.json"), vector(t, "cometbft", "ics_infraction_header.json")
	offender := evidence.Offender{Name: "6821B5870F39673ED8960A6CCB6EB720954910C0", Power: "100", Total: "300"}
	valid(t, one(t, evidence.Comet{}, file, header), "consensus_equivocation", "consumer", 25, offender)
	valid(t, one(t, evidence.Comet{ChainID: "consumer", Keys: [][]byte{header}}, file), "consensus_equivocation", "consumer", 25, offender)
	message := []byte(`{"body":{"messages":[{"@type":"/interchain_security.ccv.provider.v1.MsgSubmitConsumerDoubleVoting","submitter":"cosmos1",
		"duplicate_vote_evidence":` + string(file) + `,"infraction_block_header":` + string(header) + `}]}}`)
	valid(t, one(t, evidence.Comet{}, message), "consensus_equivocation", "consumer", 25, offender)

	_, err := evidence.Comet{Keys: [][]byte{header}}.Verify(file)
	wantMissing(t, err, "give --chain-id")
	_, err = evidence.Comet{ChainID: "consumer", Validators: [][]byte{header}}.Verify(file)
	if err == nil || !strings.Contains(err.Error(), "is in the set twice; a mere list of keys is for --keys") {
		t.Error(err)
	}
	r := one(t, evidence.Comet{ChainID: "consumer-2", Keys: [][]byte{header}}, file)
	if r.Valid || r.Failed != "the signature of vote_a is not that of 6821B5870F39673ED8960A6CCB6EB720954910C0 for chain consumer-2" {
		t.Errorf("%+v", r)
	}
}

func TestInterchainSecurityLightClientAttack(t *testing.T) {
	file := vector(t, "cometbft", "ics_light_client_attack.json")
	r := one(t, evidence.Comet{}, file)
	if len(r.Offenders) != 4 {
		t.Fatalf("%+v", r)
	}
	for _, o := range r.Offenders {
		if o.Power != "1" || o.Total != "4" {
			t.Errorf("%+v", o)
		}
	}
	valid(t, r, "light_client_attack", "testchain2", 19, r.Offenders...)

	// The same as two headers that somebody kept.
	var m map[string]json.RawMessage
	parse(t, file, &m)
	same := one(t, evidence.Comet{}, m["header_1"], m["header_2"])
	valid(t, same, "light_client_attack", "testchain2", 19, r.Offenders...)
	if same := one(t, evidence.Comet{}, m["header_1"], m["header_1"]); same.Valid || !strings.Contains(same.Failed, "both headers are the same block") {
		t.Errorf("%+v", same)
	}
	if r := one(t, evidence.Comet{ChainID: "testchain1"}, file); r.Valid {
		t.Errorf("%+v", r)
	}
}

func TestSignedBlocksVerify(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors(t, "cometbft", "signed_blocks"), "*", "signed_block.json"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, path := range files {
		height := filepath.Base(filepath.Dir(path))
		data := vector(t, "cometbft", "signed_blocks", height, "signed_block.json")
		n, err := evidence.SignedBlock(data)
		if err != nil || n == 0 {
			t.Errorf("%s: %d signers: %v", height, n, err)
		}
	}
}

func parse(t testing.TB, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func wantMissing(t testing.TB, err error, text string) {
	t.Helper()
	m, ok := err.(*evidence.Missing)
	if !ok || !strings.Contains(m.What, text) {
		t.Errorf("error %v, want that %q is missing", err, text)
	}
}
