package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// Statement is what validators of this protocol signed: a vote of one of them, or an
// aggregate such as a certificate. One of both is set.
type Statement struct {
	Vote      *attest.Attestation
	Aggregate *attest.Certificate
}

// Checkpoint is what was signed.
func (s Statement) Checkpoint() *attest.Checkpoint {
	if s.Vote != nil {
		return &s.Vote.Checkpoint
	}
	return &s.Aggregate.Checkpoint
}

// in is the statement as an aggregate of a set.
func (s Statement) in(set *attest.Set) (*attest.Certificate, error) {
	if s.Vote != nil {
		return s.Vote.Single(set)
	}
	return s.Aggregate, nil
}

// meshAnswer is how a node tells of a certificate, of several of them, and how others
// write a vote.
type meshAnswer struct {
	Certificate string       `json:"certificate"`
	Attestation string       `json:"attestation"`
	Set         string       `json:"set"`
	Next        string       `json:"next"`
	Links       []meshAnswer `json:"links"`
}

// meshAnswers reads one of them, or a list.
func meshAnswers(data []byte) (list []meshAnswer, isJSON bool) {
	var one meshAnswer
	if json.Unmarshal(data, &one) == nil {
		return append(one.Links, one), true
	}
	return list, json.Unmarshal(data, &list) == nil
}

// ParseStatements reads votes and certificates: their canonical bytes, also in hex, or in
// JSON as a node answers about certificates; {"attestation": "<hex>"} is a vote. The
// error is [ErrShape] or [ErrSize].
func ParseStatements(files ...[]byte) ([]Statement, error) {
	var all []Statement
	for i, data := range files {
		found, err := parseStatements(data)
		if err != nil {
			return nil, inFile(i, len(files), err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func parseStatements(data []byte) (out []Statement, err error) {
	if len(data) > MaxFile {
		return nil, ErrSize
	}
	list, isJSON := meshAnswers(data)
	if !isJSON {
		s, err := parseStatement(unhex(data))
		return []Statement{s}, err
	}
	for _, a := range list {
		for _, text := range []string{a.Certificate, a.Attestation} {
			if text == "" {
				continue
			}
			s, err := parseStatement(unhex([]byte(text)))
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no vote and no certificate", ErrShape)
	}
	return out, nil
}

// parseStatement tells votes and certificates apart by their encoding: no bytes are both.
func parseStatement(b []byte) (Statement, error) {
	vote, notVote := attest.DecodeAttestation(b)
	if notVote == nil {
		return Statement{Vote: vote}, nil
	}
	aggregate, err := attest.DecodeCertificate(b)
	if err != nil {
		return Statement{}, fmt.Errorf("%w: neither a vote (%w) nor a certificate (%w)", ErrShape, notVote, err)
	}
	return Statement{Aggregate: aggregate}, nil
}

// Certificate is the first one of an epoch of a chain in files that may hold sets as well,
// nil if there is none. Nothing of it is verified.
func Certificate(chain string, epoch uint64, files ...[]byte) *attest.Certificate {
	for _, data := range files {
		statements, err := ParseStatements(data)
		if err != nil {
			continue // it holds sets
		}
		for _, s := range statements {
			if c := s.Aggregate; c != nil && string(c.Checkpoint.ChainID) == chain && c.Checkpoint.Epoch == epoch {
				return c
			}
		}
	}
	return nil
}

// Contradiction is two statements that nobody may sign both.
type Contradiction struct {
	Chain         string
	Epoch         uint64
	First, Second Statement
}

// ErrNoFault: the statements prove nothing against anybody.
var ErrNoFault = errors.New("no fault")

// FindContradiction finds the first two statements that contradict each other. The error
// is [ErrNoFault].
func FindContradiction(all []Statement) (*Contradiction, error) {
	if len(all) < 2 {
		return nil, fmt.Errorf("%w: a double vote takes two votes or certificates, and this is %d", ErrNoFault, len(all))
	}
	for i, a := range all {
		for _, b := range all[i+1:] {
			x, y := a.Checkpoint(), b.Checkpoint()
			if bytes.Equal(x.ChainID, y.ChainID) && x.Epoch == y.Epoch && x.Root() != y.Root() {
				return &Contradiction{string(x.ChainID), x.Epoch, a, b}, nil
			}
		}
	}
	x, y := all[0].Checkpoint(), all[1].Checkpoint()
	switch {
	case len(all) > 2:
		return nil, fmt.Errorf("%w: none of the %d votes and certificates contradicts another", ErrNoFault, len(all))
	case !bytes.Equal(x.ChainID, y.ChainID):
		return nil, fmt.Errorf("%w: one is of chain %s, the other of %s", ErrNoFault, x.ChainID, y.ChainID)
	case x.Epoch != y.Epoch:
		return nil, fmt.Errorf("%w: one is of epoch %d, the other of epoch %d", ErrNoFault, x.Epoch, y.Epoch)
	}
	return nil, fmt.Errorf("%w: both are for the same checkpoint %x", ErrNoFault, x.Root())
}

// Sets are the validator sets in files that sign an epoch of a chain: bare ones, which are
// taken at their word, and those in what a node answers about a certificate of that epoch
// or of the one before, which commits to it.
func Sets(chain string, epoch uint64, files ...[]byte) ([]*attest.Set, error) {
	var all []*attest.Set
	for i, data := range files {
		encoded, err := setsIn(chain, epoch, data)
		if err != nil {
			return nil, inFile(i, len(files), err)
		}
		sets, err := Mesh{Sets: encoded}.sets()
		if err != nil {
			return nil, inFile(i, len(files), err)
		}
		all = append(all, sets...)
	}
	return all, nil
}

func setsIn(chain string, epoch uint64, data []byte) (encoded [][]byte, err error) {
	list, isJSON := meshAnswers(data)
	if !isJSON {
		if _, err := parseStatement(unhex(data)); err == nil {
			return nil, nil // it holds no set
		}
		return [][]byte{data}, nil
	}
	set := ""
	for _, a := range list {
		if a.Certificate == "" {
			encoded = append(encoded, []byte(a.Set), []byte(a.Next))
			continue
		}
		if a.Set == "" {
			a.Set = set // in a page of certificates, that of the one before
		}
		set = a.Set
		s, err := parseStatement(unhex([]byte(a.Certificate)))
		if err != nil {
			return nil, err
		}
		switch cp := s.Checkpoint(); {
		case string(cp.ChainID) != chain:
		case cp.Epoch == epoch:
			encoded = append(encoded, []byte(a.Set))
		case cp.Epoch+1 == epoch:
			encoded = append(encoded, []byte(a.Next))
		}
	}
	return encoded, nil
}

// Prove makes the proof, and verifies it with the first of the sets with which it is
// valid. The error is [ErrNoFault] with the reason that the last set gave.
func (c *Contradiction) Prove(law attest.Law, sets ...*attest.Set) (*attest.FaultProof, *attest.Set, error) {
	err := error(&Missing{"no validator set is given"})
	for _, set := range sets {
		var proof *attest.FaultProof
		if proof, err = c.prove(law, set); err == nil {
			return proof, set, nil
		}
		err = fmt.Errorf("%w: %w", ErrNoFault, err)
	}
	return nil, nil, err
}

func (c *Contradiction) prove(law attest.Law, set *attest.Set) (*attest.FaultProof, error) {
	first, err := c.First.in(set)
	if err != nil {
		return nil, err
	}
	second, err := c.Second.in(set)
	if err != nil {
		return nil, err
	}
	proof, err := attest.BuildDoubleVote(set, first, second)
	if err != nil {
		return nil, err
	}
	_, err = attest.VerifyFault(law, set, proof)
	return proof, err
}
