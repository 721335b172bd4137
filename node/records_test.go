package node_test

import (
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
)

// A node's own API proves a ledger's records to whoever has the manifest alone.
func TestANodeProvesItsLedgersFromGenesisOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		w.start()
		w.await("two epochs of both chains are certified on all nodes", w.everywhere(certified(2)))
		asked := w.of("alpha")[0]
		for _, chain := range []string{"alpha", "beta"} {
			network := w.network.Manifest.ID()
			p := &ledger.Proof{Format: ledger.ProofFormat, Network: network[:], Chain: chain}
			for _, name := range []string{"meta", "account/" + asked.validator.ID.String()} {
				r, err := asked.api().Record(t.Context(), chain, name, p.Epoch)
				must(t, err)
				p.Epoch, p.Records = r.Epoch, append(p.Records, r.ProofRecord)
			}
			trail, err := asked.api().Certificates(t.Context(), chain, 1, int(p.Epoch))
			must(t, err)
			p.Trail = trail.Links
			if _, err := p.Verify(ledger.Trust{Manifest: w.network.Manifest}); err != nil {
				t.Errorf("%s: %v", chain, err)
			}
			if p.Epoch < 2 || !p.Records[0].Present || p.Records[1].Present != (chain == "alpha") {
				t.Errorf("%s: epoch %d, records %+v", chain, p.Epoch, p.Records)
			}
		}
		for _, unknown := range []struct {
			chain, name string
			epoch       uint64
		}{{"omega", "meta", 0}, {"alpha", "meta", 1 << 40}, {"alpha", "mata", 0}} {
			if r, err := asked.api().Record(t.Context(), unknown.chain, unknown.name, unknown.epoch); err == nil {
				t.Errorf("%+v is proven: %+v", unknown, r)
			}
		}
		if trail, err := asked.api().Certificates(t.Context(), "alpha", 1<<40, 1); err != nil || len(trail.Links) != 0 {
			t.Errorf("certificates of the future: %v, %v", trail, err)
		}
	})
}
