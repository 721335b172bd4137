package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// Protobuf is turned into JSON by a schema and read as such, so that both say the same.
// It is read as its writers write it: fields in the order of their numbers, each once
// unless it is repeated, none that is unknown, numbers no longer than they must be. So
// few bytes can be read in two ways, and those that can are refused.

// maxCometProto is the size in bytes of the largest protobuf that is parsed: some more
// than two signed headers with four sets of [comet.MaxValidators].
const maxCometProto = 8 << 20

// protoKind is how the value of a field is written.
type protoKind uint8

const (
	protoInt   protoKind = iota // int32, int64, an enumeration
	protoUint                   // uint32, uint64
	protoText                   // string
	protoBytes                  // bytes
	protoInner                  // a message
)

// protoField is a field of a message.
type protoField struct {
	name string
	kind protoKind
	of   protoMessage // of protoInner
	most int          // how often it may be there; 0: once, and it is no list
	some []uint64     // fields of which the inner message must have one
}

// protoMessage are the fields of a message by their numbers.
type protoMessage map[uint64]protoField

func innerField(name string, of protoMessage) protoField {
	return protoField{name: name, kind: protoInner, of: of}
}

func listField(name string, of protoMessage, most int, some ...uint64) protoField {
	return protoField{name: name, kind: protoInner, of: of, most: most, some: some}
}

func intField(name string) protoField   { return protoField{name: name, kind: protoInt} }
func uintField(name string) protoField  { return protoField{name: name, kind: protoUint} }
func textField(name string) protoField  { return protoField{name: name, kind: protoText} }
func bytesField(name string) protoField { return protoField{name: name, kind: protoBytes} }

// The messages of packages google.protobuf, tendermint.version, tendermint.crypto,
// tendermint.types (v0.34 to v0.38), cometbft.types (v1), ibc.lightclients.tendermint.v1
// and interchain_security.ccv.provider.v1, as far as evidence is made of them.
var (
	protoTime    = protoMessage{1: intField("seconds"), 2: intField("nanos")}
	protoVersion = protoMessage{1: uintField("block"), 2: uintField("app")}
	protoKey     = protoMessage{1: bytesField("ed25519"), 2: bytesField("secp256k1"), 3: bytesField("bls12381")}
	protoParts   = protoMessage{1: uintField("total"), 2: bytesField("hash")}
	protoBlockID = protoMessage{1: bytesField("hash"), 2: innerField("part_set_header", protoParts)}
	protoVote    = protoMessage{
		1: intField("type"), 2: intField("height"), 3: intField("round"), 4: innerField("block_id", protoBlockID), 5: innerField("timestamp", protoTime),
		6: bytesField("validator_address"), 7: intField("validator_index"), 8: bytesField("signature"), 9: bytesField("extension"), 10: bytesField("extension_signature"),
		11: bytesField("non_rp_extension"), 12: bytesField("non_rp_extension_signature"),
	}
	protoDoubleVote = protoMessage{
		1: innerField("vote_a", protoVote), 2: innerField("vote_b", protoVote),
		3: intField("total_voting_power"), 4: intField("validator_power"), 5: innerField("timestamp", protoTime),
	}
	protoHeader = protoMessage{
		1: innerField("version", protoVersion), 2: textField("chain_id"), 3: intField("height"), 4: innerField("time", protoTime), 5: innerField("last_block_id", protoBlockID),
		6: bytesField("last_commit_hash"), 7: bytesField("data_hash"), 8: bytesField("validators_hash"), 9: bytesField("next_validators_hash"), 10: bytesField("consensus_hash"),
		11: bytesField("app_hash"), 12: bytesField("last_results_hash"), 13: bytesField("evidence_hash"), 14: bytesField("proposer_address"),
	}
	protoCommitSig = protoMessage{1: intField("block_id_flag"), 2: bytesField("validator_address"), 3: innerField("timestamp", protoTime), 4: bytesField("signature")}
	protoCommit    = protoMessage{
		1: intField("height"), 2: intField("round"), 3: innerField("block_id", protoBlockID), 4: listField("signatures", protoCommitSig, comet.MaxValidators),
	}
	protoSigned    = protoMessage{1: innerField("header", protoHeader), 2: innerField("commit", protoCommit)}
	protoValidator = protoMessage{
		1: bytesField("address"), 2: innerField("pub_key", protoKey), 3: intField("voting_power"), 4: intField("proposer_priority"),
		5: bytesField("pub_key_bytes"), 6: textField("pub_key_type"),
	}
	protoSet = protoMessage{
		1: listField("validators", protoValidator, comet.MaxValidators, 2, 5), 2: innerField("proposer", protoValidator), 3: intField("total_voting_power"),
	}
	protoHeight = protoMessage{1: uintField("revision_number"), 2: uintField("revision_height")}
	// protoLight is a LightBlock, and also a Header of IBC, which has the last two fields.
	protoLight = protoMessage{
		1: innerField("signed_header", protoSigned), 2: innerField("validator_set", protoSet),
		3: innerField("trusted_height", protoHeight), 4: innerField("trusted_validators", protoSet),
	}
	protoAttack = protoMessage{
		1: innerField("conflicting_block", protoMessage{1: protoLight[1], 2: protoLight[2]}), 2: intField("common_height"),
		3: listField("byzantine_validators", protoValidator, comet.MaxValidators, 2, 5), 4: intField("total_voting_power"), 5: innerField("timestamp", protoTime),
	}
	protoEvidence     = protoMessage{1: innerField("duplicate_vote_evidence", protoDoubleVote), 2: innerField("light_client_attack_evidence", protoAttack)}
	protoEvidenceList = protoMessage{1: listField("evidence", protoEvidence, maxCometPieces)}
	protoMisbehaviour = protoMessage{1: textField("client_id"), 2: innerField("header_1", protoLight), 3: innerField("header_2", protoLight)}
	protoDoubleVoting = protoMessage{
		1: textField("submitter"), 2: innerField("duplicate_vote_evidence", protoDoubleVote), 3: innerField("infraction_block_header", protoLight), 4: textField("consumer_id"),
	}
	protoMisbehaved = protoMessage{1: textField("submitter"), 2: innerField("misbehaviour", protoMisbehaviour), 3: textField("consumer_id")}
)

// protoRoot is a message that a file may hold.
type protoRoot struct {
	names []string // in an Any
	of    protoMessage
	needs []uint64           // fields without which it is another one
	kinds []attest.FaultKind // that it may be evidence of; none: it goes with evidence
}

var (
	equivocations = []attest.FaultKind{attest.FaultConsensusEquivocation}
	attacks       = []attest.FaultKind{attest.FaultLightClientAttack}
	bothKinds     = []attest.FaultKind{attest.FaultConsensusEquivocation, attest.FaultLightClientAttack}
)

var protoRoots = []protoRoot{
	{[]string{"tendermint.types.DuplicateVoteEvidence", "cometbft.types.v1.DuplicateVoteEvidence"}, protoDoubleVote, []uint64{1, 2}, equivocations},
	{[]string{"tendermint.types.LightClientAttackEvidence", "cometbft.types.v1.LightClientAttackEvidence"}, protoAttack, []uint64{1, 2}, attacks},
	{[]string{"tendermint.types.Evidence", "cometbft.types.v1.Evidence"}, protoEvidence, nil, bothKinds},
	{[]string{"tendermint.types.EvidenceList", "cometbft.types.v1.EvidenceList"}, protoEvidenceList, []uint64{1}, bothKinds},
	{[]string{"ibc.lightclients.tendermint.v1.Misbehaviour"}, protoMisbehaviour, []uint64{2, 3}, attacks},
	{[]string{"interchain_security.ccv.provider.v1.MsgSubmitConsumerDoubleVoting"}, protoDoubleVoting, []uint64{2, 3}, equivocations},
	{[]string{"interchain_security.ccv.provider.v1.MsgSubmitConsumerMisbehaviour"}, protoMisbehaved, []uint64{2}, attacks},
	{[]string{"tendermint.types.LightBlock", "cometbft.types.v1.LightBlock", "ibc.lightclients.tendermint.v1.Header"}, protoLight, []uint64{1, 2}, nil},
	{[]string{"tendermint.types.SignedHeader", "cometbft.types.v1.SignedHeader"}, protoSigned, []uint64{1, 2}, nil},
	{[]string{"tendermint.types.ValidatorSet", "cometbft.types.v1.ValidatorSet"}, protoSet, []uint64{1}, nil},
}

// protoAny is google.protobuf.Any, which says what is in it.
var protoAny = protoMessage{1: textField("type_url"), 2: bytesField("value")}

// errProto: bytes are not the message that they were read as.
var errProto = errors.New("not protobuf of evidence as CometBFT, IBC or Interchain Security write it")

// cometJSON is the JSON for the protobuf of a message that a file may hold, in bytes, hex
// or base64. The error is [ErrSize] or [ErrShape].
func cometJSON(data []byte, kind attest.FaultKind) ([]byte, error) {
	failed := error(errProto)
	for _, b := range protoForms(data) {
		if len(b) > maxCometProto {
			return nil, ErrSize
		}
		out, err := protoJSON(b, kind)
		if err == nil {
			return out, nil
		}
		if errors.Is(err, errAmbiguous) {
			failed = err
		}
	}
	return nil, fmt.Errorf("%w: neither JSON nor protobuf: %w", ErrShape, failed)
}

// protoForms are the bytes that a file may stand for: what its text encodes, and itself.
func protoForms(data []byte) (forms [][]byte) {
	s := strings.TrimSpace(string(data[:min(len(data), 2*maxCometProto+64)]))
	if b, err := hex.DecodeString(strings.TrimPrefix(s, "0x")); err == nil {
		forms = append(forms, b)
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := e.Strict().DecodeString(s); err == nil { // line breaks are passed over
			forms = append(forms, b)
			break
		}
	}
	return append(forms, data)
}

// errAmbiguous: bytes can be read in more than one way.
var errAmbiguous = errors.New("the bytes can be more than one thing, say which with --kind")

// protoJSON finds out which message the bytes are. If a kind is asked for, it is the first
// that may be evidence of it: what convicts is what was signed, however it is read.
func protoJSON(b []byte, kind attest.FaultKind) ([]byte, error) {
	if len(b) == 0 {
		return nil, errProto
	}
	if typed, err := openAny(b); err == nil {
		return typed, nil
	}
	var found, beside []protoMessage
	for _, r := range protoRoots {
		switch {
		case !r.fits(b):
		case r.kinds == nil:
			beside = append(beside, r.of)
		case kind == 0 || slices.Contains(r.kinds, kind):
			found = append(found, r.of)
		}
	}
	if kind == 0 || len(found) == 0 {
		found = append(found, beside...)
	}
	switch {
	case len(found) == 0:
		return nil, errProto
	case len(found) > 1 && kind == 0:
		return nil, errAmbiguous
	}
	return found[0].appendJSON(nil, b)
}

// openAny reads an Any of a message that is known.
func openAny(b []byte) ([]byte, error) {
	text, err := protoAny.appendJSON(nil, b)
	if err != nil {
		return nil, err
	}
	var typed struct {
		URL   string `json:"type_url"`
		Value string `json:"value"`
	}
	if err := json.Unmarshal(text, &typed); err != nil {
		return nil, err
	}
	value, err := hex.DecodeString(strings.TrimPrefix(typed.Value, "0x"))
	if err != nil {
		return nil, err
	}
	name := typed.URL[strings.LastIndex(typed.URL, "/")+1:]
	for _, r := range protoRoots {
		if slices.Contains(r.names, name) {
			return r.of.appendJSON(nil, value)
		}
	}
	return nil, errProto
}

// fits says whether bytes are the message, with all that it needs.
func (r *protoRoot) fits(b []byte) bool {
	seen := map[uint64]bool{}
	err := r.of.walk(b, func(v protoValue) error {
		seen[v.number] = true
		return v.check()
	})
	for _, n := range r.needs {
		if !seen[n] {
			return false
		}
	}
	return err == nil
}

// protoValue is a value in a message.
type protoValue struct {
	protoField
	number uint64
	nth    int    // of the values of a list, from 0
	scalar uint64 // or
	bytes  []byte
}

// check looks through a value.
func (v protoValue) check() error {
	switch {
	case v.kind == protoText && !utf8.Valid(v.bytes):
		return errProto
	case v.kind != protoInner:
		return nil
	}
	some := len(v.some) == 0
	err := v.of.walk(v.bytes, func(inner protoValue) error {
		some = some || slices.Contains(v.some, inner.number)
		return inner.check()
	})
	if !some {
		return errProto
	}
	return err
}

// walk visits the values of a message.
func (m protoMessage) walk(in []byte, visit func(protoValue) error) error {
	v := protoValue{}
	for len(in) > 0 {
		tag, rest, err := uvarint(in)
		if err != nil {
			return err
		}
		last := v.number
		v.number, v.nth = tag>>3, v.nth+1
		field, known := m[v.number]
		switch {
		case !known || v.number < last || v.number == last && v.nth >= field.most:
			return errProto
		case v.number > last:
			v.protoField, v.nth = field, 0
		}
		if v.scalar, rest, err = uvarint(rest); err != nil {
			return err
		}
		switch wire := tag & 7; {
		case v.kind == protoInt || v.kind == protoUint:
			if wire != wireVarint {
				return errProto
			}
		case wire != wireBytes || v.scalar > uint64(len(rest)):
			return errProto
		default:
			v.bytes, rest = rest[:v.scalar], rest[v.scalar:]
		}
		if err := visit(v); err != nil {
			return err
		}
		in = rest
	}
	return nil
}

// Wire types.
const (
	wireVarint = 0
	wireBytes  = 2
)

// uvarint reads a number that is written as short as it can be.
func uvarint(in []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(in)
	if n <= 0 || n > 1 && in[n-1] == 0 {
		return 0, nil, errProto
	}
	return v, in[n:], nil
}

// appendJSON writes a message in the dialect that is read without a doubt: numbers bare,
// bytes in marked hex.
func (m protoMessage) appendJSON(out, in []byte) ([]byte, error) {
	out = append(out, '{')
	open := false // a list
	err := m.walk(in, func(v protoValue) (err error) {
		if open && v.nth == 0 {
			out, open = append(out, ']'), false
		}
		if out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		if v.nth == 0 {
			out = append(append(append(out, '"'), v.name...), '"', ':')
		}
		if v.nth == 0 && v.most > 0 {
			out, open = append(out, '['), true
		}
		out, err = v.appendJSON(out)
		return err
	})
	if open {
		out = append(out, ']')
	}
	return append(out, '}'), err
}

func (v protoValue) appendJSON(out []byte) ([]byte, error) {
	switch v.kind {
	case protoInt:
		return strconv.AppendInt(out, int64(v.scalar), 10), nil
	case protoUint:
		return strconv.AppendUint(out, v.scalar, 10), nil
	case protoInner:
		return v.of.appendJSON(out, v.bytes)
	case protoText:
		if !utf8.Valid(v.bytes) {
			return nil, errProto
		}
		text, err := json.Marshal(string(v.bytes))
		return append(out, text...), err
	}
	if len(v.bytes) == 0 {
		return append(out, '"', '"'), nil
	}
	return append(hex.AppendEncode(append(out, '"', '0', 'x'), v.bytes), '"'), nil
}
