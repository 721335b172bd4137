package evidence_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
)

// goldenForm is one of the golden files of attest, in hex.
func goldenForm(t testing.TB, name, form string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var forms map[string]string
	parse(t, b, &forms)
	if forms[form] == "" {
		t.Fatalf("%s has no %s", name, form)
	}
	return forms[form]
}

// meshProof is a valid double vote with what it is judged by.
func meshProof(t testing.TB) (proof string, knows evidence.Mesh) {
	t.Helper()
	network := attest.Network(hexBytes(t, goldenForm(t, "checkpoint", "network")))
	return goldenForm(t, "double_vote", "ssz"), evidence.Mesh{Law: network, Sets: [][]byte{[]byte(goldenForm(t, "validator_set", "ssz"))}}
}

func hexBytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOwnProofsInEveryForm(t *testing.T) {
	proof, knows := meshProof(t)
	set := string(knows.Sets[0])
	for _, file := range []string{proof, "0x" + strings.ToUpper(proof) + "\n", string(hexBytes(t, proof)), `{"kind":"double_vote","proof":"` + proof + `"}`, `[{"proof":"` + proof + `"}]`} {
		for _, sets := range []string{set, string(hexBytes(t, set)), `{"certificate":"00","set":"` + set + `","next":""}`} {
			knows.Sets = [][]byte{[]byte(sets)}
			reports, err := knows.Verify([]byte(file))
			if err != nil || len(reports) != 1 {
				t.Fatalf("%d reports: %v", len(reports), err)
			}
			r := reports[0]
			consistent(t, r)
			if !r.Valid || r.Kind != "double_vote" || r.Epoch != 7 || len(r.Offenders) != 1 || r.Offenders[0].Power != "20" || r.Offenders[0].Total != "100" {
				t.Fatalf("%+v", r)
			}
		}
	}
}

func TestOwnProofsThatAreNone(t *testing.T) {
	proof, knows := meshProof(t)
	b := hexBytes(t, proof)
	for i := range b {
		b[i] ^= 1
		reports, err := knows.Verify(b)
		for _, r := range reports {
			if consistent(t, r); r.Valid {
				t.Errorf("valid with byte %d changed", i)
			}
		}
		if err == nil && len(reports) != 1 {
			t.Errorf("byte %d: %d reports", i, len(reports))
		}
		b[i] ^= 1
	}
	for _, wrong := range [][]byte{append(b[:len(b):len(b)], 0), b[:len(b)-1]} {
		if reports, err := knows.Verify(wrong); err == nil && reports[0].Valid {
			t.Errorf("%+v", reports)
		}
	}
	elsewhere := knows
	elsewhere.Law = attest.Network{1}
	for _, tc := range []struct {
		knows  evidence.Mesh
		failed string
	}{
		{elsewhere, "signature"},
		{evidence.Mesh{ChainID: "omega", Law: knows.Law, Sets: knows.Sets}, "not omega"},
	} {
		reports, err := tc.knows.Verify(b)
		if err != nil || reports[0].Valid || !strings.Contains(reports[0].Failed, tc.failed) {
			t.Errorf("%+v: %v", reports, err)
		}
	}
	_, err := evidence.Mesh{Sets: knows.Sets}.Verify(b)
	wantMissing(t, err, "--manifest")
	_, err = evidence.Mesh{Law: knows.Law}.Verify(b)
	wantMissing(t, err, "--validators")
	unknown := append([]byte{77}, b[1:]...)
	_, err = knows.Verify(unknown)
	wantMissing(t, err, "fault_77")
}

// Bytes that end or begin with what is white in a text are not cut.
func TestProofsInBytesAreNotTrimmed(t *testing.T) {
	proof, _ := meshProof(t)
	b := hexBytes(t, proof)
	for last := range 256 {
		b[len(b)-1] = byte(last)
		proofs, err := evidence.ParseProofs(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := attest.EncodeFaultProof(proofs[0]); err != nil || !bytes.Equal(again, b) {
			t.Errorf("last byte %x: %d of %d bytes: %v", last, len(again), len(b), err)
		}
	}
}

func FuzzMesh(f *testing.F) {
	proof, knows := meshProof(f)
	f.Add([]byte(proof))
	f.Add(hexBytes(f, proof))
	answer, err := json.Marshal(map[string]any{"kind": "double_vote", "proof": proof})
	must(f, err)
	f.Add(answer)
	f.Fuzz(func(t *testing.T, data []byte) {
		reports, err := knows.Verify(data)
		if err != nil {
			return
		}
		for _, r := range reports {
			consistent(t, r)
			for _, o := range r.Offenders {
				if o.Power != "20" {
					t.Errorf("convicted another than who voted twice: %+v", r)
				}
			}
		}
	})
}
