package evidence

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// EthereumSlashing is a slashing on the way to a proof of this protocol: Epochs are those
// of the ledger that it can be proven in, the later one first.
type EthereumSlashing struct {
	Epochs []uint64

	body    attest.EthereumSlashing
	signers [2][][48]byte
}

// Slashing reads e as an offence on a chain of the network, with the keys of those who
// signed. Errors are [ErrManifest], a [*Missing] and [ErrNoFault].
func (e *Ethereum) Slashing(law attest.Law, chain string, keys EthereumKeys) (*EthereumSlashing, error) {
	beacon := law.Beacon(chain)
	if beacon == nil {
		return nil, ErrManifest
	}
	if e.decoded != nil {
		return nil, &Missing{"the decoded form has roots in place of what was signed: give the slashing as the beacon API writes it"}
	}
	s := &EthereumSlashing{body: attest.EthereumSlashing{ChainID: []byte(chain)}}
	for i, side := range []*attest.EthereumSide{&s.body.First, &s.body.Second} {
		var err error
		var who []uint64
		switch {
		case e.Attester != nil:
			vote := &e.Attester.Attestation1
			if i == 1 {
				vote = &e.Attester.Attestation2
			}
			who, side.Signature = vote.AttestingIndices, vote.Signature
			side.Signed, err = vote.Data.MarshalSSZ()
		case e.Proposer != nil:
			header := &e.Proposer.SignedHeader1
			if i == 1 {
				header = &e.Proposer.SignedHeader2
			}
			who, side.Signature = []uint64{header.Message.ProposerIndex}, header.Signature
			side.Signed, err = header.Message.MarshalSSZ()
		default:
			return nil, fmt.Errorf("%w: there is no slashing", ErrNoFault)
		}
		if err != nil {
			return nil, err
		}
		for _, index := range who {
			v, known := keys[index]
			if !known {
				return nil, &Missing{fmt.Sprintf("the key of validator %d of the beacon chain is needed: give it with --keys", index)}
			}
			s.signers[i] = append(s.signers[i], v.Key)
		}
	}
	var err error
	if s.Epochs, err = s.body.Epochs(beacon); err == nil && len(s.Epochs) == 0 {
		err = fmt.Errorf("it is from before the first slot of %s", chain)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFault, err)
	}
	return s, nil
}

// Prove makes the proof in an epoch, and verifies it with the first of the sets with which
// it is valid. The error is [ErrNoFault] with the reason that the last set gave.
func (s *EthereumSlashing) Prove(law attest.Law, epoch uint64, sets ...*attest.Set) (*attest.FaultProof, *attest.Set, error) {
	err := error(&Missing{"no validator set is given"})
	for _, set := range sets {
		var proof *attest.FaultProof
		if proof, err = s.prove(law, epoch, set); err == nil {
			return proof, set, nil
		}
		err = fmt.Errorf("%w: %w", ErrNoFault, err)
	}
	return nil, nil, err
}

func (s *EthereumSlashing) prove(law attest.Law, epoch uint64, set *attest.Set) (*attest.FaultProof, error) {
	e := s.body
	e.Epoch = epoch
	for i, side := range []*attest.EthereumSide{&e.First, &e.Second} {
		signers, err := attest.EthereumSigners(set, s.signers[i]...)
		if err != nil {
			return nil, err
		}
		side.Signers = signers
	}
	proof, err := attest.BuildEthereumSlashing(set, e)
	if err != nil {
		return nil, err
	}
	_, err = attest.VerifyFault(law, set, proof)
	return proof, err
}
