package devchain

import (
	"time"

	cfg "github.com/cometbft/cometbft/config"

	"github.com/meshsec/meshsec/node/chain"
)

// gossipSleep is how long CometBFT's consensus sleeps between looks at what a
// peer lacks, and how long it collects bytes for a packet. Its defaults of
// 100 ms make a step of consensus take that long.
const gossipSleep = 5 * time.Millisecond

// What a block takes besides the pause after it, measured: proposal, two votes
// and their writes to disk; with several validators, the hops between them.
const (
	aloneWork  = 15 * time.Millisecond
	gossipWork = 40 * time.Millisecond
)

// configure returns CometBFT's configuration for one validator: small, quiet,
// closed to strangers.
func configure(h home, listen string, validators int, interval time.Duration) *cfg.Config {
	c := cfg.DefaultConfig()
	c.SetRoot(h.dir)

	work := aloneWork
	if validators > 1 {
		work = gossipWork
	}
	c.Consensus.TimeoutCommit = max(interval-work, interval/4)
	c.Consensus.PeerGossipSleepDuration = gossipSleep

	c.P2P.ListenAddress = "tcp://" + listen
	c.P2P.AddrBookStrict = false
	c.P2P.AllowDuplicateIP = true
	c.P2P.PexReactor = false
	c.P2P.MaxNumInboundPeers = 0 // only the chain's own validators, see launch
	c.P2P.MaxNumOutboundPeers = 0
	c.P2P.FlushThrottleTimeout = gossipSleep
	c.P2P.SendRate = 64 << 20
	c.P2P.RecvRate = 64 << 20

	c.Mempool.Size = 2000
	c.Mempool.MaxTxsBytes = 64 << 20
	c.Mempool.CacheSize = 4000
	c.Mempool.MaxTxBytes = chain.MaxOperation + 1<<10

	c.RPC.ListenAddress = "" // the chain serves it, see serve
	c.TxIndex.Indexer = "null"
	c.Instrumentation.Prometheus = false
	return c
}
