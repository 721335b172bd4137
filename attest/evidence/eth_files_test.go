package evidence_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/meshsec/meshsec/attest/evidence"
)

// The vectors as one file, as a command would be given them.
func TestEthereumFilesAreJudgedOneByOne(t *testing.T) {
	file := vector(t, "ethereum-slashing", "operations.json")
	var want []struct {
		Origin string `json:"origin"`
		Valid  bool   `json:"expected_valid"`
	}
	if err := json.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	reports, err := evidence.EthereumFiles{}.Verify(file)
	if err != nil || len(reports) != len(want) {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	for i, r := range reports {
		if r.Valid != want[i].Valid {
			t.Errorf("%s: %+v", want[i].Origin, r)
		}
	}
}

func TestEthereumFilesSayWhatIsMissing(t *testing.T) {
	slashing := []byte(`{"signed_header_1":` + header + `,"signed_header_2":` + header + `}`)
	_, err := evidence.EthereumFiles{}.Verify(slashing)
	if missing := (*evidence.Missing)(nil); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
	if _, err := (evidence.EthereumFiles{}).Verify([]byte(`{"a":1}`)); !errors.Is(err, evidence.ErrShape) {
		t.Errorf("%v", err)
	}
	if _, err := (evidence.EthereumFiles{}).Verify(make([]byte, 16<<20)); !errors.Is(err, evidence.ErrSize) {
		t.Errorf("%v", err)
	}
	key := []byte(`{"1":"0x` + hexOf(48, "a") + `"}`)
	other := []byte(`{"1":"0x` + hexOf(48, "b") + `"}`)
	if _, err := (evidence.EthereumFiles{Keys: [][]byte{key, other}}).Verify(slashing); err == nil || errors.Is(err, evidence.ErrShape) {
		t.Errorf("two keys of one validator: %v", err)
	}
}

func hexOf(bytes int, digit string) string {
	s := ""
	for range 2 * bytes {
		s += digit
	}
	return s
}

var header = `{"message":{"slot":"1","proposer_index":"2","parent_root":"0x` + hexOf(32, "1") + `","state_root":"0x` + hexOf(32, "2") +
	`","body_root":"0x` + hexOf(32, "3") + `"},"signature":"0x` + hexOf(96, "4") + `"}`
