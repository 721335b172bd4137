package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
)

// cometKinds are the faults that CometBFT has evidence of.
var cometKinds = []attest.FaultKind{attest.FaultConsensusEquivocation, attest.FaultLightClientAttack}

// foundOffences are those in CometBFT's evidence, and why there is nothing to prove in the
// rest of it.
type foundOffences struct {
	evidence.Offences
	refused []error
}

// blockSource is a block of a CometBFT chain, where its RPC gives it.
type blockSource struct {
	rpc    string
	height uint64
}

func (s *blockSource) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.rpc, "rpc", "", "RPC of a CometBFT chain, whose block at --height carries the evidence, or which an attack in FILE was made on")
	cmd.Flags().Uint64Var(&s.height, "height", 0, "height of that block")
}

func (s *blockSource) given(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("rpc") || cmd.Flags().Changed("height")
}

// args: a block, or files that are compared with the chain.
func (s *blockSource) args(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.Flags().Changed("height") {
		return misuse(cmd, "give --height or FILE, not both")
	}
	if len(args) > 0 {
		return nil
	}
	if err := need(cmd, "rpc", "height"); err != nil {
		return err
	}
	if s.height == 0 {
		return misuse(cmd, "--height is 0, heights start at 1")
	}
	return nil
}

func (s *blockSource) String() string { return fmt.Sprintf("block %d", s.height) }

// dial connects to the RPC, which must be that of the chain with an id, if one is given.
func (s *blockSource) dial(ctx context.Context, chainID string) (*comet.Chain, error) {
	c, err := comet.Dial(ctx, s.rpc, comet.Options{ExpectChainID: chainID, Timeout: callTimeout})
	if err != nil {
		return nil, unreadBlock(err)
	}
	return c, nil
}

// read takes the evidence out of the block. What is wrong with the RPC or the height ends
// as wrong usage does: no evidence was looked at.
func (s *blockSource) read(ctx context.Context, chainID string) (*foundOffences, error) {
	c, err := s.dial(ctx, chainID)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	b, err := c.Block(ctx, s.height)
	if err != nil {
		return nil, unreadBlock(err)
	}
	if len(b.Evidence) == 0 {
		return nil, fmt.Errorf("%w: block %d of %s carries no evidence; a chain commits it in a block after the offence", evidence.ErrNoFault, s.height, c.ID())
	}
	out := &foundOffences{}
	for i, e := range b.Evidence {
		switch d := e.DoubleVote; {
		case d != nil:
			out.DoubleVotes = append(out.DoubleVotes, evidence.DoubleVote{
				ChainID: c.ID(), Height: e.Height, Round: d.Round, Type: d.Type, Address: d.Address, First: d.First, Second: d.Second,
			})
		case e.Attack != nil:
			out.Attacks = append(out.Attacks, e.Attack)
		default:
			out.refused = append(out.refused, fmt.Errorf("%w: evidence %d of %d is neither two votes of one validator in one step nor an attack on light clients", evidence.ErrNoFault, i+1, len(b.Evidence)))
		}
	}
	return out, nil
}

func unreadBlock(err error) error {
	if ofChain(err) {
		return &usageError{explain(err)}
	}
	return &usageError{explain(fmt.Errorf("--rpc: %w", err))}
}

// ofChain: the error is that of a chain's node, and says which.
func ofChain(err error) bool {
	for _, known := range []error{chain.ErrNotYet, chain.ErrPruned, chain.ErrUnreachable, chain.ErrFailed, chain.ErrWrongChain, chain.ErrInconsistent} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// buildComet makes a proof of each offence in CometBFT's evidence.
func buildComet(ctx context.Context, in *raw) (all []*built, refused []error, err error) {
	found := in.offences
	if found == nil {
		found = &foundOffences{}
		if found.Offences, found.refused, err = (evidence.Comet{ChainID: in.chainID}).Offences(in.files...); err != nil {
			return nil, nil, err
		}
	}
	found.only(in.kind)
	in.attacks = len(found.Attacks)
	refused = found.refused
	keep := func(b *built, err error) error {
		switch {
		case errors.Is(err, evidence.ErrNoFault):
			refused = append(refused, err)
		case err != nil:
			return err
		default:
			all = append(all, b)
		}
		return nil
	}
	for i := range found.DoubleVotes {
		if err := keep(in.equivocation(ctx, &found.DoubleVotes[i])); err != nil {
			return nil, nil, err
		}
	}
	for _, l := range found.Attacks {
		if err := keep(in.attack(ctx, l)); err != nil {
			if len(all) == 0 || !isMissing(err) {
				return nil, nil, err
			}
			refused = append(refused, err) // what is proven does not wait for it
		}
	}
	if len(all) == 0 {
		return nil, nil, errors.Join(refused...)
	}
	return all, refused, nil
}

// only refuses offences of another kind than the one that was asked for, empty: any.
func (o *foundOffences) only(kind string) {
	refuse := func(n int, is attest.FaultKind) bool {
		if kind == "" || kind == is.String() || n == 0 {
			return false
		}
		o.refused = append(o.refused, fmt.Errorf("%w: it is a %s, not a %s", evidence.ErrNoFault, is, kind))
		return true
	}
	if refuse(len(o.DoubleVotes), attest.FaultConsensusEquivocation) {
		o.DoubleVotes = nil
	}
	if refuse(len(o.Attacks), attest.FaultLightClientAttack) {
		o.Attacks = nil
	}
}

func isMissing(err error) bool {
	var missing *evidence.Missing
	return errors.As(err, &missing)
}
