package devchain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cometbft/cometbft/types"
)

// Options of Start.
type Options struct {
	// BlockInterval is the time from block to block, 1 s when zero. 50 ms and
	// more are kept with a few milliseconds of deviation; empty blocks come
	// too. It may change from start to start.
	BlockInterval time.Duration
	// RPCAddress is the TCP address of the JSON-RPC, host:port. Empty or with
	// port 0, a free port of the loopback interface is taken; see Chain.RPC.
	RPCAddress string
	// Log receives what CometBFT complains about as warnings and the rest of
	// its log at debug level. Nil discards it.
	Log *slog.Logger
}

// Chain is a running chain: all its validators and the RPC of the first.
type Chain struct {
	id         string
	address    string
	validators []*validator
	server     *http.Server
	quiet      *atomic.Bool
	stop       func() error
	left       chan int // validators that left consensus
}

// Start runs the chain that Init created in dir, and returns when all its
// validators take part in consensus: with several of them that takes a second.
// ctx bounds the start alone; the chain runs until Stop.
//
// It returns ErrNoChain, ErrInUse, or a syscall.EADDRINUSE that names the RPC
// address.
func Start(ctx context.Context, dir string, o Options) (*Chain, error) {
	genesis, err := openGenesis(dir)
	if err != nil {
		return nil, err
	}
	if o.BlockInterval == 0 {
		o.BlockInterval = time.Second
	}
	if o.RPCAddress == "" {
		o.RPCAddress = "127.0.0.1:0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := listenRPC(o.RPCAddress)
	if err != nil {
		return nil, err
	}
	c := &Chain{id: genesis.ChainID, address: listener.Addr().String(), quiet: new(atomic.Bool)}
	c.stop = sync.OnceValue(c.close)
	log := logger{to: o.Log.With("chain", c.id), quiet: c.quiet}

	if err := c.launch(ctx, dir, genesis, o.BlockInterval, log); err != nil {
		return nil, errors.Join(err, listener.Close(), c.Stop())
	}
	if c.server, err = serve(listener, c.validators[0].node, log); err != nil {
		return nil, errors.Join(err, listener.Close(), c.Stop())
	}
	if err := c.observe(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// ID returns the chain id.
func (c *Chain) ID() string { return c.id }

// RPC returns the URL of the chain's JSON-RPC.
func (c *Chain) RPC() string { return "http://" + c.address }

// observe notes for Wait who leaves consensus.
func (c *Chain) observe() error {
	c.left = make(chan int, len(c.validators))
	for i, v := range c.validators {
		state, err := v.consensus()
		if err != nil {
			return err
		}
		go func() {
			state.Wait()
			c.left <- i
		}()
	}
	return nil
}

// Wait waits for the end of ctx, and fails if a validator leaves consensus before that
// although nobody stops the chain. CometBFT does so where it can't write any more, as
// on a full disk, says why in its log, and runs on without making blocks.
func (c *Chain) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case i := <-c.left:
		if c.quiet.Load() {
			return nil
		}
		return fmt.Errorf("chain %s: validator %d can't go on with consensus, \"CONSENSUS FAILURE\" in its log says why: mend that, then start the chain again", c.id, i)
	}
}

// Stop ends the RPC and the validators and closes all files. When it returns,
// the chain can be started again. It can be called more than once.
func (c *Chain) Stop() error { return c.stop() }

func (c *Chain) close() error {
	c.quiet.Store(true)
	var errs []error
	if c.server != nil {
		errs = append(errs, c.server.Close())
	}
	return errors.Join(append(errs, c.stopValidators())...)
}

// stopValidators ends the hub last: the others would try to reach it.
func (c *Chain) stopValidators() error {
	var errs []error
	for i := len(c.validators) - 1; i >= 0; i-- {
		errs = append(errs, c.validators[i].stop())
	}
	c.validators = nil
	return errors.Join(errs...)
}

// launch starts the validators, connects them, and waits for consensus.
//
// CometBFT can't listen on a port that the system chooses, or rather does not
// tell which. So the hub's is found free first, and tried again with another
// when it was taken in between.
func (c *Chain) launch(ctx context.Context, dir string, genesis *types.GenesisDoc, interval time.Duration, log logger) error {
	if err := until(ctx, genesis.GenesisTime); err != nil {
		return err
	}
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, dir, genesis, interval, log)
		if err == nil {
			return nil
		}
		err = errors.Join(err, c.stopValidators())
		if attempt == attempts || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
}

// attempt starts the validators in a star around the first: with all of them
// in one process, more connections bring nothing but work.
func (c *Chain) attempt(ctx context.Context, dir string, genesis *types.GenesisDoc, interval time.Duration, log logger) error {
	hubAddress, err := freeAddress()
	if err != nil {
		return err
	}
	for i := range genesis.Validators {
		listen := hubAddress
		if i > 0 {
			listen = "127.0.0.1:0" // nobody connects to it
		}
		v, err := newValidator(ctx, homeOf(dir, i), genesis, listen, interval, log)
		if err != nil {
			return err
		}
		c.validators = append(c.validators, v)
	}
	hub := c.validators[0]
	if err := hub.node.Switch().AddUnconditionalPeerIDs(ids(c.validators[1:])); err != nil {
		return fmt.Errorf("admit the validators to the first: %w", err)
	}
	for i, v := range c.validators {
		if err := v.node.Start(); err != nil {
			return fmt.Errorf("start validator %d: %w", i, err)
		}
		if i > 0 {
			if err := v.connect(hub.id(), hubAddress); err != nil {
				return fmt.Errorf("connect validator %d to the first: %w", i, err)
			}
		}
	}
	for i, v := range c.validators {
		if err := v.running(ctx); err != nil {
			return fmt.Errorf("wait for validator %d to take part in consensus: %w", i, err)
		}
	}
	return nil
}

func ids(validators []*validator) []string {
	out := make([]string, len(validators))
	for i, v := range validators {
		out[i] = string(v.id())
	}
	return out
}

// freeAddress returns a loopback address that nobody listens on right now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// until waits for the genesis time; CometBFT would sleep without a way out.
func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the genesis time %v: %w", t, ctx.Err())
	}
}

// listenRPC opens the RPC's port before anything else starts.
func listenRPC(address string) (net.Listener, error) {
	address = strings.TrimPrefix(address, "tcp://")
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("RPC address %s: %w", address, syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on the RPC address: %w", err)
	}
	return l, nil
}
