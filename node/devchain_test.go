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

// TestARealDoubleSignerIsSlashedWithoutAnyonesHelp: a validator of a real CometBFT
// chain signs two blocks, CometBFT commits the evidence, and one node beside the chain
// does the rest.
func TestARealDoubleSignerIsSlashedWithoutAnyonesHelp(t *testing.T) {
	const offender = 2
	network := ledgertest.New(1, 4, func(m *ledger.Manifest) { m.Genesis = uint64(time.Now().UnixMilli()) })
	alpha := network.Chains[0]
	keys := make([]ed25519.PrivateKey, len(alpha.Validators))
	for i, v := range alpha.Validators {
		keys[i] = v.Consensus
	}
	dir := t.TempDir()
	must(t, devchain.Init(dir, devchain.Genesis{ChainID: alpha.ID, Validators: len(keys), ConsensusKeys: keys, Time: time.UnixMilli(int64(network.Manifest.Genesis))}))
	home, err := devchain.Start(t.Context(), dir, devchain.Options{BlockInterval: 100 * time.Millisecond})
	must(t, err)
	t.Cleanup(func() { must(t, home.Stop()) })

	cfg := node.DefaultConfig()
	cfg.Name, cfg.Chain, cfg.API.Listen = "alpha-0", alpha.ID, ""
	cfg.HomeChain.PollInterval = node.Span(20 * time.Millisecond)
	cfg.P2P.Listen, cfg.P2P.Peers = []string{"/ip4/127.0.0.1/udp/0/quic-v1"}, nil
	cfg.P2P.Key = filepath.Join(t.TempDir(), "p2p")
	signer, err := node.NewLocalSigner(alpha.Validators[0].Key, filepath.Join(t.TempDir(), "guard"), network.ID, true)
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

	client := api.NewClient("http://alpha-0", &http.Client{Transport: transport{n.Handler()}})
	ledgerWhere := func(what string, holds func(api.Ledger) bool) api.Ledger {
		t.Helper()
		look := time.NewTicker(50 * time.Millisecond)
		defer look.Stop()
		for deadline := time.After(time.Minute); ; {
			l, err := client.Ledger(t.Context(), alpha.ID)
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
	at := ledgerWhere("some epochs are executed", func(l api.Ledger) bool { return l.Epoch >= 2 }).Epoch
	adapter, err := dial(t.Context())
	must(t, err)
	t.Cleanup(adapter.Close)
	evidence, err := adapter.DoubleSign(t.Context(), at*network.Manifest.Chain(alpha.ID).EpochBlocks, keys[offender])
	must(t, err)
	must(t, adapter.SubmitEvidence(t.Context(), evidence))

	l := ledgerWhere("the fault is executed", func(l api.Ledger) bool { return len(l.Faults) > 0 && l.Faults[0].Executed })
	f := l.Faults[0]
	if len(l.Faults) != 1 || f.Kind != "consensus_equivocation" || f.Chain != alpha.ID || f.Epoch != at ||
		len(f.Offenders) != 1 || f.Offenders[0] != alpha.Validators[offender].ID {
		t.Errorf("faults %+v", l.Faults)
	}
	// A quarter of the power: (3/4)² = 0.5625, at most the lien's ratio of a half.
	if len(l.Slashes) != 1 || l.Slashes[0].Amount != ledger.Units(ledgertest.Stake/2) {
		t.Errorf("slashes %+v", l.Slashes)
	}
}
