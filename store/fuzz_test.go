package store_test

import (
	"bytes"
	"testing"

	"github.com/meshsec/meshsec/store"
)

// What decodes encodes to the same bytes, for every form that a store reads; whatever
// the bytes, nothing panics.
func FuzzDecodeEntry(f *testing.F) {
	w := newWorld()
	s, err := w.open("", memory)
	must(f, err)
	w.commit(f, s, 3)
	for epoch := range uint64(4) {
		b, err := s.JournalBytes("alpha", epoch)
		must(f, err)
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(bytes.Clone(b), 0, 0, 0, 0))
	}
	must(f, s.Close())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := store.DecodeEntry(b)
		if err != nil {
			return
		}
		again, err := e.Encode()
		must(t, err)
		if !bytes.Equal(again, b) {
			t.Fatalf("%x encodes to %x", b, again)
		}
	})
}

func FuzzDecodeHead(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"version":1,"network":"` + zeros + `","step":1,"previous":"` + zeros + `","sum":"` + zeros + `","faults":0,"chains":null}` + "\n"))
	f.Add([]byte(`{"version":1,"network":"` + zeros + `","step":2,"previous":"` + zeros + `","sum":"` + zeros + `","faults":0,"chains":[{"id":"alpha","epoch":1,"journal":"` +
		zeros + `","checkpoint":"` + zeros + `","state":{"version":1,"hash":"` + zeros + `"},"oldest":0}]}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := store.DecodeHead(b)
		if err != nil {
			return
		}
		again, err := store.EncodeHead(h)
		must(t, err)
		if !bytes.Equal(again, b) {
			t.Fatalf("%q encodes to %q", b, again)
		}
	})
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

func FuzzDecodeEpochRecord(f *testing.F) {
	f.Add(make([]byte, 172))
	f.Add(bytes.Repeat([]byte{1}, 172))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		store.ParseKey(b)
		again, err := store.DecodeEpochRecord(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x encodes to %x", b, again)
		}
	})
}
