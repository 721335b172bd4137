package ledgertest

import (
	"crypto/sha256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// Beacon makes a chain of a manifest an Ethereum beacon chain; it is what New takes to
// change one. An epoch of the beacon chain is one of the ledger. The chain begins at the
// beacon chain's epoch 100, and has a fork at 103: in its fourth epoch.
func Beacon(m *ledger.Manifest, chain string) {
	spec := m.Chain(chain)
	genesis := sha256.Sum256([]byte("ledgertest/genesis validators of " + chain))
	spec.Ethereum = &ledger.EthereumSpec{
		GenesisValidatorsRoot: genesis[:], SlotsPerEpoch: spec.EpochBlocks, FirstSlot: 100 * spec.EpochBlocks,
		Forks: []*ledger.EthereumFork{{Version: []byte{4, 0, 0, 0}}, {Epoch: 103, Version: []byte{5, 0, 0, 0}}},
	}
}

// giveBeaconKeys makes the validators of a beacon chain candidates with keys of such a
// chain, before they are bound.
func (c *Chain) giveBeaconKeys(spec *ledger.ChainSpec) {
	if spec == nil || spec.Ethereum == nil {
		return
	}
	for _, candidate := range spec.Validators {
		v := c.validator(candidate.Account)
		v.Beacon = blsKey("beacon/" + v.ID.String())
		public := attest.Ethereum(v.Beacon).Public()
		candidate.ConsensusKeyType, candidate.ConsensusKey = public.Type, public.Bytes
	}
}
