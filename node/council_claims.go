package node

import "github.com/meshsec/meshsec/attest"

// claimed is one claim about a peer, and who signed it.
type claimed struct {
	claim *attest.CrossClaim
	votes []*attest.CrossAttestation
}

// claimsAbout are the claims of all chains about a peer that are still held here.
func (c *council) claimsAbout(peer string) (out []claimed) {
	for _, ch := range c.chambers {
		for slot, b := range ch.cross {
			if slot.peer != peer {
				continue
			}
			by := make(map[[32]byte]int)
			for _, v := range b.votes {
				root := v.Claim.Root()
				i, ok := by[root]
				if !ok {
					i, by[root] = len(out), len(out)
					out = append(out, claimed{claim: &v.Claim})
				}
				out[i].votes = append(out[i].votes, v)
			}
		}
	}
	return out
}

// vouched has the claims about a chain looked at of which an epoch is proven to be wrong.
func (c *council) vouched(peer string) {
	if c.suspects[peer] {
		c.do(lookAtClaims{peer})
	}
}
