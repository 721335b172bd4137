package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/meshsec/meshsec/attest"
)

// Validate checks everything about a manifest: that it is in canonical order, its
// parameters, every registration signature, and that each chain has a genesis
// ledger within the vault rules and a validator set. The error is one line.
func (m *Manifest) Validate() error {
	if len(m.Chains) == 0 {
		return fmt.Errorf("manifest: it names no chain")
	}
	if len(m.Chains) > maxChains {
		return fmt.Errorf("manifest: it names %d chains, more than %d", len(m.Chains), maxChains)
	}
	if m.Genesis == 0 {
		return fmt.Errorf("manifest: genesis_time is missing")
	}
	if !slices.IsSortedFunc(m.Chains, func(a, b *ChainSpec) int { return strictly(strings.Compare(a.ID, b.ID)) }) {
		return fmt.Errorf("manifest: chains must be sorted by id, each once")
	}
	network := m.ID()
	for _, c := range m.Chains {
		if err := c.validate(m, network); err != nil {
			return fmt.Errorf("manifest, chain %s: %w", c.ID, err)
		}
	}
	for _, c := range m.Chains {
		if err := m.checkWindows(&c.Params); err != nil {
			return fmt.Errorf("manifest, chain %s: %w", c.ID, err)
		}
	}
	for _, c := range m.Chains {
		if _, err := Genesis(m, c.ID); err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
	}
	return nil
}

// maxChains is how many chains a network has at most: a Cover names a statement of each.
const maxChains = 256

// longestExpiry is the longest statement_expiry of all chains.
func (m *Manifest) longestExpiry() (longest Duration) {
	for _, c := range m.Chains {
		longest = max(longest, c.Params.StatementExpiry)
	}
	return longest
}

// checkWindows checks valid parameters of one chain against those of the others: stake that
// was released here gives power on each of them until the statement there expires. No
// ledger knows what rules its peers have by now, so all keep to the longest expiry of the
// manifest.
func (m *Manifest) checkWindows(p *Params) error {
	longest := m.longestExpiry()
	if p.StatementExpiry > longest {
		return fmt.Errorf("statement_expiry %v exceeds %v, the longest in the manifest, which the unbonding of its chains outlasts", p.StatementExpiry.Span(), longest.Span())
	}
	if need := longest + p.EvidenceAge.Time + p.ChallengeWindow.Time + p.MaxDrift; p.Unbonding.Time < need {
		return fmt.Errorf("unbonding %v must be at least the longest statement_expiry in the manifest + evidence_age + challenge_window + max_drift = %v", p.Unbonding.Time.Span(), need.Span())
	}
	return nil
}

// strictly makes equal elements unsorted, so that IsSortedFunc finds duplicates.
func strictly(c int) int {
	if c == 0 {
		return -1
	}
	return c
}

func (s *ChainSpec) validate(m *Manifest, network attest.Network) error {
	if !chainID.MatchString(s.ID) {
		return fmt.Errorf("an id has 1 to 50 of a-z A-Z 0-9 . _ -")
	}
	if s.EpochBlocks == 0 || s.EpochBlocks > MaxEpochBlocks {
		return fmt.Errorf("epoch_blocks must be between 1 and %d", MaxEpochBlocks)
	}
	if s.Ethereum != nil {
		if err := s.Ethereum.validate(s.EpochBlocks); err != nil {
			return fmt.Errorf("ethereum: %w", err)
		}
	}
	if err := s.Params.Validate(); err != nil {
		return err
	}
	if n := uint64(len(s.Authority.Keys)); s.Authority.Threshold == 0 || s.Authority.Threshold > n || n > 16 {
		return fmt.Errorf("authority: threshold %d of %d keys; there may be 16 keys", s.Authority.Threshold, n)
	}
	byID := func(a, b AccountID) int { return strictly(bytes.Compare(a[:], b[:])) }
	switch {
	case !slices.IsSortedFunc(s.Authority.Keys, byID):
		return fmt.Errorf("authority keys must be sorted, each once")
	case !slices.IsSortedFunc(s.Accounts, func(a, b *GenesisAccount) int { return byID(a.ID, b.ID) }):
		return fmt.Errorf("accounts must be sorted by id, each once")
	case !slices.IsSortedFunc(s.Validators, func(a, b *Candidate) int { return strictly(bytes.Compare(a.Key, b.Key)) }):
		return fmt.Errorf("validators must be sorted by key, each once")
	case !slices.IsSortedFunc(s.Peers, func(a, b *PeerSpec) int { return strictly(strings.Compare(a.Chain, b.Chain)) }):
		return fmt.Errorf("peers must be sorted by chain, each once")
	}
	for _, a := range s.Accounts {
		if !slices.IsSortedFunc(a.Liens, func(x, y *GenesisLien) int {
			if c := strings.Compare(x.Consumer, y.Consumer); c != 0 {
				return c
			}
			return byID(x.Validator, y.Validator)
		}) {
			return fmt.Errorf("liens of account %v must be sorted by consumer and validator, each once", a.ID)
		}
	}
	for _, p := range s.Peers {
		switch {
		case p.Chain == s.ID || m.Chain(p.Chain) == nil:
			return fmt.Errorf("peer %q is not another chain of the manifest", p.Chain)
		}
		if err := p.terms().Validate(); err != nil {
			return fmt.Errorf("peer %s: %w", p.Chain, err)
		}
	}
	for _, c := range s.Validators {
		r, err := c.registration(s.ID)
		if err != nil {
			return err
		}
		if err := s.checkKeyType(c.ConsensusKeyType); err != nil {
			return fmt.Errorf("validator %v: %w", c.Account, err)
		}
		if len(c.Possession) != 96 {
			return fmt.Errorf("validator %v: the possession has %d bytes, not 96", c.Account, len(c.Possession))
		}
		if _, err := attest.VerifyRegistration(network, r, [96]byte(c.Possession), c.ConsensusSignature); err != nil {
			return fmt.Errorf("validator %v: %w", c.Account, err)
		}
	}
	return nil
}
