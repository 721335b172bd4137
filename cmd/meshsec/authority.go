package main

import (
	"context"
	"crypto/ed25519"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/store/ledger"
)

// authority are the flags of an operation that the chain's authority signs.
type authority struct {
	files []string
	nonce uint64
}

func (a *authority) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&a.files, "authority-key", nil, "file with a key of the authority; repeat it for each (required)")
	cmd.Flags().Uint64Var(&a.nonce, "nonce", 0, "the authority's next nonce (default: the node is asked)")
}

func (a *authority) keys() (keys []ed25519.PrivateKey, err error) {
	for _, file := range a.files {
		key, err := readAccountKey(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// decided runs an order that the chain's authority signs. The account is the one that
// it concerns, zero if it concerns none.
func (o *order) decided(cmd *cobra.Command, a *authority, id ledger.AccountID, build func(ctx context.Context, nonce uint64, s *session) (*ledger.Operation, error)) error {
	keys, err := a.keys()
	if err != nil {
		return err
	}
	return o.send(cmd, id, func(ctx context.Context, s *session) (*ledger.Operation, error) {
		nonce := s.ledger.AuthorityNonce
		if cmd.Flags().Changed("nonce") {
			nonce = a.nonce
		}
		op, err := build(ctx, nonce, s)
		if err != nil {
			return nil, err
		}
		s.date(op)
		for _, key := range keys {
			if err := op.Sign(s.network, s.chain, key); err != nil {
				return nil, err
			}
		}
		return op, nil
	})
}
