package ledger

import (
	"crypto/ed25519"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/trie"
)

// mapState is a State without roots.
type mapState map[string][]byte

func (s mapState) Get(key []byte) ([]byte, bool, error) {
	v, ok := s[string(key)]
	return v, ok, nil
}

func (s mapState) Set(key, value []byte) error {
	s[string(key)] = value
	return nil
}

// benchMachine has accounts with collateral and one validator at home to pledge
// to, and encoded pledges of the accounts in turn.
func benchMachine(b *testing.B, state State, accounts int) (*machine, [][]byte) {
	b.Helper()
	spec := &ChainSpec{ID: "alpha", Params: DefaultParams(), EpochBlocks: 5}
	m := &machine{chains: []string{"alpha"}, spec: spec, state: state, epoch: 1, now: 1}
	validator := id(1)
	err := m.step(func() error {
		if err := save(m.tx, metaKey, new(Meta)); err != nil {
			return err
		}
		return m.bind(validator, &attest.Registration{ConsensusKey: attest.ConsensusKey{Type: 1, Bytes: make([]byte, 32)}})
	})
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]ed25519.PrivateKey, accounts)
	for i := range keys {
		seed := make([]byte, 32)
		seed[0], seed[1], seed[2] = byte(i), byte(i>>8), 7
		keys[i] = ed25519.NewKeyFromSeed(seed)
		err := m.step(func() error {
			return m.deposit(&Deposit{AccountOf(keys[i]), Units(1 << 60)})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	ops := make([][]byte, b.N)
	for i := range ops {
		key := keys[i%accounts]
		op, err := NewPledge(AccountOf(key), uint64(i/accounts), "alpha", validator, Units(1000), One/2)
		if err != nil {
			b.Fatal(err)
		}
		if err := op.Sign(m.law.Network(), "alpha", key); err != nil {
			b.Fatal(err)
		}
		if ops[i], err = EncodeOperation(op); err != nil {
			b.Fatal(err)
		}
	}
	return m, ops
}

func runPledges(b *testing.B, m *machine, ops [][]byte, after func()) {
	b.Helper()
	b.ResetTimer()
	for _, op := range ops {
		r, err := m.apply(op)
		if err != nil {
			b.Fatal(err)
		}
		if r.Code != 0 {
			b.Fatalf("%v: %s", Code(r.Code), r.Reason)
		}
		after()
	}
	b.ReportMetric(float64(len(ops))/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkPledge is a signed pledge, decoded, verified and applied, without and
// with the state root after it. BenchmarkSignature is the yardstick: the one
// ed25519 verification that each needs whatever else it does.
func BenchmarkPledge(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		m, ops := benchMachine(b, mapState{}, 1000)
		runPledges(b, m, ops, func() {})
	})
	b.Run("root", func(b *testing.B) {
		tree := trie.New(trie.NewStore(), trie.Ref{})
		m, ops := benchMachine(b, tree, 1000)
		runPledges(b, m, ops, func() { tree.Root() })
	})
}

func BenchmarkSignature(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	message := make([]byte, 32)
	signature := ed25519.Sign(key, message)
	public := key.Public().(ed25519.PublicKey)
	for b.Loop() {
		if !ed25519.Verify(public, message, signature) {
			b.Fatal("a valid signature does not verify")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
