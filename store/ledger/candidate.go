package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
)

// Sort puts a manifest in canonical order.
func (m *Manifest) Sort() {
	byID := func(a, b AccountID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(m.Chains, func(a, b *ChainSpec) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range m.Chains {
		slices.SortFunc(c.Authority.Keys, byID)
		slices.SortFunc(c.Accounts, func(a, b *GenesisAccount) int { return byID(a.ID, b.ID) })
		slices.SortFunc(c.Validators, func(a, b *Candidate) int { return bytes.Compare(a.Key, b.Key) })
		slices.SortFunc(c.Peers, func(a, b *PeerSpec) int { return strings.Compare(a.Chain, b.Chain) })
		for _, a := range c.Accounts {
			slices.SortFunc(a.Liens, func(a, b *GenesisLien) int {
				if c := strings.Compare(a.Consumer, b.Consumer); c != 0 {
					return c
				}
				return byID(a.Validator, b.Validator)
			})
		}
	}
}

// NewCandidate names a validator's keys; Bind signs for them once the rest of the
// manifest, and with it the network id, is settled.
func NewCandidate(account AccountID, key bls.PublicKey, consensus attest.ConsensusKey) *Candidate {
	k := key.Bytes()
	return &Candidate{Account: account, Key: k[:], ConsensusKeyType: consensus.Type, ConsensusKey: consensus.Bytes}
}

// Bind signs the registration with both keys.
func (c *Candidate) Bind(network attest.Network, chain string, key bls.SecretKey, consensus attest.ConsensusSecret) error {
	r, err := c.registration(chain)
	if err != nil {
		return err
	}
	possession, err := attest.ProveRegistration(key, network, r)
	if err != nil {
		return fmt.Errorf("bind validator %v: %w", c.Account, err)
	}
	if c.ConsensusSignature, err = attest.SignRegistration(consensus, network, r); err != nil {
		return fmt.Errorf("bind validator %v: %w", c.Account, err)
	}
	c.Possession = possession[:]
	return nil
}
