package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// Store is an open store. See the package for its use by several goroutines. It is
// made by [Open] and given back with Close.
type Store struct {
	manifest *ledger.Manifest
	network  [32]byte
	ids      []string // chains, as in the manifest
	index    map[string]int
	opts     Options

	folder *folder // nil in memory
	db     *database
	state  atomic.Pointer[state]
	sets   setCache

	requests chan request
	closing  chan struct{} // closed to end the writer
	written  chan struct{} // closed when it has ended
	closed   sync.Once
	readers  gate

	// The writer's own.
	broken  *BrokenError
	backlog bool // there may be something to prune
	piece   int  // maxPruned, but in tests
}

// Head is the last committed state of a chain.
type Head struct {
	Epoch      uint64
	Checkpoint *attest.Checkpoint // not to be changed; nil for a chain that is not in the manifest
	Root       [32]byte           // of the checkpoint
	Ref        trie.Ref           // of the state tree
	Journal    [32]byte           // hash of the epoch's journal entry; the same on all nodes
	Oldest     uint64             // first epoch that TreeAt can open, besides Base
	Base       uint64             // first epoch of the journal, 0 is genesis; see Import and Options.Keep
	Imported   uint64             // epoch of the snapshot that the chain began with: nothing up to it was executed here; 0: none
}

// Head returns a chain's head. It comes from memory.
func (s *Store) Head(chain string) Head {
	c, ok := s.index[chain]
	if !ok {
		return Head{}
	}
	now := s.state.Load()
	h := now.head.Chains[c]
	return Head{
		Epoch: h.Epoch, Checkpoint: now.chains[c].checkpoint, Root: h.Checkpoint,
		Ref: h.State.ref(), Journal: h.Journal, Oldest: h.Oldest,
		Base: h.Base, Imported: h.Imported,
	}
}

// Network returns the id of the network that the store belongs to.
func (s *Store) Network() [32]byte { return s.network }

// Tree returns the state tree of a chain at its head. Each call returns a tree of its
// own, which belongs to one goroutine at a time and stays readable while commits go on,
// until its version is pruned: then it fails with [trie.ErrMissingNode].
func (s *Store) Tree(chain string) (*trie.Tree, error) {
	c, err := s.chain(chain)
	if err != nil {
		return nil, err
	}
	return trie.New(nodes{s, c}, s.state.Load().head.Chains[c].State.ref()), nil
}

// TreeAt is Tree for the end of an earlier epoch. Errors: [ErrPruned], [ErrNotFound] for
// an epoch above the head, [ErrUnknownChain].
func (s *Store) TreeAt(chain string, epoch uint64) (*trie.Tree, error) {
	c, err := s.chain(chain)
	if err != nil {
		return nil, err
	}
	if h := s.state.Load().head.Chains[c]; epoch < h.Oldest && (epoch != h.Base || epoch == 0) {
		return nil, ErrPruned
	}
	e, err := s.epochRecord(c, epoch)
	if err != nil {
		return nil, err
	}
	return trie.New(nodes{s, c}, e.ref), nil
}

// nodes reads the nodes of a chain's state tree.
type nodes struct {
	store *Store
	chain int
}

// Node implements [trie.Reader].
func (n nodes) Node(k trie.NodeKey) ([]byte, error) {
	b, err := n.store.get(nodeKey(n.chain, k))
	if err == nil && b == nil {
		err = trie.ErrMissingNode
	}
	return b, err
}

// Close ends the writer after what it is doing, waits for the readers that are reading,
// and closes the files. All later calls return [ErrClosed], the first one apart. It is
// safe to call it more than once.
func (s *Store) Close() (err error) {
	err = ErrClosed
	s.closed.Do(func() {
		close(s.closing)
		<-s.written
		s.readers.shut()
		err = s.release()
	})
	return err
}

// release closes what is open of the files.
func (s *Store) release() error {
	var err error
	if s.db != nil {
		err = s.db.close()
	}
	if s.folder != nil {
		err = errors.Join(err, s.folder.close())
	}
	return err
}

// chain returns the position of a chain.
func (s *Store) chain(id string) (int, error) {
	c, ok := s.index[id]
	if !ok {
		return 0, fmt.Errorf("%w: %q", ErrUnknownChain, id)
	}
	return c, nil
}

// corrupt makes a [CorruptError].
func (s *Store) corrupt(reason string, cause error) error {
	e := &CorruptError{Reason: reason, Cause: cause}
	if s.folder != nil {
		e.Dir = s.folder.path
	}
	return e
}

// get is [database.get] for readers.
func (s *Store) get(key []byte) ([]byte, error) {
	if !s.readers.enter() {
		return nil, ErrClosed
	}
	defer s.readers.leave()
	return s.db.get(key)
}

// each is [database.each] for readers.
func (s *Store) each(prefix, from []byte, fn func(key []byte, value func(func([]byte) error) error) error) error {
	if !s.readers.enter() {
		return ErrClosed
	}
	defer s.readers.leave()
	return s.db.each(prefix, from, fn)
}

// last is [database.last] for readers.
func (s *Store) last(prefix, largest []byte) (key, value []byte, err error) {
	if !s.readers.enter() {
		return nil, nil, ErrClosed
	}
	defer s.readers.leave()
	return s.db.last(prefix, largest)
}

// gate keeps the files open while somebody reads: Badger's are mapped into memory. The
// zero gate is open.
type gate struct {
	mu     sync.Mutex // never held across I/O
	closed bool
	inside sync.WaitGroup
}

// enter reports whether the gate is open; then leave must follow.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside.Add(1)
	}
	return !g.closed
}

func (g *gate) leave() { g.inside.Done() }

// shut closes the gate and waits until everybody has left.
func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}
