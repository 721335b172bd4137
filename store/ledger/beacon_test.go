package ledger_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// rebind signs all registrations of n again, after its manifest was changed.
func rebind(t *testing.T, n *ledgertest.Network) {
	t.Helper()
	for _, c := range n.Chains {
		for _, candidate := range n.Manifest.Chain(c.ID).Validators {
			for _, v := range c.Validators {
				if v.ID == candidate.Account && v.Secret().Public().Type == candidate.ConsensusKeyType {
					must(t, candidate.Bind(n.Manifest.ID(), c.ID, v.Key, v.Secret()))
				}
			}
		}
	}
}

func TestABeaconChainIsCheckedInTheManifest(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*ledger.ChainSpec)
	}{
		{"genesis_validators_root", func(s *ledger.ChainSpec) { s.Ethereum.GenesisValidatorsRoot = make([]byte, 31) }},
		{"slots_per_epoch", func(s *ledger.ChainSpec) { s.Ethereum.SlotsPerEpoch = 0 }},
		{"slots_per_epoch", func(s *ledger.ChainSpec) { s.Ethereum.SlotsPerEpoch = 1 << 20 }},
		{"multiples", func(s *ledger.ChainSpec) { s.EpochBlocks = 6 }},
		{"multiples", func(s *ledger.ChainSpec) { s.Ethereum.FirstSlot++ }},
		{"forks", func(s *ledger.ChainSpec) { s.Ethereum.Forks = nil }},
		{"forks", func(s *ledger.ChainSpec) { s.Ethereum.Forks[0].Epoch = 1 }},
		{"sorted", func(s *ledger.ChainSpec) { s.Ethereum.Forks[1].Epoch = 0 }},
		{"version", func(s *ledger.ChainSpec) { s.Ethereum.Forks[1].Version = make([]byte, 5) }},
		{"type 2, the validators of beta have type 1", func(s *ledger.ChainSpec) { s.Ethereum = nil }},
	} {
		n := ledgertest.New(2, 2, func(m *ledger.Manifest) { ledgertest.Beacon(m, "beta") })
		must(t, n.Manifest.Validate())
		c.change(n.Manifest.Chain("beta"))
		rebind(t, n)
		if err := n.Manifest.Validate(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line about %q, got: %v", c.want, err)
		}
	}
}

// Lists that say something twice are no canonical order.
func TestAManifestNamesNothingTwice(t *testing.T) {
	for want, change := range map[string]func(*ledger.Manifest){
		"sorted by id": func(m *ledger.Manifest) { m.Chains = append(m.Chains, m.Chains[1]) },
		"authority keys": func(m *ledger.Manifest) {
			a := &m.Chains[0].Authority
			a.Keys, a.Threshold = append(a.Keys, a.Keys[0]), 2
		},
		"accounts must": func(m *ledger.Manifest) { m.Chains[1].Accounts = append(m.Chains[1].Accounts, m.Chains[1].Accounts[1]) },
		"peers must":    func(m *ledger.Manifest) { m.Chains[0].Peers = append(m.Chains[0].Peers, m.Chains[0].Peers[0]) },
	} {
		n := ledgertest.New(2, 2, nil)
		change(n.Manifest)
		rebind(t, n)
		if err := n.Manifest.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want a line about %q, got: %v", want, err)
		}
	}
}

// What the network agreed on about a beacon chain is part of its id, and is the law.
func TestABeaconChainIsPartOfTheLaw(t *testing.T) {
	n := ledgertest.New(2, 2, func(m *ledger.Manifest) { ledgertest.Beacon(m, "beta") })
	law := n.Manifest.Law()
	if law.Beacon("alpha") != nil || law.Beacon("omega") != nil || attest.Network(n.ID).Beacon("beta") != nil {
		t.Fatal("a chain is a beacon chain that the manifest does not call one")
	}
	b := law.Beacon("beta")
	if b == nil || b.FirstSlot != 500 || b.EpochSlots != 5 || b.SlotsPerEpoch != 5 || len(b.Forks) != 2 || b.Forks[1].Epoch != 103 {
		t.Fatalf("got %+v", b)
	}
	spec := n.Manifest.Chain("beta")
	for slot := uint64(500); slot < 530; slot++ {
		target := slot / 5
		height := slot - 499
		if epoch, ok := b.EpochOfSlot(slot); !ok || epoch != spec.EpochOf(height) {
			t.Errorf("slot %d is height %d, of epoch %d and not %d", slot, height, spec.EpochOf(height), epoch)
		}
		if epoch, ok := b.EpochOfTarget(target); !ok || epoch != spec.EpochOf(height) {
			t.Errorf("a vote for %d is of epoch %d", target, epoch)
		}
	}
	if epoch, ok := b.EpochOfSlot(math.MaxUint64); !ok || epoch != (math.MaxUint64-500)/5+1 {
		t.Errorf("the last slot is of epoch %d", epoch)
	}
	_, early := b.EpochOfSlot(499)
	_, before := b.EpochOfTarget(99)
	_, far := b.EpochOfTarget(math.MaxUint64/5 + 1)
	if early || before || far {
		t.Error("a slot that the ledger has no epoch for has one")
	}
	for name, change := range map[string]func(*ledger.EthereumSpec){
		"root": func(e *ledger.EthereumSpec) { e.GenesisValidatorsRoot[0] ^= 1 }, "slots": func(e *ledger.EthereumSpec) { e.SlotsPerEpoch = 1 },
		"first": func(e *ledger.EthereumSpec) { e.FirstSlot = 0 }, "fork": func(e *ledger.EthereumSpec) { e.Forks[1].Epoch++ },
		"version": func(e *ledger.EthereumSpec) { e.Forks[1].Version[3]++ }, "one less": func(e *ledger.EthereumSpec) { e.Forks = e.Forks[:1] },
	} {
		m := ledgertest.New(2, 2, func(m *ledger.Manifest) { ledgertest.Beacon(m, "beta") }).Manifest
		change(m.Chain("beta").Ethereum)
		if m.ID() == n.ID {
			t.Errorf("%s: still the same network", name)
		}
	}
}

// A validator binds the kind of key that its home chain's validators sign with: any
// other would answer for nothing.
func TestAKeyOfAnotherKindIsNotRegistered(t *testing.T) {
	m := play(t, 2, 3, func(m *ledger.Manifest) { ledgertest.Beacon(m, "beta") })
	register := func(chain, name string, consensus attest.ConsensusSecret) *ledger.Operation {
		c := newCandidate(t, name, name)
		id := ledger.AccountOf(c.account)
		candidate := ledger.NewCandidate(id, c.key.PublicKey(), consensus.Public())
		must(t, candidate.Bind(m.ID, chain, c.key, consensus))
		return signedBy(t, m, chain, c.account)(ledger.NewRegister(id, 0, &ledger.Register{
			Key: [48]byte(candidate.Key), Possession: [96]byte(candidate.Possession), KeyType: candidate.ConsensusKeyType,
			ConsensusKey: candidate.ConsensusKey, ConsensusSignature: candidate.ConsensusSignature,
		}))
	}
	one, other := newCandidate(t, "one", "one"), newCandidate(t, "other", "other")
	for i, chain := range ledgertest.ChainIDs[:2] {
		for nonce, c := range []candidate{one, other} {
			epoch(t, m, chain, signedBy(t, m, chain, m.Chains[i].Authority)(ledger.NewDeposit(uint64(nonce), ledger.AccountOf(c.account), ledger.Units(10_000))))
		}
	}
	ed25519, beacon := attest.Ed25519(one.consensus), attest.Ethereum(other.key)
	refused(t, m, "alpha", ledger.CodeInvalid, register("alpha", "other", beacon))
	refused(t, m, "beta", ledger.CodeInvalid, register("beta", "one", ed25519))
	epoch(t, m, "alpha", register("alpha", "one", ed25519))
	epoch(t, m, "beta", register("beta", "other", beacon))
	v, err := m.Reader("beta").Validator(ledger.AccountOf(other.account))
	must(t, err)
	if v == nil || v.KeyType != attest.KeyEthereum || len(v.ConsensusKey) != 48 {
		t.Fatalf("bound %+v", v)
	}
}

// The example of the documentation is what a manifest can say.
func TestTheDocumentedBeaconChainIsOne(t *testing.T) {
	page, err := os.ReadFile("../../docs/fraud-proofs.md")
	must(t, err)
	_, example, found := strings.Cut(string(page), "```toml\n")
	example, _, ended := strings.Cut(example, "```")
	if !found || !ended {
		t.Fatal("the page has no example")
	}
	m, err := ledger.ParseManifest([]byte(example))
	must(t, err)
	n := ledgertest.New(2, 2, func(m *ledger.Manifest) { ledgertest.Beacon(m, "beta") })
	spec := n.Manifest.Chain("beta")
	spec.EpochBlocks, spec.Ethereum = m.Chains[0].EpochBlocks, m.Chains[0].Ethereum
	rebind(t, n)
	must(t, n.Manifest.Validate())
}
