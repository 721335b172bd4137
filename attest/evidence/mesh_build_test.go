package evidence_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
)

// sides are the two statements of the golden double vote, and the proof.
func sides(t testing.TB) (first, second, proof []byte, knows evidence.Mesh) {
	t.Helper()
	text, knows := meshProof(t)
	proof = hexBytes(t, text)
	p, err := attest.DecodeFaultProof(proof)
	if err != nil {
		t.Fatal(err)
	}
	d, err := attest.DecodeDoubleVote(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	first, err = attest.EncodeCertificate(&d.First)
	if err != nil {
		t.Fatal(err)
	}
	second, err = attest.EncodeCertificate(&d.Second)
	if err != nil {
		t.Fatal(err)
	}
	return first, second, proof, knows
}

// rebuilt goes the whole way from files to a proof.
func rebuilt(knows evidence.Mesh, files ...[]byte) ([]byte, error) {
	statements, err := evidence.ParseStatements(files...)
	if err != nil {
		return nil, err
	}
	c, err := evidence.FindContradiction(statements)
	if err != nil {
		return nil, err
	}
	sets, err := evidence.Sets(c.Chain, c.Epoch, knows.Sets...)
	if err != nil {
		return nil, err
	}
	proof, _, err := c.Prove(knows.Law, sets...)
	if err != nil {
		return nil, err
	}
	return attest.EncodeFaultProof(proof)
}

func TestADoubleVoteIsRebuiltFromItsSides(t *testing.T) {
	first, second, proof, knows := sides(t)
	inJSON := []byte(`{"links":[{"certificate":"` + hex.EncodeToString(first) + `"},{"certificate":"` + hex.EncodeToString(second) + `"}]}`)
	for _, files := range [][][]byte{
		{first, second}, {second, first}, {[]byte(hex.EncodeToString(first)), second}, {inJSON},
		{first, first, second}, // a repeated one does not hide the other
	} {
		got, err := rebuilt(knows, files...)
		if err != nil || !bytes.Equal(got, proof) {
			t.Errorf("%x, %v", got, err)
		}
	}
	if _, err := rebuilt(knows, first, first); !errors.Is(err, evidence.ErrNoFault) {
		t.Errorf("the same twice: %v", err)
	}
	knows.Sets = nil
	var missing *evidence.Missing
	if _, err := rebuilt(knows, first, second); !errors.As(err, &missing) {
		t.Errorf("without a set: %v", err)
	}
}

// Nobody is convicted by a statement that was changed.
func TestChangedStatementsProveNothing(t *testing.T) {
	first, second, _, knows := sides(t)
	for i := range second {
		second[i] ^= 1
		if got, err := rebuilt(knows, first, second); err == nil {
			t.Errorf("byte %d changed: %x", i, got)
		}
		second[i] ^= 1
	}
}

func FuzzStatements(f *testing.F) {
	first, second, _, knows := sides(f)
	f.Add(first)
	f.Add([]byte(hex.EncodeToString(second)))
	f.Add([]byte(`{"certificate":"` + hex.EncodeToString(first) + `","set":"` + string(knows.Sets[0]) + `","next":""}`))
	f.Add([]byte(`[{"attestation":"00"},{"links":[{"set":"00"}]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		statements, err := evidence.ParseStatements(data, second)
		if err != nil {
			return
		}
		for _, s := range statements {
			if (s.Vote == nil) == (s.Aggregate == nil) || s.Checkpoint().Epoch == 0 {
				t.Errorf("%+v", s)
			}
		}
		c, err := evidence.FindContradiction(statements)
		if err != nil {
			return
		}
		if x, y := c.First.Checkpoint(), c.Second.Checkpoint(); x.Epoch != y.Epoch || !bytes.Equal(x.ChainID, y.ChainID) || x.Root() == y.Root() {
			t.Errorf("%+v and %+v", x, y)
		}
		_, _ = evidence.Sets(c.Chain, c.Epoch, data) // must not panic
	})
}
