package attest

import "github.com/meshsec/meshsec/attest/ethereum"

// EthereumRoots is one side of a slashing as test vectors hold it: the root of what was
// signed in place of the object.
type EthereumRoots struct {
	Proposal                       bool
	Root                           [32]byte
	Slot, Proposer, Source, Target uint64
	Signers                        Bits
	Signature                      [96]byte
}

// JudgeEthereumRoots is what a proof is judged by, from the roots on.
func JudgeEthereumRoots(b *Beacon, set *Set, sides [2]EthereumRoots) error {
	var opened [2]*signedSide
	for i, s := range sides {
		opened[i] = &signedSide{proposal: s.Proposal, root: s.Root, slot: s.Slot, proposer: s.Proposer, vote: ethereum.Vote{Source: s.Source, Target: s.Target, Root: s.Root}}
	}
	if err := opened[0].contradicts(opened[1]); err != nil {
		return err
	}
	keys := make(memberKeys)
	for i, s := range sides {
		if err := keys.verify(set, &EthereumSide{Signers: s.Signers, Signature: s.Signature}, opened[i].message(b)); err != nil {
			return err
		}
	}
	return nil
}

// HomeHash is the hash that a header has as a block of a chain.
func HomeHash(h *HomeHeader, chain string) [32]byte { return h.hash([]byte(chain)) }

// Explained is what proofs of invalid operations come down to.
var Explained = explained
