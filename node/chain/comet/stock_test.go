package comet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/abci/example/kvstore"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/secp256k1"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
)

// deadline bounds what a test waits for, far above what is needed.
const deadline = 60 * time.Second

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// stock is an unmodified CometBFT node with its example application, serving
// its own RPC.
type stock struct {
	config  *cfg.Config
	genesis *types.GenesisDoc
	app     *kvstore.Application
	node    *node.Node
	open    []dbm.DB
}

// newStock prepares a chain of one real validator and as many that never show
// up, with so little power that they are not missed. Blocks come every 100 ms.
func newStock(t *testing.T, absent int) *stock {
	t.Helper()
	s := &stock{config: cfg.DefaultConfig(), app: kvstore.NewInMemoryApplication()}
	c := s.config
	c.SetRoot(t.TempDir())
	for _, folder := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(c.RootDir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.RPC.ListenAddress = "tcp://" + freeAddress(t)
	c.P2P.ListenAddress = "tcp://127.0.0.1:0"
	c.P2P.PexReactor = false                           // its address book is written after the end
	c.Consensus.TimeoutPropose = 20 * time.Millisecond // the absent ones' turns
	c.Consensus.TimeoutCommit = 80 * time.Millisecond

	signer := privval.LoadOrGenFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile())
	params := types.DefaultConsensusParams()
	params.Validator.PubKeyTypes = []string{types.ABCIPubKeyTypeEd25519, types.ABCIPubKeyTypeSecp256k1}
	s.genesis = &types.GenesisDoc{ChainID: "stock-1", GenesisTime: time.Now(), ConsensusParams: params,
		Validators: []types.GenesisValidator{{PubKey: signer.Key.PubKey, Power: 10_000}}}
	for i := range absent {
		var key crypto.PubKey = ed25519.GenPrivKeyFromSecret([]byte{byte(i)}).PubKey()
		if i%2 == 1 {
			key = secp256k1.GenPrivKeySecp256k1([]byte{byte(i)}).PubKey()
		}
		s.genesis.Validators = append(s.genesis.Validators, types.GenesisValidator{PubKey: key, Power: 1 + int64(i%3)})
	}
	if err := s.genesis.ValidateAndComplete(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *stock) start(t *testing.T) {
	t.Helper()
	nodeKey, err := p2p.LoadOrGenNodeKey(s.config.NodeKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	provide := func(ctx *cfg.DBContext) (dbm.DB, error) {
		db, err := cfg.DefaultDBProvider(ctx)
		s.open = append(s.open, db)
		return db, err
	}
	s.node, err = node.NewNode(s.config,
		privval.LoadFilePV(s.config.PrivValidatorKeyFile(), s.config.PrivValidatorStateFile()), nodeKey,
		proxy.NewLocalClientCreator(s.app), func() (*types.GenesisDoc, error) { return s.genesis, nil },
		provide, node.DefaultMetricsProvider(s.config.Instrumentation), log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.node.Start(); err != nil {
		t.Fatal(err)
	}
}

func (s *stock) stop(t *testing.T) {
	t.Helper()
	if s.node == nil {
		return
	}
	if err := s.node.Stop(); err != nil {
		t.Error(err)
	}
	for _, db := range s.open {
		db.Close() // Stop leaves the index open; for the others this is the second time
	}
	s.node, s.open = nil, nil
}

func (s *stock) url() string { return s.config.RPC.ListenAddress }

func dial(t *testing.T, address string, o comet.Options) *comet.Chain {
	t.Helper()
	c, err := comet.Dial(bounded(t), address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var errEnough = errors.New("enough")

// follow reads blocks from f.Next on until enough says so.
func follow(t *testing.T, f *chain.Follower, c chain.Chain, enough func(chain.Block) bool) (blocks []chain.Block) {
	t.Helper()
	f.Poll = 10 * time.Millisecond
	err := f.Run(bounded(t), c, func(b chain.Block) error {
		if b.Height != f.Next {
			t.Errorf("block %d comes in place of %d", b.Height, f.Next)
		}
		blocks = append(blocks, b)
		if enough(b) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("followed %d blocks, then: %v", len(blocks), err)
	}
	last := blocks[len(blocks)-1]
	f.Next, f.Parent = last.Height+1, last.Hash
	return blocks
}

func upTo(height uint64) func(chain.Block) bool {
	return func(b chain.Block) bool { return b.Height >= height }
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(fmt.Errorf("%T: %w", v, err))
		}
		return v
	}
}
