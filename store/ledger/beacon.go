package ledger

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
)

// EthereumSpec says that a home chain is an Ethereum beacon chain, or follows the same
// specification: its slots are its heights, and the consensus keys of its validators are
// their keys there (attest.KeyEthereum). From it follow the domains of what they sign.
type EthereumSpec struct {
	GenesisValidatorsRoot HexBytes        `toml:"genesis_validators_root" json:"genesis_validators_root"`
	SlotsPerEpoch         uint64          `toml:"slots_per_epoch" json:"slots_per_epoch"`
	FirstSlot             uint64          `toml:"first_slot" json:"first_slot"` // height 1 of the home chain
	Forks                 []*EthereumFork `toml:"forks" json:"forks"`           // sorted by epoch, the first of epoch 0
}

// EthereumFork is a version of the protocol and its first epoch.
type EthereumFork struct {
	Epoch   uint64   `toml:"epoch" json:"epoch"`
	Version HexBytes `toml:"version" json:"version"` // 4 bytes
}

// Bounds of the specification. A beacon chain has had a fork a year.
const (
	maxEthereumForks = 64
	maxSlotsPerEpoch = 1 << 12
)

func (e *EthereumSpec) validate(epochBlocks uint64) error {
	switch {
	case len(e.GenesisValidatorsRoot) != 32:
		return fmt.Errorf("genesis_validators_root has %d bytes, not 32", len(e.GenesisValidatorsRoot))
	case e.SlotsPerEpoch == 0 || e.SlotsPerEpoch > maxSlotsPerEpoch:
		return fmt.Errorf("slots_per_epoch must be between 1 and %d", maxSlotsPerEpoch)
	case epochBlocks%e.SlotsPerEpoch != 0 || e.FirstSlot%e.SlotsPerEpoch != 0:
		return fmt.Errorf("epoch_blocks %d and first_slot %d must be multiples of slots_per_epoch %d, so that each of its epochs lies in one of ours",
			epochBlocks, e.FirstSlot, e.SlotsPerEpoch)
	case len(e.Forks) == 0 || len(e.Forks) > maxEthereumForks || e.Forks[0].Epoch != 0:
		return fmt.Errorf("there must be 1 to %d forks, the first of epoch 0", maxEthereumForks)
	case !slices.IsSortedFunc(e.Forks, func(a, b *EthereumFork) int { return strictly(cmp.Compare(a.Epoch, b.Epoch)) }):
		return fmt.Errorf("forks must be sorted by epoch, each once")
	}
	for _, f := range e.Forks {
		if len(f.Version) != 4 {
			return fmt.Errorf("the version of the fork of epoch %d has %d bytes, not 4", f.Epoch, len(f.Version))
		}
	}
	return nil
}

// canonical is a copy for the network id.
func (e *EthereumSpec) canonical() *EthereumSpec {
	if e == nil {
		return nil
	}
	c := *e
	c.Forks = copied(e.Forks, func(*EthereumFork) {})
	return &c
}

// beacon is what proofs are judged by, given that it was validated.
func (e *EthereumSpec) beacon(epochBlocks uint64) *attest.Beacon {
	b := &attest.Beacon{FirstSlot: e.FirstSlot, EpochSlots: epochBlocks}
	b.GenesisValidatorsRoot, b.SlotsPerEpoch = [32]byte(e.GenesisValidatorsRoot), e.SlotsPerEpoch
	for _, f := range e.Forks {
		b.Forks = append(b.Forks, ethereum.Fork{Epoch: f.Epoch, Version: [4]byte(f.Version)})
	}
	return b
}

// Beacon implements [attest.Law].
func (l law) Beacon(chain string) *attest.Beacon {
	spec := l.manifest.Chain(chain)
	if spec == nil || spec.Ethereum == nil {
		return nil
	}
	return spec.Ethereum.beacon(spec.EpochBlocks)
}

// checkKeyType refuses a consensus key of another type than the home chain's validators
// have: who binds one that signs nothing there answers for nothing.
func (s *ChainSpec) checkKeyType(keyType uint8) error {
	if want := s.keyType(); keyType != want {
		return fmt.Errorf("the consensus key is of type %d, the validators of %s have type %d", keyType, s.ID, want)
	}
	return nil
}

func (s *ChainSpec) keyType() uint8 {
	if s.Ethereum != nil {
		return attest.KeyEthereum
	}
	return attest.KeyEd25519
}
