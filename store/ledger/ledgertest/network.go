package ledgertest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
)

// Network is a manifest with all the keys behind it.
type Network struct {
	Manifest *ledger.Manifest
	ID       attest.Network
	Chains   []*Chain // sorted by id
}

// Chain is one chain's keys.
type Chain struct {
	ID         string
	Authority  ed25519.PrivateKey
	Validators []*Validator
}

// Validator is one validator's keys.
type Validator struct {
	ID        ledger.AccountID
	Account   ed25519.PrivateKey
	Key       bls.SecretKey
	Consensus ed25519.PrivateKey
	Beacon    bls.SecretKey // zero where the home chain is no beacon chain
}

// Secret is the validator's key in its home chain's consensus: that of a beacon chain,
// if it has one.
func (v *Validator) Secret() attest.ConsensusSecret {
	if !v.Beacon.IsZero() {
		return attest.Ethereum(v.Beacon)
	}
	return attest.Ed25519(v.Consensus)
}

// Genesis figures of New: each validator has Collateral, of which Stake is bonded
// at home with HomeRatio.
const (
	Collateral = 1_000_000
	Stake      = 600_000
	HomeRatio  = ledger.Ratio(ledger.One / 2)
)

// GenesisTime of New's manifests.
const GenesisTime = 1_700_000_000_000

// Params are short windows: a challenge window of 2 epochs, 60 s of evidence age
// and statement expiry, 180 s of unbonding.
func Params() ledger.Params {
	p := ledger.DefaultParams()
	p.ChallengeWindow = ledger.Window{Epochs: 2}
	p.StatementExpiry, p.EvidenceAge = 60_000, ledger.Window{Epochs: 1, Time: 60_000}
	p.Unbonding = ledger.Window{Epochs: 4, Time: 180_000}
	p.Correlation = ledger.Window{Epochs: 6, Time: 30_000}
	p.MaxDrift = 30_000
	return p
}

// ChainIDs of New's networks, in order.
var ChainIDs = []string{"alpha", "beta", "gamma", "delta", "epsilon"}

// New makes a network of chains with validators each, all keys from fixed seeds.
// change, if not nil, edits the manifest before the validators are bound to it.
func New(chains, validators int, change func(*ledger.Manifest)) *Network {
	n := &Network{Manifest: &ledger.Manifest{Name: "test", Genesis: GenesisTime}}
	for _, id := range ChainIDs[:chains] {
		c := &Chain{ID: id, Authority: accountKey(id, "authority")}
		spec := &ledger.ChainSpec{
			ID: id, EpochBlocks: 5, Params: Params(),
			Authority: ledger.Authority{Threshold: 1, Keys: []ledger.AccountID{ledger.AccountOf(c.Authority)}},
		}
		for _, other := range ChainIDs[:chains] {
			if other != id {
				spec.Peers = append(spec.Peers, &ledger.PeerSpec{Chain: other, Price: ledger.One, Discount: ledger.One / 10, Cap: ledger.One / 2})
			}
		}
		for i := range validators {
			v := newValidator(fmt.Sprintf("%s-%d", id, i))
			c.Validators = append(c.Validators, v)
			spec.Accounts = append(spec.Accounts, &ledger.GenesisAccount{
				ID: v.ID, Collateral: ledger.Units(Collateral),
				Liens: []*ledger.GenesisLien{{Consumer: id, Validator: v.ID, Amount: ledger.Units(Stake), Ratio: HomeRatio}},
			})
			spec.Validators = append(spec.Validators, ledger.NewCandidate(v.ID, v.Key.PublicKey(), v.Secret().Public()))
		}
		n.Chains = append(n.Chains, c)
		n.Manifest.Chains = append(n.Manifest.Chains, spec)
	}
	if change != nil {
		change(n.Manifest)
	}
	for _, c := range n.Chains {
		c.giveBeaconKeys(n.Manifest.Chain(c.ID))
	}
	n.Manifest.Sort()
	n.ID = n.Manifest.ID()
	for _, c := range n.Chains {
		for _, candidate := range n.Manifest.Chain(c.ID).Validators {
			v := c.validator(candidate.Account)
			if err := candidate.Bind(n.ID, c.ID, v.Key, v.Secret()); err != nil {
				panic(err) // fixed keys: it can't fail
			}
		}
	}
	return n
}

func newValidator(name string) *Validator {
	account := accountKey(name, "account")
	return &Validator{
		ID: ledger.AccountOf(account), Account: account,
		Key: blsKey(name), Consensus: accountKey(name, "consensus"),
	}
}

func accountKey(name, purpose string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("ledgertest/" + purpose + "/" + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func blsKey(name string) bls.SecretKey {
	seed := sha256.Sum256([]byte("ledgertest/bls/" + name))
	key, err := bls.DeriveMaster(seed[:])
	if err != nil {
		panic(err) // a 32-byte seed always has a key
	}
	return key
}

func (c *Chain) validator(id ledger.AccountID) *Validator {
	for _, v := range c.Validators {
		if v.ID == id {
			return v
		}
	}
	panic(fmt.Sprintf("ledgertest: %v is not a validator of %s", id, c.ID))
}
