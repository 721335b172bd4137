package comet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/node/chain"
)

// DoubleSign makes a validator of a test network break the rule: it signs precommits
// for two blocks that nobody proposed at a past height, and returns the evidence, for
// [Chain.SubmitEvidence]. The error is that of the chain, or says that the key is not
// in the set of that height.
func (c *Chain) DoubleSign(ctx context.Context, height uint64, key ed25519.PrivateKey) ([]byte, error) {
	signed, err := c.signedHeader(ctx, height)
	if err != nil {
		return nil, err
	}
	set, err := c.Validators(ctx, height)
	if err != nil {
		return nil, err
	}
	public, _ := key.Public().(ed25519.PublicKey)
	vote := types.Vote{Type: cmtproto.PrecommitType, Height: int64(height), ValidatorIndex: -1, Timestamp: signed.Time.Add(time.Second)}
	// The chain takes evidence only with its own time and powers of that height.
	evidence := &types.DuplicateVoteEvidence{Timestamp: signed.Time}
	for i, v := range set {
		evidence.TotalVotingPower += int64(v.Power)
		if v.KeyType == chain.KeyEd25519 && bytes.Equal(v.ConsensusKey, public) {
			vote.ValidatorIndex, vote.ValidatorAddress, evidence.ValidatorPower = int32(i), v.Address[:], int64(v.Power)
		}
	}
	if vote.ValidatorIndex < 0 {
		return nil, fmt.Errorf("no validator of %s at height %d has the key %x", signed.ChainID, height, public)
	}
	for i, side := range []**types.Vote{&evidence.VoteA, &evidence.VoteB} {
		v := vote
		hash := bytes.Repeat([]byte{byte(i + 1)}, len(chain.Block{}.Hash))
		v.BlockID = types.BlockID{Hash: hash, PartSetHeader: types.PartSetHeader{Total: 1, Hash: hash}}
		v.Signature = ed25519.Sign(key, types.VoteSignBytes(signed.ChainID, v.ToProto()))
		*side = &v
	}
	wrapped, err := types.EvidenceToProto(evidence)
	if err != nil {
		return nil, err
	}
	return wrapped.Marshal()
}
