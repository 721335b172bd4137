package evidence

import (
	"fmt"
	"slices"

	"github.com/meshsec/meshsec/attest/ethereum"
)

// Limits of what is read at once. MaxEthereumEvidence, in bytes, is enough for the
// largest attester slashing, printed with an index per line.
const (
	MaxEthereumEvidence   = 8 << 20
	MaxEthereumOperations = 1024
)

// Ethereum is one slashing of a validator of the Ethereum beacon chain, or of a chain
// that follows the same specification. Attester or Proposer is set when the signed
// objects themselves are there; only such evidence can be a proof. The decoded form
// holds their roots instead: its epochs and slots are the word of who wrote it.
// The zero value convicts nobody.
type Ethereum struct {
	Attester *ethereum.AttesterSlashingElectra // of any fork: the encodings are the same
	Proposer *ethereum.ProposerSlashing

	decoded *ethDecoded
}

// ParseEthereum reads JSON in one of these shapes:
//
//   - the beacon API's attester slashing {"attestation_1": …, "attestation_2": …} or
//     proposer slashing {"signed_header_1": …, "signed_header_2": …}
//   - the decoded form {"kind": …, "sides": […]} with roots, keys and signatures
//   - a list of such, of one kind or several
//   - a signed block {"message": {"body": …}}, from which the slashings are taken
//   - any of them inside of {"version": …, "data": …}
//
// Members that belong to a signed object are read strictly, what is around it
// leniently. Errors are [ErrEthereumSize] and [ErrEthereumShape]; there is at least
// one slashing without an error. It verifies nothing.
func ParseEthereum(data []byte) ([]Ethereum, error) {
	v, err := ethDocument(data, MaxEthereumEvidence)
	if err != nil {
		return nil, err
	}
	r := ethReader{limit: ethereum.MaxAttestersElectra}
	if v.isObject() {
		var inner ethValue
		version := ""
		if err := v.some(ethMembers{"data": ethRaw(&inner), "version": ethText(&version)}); err != nil {
			return nil, err
		}
		if slices.Contains(ethForksBeforeElectra, version) {
			r.limit = ethereum.MaxAttestersPhase0
		}
		if inner != nil {
			v = inner
		}
	}
	if v.isArray() {
		err = v.list(MaxEthereumOperations, func(_ int, v ethValue) error { return r.slashing(v) })
	} else {
		err = r.any(v)
	}
	if err == nil && len(r.found) == 0 {
		err = ethShape("it holds no slashing")
	}
	if err != nil {
		return nil, err
	}
	return r.found, nil
}

// ethForksBeforeElectra have the smaller limit of indices.
var ethForksBeforeElectra = []string{"phase0", "altair", "bellatrix", "capella", "deneb"}

type ethReader struct {
	limit int // of attesting indices
	found []Ethereum
}

// any is a slashing or a block.
func (r *ethReader) any(v ethValue) error {
	var message, body ethValue
	if err := v.some(ethMembers{"message": ethRaw(&message)}); err != nil {
		return err
	}
	if message == nil {
		return r.slashing(v)
	}
	if err := message.some(ethMembers{"body": ethRaw(&body)}); err != nil {
		return fmt.Errorf("message: %w", err)
	}
	if body == nil {
		return ethShape("a message without a body is no block")
	}
	each := func(v ethValue) error {
		return v.list(MaxEthereumOperations, func(_ int, v ethValue) error { return r.slashing(v) })
	}
	return body.some(ethMembers{"proposer_slashings": each, "attester_slashings": each})
}

func (r *ethReader) slashing(v ethValue) error {
	var attestation, header, sides ethValue
	err := v.some(ethMembers{"attestation_1": ethRaw(&attestation), "signed_header_1": ethRaw(&header), "sides": ethRaw(&sides)})
	if err != nil {
		return err
	}
	var e Ethereum
	switch {
	case attestation != nil:
		e.Attester = new(ethereum.AttesterSlashingElectra)
		err = v.exactly(ethMembers{
			"attestation_1": r.attestation(&e.Attester.Attestation1),
			"attestation_2": r.attestation(&e.Attester.Attestation2),
		})
	case header != nil:
		e.Proposer = new(ethereum.ProposerSlashing)
		err = v.exactly(ethMembers{
			"signed_header_1": ethSignedHeader(&e.Proposer.SignedHeader1),
			"signed_header_2": ethSignedHeader(&e.Proposer.SignedHeader2),
		})
	case sides != nil:
		e.decoded, err = r.decoded(v)
	default:
		err = ethShape("neither attestation_1 nor signed_header_1 nor sides is there")
	}
	r.found = append(r.found, e)
	return err
}

func (r *ethReader) attestation(into *ethereum.IndexedAttestationElectra) func(ethValue) error {
	return func(v ethValue) error {
		return v.exactly(ethMembers{
			"attesting_indices": ethIntegers(&into.AttestingIndices, r.limit),
			"data":              ethAttestationData(&into.Data),
			"signature":         ethFixed(into.Signature[:]),
		})
	}
}

func ethAttestationData(into *ethereum.AttestationData) func(ethValue) error {
	return func(v ethValue) error {
		return v.exactly(ethMembers{
			"slot":              ethInteger(&into.Slot),
			"index":             ethInteger(&into.Index),
			"beacon_block_root": ethFixed(into.BeaconBlockRoot[:]),
			"source":            ethCheckpoint(&into.Source),
			"target":            ethCheckpoint(&into.Target),
		})
	}
}

func ethCheckpoint(into *ethereum.Checkpoint) func(ethValue) error {
	return func(v ethValue) error {
		return v.exactly(ethMembers{"epoch": ethInteger(&into.Epoch), "root": ethFixed(into.Root[:])})
	}
}

func ethSignedHeader(into *ethereum.SignedBeaconBlockHeader) func(ethValue) error {
	return func(v ethValue) error {
		return v.exactly(ethMembers{"message": ethHeader(&into.Message), "signature": ethFixed(into.Signature[:])})
	}
}

func ethHeader(into *ethereum.BeaconBlockHeader) func(ethValue) error {
	return func(v ethValue) error {
		return v.exactly(ethMembers{
			"slot":           ethInteger(&into.Slot),
			"proposer_index": ethInteger(&into.ProposerIndex),
			"parent_root":    ethFixed(into.ParentRoot[:]),
			"state_root":     ethFixed(into.StateRoot[:]),
			"body_root":      ethFixed(into.BodyRoot[:]),
		})
	}
}
