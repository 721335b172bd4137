package testnet

import (
	"crypto/ed25519"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// Genesis and bonding figures. Each validator begins with genesisCollateral, of
// which homeStake is bonded at home. Then it gets a deposit, and pledges to the
// validator of the same index on every other chain.
const (
	genesisCollateral = 1_000_000
	homeStake         = 600_000
	homeRatio         = ledger.Ratio(ledger.One / 2)
	depositAmount     = 400_000
	pledgeAmount      = 300_000
	pledgeRatio       = ledger.Ratio(3 * ledger.One / 10)
	coveredValue      = 2_000_000 // what backstops would stand for, if somebody pledges any
)

const epochBlocks = 5 // of one second each

// params are those of DESIGN §9 for a testnet: everything that takes days takes a
// minute.
func params() ledger.Params {
	const second = ledger.Duration(1000)
	p := ledger.DefaultParams()
	p.ChallengeWindow = ledger.Window{Epochs: 2}
	p.StatementExpiry = 60 * second
	p.EvidenceAge = ledger.Window{Epochs: 1, Time: 60 * second}
	p.Unbonding = ledger.Window{Epochs: 4, Time: 180 * second}
	p.Correlation = ledger.Window{Epochs: 6, Time: 30 * second}
	p.CoveredValue = ledger.Units(coveredValue)
	return p
}

// chainKeys are all keys of one chain.
type chainKeys struct {
	id         string
	authority  ed25519.PrivateKey
	validators []validatorKeys
}

// newManifest is what the chains agree on, bound to all keys.
func newManifest(chains []chainKeys, genesis uint64) (*ledger.Manifest, error) {
	m := &ledger.Manifest{Name: "testnet", Genesis: genesis}
	for _, c := range chains {
		spec := &ledger.ChainSpec{
			ID: c.id, EpochBlocks: epochBlocks, Params: params(),
			Authority: ledger.Authority{Threshold: 1, Keys: []ledger.AccountID{ledger.AccountOf(c.authority)}},
		}
		for _, other := range chains {
			if other.id != c.id {
				spec.Peers = append(spec.Peers, &ledger.PeerSpec{
					Chain: other.id, Price: ledger.One, Discount: ledger.One / 10, Cap: ledger.One / 2,
				})
			}
		}
		for _, v := range c.validators {
			id := ledger.AccountOf(v.account)
			spec.Accounts = append(spec.Accounts, &ledger.GenesisAccount{
				ID: id, Collateral: ledger.Units(genesisCollateral),
				Liens: []*ledger.GenesisLien{{Consumer: c.id, Validator: id, Amount: ledger.Units(homeStake), Ratio: homeRatio}},
			})
			spec.Validators = append(spec.Validators,
				ledger.NewCandidate(id, v.vote.PublicKey(), attest.Ed25519(v.consensus).Public()))
		}
		m.Chains = append(m.Chains, spec)
	}
	m.Sort()
	if err := bind(m, chains); err != nil {
		return nil, err
	}
	return m, m.Validate()
}

// bind signs every validator's registration, which names the network.
func bind(m *ledger.Manifest, chains []chainKeys) error {
	network := m.ID()
	for _, c := range chains {
		keys := map[ledger.AccountID]validatorKeys{}
		for _, v := range c.validators {
			keys[ledger.AccountOf(v.account)] = v
		}
		for _, candidate := range m.Chain(c.id).Validators {
			v := keys[candidate.Account]
			if err := candidate.Bind(network, c.id, v.vote, attest.Ed25519(v.consensus)); err != nil {
				return err
			}
		}
	}
	return nil
}
