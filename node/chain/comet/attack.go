package comet

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/node/chain"
)

// Attack makes validators of a test network break the rule: they sign a block with a
// made-up state at a past height above 1, as a light client would be shown it. It returns
// the evidence, for [Chain.SubmitEvidence]. It takes more than 2/3 of the power, all with
// ed25519 keys, for the chain to take it. The error is that of the chain, or says that the
// power is not enough.
func (c *Chain) Attack(ctx context.Context, height uint64, keys ...ed25519.PrivateKey) ([]byte, error) {
	common, err := c.signedHeader(ctx, height-1)
	if err != nil {
		return nil, err
	}
	trusted, err := c.signedHeader(ctx, height)
	if err != nil {
		return nil, err
	}
	set, err := c.validatorSet(ctx, height-1)
	if err != nil {
		return nil, err
	}
	forged := *trusted.Header
	forged.AppHash = slices.Repeat([]byte{0xa5}, len(forged.AppHash))
	id := types.BlockID{Hash: forged.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: forged.Hash()}}
	commit := &types.Commit{Height: forged.Height, Round: trusted.Commit.Round, BlockID: id}
	for _, v := range set.Validators {
		s := types.NewCommitSigAbsent()
		for _, key := range keys {
			if v.PubKey.Equals(cmted25519.PubKey(key.Public().(ed25519.PublicKey))) {
				vote := &types.Vote{Type: cmtproto.PrecommitType, Height: forged.Height, Round: commit.Round, BlockID: id, Timestamp: forged.Time.Add(time.Second)}
				s = types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: vote.Timestamp}
				s.Signature = ed25519.Sign(key, types.VoteSignBytes(forged.ChainID, vote.ToProto()))
			}
		}
		commit.Signatures = append(commit.Signatures, s)
	}
	if err := set.VerifyCommitLight(forged.ChainID, id, forged.Height, commit); err != nil {
		return nil, fmt.Errorf("the keys can't forge a block of %s at height %d: %w", forged.ChainID, height, err)
	}
	evidence := &types.LightClientAttackEvidence{
		ConflictingBlock: &types.LightBlock{SignedHeader: &types.SignedHeader{Header: &forged, Commit: commit}, ValidatorSet: set},
		CommonHeight:     common.Height, TotalVotingPower: set.TotalVotingPower(), Timestamp: common.Time,
	}
	evidence.ByzantineValidators = evidence.GetByzantineValidators(set, trusted)
	wrapped, err := types.EvidenceToProto(evidence)
	if err != nil {
		return nil, err
	}
	return wrapped.Marshal()
}

// validatorSet is the set of a height in CometBFT's own form.
func (c *Chain) validatorSet(ctx context.Context, height uint64) (*types.ValidatorSet, error) {
	list, err := c.Validators(ctx, height)
	if err != nil {
		return nil, err
	}
	var validators []*types.Validator
	for _, v := range list {
		if v.KeyType != chain.KeyEd25519 {
			return nil, fmt.Errorf("validator %X of %s has a key of type %s", v.Address, c.id, v.KeyType)
		}
		validators = append(validators, types.NewValidator(cmted25519.PubKey(v.ConsensusKey), int64(v.Power)))
	}
	return types.NewValidatorSet(validators), nil
}
