package trie

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecode is inside the package: from outside, the hash is checked first.
func FuzzDecode(f *testing.F) {
	f.Add((&node{leaf: &leaf{key: []byte("key"), value: []byte("value")}}).encode())
	f.Add((&node{child: [2]*node{nil, {version: 4, hash: Hash{1}}}}).encode())
	f.Add((&node{child: [2]*node{{version: 1, hash: Hash{2}}, {version: 4, hash: Hash{1}}}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decode(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if n.stub() || n.sum() == EmptyRoot || !bytes.Equal(n.encode(), b) {
			t.Fatalf("%x decodes to %+v", b, n)
		}
	})
}

func TestMalformedNodesAreRefused(t *testing.T) {
	record := (&node{leaf: &leaf{key: []byte("key"), value: []byte("value")}}).encode()
	inner := (&node{child: [2]*node{nil, {version: 4, hash: Hash{1}}}}).encode()
	ghost := bytes.Clone(inner)
	ghost[8] = 1 // an empty child with a version
	for name, b := range map[string][]byte{
		"nothing":            {},
		"unknown kind":       {2},
		"inner of nothing":   make([]byte, 1+2*refSize)[:1],
		"no children":        append([]byte{tagInner}, make([]byte, 2*refSize)...),
		"versioned nothing":  ghost,
		"bytes after inner":  append(bytes.Clone(inner), 0),
		"bytes after record": append(bytes.Clone(record), 0),
		"record cut":         record[:len(record)-1],
		"empty key":          {tagLeaf, 0, 0, 0, 0, 0, 1, 'v'},
		"empty value":        {tagLeaf, 0, 1, 0, 0, 0, 0, 'k'},
		"long key":           append([]byte{tagLeaf, 4, 1, 0, 0, 0, 1}, make([]byte, MaxKey+2)...),
		"huge value":         {tagLeaf, 0, 1, 0xff, 0xff, 0xff, 0xff, 'k', 'v'},
	} {
		if _, err := decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
