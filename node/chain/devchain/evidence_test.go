package devchain_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/node/chain/comet"
	"github.com/meshsec/meshsec/node/chain/devchain"
)

// A validator that signs two blocks of one height, with its real key, is in
// the evidence of one of the next blocks, in the very bytes that were sent.
func TestCommitsEvidenceOfADoubleVote(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	initialise(t, dir, 4)
	adapter := dial(t, start(t, dir, ""))
	keys, err := devchain.ConsensusKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := chain.Follower{Next: 1}
	follow(t, &f, adapter, upTo(3))

	const height = 2
	sent := doubleVote(t, adapter, height, keys[1])
	if err := adapter.SubmitEvidence(bounded(t), sent); err != nil {
		t.Fatal(err)
	}
	var got chain.Evidence
	follow(t, &f, adapter, func(b chain.Block) bool {
		if len(b.Evidence) > 0 {
			got = b.Evidence[0]
		}
		return len(b.Evidence) > 0
	})
	if got.Height != height || !bytes.Equal(got.Raw, sent) {
		t.Errorf("evidence at %d: %x, sent %x", got.Height, got.Raw, sent)
	}
}

// doubleVote returns evidence that key signed two precommits at height.
func doubleVote(t *testing.T, adapter *comet.Chain, height uint64, key ed25519.PrivateKey) []byte {
	t.Helper()
	raw, err := adapter.SignedHeader(bounded(t), height)
	if err != nil {
		t.Fatal(err)
	}
	var message cmtproto.SignedHeader
	if err := message.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	signed, err := types.SignedHeaderFromProto(&message)
	if err != nil {
		t.Fatal(err)
	}
	set, err := adapter.Validators(bounded(t), height)
	if err != nil {
		t.Fatal(err)
	}
	evidence := &types.DuplicateVoteEvidence{ValidatorPower: 1, TotalVotingPower: int64(len(set)), Timestamp: signed.Time}
	for i, v := range set {
		if !bytes.Equal(v.ConsensusKey, key.Public().(ed25519.PublicKey)) {
			continue
		}
		vote := func(hash []byte) *types.Vote {
			v := &types.Vote{
				Type: cmtproto.PrecommitType, Height: int64(height), ValidatorAddress: v.Address[:], ValidatorIndex: int32(i),
				Timestamp: signed.Time.Add(time.Second),
				BlockID:   types.BlockID{Hash: hash, PartSetHeader: types.PartSetHeader{Total: 1, Hash: hash}},
			}
			v.Signature = ed25519.Sign(key, types.VoteSignBytes(signed.ChainID, v.ToProto()))
			return v
		}
		evidence.VoteA, evidence.VoteB = vote(bytes.Repeat([]byte{1}, 32)), vote(bytes.Repeat([]byte{2}, 32))
	}
	wrapped, err := types.EvidenceToProto(evidence)
	if err != nil {
		t.Fatal(err)
	}
	out, err := wrapped.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
