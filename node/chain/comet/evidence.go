package comet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/crypto"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/node/chain"
)

// oldNames maps the JSON names that CometBFT v1 gives to fields of evidence to
// those of v0.34 to v0.38, which are the names of the Go fields.
var oldNames = map[string]string{
	"total_voting_power":   "TotalVotingPower",
	"validator_power":      "ValidatorPower",
	"timestamp":            "Timestamp",
	"conflicting_block":    "ConflictingBlock",
	"common_height":        "CommonHeight",
	"byzantine_validators": "ByzantineValidators",
}

// decodeEvidence decodes the evidence of a block, in either version's JSON,
// and returns it with the hash that its header must carry.
func decodeEvidence(list []json.RawMessage) ([]chain.Evidence, []byte, error) {
	var all types.EvidenceList
	var out []chain.Evidence
	for i, raw := range list {
		ev, err := parseEvidence(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("evidence %d: %w", i, err)
		}
		message, err := types.EvidenceToProto(ev)
		if err != nil {
			return nil, nil, fmt.Errorf("evidence %d: %w", i, err)
		}
		encoded, err := message.Marshal()
		if err != nil {
			return nil, nil, fmt.Errorf("evidence %d: %w", i, err)
		}
		all = append(all, ev)
		out = append(out, chain.Evidence{Height: uint64(ev.Height()), Raw: encoded, DoubleVote: doubleVote(ev), Attack: attack(ev)})
	}
	return out, all.Hash(), nil
}

// doubleVote is what evidence of a duplicate vote says; nil if it is another kind, or
// if the votes are not two of one validator in one step, which proves nothing.
func doubleVote(ev types.Evidence) *chain.DoubleVote {
	d, ok := ev.(*types.DuplicateVoteEvidence)
	if !ok {
		return nil
	}
	a, b := d.VoteA, d.VoteB
	if a.Height != b.Height || a.Round != b.Round || a.Type != b.Type || !bytes.Equal(a.ValidatorAddress, b.ValidatorAddress) ||
		len(a.ValidatorAddress) != crypto.AddressSize || a.Round < 0 || !types.IsVoteTypeValid(a.Type) {
		return nil
	}
	first, okFirst := consensusVote(a)
	second, okSecond := consensusVote(b)
	if !okFirst || !okSecond {
		return nil
	}
	return &chain.DoubleVote{
		Address: [crypto.AddressSize]byte(a.ValidatorAddress), Round: uint32(a.Round), Type: uint8(a.Type), First: first, Second: second,
	}
}

// attack is the block of an attack on light clients; nil if it is another kind, or if
// the commit is not one for the block, which proves nothing.
func attack(ev types.Evidence) *comet.LightBlock {
	a, ok := ev.(*types.LightClientAttackEvidence)
	if !ok {
		return nil
	}
	l := lightBlock(a.ConflictingBlock.Header, a.ConflictingBlock.Commit)
	if l.Check() != nil {
		return nil
	}
	return l
}

// consensusVote is what is signed in a vote. A block id that is neither nil nor
// complete is none that CometBFT counts.
func consensusVote(v *types.Vote) (attest.ConsensusVote, bool) {
	out := attest.ConsensusVote{Seconds: uint64(v.Timestamp.Unix()), Nanos: uint32(v.Timestamp.Nanosecond()), Signature: v.Signature}
	if v.BlockID.IsZero() {
		return out, true
	}
	if !v.BlockID.IsComplete() {
		return out, false
	}
	out.BlockHash, out.PartsHash = [32]byte(v.BlockID.Hash), [32]byte(v.BlockID.PartSetHeader.Hash)
	out.PartsTotal = v.BlockID.PartSetHeader.Total
	return out, true
}

func parseEvidence(raw json.RawMessage) (types.Evidence, error) {
	var tagged struct {
		Type  string                     `json:"type"`
		Value map[string]json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &tagged); err != nil {
		return nil, err
	}
	for name, old := range oldNames {
		if v, ok := tagged.Value[name]; ok {
			delete(tagged.Value, name)
			tagged.Value[old] = v
		}
	}
	raw, err := json.Marshal(tagged)
	if err != nil {
		return nil, err
	}
	var ev types.Evidence
	if err := cmtjson.Unmarshal(raw, &ev); err != nil {
		return nil, err
	}
	return ev, checkComplete(ev)
}

// checkComplete makes sure that ev can be encoded. Whether it proves anything
// is for the fault proofs to decide; only the parts must be there.
func checkComplete(ev types.Evidence) error {
	switch ev := ev.(type) {
	case *types.DuplicateVoteEvidence:
		if ev == nil || ev.VoteA == nil || ev.VoteB == nil {
			return errors.New("a duplicate vote without two votes")
		}
		if ev.VoteA.Height <= 0 {
			return fmt.Errorf("a duplicate vote at height %d", ev.VoteA.Height)
		}
	case *types.LightClientAttackEvidence:
		if ev == nil || ev.ConflictingBlock == nil || ev.ConflictingBlock.ValidatorSet == nil {
			return errors.New("a light client attack without a conflicting block")
		}
		if signed := ev.ConflictingBlock.SignedHeader; signed == nil || signed.Header == nil || signed.Commit == nil {
			return errors.New("a light client attack without a signed header")
		}
		if ev.CommonHeight <= 0 {
			return fmt.Errorf("a light client attack at height %d", ev.CommonHeight)
		}
		for _, set := range [][]*types.Validator{ev.ByzantineValidators, ev.ConflictingBlock.ValidatorSet.Validators} {
			for _, v := range set {
				if v == nil || v.PubKey == nil {
					return errors.New("a light client attack with an incomplete validator")
				}
			}
		}
	default:
		return fmt.Errorf("evidence of unknown type %T", ev)
	}
	return nil
}

// SubmitEvidence hands evidence, a protobuf tendermint.types.Evidence as in
// [chain.Evidence], to the node, which verifies it and, when it holds, has it
// committed in one of the next blocks. It returns chain.ErrRejected for
// evidence that does not decode, and chain.ErrFailed with the node's reason
// when it does not verify there.
func (c *Chain) SubmitEvidence(ctx context.Context, raw []byte) error {
	var message cmtproto.Evidence
	if err := message.Unmarshal(raw); err != nil {
		return fmt.Errorf("%w: decode the evidence: %w", chain.ErrRejected, err)
	}
	ev, err := types.EvidenceFromProto(&message)
	if err != nil {
		return fmt.Errorf("%w: decode the evidence: %w", chain.ErrRejected, err)
	}
	encoded, err := cmtjson.Marshal(ev)
	if err != nil {
		return fmt.Errorf("%w: encode the evidence: %w", chain.ErrRejected, err)
	}
	var answer struct{}
	return c.rpc.call(ctx, "broadcast_evidence", map[string]any{"evidence": json.RawMessage(encoded)}, &answer)
}
