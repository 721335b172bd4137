package comet

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/chain"
)

// vector reads a recorded answer of a real chain.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	folder := os.Getenv("MESHSEC_VECTORS")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	data, err := os.ReadFile(filepath.Join(folder, "cometbft", name))
	if os.IsNotExist(err) {
		t.Skipf("NOT TESTED: %s is missing; set MESHSEC_VECTORS to the folder of test vectors", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func result(t testing.TB, answer []byte) []byte {
	t.Helper()
	var envelope struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Result
}

const mainnetBlock = "osmosis-1_block_15317185.json"

// The names that CometBFT v1 gives to the fields of evidence.
var newNames = strings.NewReplacer(`"TotalVotingPower"`, `"total_voting_power"`, `"ValidatorPower"`, `"validator_power"`, `"Timestamp"`, `"timestamp"`)

func TestMainnetBlockWithEvidence(t *testing.T) {
	old := vector(t, mainnetBlock)
	for _, answer := range [][]byte{old, []byte(newNames.Replace(string(old)))} {
		block, whole, err := decodeBlock(answer)
		if err != nil {
			t.Fatal(err)
		}
		header := &whole.Block.Header
		if header.ChainID != "osmosis-1" || block.Height != 15317185 || block.Time != 1714402478821 || len(block.Operations) != 0 {
			t.Errorf("block %d of %s at %d with %d operations", block.Height, header.ChainID, block.Time, len(block.Operations))
		}
		if len(block.Evidence) != 1 || block.Evidence[0].Height != 15317184 {
			t.Fatalf("evidence %v", block.Evidence)
		}
		var message cmtproto.Evidence
		if err := message.Unmarshal(block.Evidence[0].Raw); err != nil {
			t.Fatal(err)
		}
		ev, err := types.EvidenceFromProto(&message)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal((types.EvidenceList{ev}).Hash(), header.EvidenceHash) {
			t.Error("the raw evidence is not what the header commits to")
		}
		checkDoubleVote(t, block.Evidence[0], ev.(*types.DuplicateVoteEvidence))
		checkAsProven(t, header)
		if offender := ev.ABCI()[0].Validator; offender.Power != 737515 {
			t.Errorf("the offender has power %d", offender.Power)
		}
	}
}

// checkDoubleVote: what a node makes a proof of is what CometBFT read.
func checkDoubleVote(t *testing.T, got chain.Evidence, want *types.DuplicateVoteEvidence) {
	t.Helper()
	d := got.DoubleVote
	if d == nil {
		t.Fatal("no double vote")
	}
	if !bytes.Equal(d.Address[:], want.VoteA.ValidatorAddress) || int32(d.Round) != want.VoteA.Round || int32(d.Type) != int32(want.VoteA.Type) {
		t.Errorf("double vote by %X in round %d of type %d", d.Address, d.Round, d.Type)
	}
	for _, side := range []struct {
		got  attest.ConsensusVote
		want *types.Vote
	}{{d.First, want.VoteA}, {d.Second, want.VoteB}} {
		parts := side.want.BlockID.PartSetHeader
		if hash := side.want.BlockID.Hash; len(hash) > 0 && !bytes.Equal(side.got.BlockHash[:], hash) || len(hash) == 0 && side.got.BlockHash != [32]byte{} ||
			side.got.PartsTotal != parts.Total || !time.Unix(int64(side.got.Seconds), int64(side.got.Nanos)).Equal(side.want.Timestamp) ||
			!bytes.Equal(side.got.Signature, side.want.Signature) {
			t.Errorf("vote %+v, want %v", side.got, side.want)
		}
	}
}

// Votes that are not two of one validator in one step are evidence of nothing.
func TestVotesThatBelongToNoStepAreNoDoubleVote(t *testing.T) {
	vote := func(change func(*types.Vote)) *types.Vote {
		v := &types.Vote{Type: cmtproto.PrecommitType, Height: 2, ValidatorAddress: make([]byte, 20)}
		change(v)
		return v
	}
	same := func(*types.Vote) {}
	if doubleVote(&types.DuplicateVoteEvidence{VoteA: vote(same), VoteB: vote(same)}) == nil {
		t.Error("two votes of one step are none")
	}
	for name, change := range map[string]func(*types.Vote){
		"height":     func(v *types.Vote) { v.Height++ },
		"round":      func(v *types.Vote) { v.Round++ },
		"type":       func(v *types.Vote) { v.Type = cmtproto.PrevoteType },
		"validator":  func(v *types.Vote) { v.ValidatorAddress = bytes.Repeat([]byte{1}, 20) },
		"no address": func(v *types.Vote) { v.ValidatorAddress = nil },
		"half block": func(v *types.Vote) { v.BlockID.Hash = make([]byte, 32) },
	} {
		if got := doubleVote(&types.DuplicateVoteEvidence{VoteA: vote(same), VoteB: vote(change)}); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
		if got := doubleVote(&types.LightClientAttackEvidence{}); got != nil {
			t.Errorf("a light client attack: %+v", got)
		}
	}
}

func TestMainnetBlockWithoutItsEvidence(t *testing.T) {
	var answer map[string]map[string]json.RawMessage
	if err := json.Unmarshal(vector(t, mainnetBlock), &answer); err != nil {
		t.Fatal(err)
	}
	answer["block"]["evidence"] = json.RawMessage(`{"evidence":[]}`)
	data, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := decodeBlock(data); err == nil {
		t.Error("evidence is missing, and nobody notices")
	}
}

func TestRecordedValidatorSets(t *testing.T) {
	for _, height := range []string{"3000", "10000", "157001"} {
		signed, err := decodeCommit(result(t, vector(t, "signed_blocks/"+height+"/commit.json")))
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Validators []validatorAnswer `json:"validators"`
		}
		if err := json.Unmarshal(result(t, vector(t, "signed_blocks/"+height+"/validators_1.json")), &page); err != nil {
			t.Fatal(err)
		}
		set, hash, err := decodeValidators(page.Validators)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(hash, signed.ValidatorsHash) {
			t.Errorf("the %d validators at %s hash to %X, the header says %v", len(set), height, hash, signed.ValidatorsHash)
		}
	}
}

func TestIncompleteEvidence(t *testing.T) {
	for _, raw := range []string{
		`null`, `{}`, `[]`, `{"type":"tendermint/DuplicateVoteEvidence"}`,
		`{"type":"tendermint/DuplicateVoteEvidence","value":{}}`,
		`{"type":"tendermint/DuplicateVoteEvidence","value":{"vote_a":{"height":"1"},"vote_b":null}}`,
		`{"type":"tendermint/LightClientAttackEvidence","value":{}}`,
		`{"type":"tendermint/LightClientAttackEvidence","value":{"ConflictingBlock":{},"CommonHeight":"1"}}`,
		`{"type":"tendermint/PubKeyEd25519","value":{}}`,
	} {
		if got, _, err := decodeEvidence([]json.RawMessage{json.RawMessage(raw)}); err == nil {
			t.Errorf("%s is taken for %v", raw, got)
		}
	}
}

// The decoders must refuse anything without a panic: the node may be anybody's.

func FuzzDecodeBlock(f *testing.F) {
	f.Add([]byte(`{"block_id":{"hash":"00"},"block":{"header":{"height":"1","validators_hash":"00"},"data":{"txs":["AA=="]},"evidence":{"evidence":[{"type":"tendermint/DuplicateVoteEvidence","value":{"vote_a":{"height":"1"},"vote_b":{"height":"1"}}}]}}}`))
	f.Add([]byte(`{"block":{"header":{"height":"1","time":"0000-01-01T00:00:00Z"}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		block, whole, err := decodeBlock(answer)
		if err == nil && !bytes.Equal(whole.Block.Header.Hash(), block.Hash[:]) {
			t.Fatal("a block with another hash is accepted")
		}
	})
}

func FuzzDecodeEvidence(f *testing.F) {
	f.Add([]byte(`{"type":"tendermint/DuplicateVoteEvidence","value":{"vote_a":{"type":1,"height":"1","timestamp":"2024-04-29T14:54:38Z"},"vote_b":{"height":"1"},"total_voting_power":"3"}}`))
	f.Add([]byte(`{"type":"tendermint/LightClientAttackEvidence","value":{"ConflictingBlock":{"signed_header":{"header":{},"commit":{}},"validator_set":{"validators":[]}},"CommonHeight":"1"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, _, err := decodeEvidence([]json.RawMessage{raw}); err == nil {
			var message cmtproto.Evidence
			if err := message.Unmarshal(got[0].Raw); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeCommit(f *testing.F) {
	f.Add([]byte(`{"signed_header":{"header":{"height":"1","validators_hash":"00"},"commit":{"height":"1","block_id":{"hash":"00"}}}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if signed, err := decodeCommit(answer); err == nil {
			if _, err := signed.ToProto().Marshal(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeValidators(f *testing.F) {
	f.Add([]byte(`[{"address":"7619BFC85B72E319BF414A784D4DE40EE9B92C16","pub_key":{"type":"tendermint/PubKeyEd25519","value":"l/qNaf4JDxnhP+6Pf+2OSAJYksSIkjyefYCDvZPoahA="},"voting_power":"25000000"}]`))
	f.Add([]byte(`[{"pub_key":{"type":"tendermint/PubKeySecp256k1","value":"AAAA"},"voting_power":"1"}]`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var list []validatorAnswer
		if json.Unmarshal(answer, &list) != nil {
			return
		}
		if set, _, err := decodeValidators(list); err == nil && len(set) != len(list) {
			t.Fatal("validators are missing")
		}
	})
}

// checkAsProven compares a header, as proofs have it, with CometBFT's own hash of it.
func checkAsProven(t *testing.T, h *types.Header) {
	t.Helper()
	home, err := attest.NewHomeHeader(header(h))
	if err != nil || !bytes.Equal(header(h).Hash(), h.Hash()) || home.Height != uint64(h.Height) {
		t.Errorf("header %+v becomes %X, not %X: %v", h, header(h).Hash(), h.Hash(), err)
	}
}
