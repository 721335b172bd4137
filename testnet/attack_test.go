package testnet

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// witness is a node of the mesh that serves one certificate and keeps what it is
// told.
type witness struct {
	bystander
	certificate *attest.Certificate
	votes       chan *attest.Attestation
}

func (w *witness) Vote(_ context.Context, _ peer.ID, vote *attest.Attestation) p2p.Finding {
	w.votes <- vote
	return p2p.Found(p2p.Accepted)
}

func (w *witness) Certificates(context.Context, string, uint64, int) ([]*attest.Certificate, error) {
	return []*attest.Certificate{w.certificate}, nil
}

// witnessNode puts w on the network and returns its address.
func witnessNode(t *testing.T, network attest.Network, w *witness) string {
	t.Helper()
	identity, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n, err := p2p.New(t.Context(), p2p.Config{
		Network: network, Chains: []string{"alpha", "beta"}, PrivateKey: identity, Listen: []string{"/ip4/127.0.0.1/tcp/0"},
	}, w, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	return n.Addrs()[0]
}

func TestAttackerGossipsTwoVotesThatProveADoubleVote(t *testing.T) {
	keys := ledgertest.New(2, 4, nil)
	mesh, err := ledgertest.Play(keys)
	if err != nil {
		t.Fatal(err)
	}
	result, err := mesh.Epoch("beta")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{certificate: &attest.Certificate{Checkpoint: *result.Checkpoint, Signers: attest.NewBits(4)}, votes: make(chan *attest.Attestation, 4)}
	w.certificate.Signers[0] |= 1
	address := witnessNode(t, keys.ID, w)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := infiltrate(ctx, keys.ID, []string{"alpha", "beta"}, []string{address})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	cp, err := a.checkpoint(ctx, "beta", 1)
	if err != nil {
		t.Fatal(err)
	}
	if cp.Root() != result.Checkpoint.Root() {
		t.Fatal("it got another checkpoint than the one served")
	}
	if _, err := a.doubleVote(ctx, keys.Chains[1].Validators[2].Key, cp); err != nil {
		t.Fatal(err)
	}

	set := mesh.Set("beta", 1)
	tally := attest.NewTally(keys.ID, set, "beta", 1)
	var proof *attest.FaultProof
	for range 2 {
		select {
		case vote := <-w.votes:
			verified, err := attest.VerifyAttestation(keys.ID, set, vote)
			if err != nil {
				t.Fatal(err)
			}
			if _, found := tally.Add(verified); found != nil {
				proof = found
			}
		case <-ctx.Done():
			t.Fatal("the votes did not arrive")
		}
	}
	if proof == nil {
		t.Fatal("the two votes prove nothing")
	}
	fault, err := attest.VerifyFault(keys.ID, set, proof)
	if err != nil {
		t.Fatal(err)
	}
	if o := fault.Offenders(); len(o) != 1 || o[0].Account != keys.Chains[1].Validators[2].ID {
		t.Errorf("it convicts %+v", o)
	}
}
