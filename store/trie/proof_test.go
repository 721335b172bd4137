package trie_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/meshsec/meshsec/store/trie"
	"pgregory.net/rapid"
)

func TestProofsShowWhatTheTreeHolds(t *testing.T) {
	shapes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecords(t, "records")
		tree := newTree()
		for k, v := range want {
			if err := tree.Set([]byte(k), []byte(v)); err != nil {
				t.Fatal(err)
			}
		}
		key := rapid.SampledFrom(crowd).Draw(t, "key")
		p, err := tree.Prove([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		again, err := trie.UnmarshalProof(b)
		if err != nil {
			t.Fatal(err)
		}
		value, present, err := again.Verify(want.root(), []byte(key))
		if v, has := want[key]; err != nil || present != has || string(value) != v {
			t.Fatalf("%q is proven %q %v %v, want %q %v", key, value, present, err, v, has)
		}
		switch {
		case present:
			shapes["present"]++
		case p.Other != nil:
			shapes["another leaf"]++
		case len(p.Siblings) == 0:
			shapes["empty tree"]++
		default:
			shapes["empty place"]++
		}
	})
	if len(shapes) != 4 {
		t.Fatalf("not every shape was met: %v", shapes)
	}
}

// TestMutatedProofsNeverVerify changes every byte of a proof, cuts and extends it, and
// offers it for other keys and another root.
func TestMutatedProofsNeverVerify(t *testing.T) {
	want := records{}
	for _, k := range crowd[:len(crowd)/2] {
		want[k] = "value of " + k
	}
	tree := build(t, want)
	root := tree.Root()
	for _, k := range crowd {
		key := []byte(k)
		p, err := tree.Prove(key)
		must(t, err)
		good, err := p.MarshalBinary()
		must(t, err)
		refuse := func(root trie.Hash, b, key []byte) {
			t.Helper()
			p, err := trie.UnmarshalProof(b)
			if err == nil {
				_, _, err = p.Verify(root, key)
			} else if !errors.Is(err, trie.ErrMalformed) {
				t.Fatalf("decode: %v", err)
			}
			if err == nil {
				t.Fatalf("a changed proof of %q verifies: %x, from %x", k, b, good)
			}
		}
		for i := range good {
			for _, x := range []byte{0x01, 0x02, 0x80, 0xff} {
				bad := bytes.Clone(good)
				bad[i] ^= x
				refuse(root, bad, key)
			}
			refuse(root, good[:i], key)
		}
		refuse(root, append(bytes.Clone(good), 0), key)
		refuse(sha256.Sum256(root[:]), good, key)
		refuse(trie.EmptyRoot, good, key)
		for _, other := range crowd {
			if _, present := want[other]; other != k && (present || p.Value != nil) {
				refuse(root, good, []byte(other))
			}
		}
	}
}

func TestProofsThatNoTreeHasAreRefused(t *testing.T) {
	h := trie.Hash{1}
	for name, p := range map[string]trie.Proof{
		"two answers":        {Value: []byte("v"), Other: &trie.OtherLeaf{}},
		"empty value":        {Value: []byte{}},
		"value too large":    {Value: make([]byte, trie.MaxValue+1)},
		"last sibling empty": {Siblings: []trie.Hash{h, {}}},
		"too deep":           {Siblings: slices.Repeat([]trie.Hash{h}, 257)},
	} {
		if _, err := p.MarshalBinary(); !errors.Is(err, trie.ErrInvalidProof) {
			t.Errorf("%s encodes: %v", name, err)
		}
		if _, _, err := p.Verify(trie.EmptyRoot, []byte("k")); !errors.Is(err, trie.ErrInvalidProof) {
			t.Errorf("%s verifies: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing":              {},
		"unknown shape":        {3, 0, 0},
		"too deep":             append([]byte{0, 1, 1}, make([]byte, 33)...),
		"stray bit":            {0, 0, 1, 0x40},
		"zero marked as there": append([]byte{0, 0, 2, 0xc0}, append(make([]byte, 32), h[:]...)...),
		"last sibling empty":   append([]byte{0, 0, 2, 0x80}, h[:]...),
		"no value":             {1, 0, 0, 0, 0, 0, 0},
		"value cut":            {1, 0, 0, 0, 0, 0, 2, 'v'},
		"huge value":           {1, 0, 0, 0xff, 0xff, 0xff, 0xff, 'v'},
		"more after it":        {1, 0, 0, 0, 0, 0, 1, 'v', 'v'},
	} {
		if _, err := trie.UnmarshalProof(b); !errors.Is(err, trie.ErrMalformed) {
			t.Errorf("%s decodes: %v", name, err)
		}
	}
	deepest := trie.Proof{Siblings: slices.Repeat([]trie.Hash{h}, 256), Value: make([]byte, trie.MaxValue)}
	b, err := deepest.MarshalBinary()
	must(t, err)
	if len(b) != trie.MaxProof {
		t.Errorf("the largest proof has %d bytes, MaxProof is %d", len(b), trie.MaxProof)
	}
	if _, err := trie.UnmarshalProof(b); err != nil {
		t.Error(err)
	}
}

// TestAbsenceNeedsALeafOnThePath: a root that no honest tree has, in which the leaf of "a",
// whose path begins with a 1 bit, is on the left, says nothing about "b" on the left.
func TestAbsenceNeedsALeafOnThePath(t *testing.T) {
	path, value, right := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("v")), trie.Hash{1}
	misplaced := records{"a": "v"}.root()
	root := sha256.Sum256(slices.Concat([]byte{1}, misplaced[:], right[:]))
	p := trie.Proof{Siblings: []trie.Hash{right}, Other: &trie.OtherLeaf{Path: path, Value: value}}
	if _, _, err := p.Verify(root, []byte("b")); !errors.Is(err, trie.ErrInvalidProof) {
		t.Fatal(err)
	}
}

// An ICS-23 verifier of SmtSpec, from the specification: ibc/spec/core/ics-023 and
// cosmos/ics23 go/proof.go, as far as this spec goes.

type innerOp struct{ prefix, suffix []byte }

type existenceProof struct {
	key, value []byte
	path       []innerOp // the deepest first
}

func toICS23(key []byte, p trie.Proof) existenceProof {
	e := existenceProof{key: key, value: p.Value}
	path := sha256.Sum256(key)
	for i, s := range slices.Backward(p.Siblings) {
		if path[i/8]>>(7-i%8)&1 == 0 {
			e.path = append(e.path, innerOp{[]byte{1}, s[:]})
		} else {
			e.path = append(e.path, innerOp{append([]byte{1}, s[:]...), nil})
		}
	}
	return e
}

func (e existenceProof) verify(root trie.Hash) bool {
	if len(e.key) == 0 || len(e.value) == 0 || len(e.path) > 256 {
		return false
	}
	key, value := sha256.Sum256(e.key), sha256.Sum256(e.value)
	h := sha256.Sum256(slices.Concat([]byte{0}, key[:], value[:]))
	for _, op := range e.path {
		if len(op.prefix) < 1 || len(op.prefix) > 33 || op.prefix[0] == 0 || len(op.suffix)%32 != 0 {
			return false
		}
		h = sha256.Sum256(slices.Concat(op.prefix, h[:], op.suffix))
	}
	return h == root
}

// nonExistence checks that left and right are neighbours with the key between them; one
// of them is nil at the edge of the tree.
func nonExistence(root trie.Hash, key []byte, left, right *existenceProof) bool {
	before := func(a, b []byte) bool {
		x, y := sha256.Sum256(a), sha256.Sum256(b)
		return bytes.Compare(x[:], y[:]) < 0
	}
	empty := make([]byte, 32)
	leftMost := func(path []innerOp) bool {
		return !slices.ContainsFunc(path, func(op innerOp) bool {
			return len(op.suffix) != 32 && !bytes.Equal(op.prefix[1:], empty)
		})
	}
	rightMost := func(path []innerOp) bool {
		return !slices.ContainsFunc(path, func(op innerOp) bool {
			return len(op.suffix) != 0 && !bytes.Equal(op.suffix, empty)
		})
	}
	switch {
	case left == nil && right == nil,
		left != nil && (!left.verify(root) || !before(left.key, key)),
		right != nil && (!right.verify(root) || !before(key, right.key)):
		return false
	case left == nil:
		return leftMost(right.path)
	case right == nil:
		return rightMost(left.path)
	}
	l, r := left.path, right.path
	for {
		a, b := l[len(l)-1], r[len(r)-1]
		l, r = l[:len(l)-1], r[:len(r)-1]
		if !bytes.Equal(a.prefix, b.prefix) || !bytes.Equal(a.suffix, b.suffix) {
			return len(a.suffix) == 32 && len(b.suffix) == 0 && rightMost(l) && leftMost(r)
		}
	}
}

func TestICS23VerifiersAcceptOurRecords(t *testing.T) {
	want := records{}
	for i, k := range crowd {
		if i%3 != 0 {
			want[k] = "value of " + k
		}
	}
	tree := build(t, want)
	prove := func(key []byte) *existenceProof {
		p, err := tree.Prove(key)
		must(t, err)
		e := toICS23(key, p)
		return &e
	}
	var inOrder [][]byte
	must(t, tree.Walk(func(key, _ []byte) error {
		inOrder = append(inOrder, key)
		return nil
	}))
	for _, k := range crowd {
		if _, ok := want[k]; ok {
			if !prove([]byte(k)).verify(tree.Root()) {
				t.Errorf("%q: inclusion is refused", k)
			}
			continue
		}
		path := sha256.Sum256([]byte(k))
		i, _ := slices.BinarySearchFunc(inOrder, path[:], func(key, path []byte) int {
			h := sha256.Sum256(key)
			return bytes.Compare(h[:], path)
		})
		var left, right *existenceProof
		if i > 0 {
			left = prove(inOrder[i-1])
		}
		if i < len(inOrder) {
			right = prove(inOrder[i])
		}
		if !nonExistence(tree.Root(), []byte(k), left, right) {
			t.Errorf("%q: absence is refused", k)
		}
	}
}
