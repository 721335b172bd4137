package trie_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"

	"github.com/meshsec/meshsec/store/trie"
	"pgregory.net/rapid"
)

// records is the dumb twin: a plain map.
type records map[string]string

// root computes the root from nothing but the definition, over all records.
func (r records) root() trie.Hash {
	type leaf struct{ path, hash [32]byte }
	var leaves []leaf
	for k, v := range r {
		path, value := sha256.Sum256([]byte(k)), sha256.Sum256([]byte(v))
		leaves = append(leaves, leaf{path, sha256.Sum256(slices.Concat([]byte{0}, path[:], value[:]))})
	}
	var subtree func(leaves []leaf, depth int) [32]byte
	subtree = func(leaves []leaf, depth int) [32]byte {
		switch len(leaves) {
		case 0:
			return [32]byte{}
		case 1:
			return leaves[0].hash
		}
		var side [2][]leaf
		for _, l := range leaves {
			b := l.path[depth/8] >> (7 - depth%8) & 1
			side[b] = append(side[b], l)
		}
		left, right := subtree(side[0], depth+1), subtree(side[1], depth+1)
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
	return subtree(leaves, 0)
}

// crowd is a pool of keys, some of which share up to some 30 bits of their paths, so that
// small trees are deep and collapse over many levels.
var crowd = func() []string {
	type pathed struct {
		path [32]byte
		key  string
	}
	all := make([]pathed, 1<<15)
	for i := range all {
		key := fmt.Sprintf("key-%d", i)
		all[i] = pathed{sha256.Sum256([]byte(key)), key}
	}
	slices.SortFunc(all, func(a, b pathed) int { return bytes.Compare(a.path[:], b.path[:]) })
	var keys []string
	for i := range all[1:] {
		if a, b := all[i], all[i+1]; bytes.Equal(a.path[:3], b.path[:3]) {
			keys = append(keys, a.key, b.key)
		}
	}
	keys = keys[:min(len(keys), 24)]
	for i := range 24 {
		keys = append(keys, all[i].key) // neighbours in the left-most corner
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newTree returns an empty tree over a store of its own.
func newTree() *trie.Tree { return trie.New(trie.NewStore(), trie.Ref{}) }

func build(t testing.TB, r records) *trie.Tree {
	t.Helper()
	tree := newTree()
	for k, v := range r {
		must(t, tree.Set([]byte(k), []byte(v)))
	}
	return tree
}

func contents(t testing.TB, tree *trie.Tree) records {
	t.Helper()
	r := records{}
	var last []byte
	must(t, tree.Walk(func(key, value []byte) error {
		path := sha256.Sum256(key)
		if last != nil && bytes.Compare(last, path[:]) >= 0 {
			t.Fatalf("walk is not in path order at %q", key)
		}
		last = path[:]
		r[string(key)] = string(value)
		return nil
	}))
	return r
}

func drawRecords(t *rapid.T, label string) records {
	return rapid.MapOf(rapid.SampledFrom(crowd), rapid.StringN(1, 4, -1)).Draw(t, label)
}

// TestTreeAgreesWithTwin drives one tree through everything that a caller can do with it,
// and checks after each step that it is the map, that its root is the map's, and that the
// store holds exactly what the versions kept reach.
func TestTreeAgreesWithTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := trie.NewStore()
		tree, twin := trie.New(store, trie.Ref{}), records{}
		base, snapshot, snapshotTwin := records{}, (*trie.Tree)(nil), records(nil)
		kept := map[uint64]trie.Ref{0: {}}
		twins := map[uint64]records{0: {}}
		version := uint64(0)
		noErr := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				for k, v := range drawRecords(t, "records") {
					noErr(tree.Set([]byte(k), []byte(v)))
					twin[k] = v
				}
			},
			"delete": func(t *rapid.T) {
				for _, k := range rapid.SliceOf(rapid.SampledFrom(crowd)).Draw(t, "keys") {
					noErr(tree.Delete([]byte(k)))
					delete(twin, k)
				}
			},
			"get": func(t *rapid.T) {
				k := rapid.SampledFrom(crowd).Draw(t, "key")
				got, ok, err := tree.Get([]byte(k))
				want, has := twin[k]
				if err != nil || ok != has || string(got) != want {
					t.Fatalf("get %q: %q %v %v, want %q %v", k, got, ok, err, want, has)
				}
			},
			"snapshot": func(*rapid.T) { snapshot, snapshotTwin = tree.Snapshot(), maps.Clone(twin) },
			"rollback": func(t *rapid.T) {
				if snapshot == nil {
					t.Skip("no snapshot")
				}
				tree, twin = snapshot.Snapshot(), maps.Clone(snapshotTwin)
			},
			"commit": func(t *rapid.T) {
				version += rapid.Uint64Range(1, 3).Draw(t, "step")
				ref, changes, err := tree.Commit(version)
				noErr(err)
				if maps.Equal(base, twin) && len(changes.Put)+len(changes.Stale) > 0 {
					t.Fatalf("commit of nothing has %d and %d nodes", len(changes.Put), len(changes.Stale))
				}
				store.Apply(changes)
				kept[version], twins[version] = ref, maps.Clone(twin)
				base, snapshot = maps.Clone(twin), nil
			},
			"reopen": func(t *rapid.T) {
				tree, twin, snapshot = trie.New(store, kept[version]), maps.Clone(base), nil
			},
			"prune": func(t *rapid.T) {
				oldest := rapid.SampledFrom(slices.Sorted(maps.Keys(kept))).Draw(t, "oldest")
				store.Prune(oldest)
				maps.DeleteFunc(kept, func(v uint64, _ trie.Ref) bool { return v < oldest })
			},
			"": func(t *rapid.T) {
				if got, want := tree.Root(), twin.root(); got != want {
					t.Fatalf("root %v, want %v of %v", got, want, twin)
				}
				reached := reachable{store, map[trie.NodeKey]bool{}}
				for v, ref := range kept {
					got := records{}
					noErr(trie.New(reached, ref).Walk(func(k, v []byte) error {
						got[string(k)] = string(v)
						return nil
					}))
					if !maps.Equal(got, twins[v]) {
						t.Fatalf("version %d is %v, want %v", v, got, twins[v])
					}
				}
				if store.Len() != len(reached.keys) {
					t.Fatalf("store has %d nodes, %d are reachable", store.Len(), len(reached.keys))
				}
			},
		})
	})
}

// reachable notes which nodes a walk reads.
type reachable struct {
	trie.Reader
	keys map[trie.NodeKey]bool
}

func (r reachable) Node(k trie.NodeKey) ([]byte, error) {
	r.keys[k] = true
	return r.Reader.Node(k)
}

func TestRootIgnoresOrderAndHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecords(t, "records")
		never := drawRecords(t, "deleted again")
		tree := newTree()
		for _, k := range rapid.Permutation(slices.Collect(maps.Keys(never))).Draw(t, "first") {
			if err := tree.Set([]byte(k), []byte(never[k])); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range rapid.Permutation(slices.Collect(maps.Keys(want))).Draw(t, "order") {
			if err := tree.Set([]byte(k), []byte(want[k])); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range rapid.Permutation(slices.Collect(maps.Keys(never))).Draw(t, "deletions") {
			if _, ok := want[k]; ok {
				continue
			}
			if err := tree.Delete([]byte(k)); err != nil {
				t.Fatal(err)
			}
		}
		if tree.Root() != want.root() {
			t.Fatal("root depends on more than the contents")
		}
	})
}

func TestEmptyTree(t *testing.T) {
	tree := build(t, records{"a": "1", "b": "2"})
	must(t, tree.Delete([]byte("a")))
	must(t, tree.Delete([]byte("b")))
	must(t, tree.Delete([]byte("never there")))
	ref, changes, err := tree.Commit(7)
	must(t, err)
	if tree.Root() != trie.EmptyRoot || ref != (trie.Ref{}) || len(changes.Put)+len(changes.Stale) != 0 {
		t.Fatalf("root %v, ref %v, changes %v", tree.Root(), ref, changes)
	}
}

func TestSizesAreChecked(t *testing.T) {
	tree := newTree()
	long := make([]byte, trie.MaxValue+1)
	for _, c := range []struct {
		key, value []byte
		want       error
	}{
		{nil, []byte("v"), trie.ErrKeySize},
		{long[:trie.MaxKey+1], []byte("v"), trie.ErrKeySize},
		{[]byte("k"), nil, trie.ErrValueSize},
		{[]byte("k"), long, trie.ErrValueSize},
		{long[:trie.MaxKey], long[:trie.MaxValue], nil},
	} {
		if err := tree.Set(c.key, c.value); !errors.Is(err, c.want) {
			t.Errorf("set %d, %d bytes: %v, want %v", len(c.key), len(c.value), err, c.want)
		}
	}
}

func TestTreeKeepsItsOwnCopies(t *testing.T) {
	tree := newTree()
	key, value := []byte("key"), []byte("value")
	must(t, tree.Set(key, value))
	key[0], value[0] = 'X', 'X'
	got, _, err := tree.Get([]byte("key"))
	must(t, err)
	got[1] = 'X'
	if got, want := contents(t, tree), (records{"key": "value"}); !maps.Equal(got, want) {
		t.Fatalf("tree is %v, want %v", got, want)
	}
}

func TestWalkReturnsTheCallersError(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	err := build(t, records{"a": "1", "b": "2", "c": "3"}).Walk(func(_, _ []byte) error {
		n++
		return stop
	})
	if !errors.Is(err, stop) || n != 1 {
		t.Fatalf("%v after %d records", err, n)
	}
}

func TestVersionsMustGrow(t *testing.T) {
	store := trie.NewStore()
	tree := trie.New(store, trie.Ref{})
	must(t, tree.Set([]byte("a"), []byte("1")))
	ref, changes, err := tree.Commit(5)
	must(t, err)
	store.Apply(changes)
	for _, tree := range []*trie.Tree{tree, trie.New(store, ref)} {
		must(t, tree.Set([]byte("a"), []byte("2")))
		before := tree.Root()
		for _, v := range []uint64{0, 4, 5} {
			if _, _, err := tree.Commit(v); !errors.Is(err, trie.ErrVersion) {
				t.Errorf("commit %d: %v", v, err)
			}
		}
		if tree.Root() != before {
			t.Error("a refused commit changed the tree")
		}
	}
}

// TestWhatCameBackIsNotStoredAnew changes everything and changes it back.
func TestWhatCameBackIsNotStoredAnew(t *testing.T) {
	store, ref, want := committed(t, 1)
	tree := trie.New(store, ref)
	for _, k := range crowd {
		must(t, tree.Delete([]byte(k)))
	}
	for _, k := range crowd {
		must(t, tree.Set([]byte(k), []byte("other")))
	}
	for k, v := range want {
		must(t, tree.Set([]byte(k), []byte(v)))
	}
	same, changes, err := tree.Commit(2)
	must(t, err)
	if same != ref || len(changes.Put)+len(changes.Stale) > 0 {
		t.Fatalf("ref %v, want %v; %d nodes put, %d stale", same, ref, len(changes.Put), len(changes.Stale))
	}
}

// TestDamageIsNeverAWrongAnswer changes every byte of every stored node, cuts, extends
// and removes it, and then asks for a record below it and one that may be elsewhere.
func TestDamageIsNeverAWrongAnswer(t *testing.T) {
	store, ref, want := committed(t, 1)
	keys := reachable{store, map[trie.NodeKey]bool{}}
	must(t, trie.New(keys, ref).Walk(func(_, _ []byte) error { return nil }))
	failures := 0
	check := func(r damaged) {
		below := slices.IndexFunc(crowd, func(k string) bool {
			path := sha256.Sum256([]byte(k))
			return bytes.Equal(trie.NodeKey{Depth: r.key.Depth, Path: path}.Bytes()[8:], r.key.Bytes()[8:])
		})
		for _, k := range []string{crowd[below], crowd[len(crowd)/2]} {
			v := want[k]
			tree := trie.New(r, ref)
			got, ok, err := tree.Get([]byte(k))
			var node *trie.NodeError
			switch {
			case err == nil && ok && string(got) == v:
			case errors.As(err, &node) && (errors.Is(err, trie.ErrCorruptNode) || errors.Is(err, trie.ErrMissingNode)):
				failures++
				if tree.Set([]byte(k), []byte("new")) == nil || tree.Root() != ref.Hash {
					t.Fatal("a failed operation changed the tree")
				}
			default:
				t.Fatalf("damaged %v: %q is %q, %v, %v", r.key, k, got, ok, err)
			}
		}
	}
	for key := range keys.keys {
		good, err := store.Node(key)
		must(t, err)
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 0xff
			check(damaged{store, key, bad})
		}
		check(damaged{store, key, append(bytes.Clone(good), 0)})
		check(damaged{store, key, good[:len(good)-1]})
		check(damaged{store, key, []byte{}})
		check(damaged{store, key, nil})
	}
	if failures == 0 {
		t.Fatal("no damage was ever met")
	}
}

// damaged is a store with one node replaced, or missing.
type damaged struct {
	trie.Reader
	key   trie.NodeKey
	bytes []byte
}

func (d damaged) Node(k trie.NodeKey) ([]byte, error) {
	switch {
	case k != d.key:
		return d.Reader.Node(k)
	case d.bytes == nil:
		return nil, trie.ErrMissingNode
	}
	return d.bytes, nil
}

// committed returns a store with the whole crowd in several versions, up to the last.
func committed(t testing.TB, versions uint64) (*trie.Store, trie.Ref, records) {
	t.Helper()
	store, want := trie.NewStore(), records{}
	tree := trie.New(store, trie.Ref{})
	var ref trie.Ref
	for v := uint64(1); v <= versions; v++ {
		for _, k := range crowd {
			want[k] = fmt.Sprint(k, v)
			must(t, tree.Set([]byte(k), []byte(want[k])))
		}
		var changes trie.Changes
		var err error
		ref, changes, err = tree.Commit(v)
		must(t, err)
		store.Apply(changes)
	}
	return store, ref, want
}

// TestMemory: what Get reads stays, what Walk reads does not, and a Commit forgets a tree
// that has grown large.
func TestMemory(t *testing.T) {
	store, ref, _ := committed(t, 1)
	reads := 0
	tree := trie.New(counting{store, &reads}, ref)
	readsOf := func(f func() error) int {
		reads = 0
		must(t, f())
		return reads
	}
	get := func() error { _, _, err := tree.Get([]byte(crowd[0])); return err }
	walk := func() error { return tree.Walk(func(_, _ []byte) error { return nil }) }
	if first, again := readsOf(walk), readsOf(walk); first != again || first != store.Len() {
		t.Errorf("walks read %d and %d of %d nodes", first, again, store.Len())
	}
	if first, again := readsOf(get), readsOf(get); first == 0 || again != 0 {
		t.Errorf("gets read %d and %d nodes", first, again)
	}
	for _, n := range []int{10, 1 << 15} {
		tree := trie.New(counting{store, &reads}, trie.Ref{})
		for i := range n {
			must(t, tree.Set(fmt.Append(nil, i), []byte("v")))
		}
		_, changes, err := tree.Commit(2)
		must(t, err)
		store.Apply(changes)
		got := readsOf(func() error { _, _, err := tree.Get([]byte("0")); return err })
		if forgot, large := got > 0, n > 10; forgot != large {
			t.Errorf("after a commit of %d records a get reads %d nodes", n, got)
		}
	}
}

// counting counts reads.
type counting struct {
	trie.Reader
	reads *int
}

func (c counting) Node(k trie.NodeKey) ([]byte, error) {
	*c.reads++
	return c.Reader.Node(k)
}

// TestUpdatesTouchOnlyTheirPaths holds a commit of k of n records to k·(log2(n)+c) nodes,
// with a tree that stays open and with one opened anew, across the bound on memory.
func TestUpdatesTouchOnlyTheirPaths(t *testing.T) {
	const n, logN, slack = 1 << 14, 14, 4
	store := trie.NewStore()
	tree, twin := trie.New(store, trie.Ref{}), records{}
	rng := rand.New(rand.NewSource(1))
	for i := range n {
		k := fmt.Sprint(i)
		twin[k] = "0"
		must(t, tree.Set([]byte(k), []byte("0")))
	}
	ref, changes, err := tree.Commit(0)
	must(t, err)
	store.Apply(changes)
	for v := uint64(1); v <= 60; v++ {
		k := 1 << (v % 8)
		if v%7 == 0 {
			tree = trie.New(store, ref)
		}
		for range k {
			key, value := fmt.Sprint(rng.Intn(n)), fmt.Sprint(v)
			twin[key] = value
			must(t, tree.Set([]byte(key), []byte(value)))
		}
		ref, changes, err = tree.Commit(v)
		must(t, err)
		store.Apply(changes)
		store.Prune(v - min(v, 3))
		if got, most := len(changes.Put), k*(logN+slack); got > most || got != len(changes.Stale) {
			t.Fatalf("%d updates put %d nodes and left %d stale, want at most %d", k, got, len(changes.Stale), most)
		}
	}
	if tree.Root() != twin.root() {
		t.Fatal("wrong root")
	}
	store.Prune(60)
	if want := 2*n - 1; store.Len() < want || store.Len() > want*3/2 {
		t.Fatalf("%d nodes for %d records", store.Len(), n)
	}
}
