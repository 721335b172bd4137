package trie

// maxLoaded is how many nodes a tree may hold in memory beyond a Commit: some 10 MB
// and the records.
const maxLoaded = 1 << 15

// Node is a node as it is stored.
type Node struct {
	Key   NodeKey
	Bytes []byte
}

// Changes is the difference between a version and the one before it.
//
// Put holds exactly the nodes that are new. Stale holds exactly the nodes that the
// version before used and this one does not: to be deleted when no version before
// Version is needed any longer, and not earlier.
type Changes struct {
	Version uint64
	Put     []Node
	Stale   []NodeKey
}

// Commit makes the contents a version. The tree goes on from there, and the caller must
// have stored the changes before it uses the tree again. If storing can fail, commit a
// [Tree.Snapshot] and go on with it once stored. Of several trees that share their
// history only one may be committed and stored.
//
// Without changes the Ref is that of the version before, and nothing is to be stored.
// A tree that has brought more than some 32,768 nodes into memory forgets them.
//
// Errors: [ErrVersion]; [NodeError]; [ErrNotInWitness] for the tree of a witness, which
// has no versions.
func (t *Tree) Commit(version uint64) (Ref, Changes, error) {
	switch {
	case t.reader == absent{}:
		return Ref{}, Changes{}, ErrNotInWitness
	case t.committed && version <= t.version:
		return Ref{}, Changes{}, ErrVersion
	}
	t.root.sum()
	changes := Changes{Version: version}
	root, err := t.commit(t.base, t.root, NodeKey{}, &changes)
	if err != nil {
		return Ref{}, Changes{}, err
	}
	ref := root.ref()
	t.loaded += len(changes.Put)
	if t.loaded > maxLoaded {
		root, t.loaded = New(nil, ref).root, 0
	}
	t.base, t.root, t.version, t.committed = root, root, version, true
	return ref, changes, nil
}

// commit notes what replaces old by n at a place and returns n as stored there. Equal
// hashes at one place mean that everything below is stored already, whatever became of
// it in between; a leaf that has moved to another depth is stored anew.
func (t *Tree) commit(old, n *node, at NodeKey, changes *Changes) (*node, error) {
	if old == n || old.sum() == n.sum() {
		return old, nil
	}
	var before, after node
	if old != nil {
		if err := t.load(old, at); err != nil {
			return nil, err
		}
		before = *old
		changes.Stale = append(changes.Stale, at.at(old.version))
	}
	if n != nil {
		after = *n
	}
	stored := &node{hash: after.hash, version: changes.Version, leaf: after.leaf}
	for b := range stored.child {
		if before.child[b] == after.child[b] {
			stored.child[b] = after.child[b]
			continue
		}
		c, err := t.commit(before.child[b], after.child[b], at.child(b), changes)
		if err != nil {
			return nil, err
		}
		stored.child[b] = c
	}
	if n == nil {
		return nil, nil
	}
	changes.Put = append(changes.Put, Node{at.at(changes.Version), stored.encode()})
	return stored, nil
}
