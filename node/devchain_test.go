package node_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/node/chain/devchain"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// signing is the position in the manifest of the validator whose node there is.
const signing = 0

// realChain is a real CometBFT chain in this process with one node of the mesh beside it.
type realChain struct {
	network *ledgertest.Network
	spec    *ledger.ChainSpec
	keys    []ed25519.PrivateKey // of its validators' consensus
	adapter *comet.Chain
	client  *api.Client
}

// newRealChain starts both. The node signs for a validator that has more than 2/3 of the
// power of the mesh, and a quarter of that of CometBFT.
func newRealChain(t *testing.T) *realChain {
	t.Helper()
	network := ledgertest.New(1, 4, func(m *ledger.Manifest) {
		m.Genesis = uint64(time.Now().UnixMilli())
		for _, a := range m.Chains[0].Accounts {
			if a.ID == m.Chains[0].Validators[signing].Account {
				a.Collateral, a.Liens[0].Amount = ledger.Units(20*ledgertest.Collateral), ledger.Units(20*ledgertest.Stake)
			}
		}
	})
	alpha := network.Chains[0]
	r := &realChain{network: network, spec: network.Manifest.Chain(alpha.ID)}
	for _, v := range alpha.Validators {
		r.keys = append(r.keys, v.Consensus)
	}
	dir := t.TempDir()
	must(t, devchain.Init(dir, devchain.Genesis{ChainID: alpha.ID, Validators: len(r.keys), ConsensusKeys: r.keys, Time: time.UnixMilli(int64(network.Manifest.Genesis))}))
	home, err := devchain.Start(t.Context(), dir, devchain.Options{BlockInterval: 100 * time.Millisecond})
	must(t, err)
	t.Cleanup(func() { must(t, home.Stop()) })

	cfg := node.DefaultConfig()
	cfg.Name, cfg.Chain, cfg.API.Listen = "alpha-0", alpha.ID, ""
	cfg.HomeChain.PollInterval = node.Span(20 * time.Millisecond)
	cfg.P2P.Listen, cfg.P2P.Peers = []string{"/ip4/127.0.0.1/udp/0/quic-v1"}, nil
	cfg.P2P.Key = filepath.Join(t.TempDir(), "p2p")
	signer, err := node.NewLocalSigner(alpha.Validators[signing].Key, filepath.Join(t.TempDir(), "guard"), network.ID, true)
	must(t, err)
	dial := func(ctx context.Context) (*comet.Chain, error) {
		return comet.Dial(ctx, home.RPC(), comet.Options{ExpectChainID: alpha.ID})
	}
	n, err := node.New(t.Context(), cfg, slog.New(slog.DiscardHandler), node.Options{
		Manifest: network.Manifest, Signer: signer, InMemory: true,
		Chain: func(ctx context.Context) (chain.Chain, error) { return dial(ctx) },
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
		must(t, n.Close())
	})
	r.client = api.NewClient("http://alpha-0", &http.Client{Transport: transport{n.Handler()}})
	r.adapter, err = dial(t.Context())
	must(t, err)
	t.Cleanup(r.adapter.Close)
	return r
}

// ledgerWhere waits for what must hold of the chain's ledger.
func (r *realChain) ledgerWhere(t *testing.T, what string, holds func(api.Ledger) bool) api.Ledger {
	t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for deadline := time.After(time.Minute); ; {
		l, err := r.client.Ledger(t.Context(), r.spec.ID)
		if err == nil && holds(l) {
			return l
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("never happened: %s; ledger %+v, %v", what, l, err)
		}
	}
}

// TestARealDoubleSignerIsSlashedWithoutAnyonesHelp: a validator of a real CometBFT
// chain signs two blocks, CometBFT commits the evidence, and one node beside the chain
// does the rest.
func TestARealDoubleSignerIsSlashedWithoutAnyonesHelp(t *testing.T) {
	const offender = 2
	r := newRealChain(t)
	alpha := r.network.Chains[0]
	at := r.ledgerWhere(t, "some epochs are executed", func(l api.Ledger) bool { return l.Epoch >= 2 }).Epoch
	evidence, err := r.adapter.DoubleSign(t.Context(), at*r.spec.EpochBlocks, r.keys[offender])
	must(t, err)
	must(t, r.adapter.SubmitEvidence(t.Context(), evidence))

	l := r.ledgerWhere(t, "the fault is executed", func(l api.Ledger) bool { return len(l.Faults) > 0 && l.Faults[0].Executed })
	f := l.Faults[0]
	if len(l.Faults) != 1 || f.Kind != "consensus_equivocation" || f.Chain != alpha.ID || f.Epoch != at ||
		len(f.Offenders) != 1 || f.Offenders[0] != alpha.Validators[offender].ID {
		t.Errorf("faults %+v", l.Faults)
	}
	// 1/23 of the power: (3/23)² is less than the base of 5 %.
	if len(l.Slashes) != 1 || l.Slashes[0].Amount != ledger.Units(ledgertest.Stake/20) {
		t.Errorf("slashes %+v", l.Slashes)
	}
}

// TestARealAttackIsSlashedWithoutAnyonesHelp: validators of a real CometBFT chain sign a
// block with a made-up state, CometBFT commits the evidence, and one node beside the
// chain does the rest, once the epoch is certified.
func TestARealAttackIsSlashedWithoutAnyonesHelp(t *testing.T) {
	r := newRealChain(t)
	alpha := r.network.Chains[0]
	at := r.ledgerWhere(t, "some epochs are executed", func(l api.Ledger) bool { return l.Epoch >= 2 }).Epoch
	evidence, err := r.adapter.Attack(t.Context(), at*r.spec.EpochBlocks-2, r.keys[1:]...)
	must(t, err)
	must(t, r.adapter.SubmitEvidence(t.Context(), evidence))

	l := r.ledgerWhere(t, "the fault is executed", func(l api.Ledger) bool { return len(l.Faults) > 0 && l.Faults[0].Executed })
	f := l.Faults[0]
	if len(l.Faults) != 1 || f.Kind != "light_client_attack" || f.Chain != alpha.ID || f.Epoch != at || len(f.Offenders) != 3 {
		t.Errorf("faults %+v", l.Faults)
	}
	if len(l.Slashes) != 3 {
		t.Errorf("slashes %+v", l.Slashes)
	}
	for _, s := range l.Slashes { // 3/23 of the power: (9/23)² = 0.1531
		if s.Validator == alpha.Validators[signing].ID || s.Amount != ledger.Units(91_871) {
			t.Errorf("slash %+v", s)
		}
	}
}
