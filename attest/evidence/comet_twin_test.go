package evidence_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/secp256k1"
	cometevidence "github.com/cometbft/cometbft/evidence"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"
	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest/evidence"
)

// CometBFT itself is the twin: it makes the evidence and judges it, too.

const twinChain = "twin-1"

var twinTime = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

// cast are validators of a chain, sorted as CometBFT does it.
type cast struct {
	keys []crypto.PrivKey
	set  *types.ValidatorSet
}

func newCast(powers ...int64) cast {
	var c cast
	byAddress := map[string]crypto.PrivKey{}
	var validators []*types.Validator
	for i, power := range powers {
		var key crypto.PrivKey = ed25519.GenPrivKeyFromSecret([]byte{byte(i), byte(power)})
		if i%2 == 1 {
			key = secp256k1.GenPrivKeySecp256k1([]byte{byte(i), byte(power)})
		}
		byAddress[string(key.PubKey().Address())] = key
		validators = append(validators, types.NewValidator(key.PubKey(), power))
	}
	c.set = types.NewValidatorSet(validators)
	for _, v := range c.set.Validators {
		c.keys = append(c.keys, byAddress[string(v.Address)])
	}
	return c
}

func blockID(seed byte) types.BlockID {
	hash := bytes.Repeat([]byte{seed}, 32)
	return types.BlockID{Hash: hash, PartSetHeader: types.PartSetHeader{Total: uint32(seed), Hash: hash}}
}

// vote is a signed vote of the validator at a position of the set.
func (c cast) vote(t fataler, i int, kind cmtproto.SignedMsgType, height int64, round int32, id types.BlockID, at time.Time) *types.Vote {
	v := &types.Vote{
		Type: kind, Height: height, Round: round, BlockID: id, Timestamp: at,
		ValidatorAddress: c.set.Validators[i].Address, ValidatorIndex: int32(i),
	}
	sig, err := c.keys[i].Sign(types.VoteSignBytes(twinChain, v.ToProto()))
	must(t, err)
	v.Signature = sig
	return v
}

type fataler interface{ Fatal(args ...any) }

func must(t fataler, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// dialects are all the ways in which a message is written as JSON.
func dialects(t fataler, amino any, message proto.Message) map[string][]byte {
	out := map[string][]byte{}
	var err error
	out["amino"], err = cmtjson.Marshal(amino)
	must(t, err)
	for name, m := range map[string]jsonpb.Marshaler{
		"camel":   {},
		"snake":   {OrigName: true},
		"zeros":   {OrigName: true, EmitDefaults: true},
		"numbers": {EnumsAsInts: true},
	} {
		var b bytes.Buffer
		must(t, m.Marshal(&b, message))
		out[name] = b.Bytes()
	}
	return out
}

// validatorsJSON is a set as the RPC answers with it.
func (c cast) validatorsJSON(t fataler) []byte {
	b, err := cmtjson.Marshal(coretypes.ResultValidators{BlockHeight: 1, Validators: c.set.Validators, Count: c.set.Size(), Total: c.set.Size()})
	must(t, err)
	return []byte(`{"jsonrpc":"2.0","id":-1,"result":` + string(b) + `}`)
}

func TestDoubleVotesAreJudgedAsByCometBFT(t *testing.T) {
	c := newCast(10, 20, 30, 40)
	set := c.validatorsJSON(t)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(max int, name string) int { return rapid.IntRange(0, max).Draw(t, name) }
		kinds := []cmtproto.SignedMsgType{cmtproto.PrevoteType, cmtproto.PrecommitType}
		vote := func(name string) *types.Vote {
			id := types.BlockID{}
			if seed := draw(2, name+" block"); seed > 0 {
				id = blockID(byte(seed))
			}
			// Mostly the same validator, height, round and type: else there is nothing to judge.
			other := 0
			if draw(9, name+" differs") == 0 {
				other = 1 + draw(3, name+" in")
			}
			i, height, round, kind := 0, int64(7), int32(0), kinds[0]
			switch other {
			case 1:
				i = 1
			case 2:
				height++
			case 3:
				round++
			case 4:
				kind = kinds[1]
			}
			return c.vote(t, i, kind, height, round, id, twinTime.Add(time.Duration(draw(3, name+" time"))))
		}
		a, b := vote("a"), vote("b")
		if a.BlockID.Key() > b.BlockID.Key() {
			a, b = b, a
		}
		if draw(9, "forged") == 0 {
			b.Signature[draw(63, "byte")] ^= 1
		}
		_, val := c.set.GetByAddress(a.ValidatorAddress)
		d := &types.DuplicateVoteEvidence{VoteA: a, VoteB: b, TotalVotingPower: c.set.TotalVotingPower(), ValidatorPower: val.VotingPower, Timestamp: twinTime}
		want := cometevidence.VerifyDuplicateVote(d, twinChain, c.set)
		for name, file := range dialects(t, d, d.ToProto()) {
			reports, err := evidence.Comet{ChainID: twinChain, Validators: [][]byte{set}}.Verify(file)
			must(t, err)
			r := reports[0]
			if r.Valid != (want == nil) {
				t.Fatalf("%s: CometBFT says %v, the report %+v", name, want, r)
			}
			if r.Valid && (r.Offenders[0].Name != a.ValidatorAddress.String() || r.Offenders[0].Power != fmt.Sprint(val.VotingPower) || r.Offenders[0].Total != "100") {
				t.Fatalf("%s: offenders %+v", name, r.Offenders)
			}
		}
	})
}

func TestSignBytesAreCometBFTs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &types.Vote{
			Type:             cmtproto.SignedMsgType(rapid.IntRange(1, 2).Draw(t, "type")),
			Height:           rapid.Int64Range(0, 1<<62).Draw(t, "height"),
			Round:            rapid.Int32Range(0, 1<<30).Draw(t, "round"),
			Timestamp:        time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC(),
			ValidatorAddress: bytes.Repeat([]byte{1}, 20),
			Signature:        bytes.Repeat([]byte{1}, 64),
		}
		if seed := rapid.Byte().Draw(t, "block"); seed > 0 {
			v.BlockID = blockID(seed)
		}
		chain := rapid.StringMatching(`[a-z0-9-]{1,50}`).Draw(t, "chain")
		want := types.VoteSignBytes(chain, v.ToProto())
		for name, file := range dialects(t, &types.DuplicateVoteEvidence{VoteA: v, VoteB: v}, (&types.DuplicateVoteEvidence{VoteA: v, VoteB: v}).ToProto()) {
			if a, _ := evidence.SignBytes(file, chain); !bytes.Equal(a, want) {
				t.Fatalf("%s: sign bytes %x, want %x", name, a, want)
			}
		}
	})
}

// lightBlock is a block of the chain; change makes it another one.
func (c cast) lightBlock(t fataler, height int64, round int32, signers []int, change func(*types.Header)) *types.LightBlock {
	h := &types.Header{
		Version: cmtversion.Consensus{Block: 11, App: 3}, ChainID: twinChain, Height: height, Time: twinTime, LastBlockID: blockID(7),
		LastCommitHash: bytes.Repeat([]byte{2}, 32), DataHash: bytes.Repeat([]byte{3}, 32), ValidatorsHash: c.set.Hash(), NextValidatorsHash: c.set.Hash(),
		ConsensusHash: bytes.Repeat([]byte{4}, 32), AppHash: []byte{5, 6, 7}, LastResultsHash: bytes.Repeat([]byte{8}, 32), ProposerAddress: c.set.Validators[0].Address,
	}
	change(h)
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: bytes.Repeat([]byte{9}, 32)}}
	commit := &types.Commit{Height: height, Round: round, BlockID: id}
	for i := range c.keys {
		sig := types.NewCommitSigAbsent()
		if slices.Contains(signers, i) {
			sig = c.vote(t, i, cmtproto.PrecommitType, height, round, id, twinTime.Add(time.Duration(i))).CommitSig()
		} else if i == 0 {
			sig = c.vote(t, i, cmtproto.PrecommitType, height, round, types.BlockID{}, twinTime).CommitSig() // for nil
		}
		commit.Signatures = append(commit.Signatures, sig)
	}
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: h, Commit: commit}, ValidatorSet: c.set}
}

// What a block may differ in from another: nothing, or what its proposer chose.
func unchanged(*types.Header)   {}
func otherData(h *types.Header) { h.DataHash = bytes.Repeat([]byte{0xd}, 32) }

func TestLightClientAttacksAreJudgedAsByCometBFT(t *testing.T) {
	c := newCast(10, 20, 30, 40, 50)
	all := []int{0, 1, 2, 3, 4}
	honest := c.lightBlock(t, 10, 0, all, unchanged)
	madeUp := func(h *types.Header) { h.AppHash = []byte{0xa} }
	for _, tc := range []struct {
		name        string
		conflicting *types.LightBlock
		common      int64
		failed      string // empty: valid
		attack      string
	}{
		{"equivocation", c.lightBlock(t, 10, 0, []int{0, 1, 2, 4}, otherData), 10, "", "equivocation"},
		{"lunatic", c.lightBlock(t, 10, 0, []int{0, 1, 2, 3}, madeUp), 9, "", "lunatic"},
		{"amnesia", c.lightBlock(t, 10, 1, all, otherData), 10, "", "amnesia"},
		{"lunatic at the common height", c.lightBlock(t, 10, 0, all, madeUp), 10, "the common height is its own", ""},
		{"too few signers", c.lightBlock(t, 10, 0, []int{0}, otherData), 10, "which is not more than 2/3", ""},
		{"the honest block", honest, 10, "both headers are the same block", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &types.LightClientAttackEvidence{ConflictingBlock: tc.conflicting, CommonHeight: tc.common, TotalVotingPower: c.set.TotalVotingPower(), Timestamp: twinTime}
			e.ByzantineValidators = e.GetByzantineValidators(c.set, honest.SignedHeader)
			common := &types.SignedHeader{Header: &types.Header{Height: tc.common}}
			err := cometevidence.VerifyLightClientAttack(e, common, honest.SignedHeader, c.set, twinTime, time.Hour)
			if (err == nil) != (tc.failed == "") {
				t.Fatalf("CometBFT says %v", err)
			}
			message, err := e.ToProto()
			must(t, err)
			trusted, err := cmtjson.Marshal(coretypes.NewResultCommit(honest.Header, honest.Commit, true))
			must(t, err)
			for name, file := range dialects(t, e, message) {
				knows := evidence.Comet{ChainID: twinChain, Validators: [][]byte{c.validatorsJSON(t)}}
				r := one(t, knows, file, trusted)
				if r.Valid != (tc.failed == "") || !strings.Contains(r.Failed, tc.failed) || !strings.Contains(fmt.Sprint(r.Checks), tc.attack) {
					t.Fatalf("%s: %+v", name, r)
				}
				if !r.Valid {
					continue
				}
				if len(r.Offenders) != len(e.ByzantineValidators) {
					t.Fatalf("%s: offenders %+v", name, r.Offenders)
				}
				for i, v := range e.ByzantineValidators {
					if r.Offenders[i] != (evidence.Offender{Name: v.Address.String(), Power: fmt.Sprint(v.VotingPower), Total: "150"}) {
						t.Errorf("%s: offender %+v, want %v", name, r.Offenders[i], v)
					}
				}
				_, err := evidence.Comet{}.Verify(file)
				wantMissing(t, err, "/commit?height=10")
			}
		})
	}
}

// A block above all that the chain has is an attack if the chain's time had passed its own.
// CometBFT compares it with its latest header, and derives who is guilty as if both were
// of one height: who signed such a block is guilty here whether or not the two agree in
// what follows from the blocks before.
func TestForwardLunaticAttacksAreJudgedAsByCometBFT(t *testing.T) {
	c := newCast(10, 20, 30, 40, 50)
	others := newCast(7, 8)
	all := []int{0, 1, 2, 3, 4}
	at := func(d time.Duration, app byte) func(*types.Header) {
		return func(h *types.Header) { h.Time, h.AppHash = twinTime.Add(d), []byte{app} }
	}
	latest := c.lightBlock(t, 10, 0, all, at(0, 1))
	trusted := mustJSON(t, coretypes.NewResultCommit(latest.Header, latest.Commit, true))
	earlier := mustJSON(t, c.lightBlock(t, 9, 0, all, at(-time.Hour, 1)))
	knows := evidence.Comet{Validators: [][]byte{c.validatorsJSON(t)}}
	for _, tc := range []struct {
		name   string
		block  *types.LightBlock
		common int64
		failed string // empty: valid
	}{
		{"at the same time", c.lightBlock(t, 12, 0, []int{0, 1, 2, 3}, at(0, 2)), 8, ""},
		{"before", c.lightBlock(t, 12, 3, []int{0, 1, 2, 4}, at(-time.Minute, 2)), 8, ""},
		{"the latest is the common one", c.lightBlock(t, 11, 0, all, at(-1, 2)), 10, ""},
		{"signed by too few", c.lightBlock(t, 12, 0, []int{0, 1}, at(0, 2)), 8, "not more than 2/3"},
		{"by a set of strangers", others.lightBlock(t, 12, 0, []int{0, 1}, at(0, 2)), 8, "which is not more than 1/3"},
		{"after", c.lightBlock(t, 12, 0, all, at(1, 2)), 8, "missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &types.LightClientAttackEvidence{ConflictingBlock: tc.block, CommonHeight: tc.common, TotalVotingPower: c.set.TotalVotingPower(), Timestamp: twinTime}
			e.ByzantineValidators = e.GetByzantineValidators(c.set, latest.SignedHeader)
			common := &types.SignedHeader{Header: &types.Header{Height: tc.common}}
			err := cometevidence.VerifyLightClientAttack(e, common, latest.SignedHeader, c.set, twinTime, time.Hour)
			if (err == nil) != (tc.failed == "") {
				t.Fatalf("CometBFT says %v", err)
			}
			message, err := e.ToProto()
			must(t, err)
			for name, file := range dialects(t, e, message) {
				files := [][]byte{file, earlier, trusted}
				if tc.failed == "missing" {
					_, err := knows.Verify(files...)
					wantMissing(t, err, "nothing is proven yet: the header of twin-1 at height 10 is of")
					_, err = knows.Verify(file)
					wantMissing(t, err, "or to /commit if the chain is not there yet")
					continue
				}
				r := one(t, knows, files...)
				if r.Valid != (tc.failed == "") || !strings.Contains(r.Failed, tc.failed) {
					t.Fatalf("%s: %+v", name, r)
				}
				if !r.Valid {
					continue
				}
				if !strings.Contains(fmt.Sprint(r.Checks), "lunatic") || len(r.Offenders) != len(e.ByzantineValidators) {
					t.Fatalf("%s: %+v", name, r)
				}
				for i, v := range e.ByzantineValidators {
					if r.Offenders[i] != (evidence.Offender{Name: v.Address.String(), Power: fmt.Sprint(v.VotingPower), Total: "150"}) {
						t.Errorf("%s: offender %+v, want %v", name, r.Offenders[i], v)
					}
				}
			}
			if tc.failed != "" {
				return
			}
			// What the evidence claims beside what was signed changes nobody's lot.
			want := one(t, knows, mustJSON(t, e), trusted).Offenders
			for _, claimed := range [][]*types.Validator{nil, c.set.Validators[:1], c.set.Validators, others.set.Validators} {
				for _, total := range []int64{0, -1, 1, 150, 1 << 62} {
					e.ByzantineValidators, e.TotalVotingPower = claimed, total
					if r := one(t, knows, mustJSON(t, e), trusted); !slices.Equal(r.Offenders, want) {
						t.Errorf("claims %v of %d: %+v", claimed, total, r)
					}
				}
			}
			if tc.common < 10 {
				_, err = knows.Verify(mustJSON(t, e), earlier)
				wantMissing(t, err, "nothing is proven yet")
			}
		})
	}
	// The chain's own next block, made after the latest one, is never an attack, and neither
	// is it against a made-up header that pretends to be later.
	next := c.lightBlock(t, 11, 0, all, at(time.Second, 1))
	e := &types.LightClientAttackEvidence{ConflictingBlock: next, CommonHeight: 9, TotalVotingPower: 150, Timestamp: twinTime}
	made := mustJSON(t, others.lightBlock(t, 10, 0, []int{0, 1}, at(time.Hour, 1)))
	if r := one(t, knows, mustJSON(t, e), made, mustJSON(t, others.set)); r.Valid || !strings.Contains(r.Failed, "nothing says which of the two headers was made up") {
		t.Errorf("%+v", r)
	}
	// The common height's own block is no forward attack.
	e = &types.LightClientAttackEvidence{ConflictingBlock: c.lightBlock(t, 12, 0, all, at(0, 2)), CommonHeight: 12}
	_, err := knows.Verify(mustJSON(t, e), trusted)
	wantMissing(t, err, "/commit?height=12")
}

// The validators of the trusted header come in pages, as other files.
func TestPagesOfValidatorsAreJoined(t *testing.T) {
	c := newCast(10, 20, 30)
	real := c.lightBlock(t, 10, 0, []int{0, 1, 2}, unchanged)
	light := c.lightBlock(t, 10, 0, []int{0, 1, 2}, otherData)
	files := [][]byte{mustJSON(t, real.SignedHeader), mustJSON(t, light.SignedHeader)}
	for i := range 3 {
		page := coretypes.ResultValidators{BlockHeight: 10, Validators: c.set.Validators[i : i+1], Count: 1, Total: 3}
		files = append(files, mustJSON(t, page))
	}
	if r := one(t, evidence.Comet{}, files...); !r.Valid || len(r.Offenders) != 3 {
		t.Errorf("%+v", r)
	}
	_, err := evidence.Comet{}.Verify(files[:4]...)
	wantMissing(t, err, "comes without its validators")
}

// A list of byzantine validators in the evidence convicts nobody.
func TestClaimedOffendersAreNotConvicted(t *testing.T) {
	c := newCast(10, 20, 30, 40, 50)
	honest := c.lightBlock(t, 10, 0, []int{0, 1, 2, 3, 4}, unchanged)
	e := &types.LightClientAttackEvidence{
		ConflictingBlock:    c.lightBlock(t, 10, 0, []int{0, 1, 2, 3}, otherData),
		CommonHeight:        10,
		ByzantineValidators: c.set.Validators,
	}
	file, err := cmtjson.Marshal(e)
	must(t, err)
	trusted, err := cmtjson.Marshal(honest)
	must(t, err)
	r := one(t, evidence.Comet{}, file, trusted)
	if len(r.Offenders) != 4 || strings.Contains(fmt.Sprint(r.Offenders), c.set.Validators[4].Address.String()) || !strings.Contains(fmt.Sprint(r.Checks), "the evidence lists others") {
		t.Errorf("%+v", r)
	}
}

func TestBlockWithTwoPiecesOfEvidence(t *testing.T) {
	c := newCast(10, 20, 30)
	var list types.EvidenceList
	for i := range 2 {
		d, err := types.NewDuplicateVoteEvidence(c.vote(t, i, cmtproto.PrecommitType, 5, 2, types.BlockID{}, twinTime), c.vote(t, i, cmtproto.PrecommitType, 5, 2, blockID(1), twinTime), twinTime, c.set)
		must(t, err)
		list = append(list, d)
	}
	light := c.lightBlock(t, 6, 0, []int{0, 1, 2}, func(h *types.Header) { h.EvidenceHash = list.Hash() })
	block := types.Block{Header: *light.Header, Evidence: types.EvidenceData{Evidence: list}, LastCommit: light.Commit}
	amino, err := cmtjson.Marshal(coretypes.ResultBlock{BlockID: light.Commit.BlockID, Block: &block})
	must(t, err)
	message, err := block.ToProto()
	must(t, err)
	files := dialects(t, &block, message)
	files["result"] = []byte(`{"jsonrpc":"2.0","id":1,"result":` + string(amino) + `}`)
	for name, file := range files {
		reports, err := evidence.Comet{Validators: [][]byte{c.validatorsJSON(t)}}.Verify(file)
		if err != nil || len(reports) != 2 {
			t.Fatalf("%s: %d reports: %v", name, len(reports), err)
		}
		for i, r := range reports {
			valid(t, r, "consensus_equivocation", twinChain, 5, evidence.Offender{Name: c.set.Validators[i].Address.String(), Power: fmt.Sprint(c.set.Validators[i].VotingPower), Total: "60"})
		}
	}
}

// Whoever brings evidence brings the header that it is compared with, too. A made-up
// one that stands for the chain's must not turn the true block into an attack.
func TestMadeUpTrustedHeaderConvictsNobody(t *testing.T) {
	honest, liars := newCast(10, 20, 30, 40, 50), newCast(1, 2, 3)
	real := honest.lightBlock(t, 10, 0, []int{0, 1, 2, 3, 4}, unchanged)
	made := liars.lightBlock(t, 10, 0, []int{0, 1, 2}, unchanged)
	file, err := cmtjson.Marshal(&types.LightClientAttackEvidence{ConflictingBlock: real, CommonHeight: 9})
	must(t, err)
	trusted, err := cmtjson.Marshal(made)
	must(t, err)
	r := one(t, evidence.Comet{Validators: [][]byte{honest.validatorsJSON(t)}}, file, trusted)
	if r.Valid || !strings.Contains(r.Failed, "nothing says which of the two headers was made up") {
		t.Errorf("%+v", r)
	}
	_, err = evidence.Comet{}.Verify(file, trusted)
	wantMissing(t, err, "the common height 9 are needed")
	if r := one(t, evidence.Comet{}, trusted, mustJSON(t, real)); r.Valid || r.Failed != "no validator signed both blocks" {
		t.Errorf("%+v", r)
	}
}

func mustJSON(t fataler, v any) []byte {
	b, err := cmtjson.Marshal(v)
	must(t, err)
	return b
}

// The decoded form has only what differs in the two votes; one of them is for nil.
func TestDecodedVoteForNil(t *testing.T) {
	c := newCast(10, 20)
	votes := []*types.Vote{c.vote(t, 0, cmtproto.PrecommitType, 5, 2, types.BlockID{}, twinTime), c.vote(t, 0, cmtproto.PrecommitType, 5, 2, blockID(1), twinTime)}
	for _, empty := range []string{`null`, `""`} {
		file := fmt.Sprintf(`{"chain_id":%q,"height":5,"round":2,"vote_type":"SIGNED_MSG_TYPE_PRECOMMIT","validator_address":%q,"key_type":%q,"pub_key":"%x",
			"vote_a":{"block_hash":%s,"parts_total":0,"parts_hash":%s,"timestamp":"2026-01-02T03:04:05.006Z","signature":"%x"},
			"vote_b":{"block_hash":"%x","parts_total":1,"parts_hash":"%x","timestamp":"2026-01-02T03:04:05.006Z","signature":"%x"}}`,
			twinChain, c.set.Validators[0].Address.String(), c.keys[0].Type(), c.keys[0].PubKey().Bytes(), empty, empty, votes[0].Signature,
			votes[1].BlockID.Hash, votes[1].BlockID.PartSetHeader.Hash, votes[1].Signature)
		valid(t, one(t, evidence.Comet{}, []byte(file)), "consensus_equivocation", twinChain, 5, evidence.Offender{Name: c.set.Validators[0].Address.String()})
	}
}

// A set that the caller vouches for decides who a validator is.
func TestTheGivenSetDecides(t *testing.T) {
	c, others := newCast(10, 20, 30), newCast(1, 2)
	a := c.lightBlock(t, 10, 0, []int{0, 1, 2}, unchanged)
	b := c.lightBlock(t, 10, 0, []int{0, 1, 2}, otherData)
	files := [][]byte{mustJSON(t, a), mustJSON(t, b)}
	if r := one(t, evidence.Comet{Validators: [][]byte{c.validatorsJSON(t)}}, files...); !r.Valid || len(r.Offenders) != 3 {
		t.Errorf("%+v", r)
	}
	if r := one(t, evidence.Comet{Validators: [][]byte{others.validatorsJSON(t)}}, files...); r.Valid || !strings.Contains(r.Failed, "which neither header has") {
		t.Errorf("%+v", r)
	}
	double, err := types.NewDuplicateVoteEvidence(c.vote(t, 0, cmtproto.PrevoteType, 5, 0, blockID(1), twinTime), c.vote(t, 0, cmtproto.PrevoteType, 5, 0, blockID(2), twinTime), twinTime, c.set)
	must(t, err)
	knows := evidence.Comet{ChainID: twinChain, Validators: [][]byte{others.validatorsJSON(t)}, Keys: [][]byte{c.validatorsJSON(t)}}
	if r := one(t, knows, mustJSON(t, double)); r.Valid || !strings.Contains(r.Failed, "is not in the validator set that was given") {
		t.Errorf("%+v", r)
	}
}
