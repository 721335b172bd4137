package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/meshsec/meshsec/attest"
)

// keyForm is one line of the table in keys.go: how a key is built and what stands
// under it.
type keyForm struct {
	prefix string
	parts  []keyPart
	record func(value []byte) (any, error) // decodes what stands there
}

// keyForms are all keys that a ledger uses. Every key has exactly one form.
var keyForms = []keyForm{
	{"meta", nil, decodeAs[Meta]},
	{"set", nil, decodeAs[attest.ValidatorSet]},
	{"set", []keyPart{numberPart}, decodeAs[SetRecord]},
	{"account", []keyPart{idPart}, decodeAs[Account]},
	{"lien", []keyPart{idPart, chainPart}, decodeAs[Lien]},
	{"validator", []keyPart{idPart}, decodeAs[Validator]},
	{"key", []keyPart{blsPart}, decodeID},
	{"ckey", []keyPart{consensusPart}, decodeID},
	{"statement", []keyPart{chainPart}, decodeAs[Statement]},
	{"import", []keyPart{chainPart}, decodeAs[Import]},
	{"peer", []keyPart{chainPart}, decodeAs[Peer]},
	{"checkpoint", []keyPart{chainPart, numberPart}, decodeAs[PeerCheckpoint]},
	{"offender", []keyPart{chainPart, idPart}, decodeAs[Offender]},
	{"fault", []keyPart{idPart}, decodeAs[Fault]},
	{"frozen", []keyPart{chainPart, idPart}, decodeCount},
	{"params", nil, decodeAs[Params]},
	{"pending", nil, decodeAs[PendingParams]},
	{"terms", []keyPart{chainPart}, decodeAs[Terms]},
	{"peerset", []keyPart{chainPart}, decodeAs[PeerSet]},
	{"cover", nil, decodeAs[Cover]},
	{"failure", []keyPart{chainPart, numberPart}, decodeAs[Failure]},
	{"failed", []keyPart{chainPart, numberPart}, decodeAs[Cover]},
	{"settled", []keyPart{chainPart}, decodeCount},
	{"escrow", []keyPart{chainPart}, decodeAmount},
	{"participation", []keyPart{numberPart}, decodeAs[Participation]},
	{"liveness", []keyPart{idPart}, decodeAs[Liveness]},

	{"accounts", nil, decodeCount},
	{"accounts", []keyPart{numberPart}, decodeID},
	{"validators", nil, decodeCount},
	{"validators", []keyPart{numberPart}, decodeID},
	{"faults", nil, decodeCount},
	{"faults", []keyPart{numberPart}, decodeID},
	{"slashes", nil, decodeCount},
	{"slashes", []keyPart{numberPart}, decodeAs[Slash]},
	{"queue", nil, decodeCount},
	{"queue", []keyPart{numberPart}, decodeAs[Execution]},
	{"liens", []keyPart{chainPart, idPart}, decodeCount},
	{"liens", []keyPart{chainPart, idPart, numberPart}, decodeID},
	{"offenders", []keyPart{chainPart}, decodeCount},
	{"offenders", []keyPart{chainPart, numberPart}, decodeID},
	{"failures", []keyPart{chainPart}, decodeCount},
	{"failures", []keyPart{chainPart, numberPart}, decodeCount},
	{"trusted", []keyPart{chainPart}, decodeCount},
	{"trusted", []keyPart{chainPart, numberPart}, decodeAs[Renewal]},
	{"open", nil, decodeCount},
	{"open", []keyPart{numberPart}, decodeBytes},
	{"signed", nil, decodeCount},
	{"signed", []keyPart{numberPart}, decodeBytes},
}

// ParseKey reads the name of a record as people write it and returns its key. Ids
// and keys are hex, numbers decimal, all else is as in the key:
//
//	meta, set, set/17, account/<account>, lien/<account>/<consumer>,
//	validator/<account>, key/<BLS key>, ckey/<type and key>, statement/<consumer>,
//	import/<provider>, peer/<chain>, checkpoint/<chain>/17, fault/<id>,
//	offender/<chain>/<account>, frozen/<chain>/<account>, params, pending, terms/<chain>,
//	peerset/<chain>, cover, failure/<chain>/17, failed/<chain>/17, settled/<chain>,
//	escrow/<consumer>, participation/<epoch mod 4>, liveness/<account>
//
// A list is its name (accounts, validators, faults, slashes, queue, open, signed,
// liens/<consumer>/<validator>, offenders/<chain>, failures/<chain>, trusted/<chain>), which has its length, and that
// with a number, which is the item.
func ParseKey(name string) ([]byte, error) {
	words := strings.Split(name, "/")
	var wrong error
	for i := range keyForms {
		f := &keyForms[i]
		if f.prefix != words[0] || len(f.parts) != len(words)-1 {
			continue
		}
		k, err := f.parse(words[1:])
		if err == nil {
			return k, nil
		}
		wrong = fmt.Errorf("%.100q is not the name of a record: %w", name, err)
	}
	if wrong == nil {
		wrong = fmt.Errorf("%.100q is not the name of a record, such as account/<account>, statement/<consumer> or meta", name)
	}
	return nil, wrong
}

// KeyName is the inverse of ParseKey. Bytes that are no key of a ledger are an error.
func KeyName(key []byte) (string, error) {
	name, _, err := formOf(key)
	return name, err
}

// formOf finds the one form that a key has.
func formOf(key []byte) (string, *keyForm, error) {
	for i := range keyForms {
		if name, ok := keyForms[i].name(key); ok {
			return name, &keyForms[i], nil
		}
	}
	return "", nil, fmt.Errorf("%.80x is not a key of a ledger", key)
}

func (f *keyForm) parse(words []string) ([]byte, error) {
	parts := make([][]byte, len(words))
	for i, w := range words {
		b, err := f.parts[i].parse(w)
		if err != nil {
			return nil, err
		}
		parts[i] = b
	}
	return key(f.prefix, parts...), nil
}

// name puts a key of this form into words.
func (f *keyForm) name(key []byte) (string, bool) {
	rest, ok := bytes.CutPrefix(key, []byte(f.prefix))
	if !ok {
		return "", false
	}
	name := f.prefix
	for _, p := range f.parts {
		if len(rest) == 0 || rest[0] != '/' {
			return "", false
		}
		rest = rest[1:]
		n := p.length(rest)
		if n < 0 || n > len(rest) {
			return "", false
		}
		word := p.text(rest[:n])
		if _, err := p.parse(word); err != nil {
			return "", false
		}
		name, rest = name+"/"+word, rest[n:]
	}
	return name, len(rest) == 0
}

// keyPart is what stands between two slashes of a key.
type keyPart int

const (
	chainPart     keyPart = iota // 1 to 50 characters, as they are
	idPart                       // 32 bytes
	numberPart                   // 8 bytes, big-endian
	blsPart                      // 48 bytes
	consensusPart                // a type, and the key to the end
)

// length is how many bytes of the rest of a key belong to the part.
func (p keyPart) length(rest []byte) int {
	switch p {
	case idPart:
		return 32
	case numberPart:
		return 8
	case blsPart:
		return 48
	case consensusPart:
		return len(rest)
	}
	if i := bytes.IndexByte(rest, '/'); i >= 0 {
		return i
	}
	return len(rest)
}

func (p keyPart) text(b []byte) string {
	switch p {
	case chainPart:
		return string(b)
	case numberPart:
		return strconv.FormatUint(binary.BigEndian.Uint64(b), 10)
	}
	return hex.EncodeToString(b)
}

// parse reads what text writes and nothing else.
func (p keyPart) parse(word string) ([]byte, error) {
	switch p {
	case chainPart:
		if !chainID.MatchString(word) {
			return nil, fmt.Errorf("%.100q is not the id of a chain", word)
		}
		return []byte(word), nil
	case numberPart:
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil || strconv.FormatUint(n, 10) != word {
			return nil, fmt.Errorf("%.100q is not a plain number", word)
		}
		return num(n), nil
	}
	b, err := hex.DecodeString(word)
	want := p.length(b)
	if err != nil || len(b) != want || hex.EncodeToString(b) != word ||
		p == consensusPart && (len(b) < 2 || len(b) > 1+attest.MaxConsensusKey) {
		if p == consensusPart {
			return nil, fmt.Errorf("%.100q is not a type and a key in lower-case hex", word)
		}
		return nil, fmt.Errorf("%.100q is not %d lower-case hex digits", word, 2*want)
	}
	return b, nil
}
