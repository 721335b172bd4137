package devchain

import (
	"net"
	"net/http"

	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
)

// serve answers CometBFT's JSON-RPC on listener until the returned server is
// closed. CometBFT's own start of the RPC is not used: when its node stops, it
// keeps connections open and goes on answering on them from closed databases.
// Subscriptions over WebSocket are not offered.
func serve(listener net.Listener, n *node.Node, log logger) (*http.Server, error) {
	env, err := n.ConfigureRPC()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	server.RegisterRPCFuncs(mux, env.GetRoutes(), log)
	limits := server.DefaultConfig()
	s := &http.Server{
		Handler:           server.PreChecksHandler(server.RecoverAndLogHandler(mux, log), limits),
		ReadTimeout:       limits.ReadTimeout,
		ReadHeaderTimeout: limits.ReadTimeout,
		// Longer than broadcast_tx_commit may take.
		WriteTimeout:   2 * n.Config().RPC.TimeoutBroadcastTxCommit,
		MaxHeaderBytes: limits.MaxHeaderBytes,
	}
	go s.Serve(listener) // ends with s.Close; a failing listener shows at the client
	return s, nil
}
