package guard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/store/guard"
	"pgregory.net/rapid"
)

func openNew(t failer) *guard.Guard {
	t.Helper()
	d := newPowerDisk()
	if err := guard.CreateOn(d, testKey, testNetwork); err != nil {
		t.Fatalf("create: %v", err)
	}
	g, err := guard.OpenOn(d, testKey, testNetwork)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return g
}

func TestExportAndImportMoveAGuard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := openNew(t), openNew(t)
		for range rapid.IntRange(0, 12).Draw(t, "signatures") {
			s := drawStatement(t)
			_, err := from.Sign(s.slot, s.root, ok)
			if err != nil && !errors.Is(err, guard.ErrConflict) && !errors.Is(err, guard.ErrBelowWatermark) {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 5).Draw(t, "prune") == 0 {
				w := drawMark(t)
				if err := from.Prune(w.chain, w.kind, w.below); err != nil {
					t.Fatal(err)
				}
			}
		}
		var first, second bytes.Buffer
		if err := from.Export(&first); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{from.Len(), 0} { // the second import adds nothing
			merge, err := to.Import(bytes.NewReader(first.Bytes()))
			if err != nil || merge.Added != want || len(merge.Conflicts) != 0 {
				t.Fatalf("%+v, %v", merge, err)
			}
		}
		if err := to.Export(&second); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("exported\n%s\nand from the copy\n%s", first.Bytes(), second.Bytes())
		}
	})
}

// TestImportIsIndependentOfOrder: what is refused is a set.
func TestImportIsIndependentOfOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		statements := rapid.SliceOfN(rapid.Custom(drawStatement), 0, 8).Draw(t, "statements")
		marks := rapid.SliceOfN(rapid.Custom(drawMark), 0, 3).Draw(t, "marks")
		shuffled := rapid.Permutation(statements).Draw(t, "shuffled")
		var states []string
		for _, statements := range [][]statement{statements, shuffled} {
			g := openNew(t)
			merge, err := g.Import(bytes.NewReader(newDocument(statements, nil, marks)))
			if err != nil || merge.Added != g.Len() {
				t.Fatalf("%+v, %v", merge, err)
			}
			m, err := export(g)
			if err != nil {
				t.Fatal(err)
			}
			states = append(states, fmt.Sprint(m.lines()))
		}
		if states[0] != states[1] {
			t.Fatalf("%v\nand in another order\n%v", states[0], states[1])
		}
	})
}

func TestConflictingImportRaisesTheWatermark(t *testing.T) {
	g := openNew(t)
	for epoch := range uint64(6) {
		mustSign(t, g, checkpoint(epoch), root(1))
	}
	merge, err := g.Import(bytes.NewReader(newDocument([]statement{
		{checkpoint(2), root(1)}, // known
		{checkpoint(3), root(2)}, // conflict
		{checkpoint(3), root(3)}, // the same slot again
		{checkpoint(9), root(1)}, // new
	}, nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := guard.Merge{Added: 1, Conflicts: []*guard.ConflictError{{Slot: checkpoint(3), Have: root(1), Want: root(2)}}}
	if !reflect.DeepEqual(merge, want) {
		t.Errorf("%+v", merge)
	}
	wantError(t, refused(t, g, checkpoint(3), root(1)), guard.ErrBelowWatermark)
	wantError(t, refused(t, g, checkpoint(4), root(2)), guard.ErrConflict)
	mustSign(t, g, checkpoint(4), root(1))
	mustSign(t, g, checkpoint(9), root(1))
}

func TestImportWithoutARootRaisesTheWatermark(t *testing.T) {
	g := openNew(t)
	if _, err := g.Import(bytes.NewReader(newDocument(nil, []statement{{slot: checkpoint(3)}}, nil))); err != nil {
		t.Fatal(err)
	}
	wantError(t, refused(t, g, checkpoint(3), root(0)), guard.ErrBelowWatermark)
	mustSign(t, g, checkpoint(4), root(1))
}

func TestImportTakesItsKeyAmongOthers(t *testing.T) {
	var doc document
	if err := json.Unmarshal(newDocument([]statement{{checkpoint(1), root(1)}}, nil, nil), &doc); err != nil {
		t.Fatal(err)
	}
	other := entry{
		Pubkey:     "0x" + strings.Repeat("99", 48),
		Signed:     []entrySigned{{"alpha", "checkpoint", "2", "", ""}},
		Watermarks: []entryWatermark{{"alpha", "checkpoint", "100"}},
	}
	mine := doc.Data[0]
	mine.Pubkey = "0x" + strings.ToUpper(mine.Pubkey[2:])
	for _, c := range []struct {
		data []entry
		want error
	}{
		{[]entry{other, mine, mine}, nil},
		{[]entry{other}, guard.ErrWrongKey},
		{[]entry{}, guard.ErrWrongKey},
	} {
		doc.Data = c.data
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		g := openNew(t)
		_, err = g.Import(bytes.NewReader(data))
		wantError(t, err, c.want)
		if g.Watermark("alpha", "checkpoint") != 0 || c.want == nil && g.Len() != 1 {
			t.Errorf("%d slots, watermark %d", g.Len(), g.Watermark("alpha", "checkpoint"))
		}
	}
}

func TestMalformedImportsChangeNothing(t *testing.T) {
	good := string(newDocument([]statement{{checkpoint(7), root(1)}}, nil, []mark{{"alpha", "cross", 5}}))
	for _, c := range []struct {
		name, from, to string
		want           error
	}{
		{"another network", testNetwork, "net-2", guard.ErrWrongNetwork},
		{"another version", `format_version":"1"`, `format_version":"5"`, guard.ErrInterchange},
		{"unknown member", `"kind"`, `"sort"`, guard.ErrInterchange},
		{"no epoch", `"epoch":"7",`, ``, guard.ErrInterchange},
		{"null epoch", `"epoch":"7"`, `"epoch":null`, guard.ErrInterchange},
		{"bare epoch", `"epoch":"7"`, `"epoch":7`, guard.ErrInterchange},
		{"padded epoch", `"epoch":"7"`, `"epoch":"07"`, guard.ErrInterchange},
		{"negative epoch", `"epoch":"7"`, `"epoch":"-7"`, guard.ErrInterchange},
		{"reserved epoch", `"epoch":"7"`, `"epoch":"18446744073709551615"`, guard.ErrInterchange},
		{"large epoch", `"epoch":"7"`, `"epoch":"18446744073709551616"`, guard.ErrInterchange},
		{"no subject", `"subject":"",`, ``, guard.ErrInterchange},
		{"no chain", `"chain":"alpha","kind":"checkpoint"`, `"kind":"checkpoint"`, guard.ErrInterchange},
		{"no watermark", `"below":"5"`, `"below":null`, guard.ErrInterchange},
		{"no watermarks", `"watermarks":[{"chain":"alpha","kind":"cross","below":"5"}]`, `"watermarks":null`, guard.ErrInterchange},
		{"short root", `"signing_root":"0x01`, `"signing_root":"0x`, guard.ErrInterchange},
		{"bad root", `"signing_root":"0x01`, `"signing_root":"0xzz`, guard.ErrInterchange},
		{"no key", `"pubkey":"0xa0010203` + strings.Repeat("0", 88) + `",`, ``, guard.ErrInterchange},
		{"no metadata", `"metadata":{"interchange_format_version":"1","network":"net-1"},`, ``, guard.ErrInterchange},
		{"Ethereum", `"signed_checkpoints"`, `"signed_blocks"`, guard.ErrInterchange},
		{"cut", good, good[:len(good)-1], guard.ErrInterchange},
		{"empty", good, "", guard.ErrInterchange},
		{"two objects", good, good + good, guard.ErrInterchange},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(good, c.from, c.to, 1)
			if bad == good {
				t.Fatal("nothing was replaced")
			}
			g := openNew(t)
			_, err := g.Import(strings.NewReader(bad))
			wantError(t, err, c.want)
			if g.Len() != 0 || g.Watermark("alpha", "cross") != 0 {
				t.Error("part of it was imported")
			}
		})
	}
	if _, err := openNew(t).Import(strings.NewReader(good)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}
