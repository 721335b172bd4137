package ledgertest

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
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
		index, ok := set.Index(a.Signer)
		if !ok {
			return nil, fmt.Errorf("validator %v is not in the set of epoch %d", v.ID, cp.Epoch)
		}
		bits := attest.NewBits(set.Len())
		bits.Set(index)
		sides[i] = &attest.Certificate{Checkpoint: *cp, Signers: bits, Signature: a.Signature}
	}
	return attest.BuildDoubleVote(set, sides[0], sides[1])
}
