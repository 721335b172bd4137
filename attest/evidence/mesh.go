package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// Mesh verifies this protocol's own fault proofs. Its fields are what a proof does
// not hold.
type Mesh struct {
	ChainID string     // whose fault it must be; empty: any chain's
	Law     attest.Law // of the manifest
	Sets    [][]byte   // files with validator sets, the one of the epoch of the offence among them

	// Misplaced reports whether an accusation names another epoch than that of its
	// height, which the manifest tells; nil: not checked.
	Misplaced func(attest.Accusation) bool

	// Breach says in a few words what the evidence of an invalid transition is about;
	// nil: nothing is said.
	Breach func(evidence []byte) string
}

// ErrManifest: the proof is about what the manifest says of its chain, and that was not
// given.
var ErrManifest = &Missing{"how such a proof is judged is in the network's manifest: give the one that describes the chain with --manifest"}

// Verify judges all proofs in files, in their order: the answer of a node about a
// fault or a list of them, or the canonical bytes of a proof, also in hex. Errors are
// [ErrShape], [*Missing], [ErrManifest] among them, and those of a malformed set.
func (m Mesh) Verify(files ...[]byte) ([]Report, error) {
	var proofs []*attest.FaultProof
	for i, data := range files {
		found, err := ParseProofs(data)
		if err != nil {
			return nil, inFile(i, len(files), err)
		}
		proofs = append(proofs, found...)
	}
	sets, err := m.sets()
	if err != nil {
		return nil, err
	}
	reports := make([]Report, len(proofs))
	for i, p := range proofs {
		if reports[i], err = m.judge(sets, p); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// meshFault is how a node tells of a fault.
type meshFault struct {
	Proof string `json:"proof"`
}

// ParseProofs reads proofs of this protocol in the forms that [Mesh.Verify] takes. The
// error is [ErrShape] or [ErrSize].
func ParseProofs(data []byte) ([]*attest.FaultProof, error) {
	var list []meshFault
	var single meshFault
	switch {
	case len(data) > MaxFile:
		return nil, ErrSize
	case json.Unmarshal(data, &single) == nil:
		list = []meshFault{single}
	case json.Unmarshal(data, &list) == nil:
	default:
		list = []meshFault{{Proof: string(data)}} // not trimmed: bytes may end with one that is white in a text
	}
	var proofs []*attest.FaultProof
	for _, f := range list {
		b := unhex([]byte(f.Proof))
		if len(b) == 0 {
			return nil, ErrShape
		}
		p, err := attest.DecodeFaultProof(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrShape, err)
		}
		proofs = append(proofs, p)
	}
	if len(proofs) == 0 {
		return nil, ErrShape
	}
	return proofs, nil
}

// unhex is what hex digits stand for, or else the bytes themselves.
func unhex(data []byte) []byte {
	text := bytes.TrimPrefix(bytes.TrimSpace(data), []byte("0x"))
	if b, err := hex.DecodeString(string(text)); err == nil {
		return b
	}
	return data
}

// sets reads validator sets: as a node answers about a certificate, or the canonical
// bytes of one, also in hex.
func (m Mesh) sets() ([]*attest.Set, error) {
	var all []*attest.Set
	for _, data := range m.Sets {
		var answer struct {
			Set  string `json:"set"`
			Next string `json:"next"`
		}
		encoded := [][]byte{unhex(data)}
		if json.Unmarshal(data, &answer) == nil {
			encoded = [][]byte{unhex([]byte(answer.Set)), unhex([]byte(answer.Next))}
		}
		for _, b := range encoded {
			if len(b) == 0 {
				continue
			}
			v, err := attest.DecodeValidatorSet(b)
			if err != nil {
				return nil, fmt.Errorf("read the validators: %w", err)
			}
			set, err := attest.NewSet(v)
			if err != nil {
				return nil, fmt.Errorf("read the validators: %w", err)
			}
			all = append(all, set)
		}
	}
	return all, nil
}

func (m Mesh) judge(sets []*attest.Set, p *attest.FaultProof) (Report, error) {
	r := &reportWriter{Report{Kind: attest.FaultKind(p.Kind).String(), Offenders: []Offender{}, Checks: []Check{}}}
	accusation, err := attest.Peek(p)
	if errors.Is(err, attest.RuleUnsupported) {
		return Report{}, &Missing{fmt.Sprintf("this version can't judge proofs of kind %s: use a newer one", r.Kind)}
	}
	r.Chain, r.Epoch = accusation.ChainID, accusation.Epoch
	form := fmt.Sprintf("%d validators are accused, of the set %x", accusation.Accused.Count(), accusation.ValidatorsRoot)
	if accusation.Forked {
		form = "nobody is accused: it shows that the chain itself has failed"
	}
	if !r.step("form", err, "canonical; %s", form) ||
		!r.must("chain", m.ChainID == "" || m.ChainID == accusation.ChainID,
			fmt.Errorf("the proof is about chain %s, not %s", accusation.ChainID, m.ChainID), "%s", accusation.ChainID) {
		return r.Report, nil
	}
	if m.Law == nil {
		return Report{}, &Missing{"signatures are bound to a network: give its --manifest"}
	}
	if m.Misplaced != nil && accusation.Height != 0 && !r.must("epoch", !m.Misplaced(accusation),
		fmt.Errorf("height %d of %s is not in epoch %d, whose set the proof names", accusation.Height, accusation.ChainID, accusation.Epoch),
		"height %d is in epoch %d", accusation.Height, accusation.Epoch) {
		return r.Report, nil
	}
	for _, set := range sets {
		if set.Root() == accusation.ValidatorsRoot {
			return m.signed(r, set, p)
		}
	}
	return Report{}, &Missing{fmt.Sprintf("the validator set %x of %s is needed, which signed epoch %d: give with --validators what a node answers to /v1/ledgers/%s/certificates/%d",
		accusation.ValidatorsRoot, accusation.ChainID, accusation.Epoch, accusation.ChainID, accusation.Epoch)}
}

func (m Mesh) signed(r *reportWriter, set *attest.Set, p *attest.FaultProof) (Report, error) {
	fault, err := attest.VerifyFault(m.Law, set, p)
	switch {
	case errors.Is(err, attest.RuleUnsupported):
		return Report{}, ErrManifest
	case attest.FaultKind(p.Kind) == attest.FaultInvalidTransition:
		if !m.transition(r, p, err) {
			return r.Report, nil
		}
	case !r.step("signatures", err, "all are valid on network %s", m.Law.Network()):
		return r.Report, nil
	}
	for _, o := range fault.Offenders() {
		r.Offenders = append(r.Offenders, Offender{Name: hex.EncodeToString(o.Account[:]), Power: o.Power.Dec(), Total: o.Total.Dec()})
	}
	r.Valid = true
	return r.Report, nil
}
