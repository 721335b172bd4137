package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// ProofFormat is what a proof file says it is.
const ProofFormat = "meshsec/proof/1"

// Limits of a proof file. A file of one record and one certificate with the largest
// value and set has some 2 MiB.
const (
	MaxProofFile    = 64 << 20 // bytes
	MaxProofRecords = 256
)

// Proof is a file that shows, offline, what a chain's ledger held under some keys at
// the end of an epoch, to anyone who trusts something along its trail.
type Proof struct {
	Format  string        `json:"format"`
	Network HexBytes      `json:"network"`
	Chain   string        `json:"chain"`
	Epoch   uint64        `json:"epoch"`
	Records []ProofRecord `json:"records"`
	Trail   Trail         `json:"trail"` // the last certificate is that of Epoch
}

// ProofRecord is what a ledger holds under one key.
type ProofRecord struct {
	Name    string   `json:"name"` // as [ParseKey] reads it
	Key     HexBytes `json:"key"`
	Present bool     `json:"present"`
	Value   HexBytes `json:"value,omitempty"`
	Proof   HexBytes `json:"proof"` // trie.Proof in canonical form
}

// ProveRecord makes the part of a proof that is about one record of a state.
func ProveRecord(tree *trie.Tree, key []byte) (ProofRecord, error) {
	name, err := KeyName(key)
	if err != nil {
		return ProofRecord{}, err
	}
	p, err := tree.Prove(key)
	if err != nil {
		return ProofRecord{}, err
	}
	encoded, err := p.MarshalBinary()
	if err != nil {
		return ProofRecord{}, err
	}
	return ProofRecord{Name: name, Key: key, Present: p.Value != nil, Value: p.Value, Proof: encoded}, nil
}

// Encode returns the canonical form, which is JSON.
func (p *Proof) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode proof: %w", err)
	}
	return append(b, '\n'), nil
}

// DecodeProof reads exactly what Encode writes. It verifies nothing.
func DecodeProof(b []byte) (*Proof, error) {
	if len(b) > MaxProofFile {
		return nil, fmt.Errorf("it has %d bytes, at most %d are allowed", len(b), MaxProofFile)
	}
	p := new(Proof)
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("it is not a proof: %w", err)
	}
	again, err := p.Encode()
	switch {
	case err != nil:
		return nil, err
	case p.Format != ProofFormat:
		return nil, fmt.Errorf("its format is %q, this program reads %q", p.Format, ProofFormat)
	case !bytes.Equal(again, b):
		return nil, errors.New("it is not in canonical form: something was added or rewritten")
	}
	return p, nil
}

// Verify checks the proof and returns the certificate under which its records are
// proven. The error is one sentence that says which check failed.
func (p *Proof) Verify(trust Trust) (attest.VerifiedCertificate, error) {
	var none attest.VerifiedCertificate
	if len(p.Network) != len(attest.Network{}) {
		return none, fmt.Errorf("the network id has %d bytes, not 32", len(p.Network))
	}
	if n := len(p.Records); n == 0 || n > MaxProofRecords {
		return none, fmt.Errorf("it is about %d records, not 1 to %d", n, MaxProofRecords)
	}
	certificate, err := p.Trail.Verify(attest.Network(p.Network), p.Chain, trust)
	if err != nil {
		return none, err
	}
	if certificate.Epoch() != p.Epoch {
		return none, fmt.Errorf("its last certificate is that of epoch %d, not %d", certificate.Epoch(), p.Epoch)
	}
	root := certificate.Checkpoint().LedgerRoot
	for i := range p.Records {
		if err := p.Records[i].verify(root); err != nil {
			return none, fmt.Errorf("record %.100q: %w", p.Records[i].Name, err)
		}
	}
	return certificate, nil
}

// verify checks one record against the root of the state.
func (r *ProofRecord) verify(root [32]byte) error {
	key, err := ParseKey(r.Name)
	if err != nil {
		return err
	}
	if !bytes.Equal(key, r.Key) {
		return fmt.Errorf("its key is not that of its name")
	}
	proof, err := trie.UnmarshalProof(r.Proof)
	if err != nil {
		return fmt.Errorf("its proof can't be read: %w", err)
	}
	value, present, err := proof.Verify(root, key)
	switch {
	case err != nil:
		return fmt.Errorf("its proof does not lead to the certified ledger root %x: %w", root, err)
	case present != r.Present:
		return fmt.Errorf("present is %t, proven is %t", r.Present, present)
	case !bytes.Equal(value, r.Value):
		return errors.New("its value is not the one that is proven")
	}
	return nil
}
