package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/evidence"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
)

// foundVotes are the double votes in evidence, and why there is nothing to prove in the
// rest of it.
type foundVotes struct {
	votes   []evidence.DoubleVote
	refused []error
}

// blockSource is a block of a CometBFT chain, where its RPC gives it.
type blockSource struct {
	rpc    string
	height uint64
}

func (s *blockSource) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.rpc, "rpc", "", "RPC of a CometBFT chain, whose block at --height carries the evidence")
	cmd.Flags().Uint64Var(&s.height, "height", 0, "height of that block")
}

func (s *blockSource) given(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("rpc") || cmd.Flags().Changed("height")
}

func (s *blockSource) args(cmd *cobra.Command, args []string) error {
	if err := need(cmd, "rpc", "height"); err != nil {
		return err
	}
	if s.height == 0 {
		return misuse(cmd, "--height is 0, heights start at 1")
	}
	if len(args) > 0 {
		return misuse(cmd, "give --rpc or FILE, not both")
	}
	return nil
}

func (s *blockSource) String() string { return fmt.Sprintf("block %d", s.height) }

// read takes the evidence out of the block. What is wrong with the RPC or the height ends
// as wrong usage does: no evidence was looked at.
func (s *blockSource) read(ctx context.Context, chainID string) (*foundVotes, error) {
	c, err := comet.Dial(ctx, s.rpc, comet.Options{ExpectChainID: chainID, Timeout: callTimeout})
	if err != nil {
		return nil, unreadBlock(err)
	}
	defer c.Close()
	b, err := c.Block(ctx, s.height)
	if err != nil {
		return nil, unreadBlock(err)
	}
	if len(b.Evidence) == 0 {
		return nil, fmt.Errorf("%w: block %d of %s carries no evidence; a chain commits it in a block after the offence", evidence.ErrNoFault, s.height, c.ID())
	}
	out := &foundVotes{}
	for i, e := range b.Evidence {
		d := e.DoubleVote
		if d == nil {
			out.refused = append(out.refused, fmt.Errorf("%w: evidence %d of %d is not two votes of one validator in one step", evidence.ErrNoFault, i+1, len(b.Evidence)))
			continue
		}
		out.votes = append(out.votes, evidence.DoubleVote{
			ChainID: c.ID(), Height: e.Height, Round: d.Round, Type: d.Type, Address: d.Address, First: d.First, Second: d.Second,
		})
	}
	return out, nil
}

func unreadBlock(err error) error {
	for _, known := range []error{chain.ErrNotYet, chain.ErrPruned, chain.ErrUnreachable, chain.ErrFailed, chain.ErrWrongChain, chain.ErrInconsistent} {
		if errors.Is(err, known) {
			return &usageError{explain(err)}
		}
	}
	return &usageError{explain(fmt.Errorf("--rpc: %w", err))}
}

// buildEquivocations makes a proof of each double vote in CometBFT's evidence.
func buildEquivocations(ctx context.Context, in *raw) (all []*built, refused []error, err error) {
	found := in.votes
	if found == nil {
		found = &foundVotes{}
		if found.votes, found.refused, err = (evidence.Comet{ChainID: in.chainID}).DoubleVotes(in.files...); err != nil {
			return nil, nil, err
		}
	}
	refused = found.refused
	for i := range found.votes {
		b, err := in.equivocation(ctx, &found.votes[i])
		switch {
		case errors.Is(err, evidence.ErrNoFault):
			refused = append(refused, err)
		case err != nil:
			return nil, nil, err
		default:
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		return nil, nil, errors.Join(refused...)
	}
	return all, refused, nil
}

// equivocation makes the proof of one double vote.
func (in *raw) equivocation(ctx context.Context, v *evidence.DoubleVote) (*built, error) {
	law, err := in.law(ctx)
	if err != nil {
		return nil, err
	}
	epoch, err := in.epochOf(ctx, v.ChainID, v.Height)
	if err != nil {
		return nil, err
	}
	sets, err := in.setsOf(ctx, v.ChainID, epoch)
	if err != nil {
		return nil, err
	}
	b, err := in.built(v.Prove(law, epoch, sets...))
	if err != nil {
		return nil, err
	}
	b.law = law
	return b, nil
}

// epochOf is the epoch of a height, by the manifest or by a certificate of the node: an
// epoch ends at a multiple of its length.
func (in *raw) epochOf(ctx context.Context, chainID string, height uint64) (uint64, error) {
	if in.manifest != nil {
		spec := in.manifest.Chain(chainID)
		if spec == nil {
			return 0, &evidence.Missing{What: fmt.Sprintf("the evidence is of chain %s, and the network has %v: give the manifest of a network of that chain", chainID, in.manifest.ChainIDs())}
		}
		return spec.EpochOf(height), nil
	}
	f, err := in.ask()
	if err != nil {
		return 0, err
	}
	status, err := f.Status(ctx)
	if err != nil {
		return 0, err
	}
	summary, known := status.Ledgers[chainID]
	if !known {
		return 0, &evidence.Missing{What: fmt.Sprintf("the evidence is of chain %s, and the network has %v: ask a node of a network of that chain", chainID, ledgersOf(status))}
	}
	answer, err := f.Certificate(ctx, chainID, summary.Epoch)
	if errors.Is(err, api.ErrNotFound) {
		return 0, &evidence.Missing{What: fmt.Sprintf("the node at %s has no certificate of %s yet, which tells how long its epochs are: give the network's --manifest", f.base, chainID)}
	}
	if err != nil {
		return 0, err
	}
	c, err := attest.DecodeCertificate(answer.Certificate)
	if err != nil || c.Checkpoint.Epoch == 0 || c.Checkpoint.Height%c.Checkpoint.Epoch != 0 || c.Checkpoint.Height == 0 {
		return 0, fmt.Errorf("the certificate of %s that the node at %s gives can't be read, ask another one", chainID, f.base)
	}
	return (height-1)/(c.Checkpoint.Height/c.Checkpoint.Epoch) + 1, nil
}
