package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The dialects of JSON differ in the case of names, in how bytes and enumerations
// are written, and in whether zero values are left out. Everything is read through
// cometFields, which takes them all:
//
//	names     total_voting_power, totalVotingPower, TotalVotingPower
//	numbers   5, "5"
//	bytes     hex or base64
//	enums     2, "2", "SIGNED_MSG_TYPE_PRECOMMIT"
//	times     RFC 3339, or an object of seconds and nanos
//	null      as if the name were not there

// cometObject is a JSON object whose names are folded: lower case, no underscores.
type cometObject map[string]json.RawMessage

var errTrailing = errors.New("something follows the JSON value")

// readCometObject opens one level of JSON. A name that occurs twice is refused: what
// two readers read differently is no evidence.
func readCometObject(raw []byte) (cometObject, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil {
		return nil, err
	} else if t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	o := cometObject{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := foldName(t.(string)) // the names of an object are strings
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := o[name]; twice {
			return nil, fmt.Errorf("%s occurs twice", t)
		}
		o[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return o, errTrailing
	}
	return o, nil
}

func foldName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// readCometList opens a JSON array of at most limit values.
func readCometList(raw []byte, limit int) ([]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil {
		return nil, err
	} else if t != json.Delim('[') {
		return nil, errors.New("not a JSON array")
	}
	var all []json.RawMessage
	for d.More() {
		if len(all) == limit {
			return nil, fmt.Errorf("more than %d items", limit)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return all, errTrailing
	}
	return all, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// cometFields reads the values of an object. The first error of an object and of all
// in it is kept, so that it is asked for once.
type cometFields struct {
	object cometObject
	at     string // path from the outermost object
	err    *error
}

func (f cometFields) fail(name, format string, args ...any) {
	if *f.err == nil {
		*f.err = fmt.Errorf("%s%s: %s", f.at, name, fmt.Sprintf(format, args...))
	}
}

// get is the value under one of the spellings of a name, nil if there is none.
func (f cometFields) get(names ...string) json.RawMessage {
	var found json.RawMessage
	for _, name := range names {
		if raw, ok := f.object[name]; ok && !isNull(raw) {
			if found != nil {
				f.fail(name, "given under two names")
			}
			found = raw
		}
	}
	return found
}

func (f cometFields) has(names ...string) bool { return f.get(names...) != nil }

// text is a string, or the digits of a number.
func (f cometFields) text(names ...string) string {
	raw := f.get(names...)
	if raw == nil {
		return ""
	}
	if raw[0] != '"' {
		var n json.Number
		if err := json.Unmarshal(raw, &n); err != nil {
			f.fail(names[0], "want a string or a number")
		}
		return n.String()
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		f.fail(names[0], "not a string")
	}
	return s
}

// number is a whole number that fits into so many bits; zero if it is left out.
func (f cometFields) number(bits int, names ...string) int64 {
	s := f.text(names...)
	if s == "" {
		if f.has(names...) {
			f.fail(names[0], "an empty string is no number")
		}
		return 0
	}
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil || s != strconv.FormatInt(n, 10) {
		f.fail(names[0], "%q is not a whole number of %d bits", s, bits)
	}
	return n
}

// natural is a number that is not negative.
func (f cometFields) natural(names ...string) uint64 {
	s := f.text(names...)
	if s == "" && !f.has(names...) {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || s != strconv.FormatUint(n, 10) {
		f.fail(names[0], "%q is not a natural number of 64 bits", s)
	}
	return n
}

// enum is the number of a name of an enumeration, or the number itself.
func (f cometFields) enum(prefix string, values []string, name string) int64 {
	s := f.text(name)
	if i := slices.Index(values, strings.TrimPrefix(s, prefix)); i >= 0 {
		return int64(i)
	}
	return f.number(32, name)
}

// bytes are hex or base64. Which of them a text is that could be both is decided by
// the lengths that make sense; another length is not refused here.
func (f cometFields) bytes(lengths []int, names ...string) []byte {
	s := f.text(names...)
	b, err := readCometBytes(s, lengths...)
	if err != nil {
		f.fail(names[0], "%v", err)
	}
	return b
}

func readCometBytes(s string, lengths ...int) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	digits, marked := strings.CutPrefix(s, "0x")
	b, notHex := hex.DecodeString(digits)
	if notHex == nil && (marked || slices.Contains(lengths, len(b))) {
		return b, nil
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if strings.ContainsAny(s, "\r\n") {
			break
		}
		if b, err := e.Strict().DecodeString(s); err == nil {
			return b, nil
		}
	}
	if notHex == nil {
		return b, nil
	}
	return nil, errors.New("neither hex nor base64")
}

// time is a moment in UTC. One that is left out is Go's zero time, as CometBFT has it
// for a validator that did not sign.
func (f cometFields) time(name string) time.Time {
	raw := f.get(name)
	if raw == nil {
		return time.Time{}
	}
	if raw[0] == '{' {
		stamp := f.open(name)
		nanos := stamp.number(32, "nanos")
		if nanos < 0 || nanos >= int64(time.Second) {
			f.fail(name, "%d nanoseconds are not within a second", nanos)
		}
		return time.Unix(stamp.number(64, "seconds"), nanos).UTC()
	}
	s := f.text(name)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || tooFine(s) || strings.Contains(s, ",") {
		f.fail(name, "%q is not a time of RFC 3339 with at most nine decimals", s)
		return time.Time{}
	}
	return t.UTC()
}

// tooFine says whether a time has more decimals than nanoseconds; Go drops them.
func tooFine(s string) bool {
	_, decimals, _ := strings.Cut(s, ".")
	return len(decimals)-len(strings.TrimLeft(decimals, "0123456789")) > 9
}

// open is the object under one of the names; an empty one if there is none.
func (f cometFields) open(names ...string) cometFields {
	inner := cometFields{at: f.at + names[0] + ".", err: f.err}
	raw := f.get(names...)
	if raw == nil {
		return inner
	}
	o, err := readCometObject(raw)
	if err != nil {
		f.fail(names[0], "%v", err)
	}
	inner.object = o
	return inner
}

// list are the items under a name.
func (f cometFields) list(limit int, names ...string) []json.RawMessage {
	raw := f.get(names...)
	if raw == nil {
		return nil
	}
	all, err := readCometList(raw, limit)
	if err != nil {
		f.fail(names[0], "%v", err)
	}
	return all
}

// item is the object at a position of a list.
func (f cometFields) item(name string, i int, raw json.RawMessage) cometFields {
	inner := cometFields{at: fmt.Sprintf("%s%s[%d].", f.at, name, i), err: f.err}
	o, err := readCometObject(raw)
	if err != nil {
		f.fail(fmt.Sprintf("%s[%d]", name, i), "%v", err)
	}
	inner.object = o
	return inner
}
