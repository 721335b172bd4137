package testnet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/p2p"
)

// attacker is a stranger in the mesh: a libp2p host with a fresh identity, who got
// hold of a validator's key.
type attacker struct {
	network attest.Network
	node    *p2p.Node
}

// infiltrate connects with the nodes at these addresses.
func infiltrate(ctx context.Context, network attest.Network, chains, addresses []string) (*attacker, error) {
	identity, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	n, err := p2p.New(ctx, p2p.Config{Network: network, Chains: chains, PrivateKey: identity, Peers: addresses}, bystander{}, bystander{})
	if err != nil {
		return nil, err
	}
	a := &attacker{network, n}
	if err := a.connect(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return a, nil
}

func (a *attacker) connect(ctx context.Context) error {
	if err := a.node.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	select {
	case <-a.node.Ready():
		return nil
	case <-ctx.Done():
		return errors.New("the attacker got no connection to the mesh: are the nodes' ports published on 127.0.0.1?")
	}
}

func (a *attacker) close() error { return a.node.Close() }

// checkpoint gets a certified checkpoint from whichever peer has it.
func (a *attacker) checkpoint(ctx context.Context, chain string, epoch uint64) (*attest.Checkpoint, error) {
	var errs []error
	for _, from := range a.node.SyncPeers() {
		found, err := a.node.FetchCertificates(ctx, from, chain, epoch, 1)
		if err == nil && len(found) == 1 && found[0].Checkpoint.Epoch == epoch {
			return &found[0].Checkpoint, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(append(errs, fmt.Errorf("no node serves the certificate of epoch %d of %s", epoch, chain))...)
}

// doubleVote signs a certified checkpoint and a contradiction to it, past any
// guard, and gossips both. It returns the moment before the second.
func (a *attacker) doubleVote(ctx context.Context, key bls.SecretKey, real *attest.Checkpoint) (time.Time, error) {
	other := *real
	other.BlockHash[0] ^= 1
	var second time.Time
	for _, cp := range []*attest.Checkpoint{real, &other} {
		vote, err := attest.SignAttestation(key, a.network, cp)
		if err != nil {
			return second, err
		}
		second = time.Now()
		if err := a.node.PublishVote(ctx, vote); err != nil {
			return second, err
		}
	}
	return second, nil
}

// bystander takes no part: it ignores what gossip brings and has nothing to serve.
type bystander struct{}

func (bystander) Vote(context.Context, peer.ID, *attest.Attestation) p2p.Finding {
	return p2p.Found(p2p.Unsupported)
}

func (bystander) CrossVote(context.Context, peer.ID, *attest.CrossAttestation) p2p.Finding {
	return p2p.Found(p2p.Unsupported)
}

func (bystander) Certificate(context.Context, peer.ID, *attest.Certificate) p2p.Finding {
	return p2p.Found(p2p.Unsupported)
}

func (bystander) Fault(context.Context, peer.ID, *attest.FaultProof) p2p.Finding {
	return p2p.Found(p2p.Unsupported)
}

func (bystander) Heads(context.Context) ([]p2p.Head, error) { return nil, nil }

func (bystander) Certificates(context.Context, string, uint64, int) ([]*attest.Certificate, error) {
	return nil, p2p.ErrUnavailable
}

func (bystander) Epochs(context.Context, string, uint64, int, int) ([][]byte, error) {
	return nil, p2p.ErrUnavailable
}

func (bystander) Faults(context.Context, uint64, int) ([]p2p.FaultRecord, error) { return nil, nil }

func (bystander) Votes(context.Context, string, uint64, int) ([]*attest.Attestation, []*attest.CrossAttestation, error) {
	return nil, nil, nil
}
