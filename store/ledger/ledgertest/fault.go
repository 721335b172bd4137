package ledgertest

import (
	"crypto/ed25519"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// DoubleVote is a proof that v, of the set that signs cp, signed it and another
// checkpoint.
func (n *Network) DoubleVote(set *attest.Set, cp *attest.Checkpoint, v *Validator) (*attest.FaultProof, error) {
	other := *cp
	other.BlockHash[0] ^= 1
	sides := make([]*attest.Certificate, 2)
	for i, cp := range []*attest.Checkpoint{cp, &other} {
		a, err := attest.SignAttestation(v.Key, n.ID, cp)
		if err != nil {
			return nil, err
		}
		if sides[i], err = a.Single(set); err != nil {
			return nil, err
		}
	}
	return attest.BuildDoubleVote(set, sides[0], sides[1])
}

// Equivocation is a proof that v, of the set that signs an epoch of chain, signed
// precommits for two blocks at a height with its consensus key.
func (n *Network) Equivocation(set *attest.Set, chain string, epoch, height uint64, v *Validator) (*attest.FaultProof, error) {
	e := attest.Equivocation{
		ChainID: []byte(chain), Epoch: epoch, Height: height, Type: comet.Precommit,
		Key: attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: v.Consensus.Public().(ed25519.PublicKey)},
	}
	for i, side := range []*attest.ConsensusVote{&e.First, &e.Second} {
		at := time.UnixMilli(int64(GenesisTime + height*BlockTime)).UTC()
		*side = attest.ConsensusVote{BlockHash: [32]byte{byte(i)}, PartsTotal: 1, Seconds: uint64(at.Unix())}
		block := comet.BlockID{Hash: side.BlockHash[:], PartsTotal: int64(side.PartsTotal), PartsHash: side.PartsHash[:]}
		side.Signature = ed25519.Sign(v.Consensus, comet.SignBytes(chain, comet.Precommit, int64(height), 0, &block, at))
	}
	return attest.BuildEquivocation(set, e)
}
