package node

import "github.com/meshsec/meshsec/attest"

// offence is what a proof convicts an account of. There can be any number of proofs of
// one, some of them half a megabyte large; a node keeps and forwards those that prove
// something new, so that an offender can't flood the mesh with them.
type offence struct {
	kind    attest.FaultKind
	chain   string
	epoch   uint64
	account [32]byte // zero where a proof convicts nobody, and is about the chain
}

// lookFault judges a proof of so many bytes by what it says alone, before its signatures
// are verified. The set is that of its epoch.
func (c *council) lookFault(a attest.Accusation, set *attest.Set, size int) finding {
	if a.ValidatorsRoot != set.Root() || a.Accused.Len() != set.Len() {
		return goOn // it is not about this set, and will be refused for it
	}
	var accounts [][32]byte
	for i := range a.Accused.Ones() {
		accounts = append(accounts, set.At(i).Account)
	}
	if c.news(offences(a.Kind, a.ChainID, a.Epoch, accounts), size) || c.overturns(a.Refutes) {
		return goOn
	}
	return useless
}

// overturns says whether a checkpoint that a proof refutes is one that the network has a
// certificate of, and no kept proof refutes it. Who signed it can be convicted already,
// for another wrong one that was only signed to have it said: those who vouched for this
// one are not.
func (c *council) overturns(r attest.Refuted) bool {
	ch := c.chambers[r.ChainID]
	if ch == nil || c.refuted[r] {
		return false
	}
	for _, roots := range []map[uint64][32]byte{ch.roots, ch.disputed} {
		if root, ok := roots[r.Epoch]; ok && root == r.Root {
			return true
		}
	}
	return ch.pending != nil && ch.pending.Epoch() == r.Epoch && ch.pending.Root() == r.Root
}

// adds says whether a verified proof proves anything that no other one does that is kept.
func (c *council) adds(f attest.VerifiedFault) bool {
	return c.news(convictions(f), len(f.Proof().Body)) || c.overturns(f.Refutes())
}

// news says whether one of the offences has no proof yet, or none that is less than twice
// as large. A smaller proof is of use, since an operation must hold it; that it has to be
// much smaller bounds how many one offender can make others keep.
func (c *council) news(all []offence, size int) bool {
	for _, o := range all {
		if kept, ok := c.proven[o]; !ok || size < kept/2 {
			return true
		}
	}
	return false
}

// know takes note of a proof that is kept.
func (c *council) know(f attest.VerifiedFault) {
	c.faults[f.ID()] = true
	if r := f.Refutes(); r != (attest.Refuted{}) {
		c.refuted[r] = true
	}
	size := len(f.Proof().Body)
	for _, o := range convictions(f) {
		if kept, ok := c.proven[o]; !ok || size < kept {
			c.proven[o] = size
		}
	}
}

// convictions are all offences that a proof is about.
func convictions(f attest.VerifiedFault) []offence {
	var accounts [][32]byte
	for _, o := range f.Offenders() {
		accounts = append(accounts, o.Account)
	}
	return offences(f.Kind(), f.ChainID(), f.Epoch(), accounts)
}

func offences(kind attest.FaultKind, chain string, epoch uint64, accounts [][32]byte) (all []offence) {
	for _, account := range accounts {
		all = append(all, offence{kind, chain, epoch, account})
	}
	if len(all) == 0 {
		all = []offence{{kind: kind, chain: chain, epoch: epoch}}
	}
	return all
}
