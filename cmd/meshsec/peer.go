package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

func newPeer() *cobra.Command {
	return newGroup("peer", "Decide how another chain counts", newPeerSet(), newPeerTrust())
}

func newPeerSet() *cobra.Command {
	cmd := &cobra.Command{
		Use: "set CHAIN", Short: "Change how stake that a chain pledges becomes power here", Args: words("CHAIN"),
		Long: `Changes the price, the discount and the cap of stake that another chain pledges, from
the next set on. What is not given stays as it is. A cap of 0 ejects the chain: its
stake gives no power here.`,
		Example: `meshsec peer set beta --cap 0.4 --authority-key authority.key`,
	}
	var o order
	var a authority
	var terms ledger.Terms
	o.flags(cmd)
	a.flags(cmd)
	textVar(cmd, &terms.Price, "price", "ratio", "base units here for one base unit there")
	textVar(cmd, &terms.Discount, "discount", "share", "taken off the price, below 1")
	textVar(cmd, &terms.Cap, "cap", "share", "largest virtual stake of the chain, as a share of the own stake here")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given := cmd.Flags().Changed
		if !given("price") && !given("discount") && !given("cap") {
			return misuse(cmd, "nothing to change: give --price, --discount or --cap")
		}
		if err := need(cmd, "authority-key"); err != nil {
			return err
		}
		return o.decided(cmd, &a, ledger.AccountID{}, func(_ context.Context, nonce uint64, s *session) (*ledger.Operation, error) {
			p, err := s.peer(args[0])
			if err != nil {
				return nil, err
			}
			now := p.Terms
			if now == nil {
				if !given("price") || !given("discount") || !given("cap") {
					return nil, fmt.Errorf("stake of %s does not count on %s yet: give --price, --discount and --cap", p.Chain, s.chain)
				}
				now = &terms
			}
			next := *now
			if given("price") {
				next.Price = terms.Price
			}
			if given("discount") {
				next.Discount = terms.Discount
			}
			if given("cap") {
				next.Cap = terms.Cap
			}
			if err := next.Validate(); err != nil {
				return nil, err
			}
			o.effect = fmt.Sprintf("stake of %s counts with price %v, discount %v and cap %v from the next set on", p.Chain, next.Price, next.Discount, next.Cap)
			return ledger.NewSetPeer(nonce, p.Chain, next)
		})
	}
	return cmd
}

func newPeerTrust() *cobra.Command {
	cmd := &cobra.Command{
		Use: "trust CHAIN", Short: "Make a halted chain live again from a checkpoint that you vouch for", Args: words("CHAIN"),
		Long: `A chain that was convicted, or not heard of for half of the unbonding time, is halted
on this ledger: it is not followed, and its stake gives no power. Nothing that the
ledger can verify makes it live again; the authority does, by its word for one
checkpoint of that chain.

The node brings the newest checkpoint that it holds a certificate of. Compare its
root with what people of that chain tell you, on another way than through this node,
and give it with --root.`,
		Example: `meshsec peer trust beta --authority-key authority.key                 # says what there is to trust
meshsec peer trust beta --epoch 5120 --root ROOT --authority-key authority.key`,
	}
	var o order
	var a authority
	var root ledger.HexBytes
	var epoch epochFlag
	var yes bool
	o.flags(cmd)
	a.flags(cmd)
	cmd.Flags().Var(&epoch, "epoch", "epoch of the checkpoint (default the newest certified one that the node has)")
	textVar(cmd, &root, "root", "hex", "the checkpoint's root, as you were told it")
	cmd.Flags().BoolVar(&yes, "yes", false, "trust the checkpoint that the node has, without comparing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := need(cmd, "authority-key"); err != nil {
			return err
		}
		if len(root) != 32 && cmd.Flags().Changed("root") {
			return misuse(cmd, "--root has %d bytes, want 64 hex digits", len(root))
		}
		return o.decided(cmd, &a, ledger.AccountID{}, func(ctx context.Context, nonce uint64, s *session) (*ledger.Operation, error) {
			p, err := s.peer(args[0])
			if err != nil {
				return nil, err
			}
			if p.Halted == "" {
				return nil, fmt.Errorf("%s is not halted on the ledger of %s: it is followed by its certificates", p.Chain, s.chain)
			}
			cert, next, err := s.certificate(ctx, p.Chain, cmp.Or(uint64(epoch), s.certified[p.Chain].Epoch))
			if err != nil {
				return nil, err
			}
			if err := confirm(cert, root, yes); err != nil {
				return nil, fmt.Errorf("%s is halted (%s), nothing was sent: %w", p.Chain, p.Halted, err)
			}
			o.effect = fmt.Sprintf("%s is trusted from epoch %d on, root %x; its stake counts again when a statement of a later epoch is final", p.Chain, cert.Epoch(), cert.Root())
			return ledger.NewTrustPeer(nonce, cert.Checkpoint(), next)
		})
	}
	return cmd
}

// confirm is an error unless the caller knows what would be trusted.
func confirm(cert attest.VerifiedCertificate, told []byte, yes bool) error {
	cp, root := cert.Checkpoint(), cert.Root()
	what := fmt.Sprintf("epoch %d of %s, of %s, has the root %x", cp.Epoch, cp.ChainID, moment(cp.Time), root)
	switch {
	case len(told) > 0 && string(told) != string(root[:]):
		return fmt.Errorf("%s, not %x: find out which is right", what, told)
	case len(told) == 0 && !yes:
		return fmt.Errorf("%s; compare that with what people of the chain say, and give it with --root, or take the node's word with --yes", what)
	}
	return nil
}

// peer finds another chain on the home ledger.
func (s *session) peer(chain string) (*ledger.PeerView, error) {
	names := []string{}
	for i, p := range s.ledger.Peers {
		if p.Chain == chain {
			return &s.ledger.Peers[i], nil
		}
		names = append(names, p.Chain)
	}
	return nil, fmt.Errorf("%q is no peer of %s: they are %v", chain, s.chain, names)
}

// certificate asks the node for a certificate, with the set of the next epoch.
func (s *session) certificate(ctx context.Context, chain string, epoch uint64) (cert attest.VerifiedCertificate, next *attest.ValidatorSet, err error) {
	answer, err := s.node.Certificate(ctx, chain, epoch)
	if err != nil {
		return cert, nil, err
	}
	cert, next, err = answer.Open(s.network)
	if err == nil && (cert.ChainID() != chain || cert.Epoch() != epoch) {
		err = errors.New("the node's answer is about another certificate: ask another node")
	}
	return cert, next, err
}
