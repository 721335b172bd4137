package node_test

import (
	"encoding/hex"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// A chain that was away for too long is halted on the other's ledger. Its nodes and the
// others' go on following it, so that there is something to trust when the authority
// decides to.
func TestStaleChainIsFollowedAgainOnceItIsTrusted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		w.start()
		w.await("the first epochs are certified", w.everywhere(certified(2)))
		m := w.of("alpha")[0]
		beta := func() ledger.PeerView { return m.ledger("alpha").Peers[0] }
		for _, b := range w.of("beta") {
			w.chains["beta"].cut(b.name, true)
		}
		w.await("beta is stale", func() bool { return beta().Stale })
		if len(m.status().Warnings) == 0 {
			t.Error("no warning tells of a halted peer")
		}
		for _, b := range w.of("beta") {
			w.chains["beta"].cut(b.name, false)
		}
		// The ledger's own windows are those of block times: beta has made blocks all along.
		newest := func() uint64 { return m.status().Ledgers["beta"].Epoch }
		w.await("alpha's node has a fresh certificate of beta", func() bool {
			cp, ok := m.checkpoint("beta", newest())
			return ok && cp.Time+10_000 > m.status().Home.Time
		})
		if !beta().Stale {
			t.Fatal("a certificate alone made beta live again")
		}

		answer, err := m.api().Certificate(t.Context(), "beta", newest())
		must(t, err)
		raw, err := hex.DecodeString(m.status().Network)
		must(t, err)
		cert, next, err := answer.Open(attest.Network(raw))
		must(t, err)
		op, err := ledger.NewTrustPeer(m.ledger("alpha").AuthorityNonce, cert.Checkpoint(), next)
		m.succeed(m.submit(t, w.network.Chains[0].Authority, op, err))
		w.await("beta is followed, and final", func() bool {
			p := beta()
			return p.Halted == "" && p.Final > cert.Epoch()+1
		})
	})
}

func TestForgedCertificatesDoNotOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 2, nil)
		w.start()
		w.await("an epoch is certified", w.everywhere(certified(2)))
		m := w.of("alpha")[0]
		raw, err := hex.DecodeString(m.status().Network)
		must(t, err)
		network := attest.Network(raw)
		good, err := m.api().Certificate(t.Context(), "beta", 1)
		must(t, err)
		if cert, next, err := good.Open(network); err != nil || cert.ChainID() != "beta" || cert.Epoch() != 1 || next.Root() != cert.Checkpoint().ValidatorsRoot {
			t.Fatalf("the good one: %v", err)
		}
		other, err := m.api().Certificate(t.Context(), "alpha", 1)
		must(t, err)
		flipped := append(ledger.HexBytes{}, good.Certificate...)
		flipped[len(flipped)/2] ^= 1
		for name, forged := range map[string]api.Certificate{
			"another chain's set":      {Certificate: good.Certificate, Set: other.Set, Next: good.Next},
			"another chain's next set": {Certificate: good.Certificate, Set: good.Set, Next: other.Next},
			"a changed certificate":    {Certificate: flipped, Set: good.Set, Next: good.Next},
			"nothing":                  {},
		} {
			if _, _, err := forged.Open(network); err == nil {
				t.Errorf("%s is taken", name)
			}
		}
		if _, _, err := good.Open(attest.Network{1}); err == nil {
			t.Error("a certificate of another network is taken")
		}
	})
}
