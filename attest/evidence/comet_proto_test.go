package evidence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"
	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/attest/evidence"
)

func bytesOf(t fataler, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	must(t, err)
	return b
}

// written are the ways in which the bytes of a message come in a file.
func written(b []byte, name string) map[string][]byte {
	return map[string][]byte{
		"bytes":  b,
		"hex":    []byte("0x" + strings.ToUpper(hex.EncodeToString(b)) + "\n"),
		"base64": []byte(base64.StdEncoding.EncodeToString(b) + "\n"),
		"any":    comet.Message(nil).Bytes(1, []byte("/"+name)).Bytes(2, b),
	}
}

// same holds that files in JSON and in protobuf are judged alike, each with what goes
// with it. The first file is the evidence.
func same(t testing.TB, name string, knows evidence.Comet, asJSON, asProto [][]byte) []evidence.Report {
	t.Helper()
	want, wantErr := knows.Verify(asJSON...)
	for form, b := range written(asProto[0], name) {
		got, err := knows.Verify(append([][]byte{b}, asProto[1:]...)...)
		if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%s in %s:\n%+v, %v\nin JSON:\n%+v, %v", name, form, got, err, want, wantErr)
		}
	}
	return want
}

// Whatever a double vote says, its JSON and its protobuf have the same report: alone,
// as Evidence, in a list, and in the message of Interchain Security.
func TestDoubleVotesInProtobufAreJudgedAsInJSON(t *testing.T) {
	c := newCast(10, 20, 30, 40)
	header := c.lightBlock(t, 9, 0, []int{0, 1, 2, 3}, unchanged)
	light, err := header.ToProto()
	must(t, err)
	knows := evidence.Comet{ChainID: twinChain, Validators: [][]byte{c.validatorsJSON(t)}}
	valid := 0
	rapid.Check(t, func(rt *rapid.T) {
		vote := func(name string) *types.Vote {
			id := types.BlockID{}
			if seed := rapid.IntRange(0, 2).Draw(rt, name+" block"); seed > 0 {
				id = blockID(byte(seed))
			}
			at := twinTime.Add(time.Duration(rapid.Int64Range(-1<<40, 1<<40).Draw(rt, name+" time")))
			v := c.vote(rt, rapid.IntRange(0, 1).Draw(rt, name+" by"), cmtproto.PrevoteType, 7, 0, id, at)
			switch rapid.IntRange(0, 12).Draw(rt, name+" broken") {
			case 0:
				v.Type = cmtproto.SignedMsgType(rapid.IntRange(-1, 40).Draw(rt, name+" type"))
			case 1:
				v.Height = rapid.Int64().Draw(rt, name+" height")
			case 2:
				v.Round = rapid.Int32().Draw(rt, name+" round")
			case 3:
				v.Signature = rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(rt, name+" signature")
			case 4:
				v.ValidatorAddress = nil // in hex, another length than 20 could be base64
			case 5:
				v.BlockID.Hash = nil
			case 6:
				v.ValidatorIndex = rapid.Int32().Draw(rt, name+" index")
			}
			return v
		}
		d := &types.DuplicateVoteEvidence{VoteA: vote("a"), VoteB: vote("b"), TotalVotingPower: rapid.Int64().Draw(rt, "total"), ValidatorPower: rapid.Int64().Draw(rt, "power"), Timestamp: twinTime}
		asJSON, message := protoAndJSON(rt, d), d.ToProto()
		wrapped := &cmtproto.Evidence{Sum: &cmtproto.Evidence_DuplicateVoteEvidence{DuplicateVoteEvidence: message}}
		double := bytesOf(rt, message)
		for name, b := range map[string][]byte{
			"tendermint.types.DuplicateVoteEvidence": double,
			"tendermint.types.Evidence":              bytesOf(rt, wrapped),
			"tendermint.types.EvidenceList":          bytesOf(rt, &cmtproto.EvidenceList{Evidence: []cmtproto.Evidence{*wrapped}}),
		} {
			if r := same(t, name, knows, [][]byte{asJSON}, [][]byte{b}); len(r) == 1 && r[0].Valid {
				valid++
			}
		}
		asJSON = []byte(`{"submitter":"cosmos1","duplicate_vote_evidence":` + string(asJSON) + `,"infraction_block_header":` + string(mustJSON(rt, header)) + `}`)
		b := comet.Message(nil).Bytes(1, []byte("cosmos1")).Embed(2, double).Embed(3, bytesOf(rt, light)).Bytes(4, []byte("7"))
		same(t, "interchain_security.ccv.provider.v1.MsgSubmitConsumerDoubleVoting", evidence.Comet{}, [][]byte{asJSON}, [][]byte{b})
	})
	if valid == 0 {
		t.Error("none of them was valid")
	}
}

// protoAndJSON is evidence in JSON: as the chain writes it, where it can.
func protoAndJSON(t fataler, d *types.DuplicateVoteEvidence) []byte {
	b, err := cmtjson.Marshal(d)
	must(t, err)
	return b
}

func TestAttacksInProtobufAreJudgedAsInJSON(t *testing.T) {
	c := newCast(10, 20, 30, 40, 50)
	all := []int{0, 1, 2, 3, 4}
	real := c.lightBlock(t, 10, 0, all, unchanged)
	realProto, err := real.ToProto()
	must(t, err)
	signed := bytesOf(t, realProto.SignedHeader)
	set := bytesOf(t, realProto.ValidatorSet)
	height := comet.Message(nil).Varint(1, 1).Varint(2, 8)
	valid := 0
	for name, made := range map[string]*types.LightBlock{
		"equivocation": c.lightBlock(t, 10, 0, []int{0, 1, 2, 4}, otherData),
		"lunatic":      c.lightBlock(t, 10, 0, []int{0, 1, 2, 3}, func(h *types.Header) { h.AppHash = []byte{0xa} }),
		"no app hash":  c.lightBlock(t, 10, 0, all, func(h *types.Header) { h.AppHash = nil }),
		"amnesia":      c.lightBlock(t, 10, 1, all, otherData),
		"few":          c.lightBlock(t, 10, 0, []int{0}, otherData),
		"the same":     real,
	} {
		for _, common := range []int64{9, 10, 11, 0} {
			e := &types.LightClientAttackEvidence{ConflictingBlock: made, CommonHeight: common, TotalVotingPower: 150, Timestamp: twinTime, ByzantineValidators: c.set.Validators[:2]}
			m, err := e.ToProto()
			must(t, err)
			attack := bytesOf(t, m)
			wrapped := bytesOf(t, &cmtproto.Evidence{Sum: &cmtproto.Evidence_LightClientAttackEvidence{LightClientAttackEvidence: m}})
			for _, knows := range []evidence.Comet{{}, {Validators: [][]byte{c.validatorsJSON(t)}}, {Validators: [][]byte{set}}} {
				for _, b := range [][]byte{attack, wrapped} {
					kind := map[bool]string{true: "tendermint.types.LightClientAttackEvidence", false: "tendermint.types.Evidence"}[bytes.Equal(b, attack)]
					if common == 0 && bytes.Equal(b, attack) {
						continue // the zero is left out: see TestProtobufThatCouldBeMore
					}
					r := same(t, kind, knows, [][]byte{mustJSON(t, e), mustJSON(t, real.SignedHeader)}, [][]byte{b, signed})
					if len(r) == 1 && r[0].Valid {
						valid++
					}
				}
			}
		}
		madeProto, err := made.ToProto()
		must(t, err)
		header := func(light *cmtproto.LightBlock) comet.Message {
			return append(bytesOf(t, light), comet.Message(nil).Embed(3, height).Embed(4, set)...)
		}
		misbehaviour := comet.Message(nil).Bytes(1, []byte("07-tendermint-0")).Embed(2, header(madeProto)).Embed(3, header(realProto))
		asJSON := `{"client_id":"07-tendermint-0","header_1":` + string(mustJSON(t, made)) + `,"header_2":` + string(mustJSON(t, real)) + `}`
		r := same(t, "ibc.lightclients.tendermint.v1.Misbehaviour", evidence.Comet{}, [][]byte{[]byte(asJSON)}, [][]byte{misbehaviour})
		message := comet.Message(nil).Bytes(1, []byte("cosmos1")).Embed(2, misbehaviour).Bytes(3, []byte("7"))
		same(t, "interchain_security.ccv.provider.v1.MsgSubmitConsumerMisbehaviour", evidence.Comet{}, [][]byte{[]byte(`{"submitter":"x","misbehaviour":` + asJSON + `}`)}, [][]byte{message})
		// Two headers, each in a file of its own, in both forms.
		same(t, "tendermint.types.LightBlock", evidence.Comet{}, [][]byte{mustJSON(t, made), mustJSON(t, real)}, [][]byte{bytesOf(t, madeProto), bytesOf(t, realProto)})
		if name == "equivocation" && (len(r) != 1 || !r[0].Valid || len(r[0].Offenders) != 4) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if valid == 0 {
		t.Error("none of them was valid")
	}
}

// Nothing that a signature covers can be changed in the bytes.
func TestNoByteOfProtobufCanBeChanged(t *testing.T) {
	c := newCast(10, 20)
	vote := func(seed byte) *types.Vote {
		return c.vote(t, 0, cmtproto.PrecommitType, 5, 1, blockID(seed), twinTime)
	}
	d := &types.DuplicateVoteEvidence{VoteA: vote(1), VoteB: vote(2), Timestamp: twinTime}
	b := bytesOf(t, d.ToProto())
	knows := evidence.Comet{ChainID: twinChain, Validators: [][]byte{c.validatorsJSON(t)}}
	if r := one(t, knows, b); !r.Valid {
		t.Fatalf("%+v", r)
	}
	stamp := bytesOf(t, d.ToProto())[len(b)-len(comet.Timestamp(twinTime)):] // signed by nobody
	for i := range b[:len(b)-len(stamp)] {
		for _, bit := range []int{0, 3, 7} {
			broken := bytes.Clone(b)
			broken[i] ^= 1 << bit
			reports, err := knows.Verify(broken)
			for _, r := range reports {
				if consistent(t, r); r.Valid {
					t.Errorf("valid with bit %d of byte %d changed", bit, i)
				}
			}
			if err != nil && !errors.Is(err, evidence.ErrShape) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	}
	for i := range b {
		if reports, err := knows.Verify(b[:i]); err == nil && reports[0].Valid && i < len(b)-len(stamp)-2 {
			t.Errorf("valid with %d of %d bytes", i, len(b))
		}
	}
}

// What its writers never write is refused, and so is what could be more than one thing.
func TestProtobufThatCouldBeMore(t *testing.T) {
	c := newCast(10, 20)
	vote := func(seed byte) comet.Message {
		return bytesOf(t, c.vote(t, 0, cmtproto.PrecommitType, 5, 1, blockID(seed), twinTime).ToProto())
	}
	m := comet.Message(nil)
	double := m.Embed(1, vote(1)).Embed(2, vote(2))
	knows := evidence.Comet{ChainID: twinChain, Validators: [][]byte{c.validatorsJSON(t)}}
	if r := one(t, knows, double); !r.Valid {
		t.Fatalf("%+v", r)
	}
	for name, b := range map[string][]byte{
		"fields in another order":    m.Embed(2, vote(2)).Embed(1, vote(1)),
		"a field twice":              m.Embed(1, vote(1)).Embed(2, vote(2)).Embed(2, vote(2)),
		"a vote in two parts":        m.Embed(1, vote(1)).Embed(1, nil).Embed(2, vote(2)),
		"an unknown field":           double.Int(77, 1),
		"field 0":                    append(bytes.Clone(double), 0, 0),
		"a long number":              append(append([]byte{}, double...), 0x18, 0x81, 0x00),
		"a number of eleven bytes":   append(append([]byte{}, double...), 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"another wire type":          append(append([]byte{}, double...), 0x19, 1, 2, 3, 4, 5, 6, 7, 8),
		"a group":                    append(append([]byte{}, double...), 0x1b, 0x1c),
		"cut":                        double[:len(double)-1],
		"a length beyond the end":    {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x08},
		"a length beyond all":        {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"two empty messages":         {0x0a, 0, 0x12, 0},
		"one empty message":          {0x0a, 0},
		"an unknown Any":             m.Bytes(1, []byte("/tendermint.types.Proposal")).Bytes(2, double),
		"an Any of something else":   m.Bytes(1, []byte("/tendermint.types.LightBlock")).Bytes(2, double),
		"an Any in an Any":           m.Bytes(1, []byte("/google.protobuf.Any")).Bytes(2, m.Bytes(1, []byte("/tendermint.types.DuplicateVoteEvidence")).Bytes(2, double)),
		"a chain id that is no text": m.Embed(1, m.Bytes(2, []byte{0xff})).Embed(2, m.Int(1, 5)),
	} {
		if reports, err := knows.Verify(b); !errors.Is(err, evidence.ErrShape) {
			t.Errorf("%s: %+v %v", name, reports, err)
		}
	}
	both := m.Embed(1, double).Embed(2, m.Embed(1, nil).Int(2, 5))
	if r := one(t, knows, both); r.Valid || r.Failed != "it is evidence of two kinds at once" {
		t.Errorf("%+v", r)
	}
	// Only --kind can tell what a message of empty ones is; it makes nothing valid.
	knows.Kind = attest.FaultConsensusEquivocation
	if r := one(t, knows, []byte{0x0a, 0, 0x12, 0}); r.Valid || r.Failed != "vote_a: it is neither a prevote nor a precommit but a message of type 0" {
		t.Errorf("%+v", r)
	}
	if _, err := knows.Verify(bytes.Repeat([]byte{0x0a}, 9<<20)); err != evidence.ErrSize {
		t.Error(err)
	}
	many := comet.Message{}
	for range 1001 {
		many = many.Embed(1, m.Embed(1, double))
	}
	if _, err := knows.Verify(many); !errors.Is(err, evidence.ErrShape) {
		t.Error(err)
	}
}

// Validators and keys are taken in protobuf, too; v1 writes keys in other fields.
func TestValidatorsInProtobuf(t *testing.T) {
	c := newCast(10, 20)
	d := &types.DuplicateVoteEvidence{
		VoteA: c.vote(t, 1, cmtproto.PrevoteType, 5, 0, blockID(1), twinTime), VoteB: c.vote(t, 1, cmtproto.PrevoteType, 5, 0, blockID(2), twinTime), Timestamp: twinTime,
	}
	old, err := c.set.ToProto()
	must(t, err)
	newer := comet.Message(nil)
	for _, v := range c.set.Validators {
		newer = newer.Embed(1, comet.Message(nil).Bytes(1, v.Address).Int(3, v.VotingPower).Int(4, v.ProposerPriority).Bytes(5, v.PubKey.Bytes()).Bytes(6, []byte(v.PubKey.Type())))
	}
	for _, set := range [][]byte{bytesOf(t, old), newer, []byte(hex.EncodeToString(newer))} {
		for _, knows := range []evidence.Comet{{ChainID: twinChain, Validators: [][]byte{set}}, {ChainID: twinChain, Keys: [][]byte{set}}} {
			if r := one(t, knows, mustJSON(t, d)); !r.Valid {
				t.Errorf("%+v", r)
			}
		}
	}
}

// FuzzCometProto reads whatever bytes: no panic, no change of the input, and nothing that
// convicts the validator who signed everything once. What is read convicts whom its JSON
// convicts.
func FuzzCometProto(f *testing.F) {
	c := newCast(10, 20, 30, 40, 50)
	all, honest := []int{0, 1, 2, 3, 4}, c.set.Validators[4].Address.String()
	real, err := c.lightBlock(f, 10, 0, all, unchanged).ToProto()
	must(f, err)
	made, err := c.lightBlock(f, 10, 0, []int{0, 1, 2, 3}, otherData).ToProto()
	must(f, err)
	vote := func(i int, id types.BlockID) *types.Vote {
		return c.vote(f, i, cmtproto.PrecommitType, 5, 0, id, twinTime)
	}
	double := (&types.DuplicateVoteEvidence{VoteA: vote(0, blockID(1)), VoteB: vote(0, blockID(2)), Timestamp: twinTime}).ToProto()
	attack := &cmtproto.LightClientAttackEvidence{ConflictingBlock: made, CommonHeight: 10, Timestamp: twinTime}
	f.Add(bytesOf(f, double))
	f.Add(bytesOf(f, attack))
	f.Add(bytesOf(f, &cmtproto.EvidenceList{Evidence: []cmtproto.Evidence{
		{Sum: &cmtproto.Evidence_DuplicateVoteEvidence{DuplicateVoteEvidence: double}}, {Sum: &cmtproto.Evidence_LightClientAttackEvidence{LightClientAttackEvidence: attack}},
	}}))
	f.Add([]byte(comet.Message(nil).Embed(2, bytesOf(f, made)).Embed(3, bytesOf(f, real))))
	f.Add([]byte(comet.Message(nil).Bytes(1, []byte("cosmos1")).Embed(2, bytesOf(f, double)).Embed(3, bytesOf(f, real))))
	f.Add(written(bytesOf(f, double), "tendermint.types.DuplicateVoteEvidence")["any"])
	trusted := bytesOf(f, real)
	knows := evidence.Comet{ChainID: twinChain, Validators: [][]byte{c.validatorsJSON(f)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, files := range [][][]byte{{data}, {data, trusted}} {
			reports, err := knows.Verify(files...)
			if text, notProto := evidence.CometJSON(data); notProto == nil {
				twin, twinErr := knows.Verify(append([][]byte{text}, files[1:]...)...)
				if !reflect.DeepEqual(reports, twin) || (err == nil) != (twinErr == nil) {
					t.Errorf("%+v %v\nin JSON %s\n%+v %v", reports, err, text, twin, twinErr)
				}
			}
			for _, r := range reports {
				consistent(t, r)
				for _, o := range r.Offenders {
					if o.Name == honest {
						t.Errorf("convicted an honest validator: %+v", r)
					}
				}
			}
		}
		checkUntouched(t, data, func() { _, _ = knows.Verify(data) })
	})
}

// Evidence of a main network and of Interchain Security's tests, in protobuf.
func TestRealEvidenceInProtobuf(t *testing.T) {
	var block struct {
		Result coretypes.ResultBlock `json:"result"`
	}
	raw := vector(t, "cometbft", "osmosis-1_block_15317185.json")
	must(t, cmtjson.Unmarshal(raw, &block))
	if block.Result.Block == nil {
		must(t, cmtjson.Unmarshal(raw, &block.Result))
	}
	list, err := block.Result.Block.Evidence.ToProto()
	must(t, err)
	knows := evidence.Comet{ChainID: "osmosis-1", Keys: [][]byte{[]byte(osmosisKey)}}
	for form, file := range written(bytesOf(t, list), "tendermint.types.EvidenceList") {
		r := one(t, knows, file)
		valid(t, r, "consensus_equivocation", "osmosis-1", 15317184, evidence.Offender{Name: "2D159B72D40C1C1DADDF24D2511200001B74ED84", Power: "737515", Total: "367532352"})
		if t.Failed() {
			t.Fatal(form)
		}
	}

	fromJSON := func(text []byte, m proto.Message) comet.Message {
		u := jsonpb.Unmarshaler{AllowUnknownFields: true}
		must(t, u.Unmarshal(bytes.NewReader(text), m))
		return bytesOf(t, m)
	}
	m := comet.Message(nil)
	header := fromJSON(vector(t, "cometbft", "ics_infraction_header.json"), &cmtproto.LightBlock{})
	double := fromJSON(vector(t, "cometbft", "ics_double_vote_evidence.json"), &cmtproto.DuplicateVoteEvidence{})
	message := m.Bytes(1, []byte("cosmos1")).Embed(2, double).Embed(3, header)
	valid(t, one(t, evidence.Comet{}, message), "consensus_equivocation", "consumer", 25, evidence.Offender{Name: "6821B5870F39673ED8960A6CCB6EB720954910C0", Power: "100", Total: "300"})

	var attack map[string]json.RawMessage
	parse(t, vector(t, "cometbft", "ics_light_client_attack.json"), &attack)
	misbehaviour := m.Embed(2, fromJSON(attack["header_1"], &cmtproto.LightBlock{})).Embed(3, fromJSON(attack["header_2"], &cmtproto.LightBlock{}))
	want := one(t, evidence.Comet{}, vector(t, "cometbft", "ics_light_client_attack.json"))
	if r := one(t, evidence.Comet{}, m.Bytes(1, []byte("cosmos1")).Embed(2, misbehaviour)); !reflect.DeepEqual(r, want) || !r.Valid || len(r.Offenders) != 4 {
		t.Errorf("%+v, want %+v", r, want)
	}
}
