package node_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// adversary is a host in the mesh that has validators' keys and no scruples.
type adversary struct {
	*world
	mesh *p2p.Node
}

// deaf takes nothing and has nothing.
type deaf struct{}

func (deaf) Vote(context.Context, peer.ID, *attest.Attestation) p2p.Finding {
	return p2p.Found(p2p.NothingNew)
}

func (deaf) CrossVote(context.Context, peer.ID, *attest.CrossAttestation) p2p.Finding {
	return p2p.Found(p2p.NothingNew)
}

func (deaf) Certificate(context.Context, peer.ID, *attest.Certificate) p2p.Finding {
	return p2p.Found(p2p.NothingNew)
}

func (deaf) Fault(context.Context, peer.ID, *attest.FaultProof) p2p.Finding {
	return p2p.Found(p2p.NothingNew)
}

func (deaf) Heads(context.Context) ([]p2p.Head, error) { return nil, nil }

func (deaf) Certificates(context.Context, string, uint64, int) ([]*attest.Certificate, error) {
	return nil, nil
}

func (deaf) Epochs(context.Context, string, uint64, int, int) ([][]byte, error) { return nil, nil }

func (deaf) Faults(context.Context, uint64, int) ([]p2p.FaultRecord, error) { return nil, nil }

func (deaf) Votes(context.Context, string, uint64, int) ([]*attest.Attestation, []*attest.CrossAttestation, error) {
	return nil, nil, nil
}

// liar claims to know everything and shows rubbish.
type liar struct{ deaf }

func (liar) Heads(context.Context) ([]p2p.Head, error) {
	return []p2p.Head{{Chain: "alpha", Epoch: 1 << 40}, {Chain: "beta", Epoch: 1 << 40}}, nil
}

func (liar) Epochs(context.Context, string, uint64, int, int) ([][]byte, error) {
	return [][]byte{[]byte("rubbish")}, nil
}

func (w *world) adversary() *adversary { return w.hostile(deaf{}) }

// hostile is a host in the mesh that answers sync as it likes.
func (w *world) hostile(source p2p.Source) *adversary {
	w.t.Helper()
	seed := sha256.Sum256([]byte("adversary"))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	must(w.t, err)
	cfg := p2p.Config{
		Network: w.network.ID, Chains: w.network.Manifest.ChainIDs(), PrivateKey: key,
		Listen: []string{fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", simnet.IntToPublicIPv4(200))},
		ExtraOptions: []libp2p.Option{
			simlibp2p.QUICSimnet(w.net, simnet.NodeBiDiLinkSettings{
				Downlink: simnet.LinkSettings{BitsPerSecond: 50 * simlibp2p.OneMbps},
				Uplink:   simnet.LinkSettings{BitsPerSecond: 50 * simlibp2p.OneMbps},
			}),
			libp2p.ResourceManager(&network.NullResourceManager{}),
		},
	}
	for _, m := range w.members {
		cfg.Peers = append(cfg.Peers, m.addr())
	}
	mesh, err := p2p.New(context.Background(), cfg, deaf{}, source)
	must(w.t, err)
	must(w.t, mesh.Start())
	w.t.Cleanup(func() { must(w.t, mesh.Close()) })
	w.await("the adversary is connected", func() bool {
		select {
		case <-mesh.Ready():
			return true
		default:
			return false
		}
	})
	return &adversary{w, mesh}
}

// forged is a checkpoint that contradicts the certified one of an epoch.
func (a *adversary) forged(chain string, epoch uint64, seen *member) *attest.Checkpoint {
	a.t.Helper()
	cp, ok := seen.checkpoint(chain, epoch)
	if !ok {
		a.t.Fatalf("no certificate of %s epoch %d to contradict", chain, epoch)
	}
	forged := &attest.Checkpoint{ChainID: []byte(chain), Epoch: epoch, Height: cp.Height, Time: cp.Time, OpsRoot: [32]byte{1}}
	copy(forged.ValidatorsRoot[:], cp.ValidatorsRoot)
	return forged
}

// doubleVote has a validator sign what contradicts the certified epoch.
func (a *adversary) doubleVote(v *ledgertest.Validator, chain string, epoch uint64, seen *member) {
	a.t.Helper()
	vote, err := attest.SignAttestation(v.Key, a.network.ID, a.forged(chain, epoch, seen))
	must(a.t, err)
	must(a.t, a.mesh.PublishVote(context.Background(), vote))
}

// fork publishes a second certificate of an epoch, by a quorum of members whose set
// has not changed since genesis.
func (a *adversary) fork(chain string, epoch uint64, by ...*member) {
	a.t.Helper()
	genesis, err := ledger.Genesis(a.network.Manifest, chain)
	must(a.t, err)
	set, err := attest.NewSet(genesis.Set)
	must(a.t, err)
	forged := a.forged(chain, epoch, by[0])
	tally := attest.NewTally(a.network.ID, set, chain, epoch)
	for _, m := range by {
		vote, err := attest.SignAttestation(m.validator.Key, a.network.ID, forged)
		must(a.t, err)
		verified, err := attest.VerifyAttestation(a.network.ID, set, vote)
		must(a.t, err)
		tally.Add(verified)
	}
	certificate, ok := tally.Certificate()
	if !ok {
		a.t.Fatal("no quorum")
	}
	must(a.t, a.mesh.PublishCertificate(context.Background(), certificate))
}

// submit signs an operation with an account's key and hands it to a node.
func (m *member) submit(t *testing.T, key ed25519.PrivateKey, op *ledger.Operation, err error) [32]byte {
	t.Helper()
	must(t, err)
	must(t, op.Sign(m.world.network.ID, m.chain, key))
	raw, err := ledger.EncodeOperation(op)
	must(t, err)
	id, err := m.api().Submit(context.Background(), raw)
	must(t, err)
	return id
}

// succeed waits until an operation was executed, and fails the test if it failed.
func (m *member) succeed(id [32]byte) {
	m.world.t.Helper()
	m.world.await("the operation is executed", func() bool {
		r, err := m.api().Receipt(context.Background(), id)
		if err == nil && !r.OK {
			m.world.t.Fatalf("operation failed: %s", r.Reason)
		}
		return err == nil
	})
}
