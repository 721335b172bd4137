package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// jsonValue is a JSON value that knows its place in the document, such as
// steps[3].pledge.amount. encoding/json alone takes the last of two equal keys,
// keys in another case, and names no place.
type jsonValue struct {
	place string
	token json.Token   // a string, json.Number or bool, nil, or the delimiter that opens it
	keys  []string     // of an object's items
	items []*jsonValue // of an object or array, in order
}

var plainKey = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,50}$`)

// parseJSON reads exactly one value.
func parseJSON(b []byte) (*jsonValue, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("the file is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(b, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			read := b[:min(max(syntax.Offset-1, 0), int64(len(b)))]
			column := len(read) - bytes.LastIndexByte(read, '\n')
			return nil, fmt.Errorf("line %d, column %d: not JSON: %w", bytes.Count(read, []byte("\n"))+1, column, err)
		}
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return readJSON(d, "", 0)
}

// maxDepth is how deep a document may be nested; no format here needs half of it.
const maxDepth = 16

func readJSON(d *json.Decoder, place string, depth int) (*jsonValue, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: it is nested too deep", place)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	v := &jsonValue{place: place, token: token}
	if token != json.Delim('{') && token != json.Delim('[') {
		return v, nil
	}
	seen := map[string]bool{}
	for i := 0; d.More(); i++ {
		inner := fmt.Sprintf("%s[%d]", place, i)
		if token == json.Delim('{') {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			key := t.(string) // valid JSON has nothing else here
			switch {
			case !plainKey.MatchString(key):
				inner = place + "[" + shortened(key) + "]"
			case place == "":
				inner = key
			default:
				inner = place + "." + key
			}
			if seen[key] {
				return nil, fmt.Errorf("%s: the key is there twice", inner)
			}
			seen[key] = true
			v.keys = append(v.keys, key)
		}
		item, err := readJSON(d, inner, depth+1)
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
	}
	_, err = d.Token() // the closing delimiter
	return v, err
}

// kind names what v is, for errors.
func (v *jsonValue) kind() string {
	switch t := v.token.(type) {
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "a list"
	case string:
		return "the string " + shortened(t)
	case json.Number:
		return "the number " + shortened(t.String())
	case nil:
		return "null"
	}
	return fmt.Sprint(v.token)
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 50 {
		s = string(r[:50]) + "…"
	}
	return strconv.Quote(s)
}

// jsonReader takes values apart and keeps the first error; once there is one, all
// that it returns is zero. A nil value stands for one that is missing.
type jsonReader struct{ err error }

func (r *jsonReader) fail(v *jsonValue, format string, args ...any) {
	if r.err != nil {
		return
	}
	place := v.place
	if place == "" {
		place = "the file"
	}
	r.err = fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...))
}

// object is v's items by key; another key than these is an error.
func (r *jsonReader) object(v *jsonValue, keys ...string) map[string]*jsonValue {
	if r.err != nil || v == nil {
		return nil
	}
	if v.token != json.Delim('{') {
		r.fail(v, "it is %s, not an object", v.kind())
		return nil
	}
	fields := make(map[string]*jsonValue, len(v.keys))
	for i, key := range v.keys {
		known := len(keys) == 0
		for _, k := range keys {
			known = known || k == key
		}
		if !known {
			r.fail(v.items[i], "the key is unknown, want one of %s", strings.Join(keys, ", "))
			return nil
		}
		fields[key] = v.items[i]
	}
	return fields
}

// need is the field under key, which must be there.
func (r *jsonReader) need(v *jsonValue, fields map[string]*jsonValue, key string) *jsonValue {
	f := fields[key]
	if f == nil && r.err == nil {
		r.fail(v, "%s is missing", key)
	}
	return f
}

// list is v's items.
func (r *jsonReader) list(v *jsonValue) []*jsonValue {
	if r.err != nil || v == nil {
		return nil
	}
	if v.token != json.Delim('[') {
		r.fail(v, "it is %s, not a list", v.kind())
		return nil
	}
	return v.items
}

// text is a string.
func (r *jsonReader) text(v *jsonValue) string {
	if r.err != nil || v == nil {
		return ""
	}
	s, ok := v.token.(string)
	if !ok {
		r.fail(v, "it is %s, not a string", v.kind())
	}
	return s
}

// digits is a string, or a number as it is written.
func (r *jsonReader) digits(v *jsonValue) string {
	if r.err != nil || v == nil {
		return ""
	}
	switch t := v.token.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	}
	r.fail(v, "it is %s, not an integer", v.kind())
	return ""
}

// amount is an integer of base units.
func (r *jsonReader) amount(v *jsonValue) (a Amount) {
	if s := r.digits(v); r.err == nil && v != nil && a.UnmarshalText([]byte(s)) != nil {
		r.fail(v, "it is %s, not an integer from 0 to %s, in digits alone and without leading zeros", v.kind(), MaxAmount.Dec())
	}
	return a
}

// ratio is a share above 0 and at most 1.
func (r *jsonReader) ratio(v *jsonValue) (x Ratio) {
	s := r.text(v)
	if r.err == nil && v != nil && (x.UnmarshalText([]byte(s)) != nil || x == 0 || x > One) {
		r.fail(v, "it is %s, not a share above 0 and at most 1 with at most 18 decimals, such as \"0.05\"", v.kind())
	}
	return x
}

// seconds are at most a hundred years.
func (r *jsonReader) seconds(v *jsonValue) Duration {
	const most = 100 * 366 * 24 * 3600
	s := r.digits(v)
	if r.err != nil || v == nil {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > most || len(s) > 1 && s[0] == '0' {
		r.fail(v, "it is %s, not an integer from 0 to %d, in digits alone and without leading zeros", v.kind(), most)
		return 0
	}
	return Duration(n * 1000)
}

// yes is true only for true; a missing value is false.
func (r *jsonReader) yes(v *jsonValue) bool {
	if r.err != nil || v == nil {
		return false
	}
	b, ok := v.token.(bool)
	if !ok {
		r.fail(v, "it is %s, not true or false", v.kind())
	}
	return b
}

// name checks the name of an account or validator.
func (r *jsonReader) name(v *jsonValue, s string) string {
	if r.err != nil || v == nil {
		return ""
	}
	n := utf8.RuneCountInString(s)
	if n < 1 || n > 50 || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) }) {
		r.fail(v, "the name %s does not have 1 to 50 printable characters", shortened(s))
	}
	return s
}

// chain is a chain id.
func (r *jsonReader) chain(v *jsonValue) string {
	s := r.text(v)
	if r.err == nil && v != nil && !chainID.MatchString(s) {
		r.fail(v, "it is %s, a chain's id has 1 to 50 of a-z A-Z 0-9 . _ -", v.kind())
	}
	return s
}
