package devchain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/libs/pubsub"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"
)

// validator is one running CometBFT node.
type validator struct {
	node      *node.Node
	databases databases
	// rounds tells of rounds of consensus: the first means that it runs.
	rounds types.Subscription
}

// newValidator assembles the node and replays what its application missed. It
// listens on the given loopback address when started.
func newValidator(ctx context.Context, h home, genesis *types.GenesisDoc, listen string, interval time.Duration, log logger) (_ *validator, err error) {
	v := &validator{}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.stop())
		}
	}()
	signer, err := h.signer()
	if err != nil {
		return nil, err
	}
	nodeKey, err := p2p.LoadNodeKey(h.nodeKeyFile())
	if err != nil {
		return nil, fmt.Errorf("node key of %s: %w", h.dir, err)
	}
	app, err := openApplication(h.applicationFile())
	if err != nil {
		return nil, err
	}
	config := configure(h, listen, len(genesis.Validators), interval)
	v.node, err = node.NewNodeWithContext(ctx, config, signer, nodeKey, proxy.NewLocalClientCreator(app),
		func() (*types.GenesisDoc, error) { return genesis, nil },
		v.databases.provide, node.DefaultMetricsProvider(config.Instrumentation), log)
	if err != nil {
		return nil, fmt.Errorf("assemble the validator in %s: %w", h.dir, err)
	}
	v.rounds, err = v.node.EventBus().Subscribe(ctx, "devchain", types.EventQueryNewRound)
	if err != nil {
		return nil, fmt.Errorf("watch the validator in %s: %w", h.dir, err)
	}
	return v, nil
}

func (v *validator) id() p2p.ID { return v.node.NodeInfo().ID() }

// connect keeps the validator connected to the hub at address.
func (v *validator) connect(hub p2p.ID, address string) error {
	target := p2p.IDAddressString(hub, address)
	if err := v.node.Switch().AddPersistentPeers([]string{target}); err != nil {
		return err
	}
	addr, err := p2p.NewNetAddressString(target)
	if err != nil {
		return err
	}
	return v.node.Switch().DialPeerWithAddress(addr)
}

// running waits until the validator takes part in consensus.
func (v *validator) running(ctx context.Context) error {
	select {
	case <-v.rounds.Out():
		return nil
	case <-v.rounds.Canceled():
		if errors.Is(v.rounds.Err(), pubsub.ErrOutOfCapacity) {
			return nil // more rounds than one passed meanwhile
		}
		return v.rounds.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// consensus is the validator's state machine. CometBFT hands it out to an RPC only.
func (v *validator) consensus() (*consensus.State, error) {
	env, err := v.node.ConfigureRPC()
	if err != nil {
		return nil, err
	}
	return env.ConsensusState.(*consensus.State), nil
}

// stop ends the node, or what there is of it, and closes its databases.
func (v *validator) stop() error {
	var errs []error
	if v.node != nil {
		if v.node.IsRunning() {
			errs = append(errs, v.node.Stop())
		} else if v.node.EventBus().IsRunning() {
			errs = append(errs, v.node.EventBus().Stop())
		}
		errs = append(errs, v.node.ProxyApp().Stop())
	}
	errs = append(errs, v.databases.close())
	return errors.Join(errs...)
}
