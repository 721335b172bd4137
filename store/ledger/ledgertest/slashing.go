package ledgertest

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/bls"
)

// Vote is a vote of validators, of a beacon chain's set, from one of its epochs to
// another, that another variant contradicts.
func (n *Network) Vote(set *attest.Set, chain string, source, target uint64, variant byte, by ...*Validator) (attest.EthereumSide, error) {
	d := &ethereum.AttestationData{
		BeaconBlockRoot: [32]byte{variant}, Source: ethereum.Checkpoint{Epoch: source}, Target: ethereum.Checkpoint{Epoch: target},
	}
	domain := n.Manifest.Law().Beacon(chain).Domain(ethereum.DomainAttester, target)
	return beaconSide(set, d, ethereum.SigningRoot(d.Root(), domain), by...)
}

// Block is a validator's block for a slot, that another variant contradicts.
func (n *Network) Block(set *attest.Set, chain string, slot uint64, variant byte, by *Validator) (attest.EthereumSide, error) {
	h := &ethereum.BeaconBlockHeader{Slot: slot, ProposerIndex: 7, BodyRoot: [32]byte{variant}}
	beacon := n.Manifest.Law().Beacon(chain)
	domain := beacon.Domain(ethereum.DomainProposer, beacon.EpochOf(slot))
	return beaconSide(set, h, ethereum.SigningRoot(h.Root(), domain), by)
}

func beaconSide(set *attest.Set, signed interface{ MarshalSSZ() ([]byte, error) }, message [32]byte, by ...*Validator) (side attest.EthereumSide, err error) {
	if side.Signed, err = signed.MarshalSSZ(); err != nil {
		return side, err
	}
	var keys [][48]byte
	var signatures []bls.Signature
	for _, v := range by {
		keys = append(keys, v.Beacon.PublicKey().Bytes())
		signatures = append(signatures, v.Beacon.Sign(message[:]))
	}
	if side.Signers, err = attest.EthereumSigners(set, keys...); err != nil {
		return side, fmt.Errorf("signers: %w", err)
	}
	sum, err := bls.Aggregate(signatures)
	side.Signature = sum.Bytes()
	return side, err
}

// Slashing is the proof that two sides contradict each other in an epoch of the ledger.
func Slashing(set *attest.Set, chain string, epoch uint64, a, b attest.EthereumSide) (*attest.FaultProof, error) {
	return attest.BuildEthereumSlashing(set, attest.EthereumSlashing{ChainID: []byte(chain), Epoch: epoch, First: a, Second: b})
}
