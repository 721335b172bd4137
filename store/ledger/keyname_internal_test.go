package ledger

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// sampleKeys has a key of every function and variable of keys.go, with its name.
func sampleKeys() map[string][][2]string {
	id := AccountID{1, '/', 3}
	bls := bytes.Repeat([]byte{'/'}, 48)
	items := func(l list, name string) [][2]string {
		return [][2]string{{string(l), name}, {string(l.item(7)), name + "/7"}}
	}
	one := func(key []byte, name string) [][2]string { return [][2]string{{string(key), name}} }
	return map[string][][2]string{
		"metaKey":          one(metaKey, "meta"),
		"currentSet":       one(currentSet, "set"),
		"setKey":           one(setKey('/'), "set/47"),
		"accountKey":       one(accountKey(id), "account/"+id.String()),
		"validatorKey":     one(validatorKey(id), "validator/"+id.String()),
		"blsKeyKey":        one(blsKeyKey(bls), "key/"+strings.Repeat("2f", 48)),
		"consensusKeyKey":  one(consensusKeyKey(1, bls[:32]), "ckey/01"+strings.Repeat("2f", 32)),
		"peerKey":          one(peerKey("beta"), "peer/beta"),
		"faultKey":         one(faultKey(id), "fault/"+id.String()),
		"frozenKey":        one(frozenKey("beta", id), "frozen/beta/"+id.String()),
		"lienKey":          one(lienKey(id, "beta"), "lien/"+id.String()+"/beta"),
		"checkpointKey":    one(checkpointKey("beta", 1<<40), "checkpoint/beta/1099511627776"),
		"offenderKey":      one(offenderKey("beta", id), "offender/beta/"+id.String()),
		"ImportKey":        one(ImportKey("beta"), "import/beta"),
		"StatementKey":     one(StatementKey("beta"), "statement/beta"),
		"paramsKey":        one(paramsKey, "params"),
		"pendingKey":       one(pendingKey, "pending"),
		"CoverKey":         one(CoverKey, "cover"),
		"termsKey":         one(termsKey("beta"), "terms/beta"),
		"peerSetKey":       one(peerSetKey("beta"), "peerset/beta"),
		"escrowKey":        one(escrowKey("beta"), "escrow/beta"),
		"livenessKey":      one(livenessKey(id), "liveness/"+id.String()),
		"failureKey":       one(failureKey("beta", 7), "failure/beta/7"),
		"failureCoverKey":  one(failureCoverKey("beta", 7), "failed/beta/7"),
		"settledKey":       one(settledKey("beta"), "settled/beta"),
		"participationKey": one(participationKey(7), "participation/3"),
		"openList":         items(openList, "open"),
		"signedList":       items(signedList, "signed"),
		"accountList":      items(accountList, "accounts"),
		"validatorList":    items(validatorList, "validators"),
		"faultList":        items(faultList, "faults"),
		"slashList":        items(slashList, "slashes"),
		"queueList":        items(queueList, "queue"),
		"lienList":         items(lienList("beta", id), "liens/beta/"+id.String()),
		"offenderList":     items(offenderList("beta"), "offenders/beta"),
		"failureList":      items(failureList("beta"), "failures/beta"),
		"trustList":        items(trustList("beta"), "trusted/beta"),
	}
}

func TestEveryKeyHasOneNameAndOneForm(t *testing.T) {
	used := map[*keyForm]bool{}
	for function, samples := range sampleKeys() {
		for _, s := range samples {
			raw, name := []byte(s[0]), s[1]
			got, err := KeyName(raw)
			if err != nil || got != name {
				t.Errorf("%s: name %q, %v; want %q", function, got, err, name)
			}
			back, err := ParseKey(name)
			if err != nil || !bytes.Equal(back, raw) {
				t.Errorf("%s: key %q, %v; want %q", function, back, err, raw)
			}
			for i := range keyForms {
				if _, ok := keyForms[i].name(raw); ok {
					if used[&keyForms[i]] {
						t.Errorf("%s: %q has the form of another key", function, name)
					}
					used[&keyForms[i]] = true
				}
			}
		}
	}
	if len(used) != len(keyForms) {
		t.Errorf("%d forms are used by some key, there are %d", len(used), len(keyForms))
	}
}

// Whoever adds a key finds out here that it needs a name.
func TestEveryKeyFunctionIsNamed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name != "key" && d.Name.Name != "num" {
				declared = append(declared, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
					declared = append(declared, v.Names[0].Name)
				}
			}
		}
	}
	slices.Sort(declared)
	if named := slices.Sorted(maps.Keys(sampleKeys())); !slices.Equal(declared, named) {
		t.Errorf("keys.go declares\n%v, named are\n%v: add what is missing to keyForms and to this test", declared, named)
	}
}

func TestNamesOfNoRecordAreRefused(t *testing.T) {
	id := strings.Repeat("ab", 32)
	for _, name := range []string{
		"", "/", "meta/", "meta/1", "accounts/01", "accounts/-1", "set/18446744073709551616", "account", "account/", "account/ab",
		"account/" + strings.ToUpper(id), "account/" + id + "/x", "lien/" + id, "lien/" + id + "/a b", "peer/" + strings.Repeat("x", 51),
		"ckey/01", "key/" + id, "nothing/1", "Meta",
	} {
		if k, err := ParseKey(name); err == nil {
			t.Errorf("%q is the key %q", name, k)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than a line: %v", err)
		}
	}
}

func TestKeysAndNamesAreInverse(t *testing.T) {
	var all [][2]string
	for _, samples := range sampleKeys() {
		all = append(all, samples...)
	}
	slices.SortFunc(all, func(a, b [2]string) int { return strings.Compare(a[1], b[1]) })
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.SampledFrom(all).Draw(t, "key")[0])
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			i := rapid.IntRange(0, len(b)).Draw(t, "at")
			b = slices.Concat(b[:i], rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "bytes"), b[min(len(b), i+1):])
		}
		name, err := KeyName(b)
		if err != nil {
			return
		}
		if back, err := ParseKey(name); err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%q is named %q, which is %q, %v", b, name, back, err)
		}
	})
}

// Whoever adds a field of 32 bytes finds out here that it must be said what it is.
func TestDescriptionsKnowEveryField(t *testing.T) {
	var look func(reflect.Type, string)
	look = func(typ reflect.Type, field string) {
		switch {
		case typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8:
			look(typ.Elem(), field)
		case typ.Kind() == reflect.Struct:
			for i := range typ.NumField() {
				look(typ.Field(i).Type, typ.Field(i).Name)
			}
		case typ == reflect.TypeFor[[32]byte]() && amountFields[field] == idFields[field]:
			t.Errorf("field %s: add it to amountFields or to idFields", field)
		}
	}
	for _, r := range []any{
		Meta{}, Account{}, Lien{}, Statement{}, Import{}, Peer{}, PeerCheckpoint{}, Validator{}, SetRecord{},
		Offender{}, Fault{}, Execution{}, Slash{}, attest.ValidatorSet{}, Params{}, PendingParams{}, Terms{}, PeerSet{},
		Cover{}, Failure{}, Renewal{}, Participation{}, Liveness{},
	} {
		look(reflect.TypeOf(r), "")
	}
}

func TestDescriptionOfARecord(t *testing.T) {
	l := &Lien{Ratio: One / 2, Parts: []Part{{
		Validator: AccountID{0xab}, Bonded: Units(1000),
		Captured: []Captured{{Epoch: 3, Time: 9, Amount: Units(7)}},
	}}}
	value, err := l.MarshalSSZ()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Describe(lienKey(AccountID{1}, "beta"), value)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(d)
	want := `{"parts":[{"accepts":"0","bonded":"1000","captured":[{"amount":"7","epoch":3,"time":9}],"drawn":[],"slashed":"0","taken":"0","unbonding":[],` +
		`"validator":"ab` + strings.Repeat("00", 31) + `"}],"ratio":"0.5"}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if _, err := Describe(lienKey(AccountID{1}, "beta"), value[1:]); err == nil {
		t.Error("a cut value was described")
	}
	if _, err := Describe([]byte("nothing"), value); err == nil {
		t.Error("a value under no key was described")
	}
}
