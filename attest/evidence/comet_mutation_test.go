package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest/evidence"
)

// leaf is a value in JSON that is neither an object nor an array, and how to replace
// it; nil removes it.
type leaf struct {
	path  string
	value any
	set   func(any)
}

// leaves are all of a document, those within objects in the order of their names.
func leaves(path string, v any, set func(any)) []leaf {
	var all []leaf
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			all = append(all, leaves(path+"."+name, v[name], func(x any) {
				if v[name] = x; x == nil {
					delete(v, name)
				}
			})...)
		}
	case []any:
		for i := range v {
			all = append(all, leaves(fmt.Sprintf("%s[%d]", path, i), v[i], func(x any) { v[i] = x })...)
		}
	case nil:
	default:
		all = append(all, leaf{path, v, set})
	}
	return all
}

// changes are other values of the same kind, and none.
func changes(v any) []any {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return []any{json.Number(strconv.FormatInt(n+1, 10)), json.Number(strconv.FormatInt(n-1, 10)), nil}
	case string:
		out := []any{v[:len(v)/2], v + v, nil}
		for _, at := range []int{0, len(v) / 2, len(v) - 1} {
			b := []byte(v)
			switch c := b[at]; {
			case c == '9' || c == 'F' || c == 'z' || c == 'Z':
				b[at]--
			default:
				b[at]++
			}
			out = append(out, string(b))
		}
		return out
	}
	return []any{nil}
}

// TestNothingSignedCanBeChanged replaces every value in valid evidence: whatever a
// signature covers makes it invalid, or no evidence at all.
func TestNothingSignedCanBeChanged(t *testing.T) {
	infraction := vector(t, "cometbft", "ics_infraction_header.json")
	for _, tc := range []struct {
		name, file string
		knows      evidence.Comet
		free       []string // what nobody signed
		zero       []string // where nothing is the same as what is there
	}{
		{
			name: "mainnet block", file: "osmosis-1_block_15317185.json", knows: evidence.Comet{Keys: [][]byte{[]byte(osmosisKey)}},
			free: []string{".block.data.", ".block.last_commit.", ".block_id.parts.", ".evidence[0].type"},
			zero: []string{".block_id.hash", ".round"},
		}, {
			name: "double vote", file: "ics_double_vote_evidence.json", knows: evidence.Comet{ChainID: "consumer", Keys: [][]byte{infraction}},
			free: []string{".total_voting_power", ".validator_power"},
			zero: []string{".round", ".validator_index"},
		}, {
			name: "light client attack", file: "ics_light_client_attack.json",
			free: []string{".client_id", ".trusted_", ".proposer.", ".proposer_priority", ".total_voting_power"},
			zero: []string{".address"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var doc any
			d := json.NewDecoder(bytes.NewReader(vector(t, "cometbft", tc.file)))
			d.UseNumber()
			if err := d.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			tried := 0
			for _, l := range leaves("", doc, nil) {
				isIn := func(part string) bool { return strings.Contains(l.path, part) }
				if slices.ContainsFunc(tc.free, isIn) || tc.name == "double vote" && l.path == ".timestamp" {
					continue
				}
				for _, change := range changes(l.value) {
					if change == nil && slices.ContainsFunc(tc.zero, isIn) {
						continue
					}
					l.set(change)
					b, err := json.Marshal(doc)
					if err != nil {
						t.Fatal(err)
					}
					tried++
					reports, err := tc.knows.Verify(b)
					for _, r := range reports {
						if consistent(t, r); r.Valid {
							t.Errorf("%s: valid with %v instead of %v", l.path, change, l.value)
						}
					}
					if err == nil && len(reports) == 0 {
						t.Errorf("%s: no report with %v", l.path, change)
					}
				}
				l.set(l.value)
			}
			t.Logf("%d changes", tried)
		})
	}
}

// TestEvidenceThatIsNone is what looks like evidence and convicts nobody.
func TestEvidenceThatIsNone(t *testing.T) {
	file, header := string(vector(t, "cometbft", "ics_double_vote_evidence.json")), vector(t, "cometbft", "ics_infraction_header.json")
	knows := evidence.Comet{ChainID: "consumer", Keys: [][]byte{header}}
	var m map[string]map[string]json.RawMessage
	_ = json.Unmarshal([]byte(file), &m) // its numbers are no objects
	with := func(change func(a, b map[string]json.RawMessage)) string {
		a, b := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		for name, v := range m["vote_a"] {
			a[name] = v
		}
		for name, v := range m["vote_b"] {
			b[name] = v
		}
		change(a, b)
		out, err := json.Marshal(map[string]any{"vote_a": a, "vote_b": b})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	set := func(name, value string) string {
		return with(func(_, b map[string]json.RawMessage) { b[name] = json.RawMessage(value) })
	}
	for _, tc := range []struct{ name, file, failed string }{
		{"the same vote twice", with(func(a, b map[string]json.RawMessage) {
			for name := range a {
				b[name] = a[name]
			}
		}), "both votes are for the same block"},
		{"the signatures swapped", with(func(a, b map[string]json.RawMessage) { a["signature"], b["signature"] = b["signature"], a["signature"] }), "the signature of vote_a is not that of"},
		{"a signature cut", set("signature", `"DGFcn4Um1t2kXW60+JhMk5cj7ZFdE5goKVOGiZkLwnNv43+6aGmOWjoq0SHYVzM4MwSwOwbhgZNbkWX+EHGU"`), "the signature of vote_b is not that of"},
		{"no signature", set("signature", `null`), "vote_b: the signature is missing"},
		{"another height", set("height", `26`), "two heights, 25 and 26"},
		{"another round", set("round", `1`), "two rounds, 0 and 1"},
		{"another type", set("type", `2`), "two types, a prevote and a precommit"},
		{"no type", set("type", `0`), "neither a prevote nor a precommit but a message of type 0"},
		{"a proposal", set("type", `32`), "a message of type 32"},
		{"another validator", set("validator_address", `"lrQDkJ2fk7UAgNzRZfcwMKSYa2E="`), "the votes are of two validators"},
		{"another index", set("validator_index", `1`), "the votes are of two validators"},
		{"half a block id", set("block_id", `{"hash":"3P06pszgPatuIdLTP5fDWiase4SYHIq9YXGSbRk9/50="}`), "a block id is neither nil nor complete"},
		{"a nil block instead", set("block_id", `null`), "the signature of vote_b"},
		{"another time", set("timestamp", `"2023-11-20T12:57:54.599274Z"`), "the signature of vote_b"},
		{"too fine a time", set("timestamp", `"2023-11-20T12:57:54.5992730000Z"`), "timestamp"},
		{"height of zero", set("height", `"0"`), "height 0 is not positive"},
		{"a fraction", set("height", `25.0`), "not a whole number"},
		{"trailing bytes", file + "x", "something follows the JSON value"},
		{"a second value", file + file, "something follows the JSON value"},
		{"a name twice", strings.Replace(file, `"height": 25,`, `"height": 25, "Height": 26,`, 1), "occurs twice"},
	} {
		r := one(t, knows, []byte(tc.file))
		if r.Valid || !strings.Contains(r.Failed, tc.failed) {
			t.Errorf("%s: valid %v, failed %q, want %q", tc.name, r.Valid, r.Failed, tc.failed)
		}
	}
	// The order of the votes is CometBFT's wish only.
	if r := one(t, knows, []byte(with(func(a, b map[string]json.RawMessage) {
		for name := range m["vote_b"] {
			a[name], b[name] = m["vote_b"][name], m["vote_a"][name]
		}
	}))); !r.Valid || !strings.Contains(fmt.Sprint(r.Checks), "not in the order that CometBFT wants") {
		t.Errorf("%+v", r)
	}
	for _, none := range []string{"", "{}", "[]", "null", "5", `"text"`, `{"vote_a":{}}`, `{"evidence":[]}`, "\x00\x01", "{", strings.Repeat("[", 100), `{"a":1}x`} {
		if reports, err := knows.Verify([]byte(none)); err == nil {
			t.Errorf("%q: %+v", none, reports)
		}
	}
	if _, err := knows.Verify(bytes.Repeat([]byte(" "), 17<<20)); err != evidence.ErrSize {
		t.Error(err)
	}
}
