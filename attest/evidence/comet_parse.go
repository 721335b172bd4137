package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// What a file may hold.
const (
	maxCometPieces   = 1000 // of evidence
	maxCometWrappers = 8    // around evidence: an answer of an RPC, a transaction, a message
)

// cometPiece is one piece of evidence.
type cometPiece interface {
	kind() attest.FaultKind
	judge(known *cometKnown) (*reportWriter, error)
}

// cometFile is what was found in a file.
type cometFile struct {
	pieces []cometPiece
	lights []*comet.LightBlock
	sets   []*comet.Set
	pages  []cometPage // of those sets, the incomplete ones
	blocks int         // without evidence
	missed int         // validators that an answer of an RPC says it left out
}

// cometPage is a part of the set at a height.
type cometPage struct {
	height  int64
	members []comet.Validator
}

// keys are those of all validators beside the evidence.
func (f *cometFile) keys() (keys []comet.Key) {
	for _, l := range f.lights {
		keys = append(keys, l.Set.Keys()...)
	}
	for _, s := range f.sets {
		keys = append(keys, s.Keys()...)
	}
	return keys
}

// cometMalformed is what has the shape of evidence and can't be read.
type cometMalformed struct {
	of    attest.FaultKind
	cause error
}

func (m cometMalformed) kind() attest.FaultKind { return m.of }

func (m cometMalformed) judge(*cometKnown) (*reportWriter, error) {
	r := newCometReport(m.of.String(), "", 0)
	r.step("form", m.cause, "")
	return r, nil
}

// parseCometFile finds what is in a file. Errors are [ErrSize], [ErrShape] if it is neither
// JSON nor protobuf, and those of a malformed header or set in it. What follows the
// evidence makes it invalid: nobody can say which of the two was meant. A kind, if not 0,
// helps to tell protobuf.
func parseCometFile(data []byte, kind attest.FaultKind) (*cometFile, error) {
	if len(data) > MaxFile {
		return nil, ErrSize
	}
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
		return parseCometProto(data, kind)
	}
	f, err := parseCometJSON(data)
	if errors.Is(err, ErrShape) {
		if p, notProto := parseCometProto(data, kind); notProto == nil {
			return p, nil // which began as JSON does
		}
	}
	return f, err
}

func parseCometProto(data []byte, kind attest.FaultKind) (*cometFile, error) {
	text, err := cometJSON(data, kind)
	if err != nil {
		return nil, err
	}
	return parseCometJSON(text)
}

func parseCometJSON(data []byte) (*cometFile, error) {
	f := &cometFile{}
	err := f.read(data, 0, cometCarrier{})
	if errors.Is(err, errTrailing) && len(f.pieces) > 0 {
		for i, p := range f.pieces {
			f.pieces[i] = cometMalformed{p.kind(), errTrailing}
		}
		err = nil
	}
	return f, err
}

// read finds evidence in a value, through whatever is wrapped around it.
func (f *cometFile) read(raw json.RawMessage, depth int, from cometCarrier) error {
	if depth > maxCometWrappers || isNull(raw) {
		return nil
	}
	if strings.HasPrefix(strings.TrimLeft(string(raw[:min(len(raw), 64)]), " \t\r\n"), "[") {
		return f.readList(raw, depth, from)
	}
	if depth > 0 && raw[0] != '{' {
		return nil // a text or number of something that is no evidence
	}
	o, err := readCometObject(raw)
	if err != nil && !errors.Is(err, errTrailing) {
		return fmt.Errorf("%w: %w", ErrShape, err)
	}
	if inner := f.readKnown(cometFields{object: o, err: new(error)}, depth, from); inner != nil {
		return inner
	}
	return err
}

func (f *cometFile) readList(raw json.RawMessage, depth int, from cometCarrier) error {
	items, err := readCometList(raw, comet.MaxValidators)
	if err != nil && !errors.Is(err, errTrailing) {
		return fmt.Errorf("%w: %w", ErrShape, err)
	}
	if len(items) > 0 {
		if o, bad := readCometObject(items[0]); bad == nil && o["pubkey"] != nil && o["votea"] == nil {
			return f.readValidators(cometFields{object: cometObject{"validators": raw}, err: new(error)})
		}
	}
	for _, item := range items {
		if err := f.read(item, depth+1, from); err != nil {
			return err
		}
	}
	return err
}

// wrappers are names under which evidence is found in something else, in the order
// in which they are tried.
var wrappers = []string{"result", "lightclientattackevidence", "misbehaviour", "misbehavior", "clientmessage", "tx", "body", "messages", "msg", "value", "evidence"}

// readKnown looks at an object whose shape tells what it is.
func (f *cometFile) readKnown(o cometFields, depth int, from cometCarrier) error {
	switch {
	case o.has("votea") && o.has("voteb"):
		return f.add(attest.FaultConsensusEquivocation, o, func() cometPiece {
			if o.has("votetype") {
				return readDecodedDoubleVote(o)
			}
			return readCometDoubleVote(o, from)
		})
	case o.has("conflictingblock"):
		return f.add(attest.FaultLightClientAttack, o, func() cometPiece { return readCometAttack(o) })
	case o.has("header1") && o.has("header2"):
		return f.add(attest.FaultLightClientAttack, o, func() cometPiece {
			return &cometMisbehaviour{readCometLight(o.open("header1")), readCometLight(o.open("header2"))}
		})
	case o.has("duplicatevoteevidence") && o.has("lightclientattackevidence"):
		f.pieces = append(f.pieces, cometMalformed{attest.FaultConsensusEquivocation, errors.New("it is evidence of two kinds at once")})
		return nil
	case o.has("duplicatevoteevidence"):
		return f.readMessage(o, depth, from)
	case o.has("block"):
		return f.readBlock(o.open("block"), o.open("blockid").text("hash"), depth)
	case o.has("header") && o.has("evidence"):
		return f.readBlock(o, "", depth)
	case o.has("signedheader"), o.has("header") && o.has("commit"):
		light := readCometLight(o)
		f.lights = append(f.lights, light)
		return *o.err
	case o.has("validators"):
		return f.readValidators(o)
	case o.has("validatorset"):
		return f.read(o.get("validatorset"), depth+1, from)
	}
	for _, name := range wrappers {
		if o.has(name) {
			return f.read(o.get(name), depth+1, from)
		}
	}
	return nil
}

// add keeps a piece of evidence, or what is wrong with it.
func (f *cometFile) add(kind attest.FaultKind, o cometFields, read func() cometPiece) error {
	if len(f.pieces) == maxCometPieces {
		return fmt.Errorf("more than %d pieces of evidence in one file", maxCometPieces)
	}
	piece := read()
	if *o.err != nil {
		piece = cometMalformed{kind, *o.err}
	}
	f.pieces = append(f.pieces, piece)
	return nil
}

// readMessage reads evidence of Interchain Security: with the header of the infraction,
// whose validators are used as a list of keys. They need not be those of that height.
func (f *cometFile) readMessage(o cometFields, depth int, from cometCarrier) error {
	if o.has("infractionblockheader") {
		light := readCometLight(o.open("infractionblockheader"))
		if *o.err != nil {
			f.pieces = append(f.pieces, cometMalformed{attest.FaultConsensusEquivocation, *o.err})
			return nil
		}
		from.chainID = light.Header.ChainID
		from.keys = append(from.keys, light.Set.Keys()...)
	}
	return f.read(o.get("duplicatevoteevidence"), depth+1, from)
}

func (f *cometFile) readBlock(o cometFields, id string, depth int) error {
	block := &cometBlock{header: readCometHeader(o.open("header"))}
	if *o.err != nil {
		return *o.err
	}
	var err error
	if block.id, err = readCometBytes(id, comet.HashSize); err != nil {
		return fmt.Errorf("block_id.hash: %w", err)
	}
	before := len(f.pieces)
	if err := f.read(o.get("evidence"), depth+1, cometCarrier{chainID: block.header.ChainID, block: block}); err != nil {
		return err
	}
	list := o
	if !strings.HasPrefix(string(o.get("evidence")), "[") {
		list = o.open("evidence")
	}
	listed := list.list(maxCometPieces, "evidence")
	if *o.err != nil {
		return *o.err
	}
	found := f.pieces[before:]
	if len(found) == 0 {
		f.blocks++
	}
	block.opaque = len(listed) != len(found) // some of a kind that is not known
	for _, p := range found {
		if d, ok := p.(*cometDoubleVote); ok {
			block.leaves = append(block.leaves, d.proto())
		} else {
			block.opaque = true
		}
	}
	return nil
}

func (f *cometFile) readValidators(o cometFields) error {
	set := readCometSet(o, "validators")
	if total := o.number(64, "total"); total > int64(len(set.Members)) {
		f.missed += int(total) - len(set.Members)
		if height := o.number(64, "blockheight"); height != 0 {
			f.pages = append(f.pages, cometPage{height, set.Members})
		}
	}
	f.sets = append(f.sets, set)
	if *o.err != nil {
		return fmt.Errorf("%w: %w", ErrShape, *o.err) // others have validators, too
	}
	return nil
}

// readDecodedDoubleVote reads a double vote that was taken apart: each vote has only
// what is its own, and the key is there.
func readDecodedDoubleVote(o cometFields) *cometDoubleVote {
	vote := func(v cometFields) comet.Vote {
		return comet.Vote{
			Type:      o.enum("SIGNED_MSG_TYPE_", []string{"UNKNOWN", "PREVOTE", "PRECOMMIT"}, "votetype"),
			Height:    o.number(64, "height"),
			Round:     o.number(32, "round"),
			Block:     comet.BlockID{Hash: v.bytes(hashLengths, "blockhash"), PartsTotal: v.number(64, "partstotal"), PartsHash: v.bytes(hashLengths, "partshash")},
			Time:      v.time("timestamp"),
			Address:   o.bytes(addressLengths, "validatoraddress"),
			Signature: v.bytes(signatureLengths, "signature"),
		}
	}
	d := &cometDoubleVote{
		a:     vote(o.open("votea")),
		b:     vote(o.open("voteb")),
		total: o.number(64, "totalvotingpower"),
		power: o.number(64, "validatorpower"),
		from:  cometCarrier{chainID: o.text("chainid")},
	}
	if o.has("pubkey") {
		key, err := newCometKey(o.text("keytype"), o.text("pubkey"))
		if err != nil {
			o.fail("pub_key", "%v", err)
		}
		d.from.keys = []comet.Key{key}
	}
	return d
}
