package comet

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/meshsec/meshsec/node/chain"
)

// Options of Dial. The zero value follows whatever chain answers.
type Options struct {
	// ExpectChainID is the chain id that every answer must carry. Empty means
	// the one that the node reports to Dial.
	ExpectChainID string
	// Encoding in which operations are submitted.
	Encoding chain.Encoding
	// Timeout of one call, 10 s when zero.
	Timeout time.Duration
}

// Chain is a CometBFT chain behind one RPC address. It implements chain.Chain.
type Chain struct {
	rpc      *rpc
	id       string
	encoding chain.Encoding
	// tip is the highest block known to exist. It only saves calls: what is
	// above it is asked again, and what is below may turn out to be gone.
	tip atomic.Uint64
}

var _ chain.Chain = (*Chain)(nil)

// Dial connects to the CometBFT RPC at address: http://host:port,
// https://host/path, tcp://host:port or host:port. It asks the node for its
// status once; chain.ErrUnreachable and chain.ErrWrongChain say what is wrong.
// The Chain survives restarts of the node. Close it when done.
func Dial(ctx context.Context, address string, o Options) (*Chain, error) {
	endpoint, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	c := &Chain{
		rpc:      &rpc{endpoint: endpoint, http: &http.Client{Transport: transport, Timeout: o.Timeout}},
		id:       o.ExpectChainID,
		encoding: o.Encoding,
	}
	status, err := c.Status(ctx)
	if err != nil {
		c.Close()
		return nil, err
	}
	c.id = status.ChainID
	return c, nil
}

// Close drops idle connections. Calls after it open new ones.
func (c *Chain) Close() { c.rpc.http.CloseIdleConnections() }

// ID returns the chain id that every answer is checked against.
func (c *Chain) ID() string { return c.id }

// Status asks the node where the chain stands.
func (c *Chain) Status(ctx context.Context) (chain.Status, error) {
	var answer struct {
		NodeInfo struct {
			Network string `json:"network"`
		} `json:"node_info"`
		SyncInfo struct {
			Latest     uint64 `json:"latest_block_height,string"`
			Earliest   uint64 `json:"earliest_block_height,string"`
			CatchingUp bool   `json:"catching_up"`
		} `json:"sync_info"`
	}
	err := c.rpc.call(ctx, "status", nil, &answer)
	var refused *refusal
	if asRefusal(err, &refused) && refused.Code == noSuchMethod || err == nil && answer.NodeInfo.Network == "" {
		return chain.Status{}, fmt.Errorf("%w: %s speaks JSON-RPC, but not CometBFT's; check the address", chain.ErrUnreachable, c.rpc.endpoint)
	}
	if err != nil {
		return chain.Status{}, err
	}
	if err := c.checkID(answer.NodeInfo.Network); err != nil {
		return chain.Status{}, err
	}
	c.tip.Store(answer.SyncInfo.Latest)
	return chain.Status{
		ChainID:    answer.NodeInfo.Network,
		Height:     answer.SyncInfo.Latest,
		Earliest:   answer.SyncInfo.Earliest,
		CatchingUp: answer.SyncInfo.CatchingUp,
	}, nil
}

func (c *Chain) checkID(id string) error {
	if id == "" || c.id != "" && id != c.id {
		return fmt.Errorf("%w: %s serves chain %q, expected %q; correct the RPC address or the chain id", chain.ErrWrongChain, c.rpc.endpoint, id, c.id)
	}
	return nil
}

// reach returns nil when the node has the block at height, ErrNotYet or
// ErrPruned when it does not. The answer is cheap below the known tip.
func (c *Chain) reach(ctx context.Context, height uint64) error {
	if height == 0 {
		return fmt.Errorf("%w: heights start at 1", chain.ErrPruned)
	}
	if height <= c.tip.Load() {
		return nil
	}
	return c.locate(ctx, height)
}

// locate compares height with what the node says now that it has.
func (c *Chain) locate(ctx context.Context, height uint64) error {
	status, err := c.Status(ctx)
	switch {
	case err != nil:
		return err
	case height > status.Height:
		return fmt.Errorf("%w: height %d, %s is at %d", chain.ErrNotYet, height, c.id, status.Height)
	case height < status.Earliest:
		return fmt.Errorf("%w: height %d, %s keeps %d and later; use an archive node or start from a later trusted checkpoint",
			chain.ErrPruned, height, c.rpc.endpoint, status.Earliest)
	}
	return nil
}

// get calls a method that takes a height, and explains a refusal by comparing
// the height with the node's status.
func (c *Chain) get(ctx context.Context, method string, height uint64, more map[string]any, answer any) error {
	if err := c.reach(ctx, height); err != nil {
		return err
	}
	params := map[string]any{"height": fmt.Sprint(height)}
	for k, v := range more {
		params[k] = v
	}
	err := c.rpc.call(ctx, method, params, answer)
	var refused *refusal
	if !asRefusal(err, &refused) {
		return err
	}
	if why := c.locate(ctx, height); why != nil {
		return why
	}
	return err
}

// parseAddress accepts what operators write and returns an HTTP URL.
func parseAddress(address string) (string, error) {
	text := address
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err == nil {
		switch u.Scheme {
		case "tcp":
			u.Scheme = "http"
		case "http", "https":
		default:
			err = fmt.Errorf("scheme %q is not supported", u.Scheme)
		}
		if err == nil && u.Host == "" {
			err = fmt.Errorf("the host is missing")
		}
	}
	if err != nil {
		return "", fmt.Errorf("RPC address %q is not usable, write http://host:port: %w", address, err)
	}
	return u.String(), nil
}
