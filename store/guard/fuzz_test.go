package guard_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/meshsec/meshsec/store/guard"
)

// FuzzRecord: what decodes is the one form of itself.
func FuzzRecord(f *testing.F) {
	_, log, _ := written(f)
	for _, body := range guard.Bodies(log) {
		f.Add(body)
	}
	f.Add([]byte(`{"type":"watermark","chain":"a","kind":"b","below":"1"}`))
	f.Add([]byte(`{"type":"watermark","chain":"a","kind":"b","below":null}`))
	f.Add([]byte(`{"TYPE":"watermark","chain":"a","kind":"b","below":"1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		again, err := guard.Reencode(body)
		if err == nil && !bytes.Equal(again, body) {
			t.Errorf("%q decodes as %q", body, again)
		}
	})
}

// FuzzFiles: whatever the files hold, opening does not panic, and never gives a guard
// that forgot one of the signatures that the true head covers.
func FuzzFiles(f *testing.F) {
	_, log, head := written(f)
	f.Add(log, head)
	f.Add(log, guard.ReheadFor(log, 3))
	f.Add(log[:len(log)-9], guard.ReheadFor(log, 3))
	f.Fuzz(func(t *testing.T, log, otherHead []byte) {
		if _, err := openBytes(log, otherHead); err != nil && !errors.Is(err, guard.ErrCorrupt) &&
			!errors.Is(err, guard.ErrMissing) && !errors.Is(err, guard.ErrWrongKey) && !errors.Is(err, guard.ErrWrongNetwork) {
			t.Errorf("untyped error %v", err)
		}
		g, err := openBytes(log, head)
		if err != nil {
			return
		}
		for epoch := uint64(1); epoch <= 3; epoch++ {
			wantError(t, refused(t, g, checkpoint(epoch), root(2)), guard.ErrConflict)
		}
	})
}

// FuzzSealedLog gets past the hashes: a log that opens says the same when opened again.
func FuzzSealedLog(f *testing.F) {
	_, log, _ := written(f)
	f.Add(bytes.Join(guard.Bodies(log), []byte{'\n'}))
	f.Fuzz(func(t *testing.T, data []byte) {
		bodies := bytes.Split(data, []byte{'\n'})
		for _, body := range bodies {
			if len(body) == 0 {
				return
			}
		}
		_, log, head := guard.SealLog(bodies)
		g, err := openBytes(log, head)
		if err != nil {
			return
		}
		first, err := export(g)
		if err != nil {
			t.Fatal(err)
		}
		other := openNew(t)
		var file bytes.Buffer
		if err := g.Export(&file); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Import(&file); err != nil {
			t.Fatal(err)
		}
		second, err := export(other)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(first.lines()) != fmt.Sprint(second.lines()) {
			t.Errorf("%v became %v", first.lines(), second.lines())
		}
	})
}

// FuzzImport: no file makes the guard forget, and none leaves it in a state that it
// can't open again.
func FuzzImport(f *testing.F) {
	f.Add(newDocument([]statement{{checkpoint(1), root(2)}, {checkpoint(9), root(1)}}, nil, nil))
	f.Add(newDocument(nil, []statement{{slot: checkpoint(2)}}, []mark{{"alpha", "checkpoint", 2}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newPowerDisk()
		if err := guard.CreateOn(d, testKey, testNetwork); err != nil {
			t.Fatal(err)
		}
		g, err := guard.OpenOn(d, testKey, testNetwork)
		if err != nil {
			t.Fatal(err)
		}
		for epoch := uint64(1); epoch <= 3; epoch++ {
			mustSign(t, g, checkpoint(epoch), root(1))
		}
		_, err = g.Import(bytes.NewReader(data))
		if err != nil && !errors.Is(err, guard.ErrInterchange) && !errors.Is(err, guard.ErrWrongNetwork) && !errors.Is(err, guard.ErrWrongKey) {
			t.Fatalf("untyped error %v", err)
		}
		mustClose(t, g)
		if g, err = guard.OpenOn(d, testKey, testNetwork); err != nil {
			t.Fatal(err)
		}
		for epoch := uint64(1); epoch <= 3; epoch++ {
			err := refused(t, g, checkpoint(epoch), root(2))
			if !errors.Is(err, guard.ErrConflict) && !errors.Is(err, guard.ErrBelowWatermark) {
				t.Errorf("epoch %d is forgotten: %v", epoch, err)
			}
		}
	})
}
