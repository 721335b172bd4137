package deps

import (
	_ "github.com/cometbft/cometbft/node"
	_ "github.com/cometbft/cometbft/abci/example/kvstore"
	_ "github.com/cometbft/cometbft/rpc/client/http"
	_ "github.com/cometbft/cometbft/rpc/client/local"
	_ "github.com/dgraph-io/badger/v4"
	_ "github.com/ferranbt/fastssz"
	_ "github.com/herumi/bls-eth-go-binary/bls"
	_ "github.com/holiman/uint256"
	_ "github.com/libp2p/go-libp2p"
	_ "github.com/libp2p/go-libp2p-pubsub"
	_ "github.com/libp2p/go-libp2p/x/simlibp2p"
	_ "github.com/marcopolo/simnet"
	_ "github.com/pelletier/go-toml/v2"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/spf13/cobra"
	_ "github.com/wealdtech/go-eth2-wallet-encryptor-keystorev4"
	_ "pgregory.net/rapid"
)
