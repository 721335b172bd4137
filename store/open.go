package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// checkedLinks is how many journal entries before the head Open checks completely.
const checkedLinks = 32

// genesis returns epoch 0 of a chain.
type genesis func(chain string) (*ledger.Result, error)

// Open opens the store of a network in a directory, which is created with its parents
// where needed, and locks it. An empty one gets the genesis of all chains. It reads all
// that is there and compares it with what was acknowledged; it takes some seconds per
// gigabyte. The manifest must be valid and not be changed any more.
//
// Errors: [ErrCorrupt], a *[CorruptError]: see [SetAside]; [ErrLocked]; [ErrWrongNetwork], a
// *[NetworkError]; [ErrForeign] if the directory is neither empty nor a store's; those of the
// file system.
func Open(dir string, m *ledger.Manifest, opts Options) (*Store, error) {
	s, err := open(dir, m, opts, func(chain string) (*ledger.Result, error) { return ledger.Genesis(m, chain) })
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

func open(dir string, m *ledger.Manifest, opts Options, first genesis) (*Store, error) {
	s := &Store{
		manifest: m,
		network:  m.ID(),
		ids:      m.ChainIDs(),
		index:    make(map[string]int),
		opts:     opts.withDefaults(),
		requests: make(chan request),
		closing:  make(chan struct{}),
		written:  make(chan struct{}),
		piece:    maxPruned,
	}
	for c, id := range s.ids {
		s.index[id] = c
	}
	err := s.recover(dir)
	if err == nil && s.state.Load() == nil {
		err = s.begin(first)
	}
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.backlog = true // a crash may have left some
	go s.write()
	return s, nil
}

// recover opens the files and, unless the store is new, loads its state.
func (s *Store) recover(dir string) error {
	if s.opts.InMemory {
		db, err := openDatabase(s.opts.badger(""))
		s.db = db
		return err
	}
	var err error
	if s.folder, err = openFolder(dir); err != nil {
		return err
	}
	file, err := s.folder.readHead()
	if err != nil {
		return err
	}
	if file == nil {
		err = s.folder.clear()
	} else {
		err = s.folder.begun()
	}
	if err != nil {
		return err
	}
	if err := s.openDatabase(file); err != nil {
		return err
	}
	head, err := s.db.readHead()
	if err != nil {
		return s.corrupt("read the head", err)
	}
	h, reason := matchHeads(file, head)
	if reason != "" {
		return s.corrupt(reason, nil)
	}
	if err := s.checkNetwork(h); err != nil {
		return err
	}
	contents, err := s.checkContents(h)
	if err != nil || h == nil {
		return err
	}
	now := &state{head: h, encoded: head, chains: make([]chainState, len(s.ids))}
	s.state.Store(now)
	for c := range s.ids {
		if now.chains[c].checkpoint, err = s.checkHead(c, &h.Chains[c]); err != nil {
			return err
		}
		now.chains[c].certified = contents.certified[c]
	}
	if !bytes.Equal(file, head) {
		return s.folder.writeHead(head)
	}
	return nil
}

// openDatabase opens Badger. The head file is read first: a store of another network is
// not even touched.
func (s *Store) openDatabase(file []byte) error {
	if file != nil {
		if h, err := decodeHead(file); err == nil {
			if err := s.checkNetwork(h); err != nil {
				return err
			}
		}
		if _, err := os.Stat(s.folder.database()); errors.Is(err, fs.ErrNotExist) {
			return s.corrupt("the database is missing", nil)
		}
	}
	if err := s.folder.accessible(); err != nil {
		return err
	}
	o := s.opts.badger(s.folder.database())
	if err := checkTables(s.folder.database(), o); err != nil {
		return s.corrupt("the database is damaged", err)
	}
	db, err := openDatabase(o)
	if err != nil {
		return s.corrupt("the database does not open", err)
	}
	s.db = db
	return nil
}

func (s *Store) checkNetwork(h *headRecord) error {
	switch {
	case h == nil:
		return nil
	case h.Network != s.network:
		return &NetworkError{Have: h.Network, Want: s.network}
	case !slices.EqualFunc(h.Chains, s.ids, func(c chainHead, id string) bool { return c.ID == id }):
		return s.corrupt("the head is one of other chains", nil)
	}
	return nil
}

// checkContents compares all records with the head, nil for a new store, and removes
// what a crash left.
func (s *Store) checkContents(h *headRecord) (*census, error) {
	c, err := s.db.count(h, len(s.ids))
	if err != nil {
		return nil, s.corrupt("read the database", err)
	}
	var want sum
	if h != nil {
		want.v.SetBytes32(h.Sum[:])
	}
	if c.sum != want {
		return nil, s.corrupt(fmt.Sprintf("the contents (%d records) are not those of the head: something is missing, old or changed", c.records), nil)
	}
	return c, s.db.sweep(c)
}

// checkHead checks a chain's head and what is around it, and returns its checkpoint.
func (s *Store) checkHead(c int, h *chainHead) (*attest.Checkpoint, error) {
	e, err := s.verifyJournal(c, h.Epoch-min(h.Epoch-h.Base, checkedLinks), h.Epoch)
	if err != nil {
		return nil, err
	}
	rec, err := s.epochRecord(c, h.Epoch)
	if err != nil {
		return nil, err
	}
	if rec.hash != h.Journal || rec.checkpoint != h.Checkpoint || rec.ref != h.State.ref() {
		return nil, s.corrupt(fmt.Sprintf("the head of %s is not its last epoch", h.ID), nil)
	}
	if _, _, err := trie.New(nodes{s, c}, rec.ref).Get([]byte{0}); err != nil {
		return nil, s.corrupt(fmt.Sprintf("the state tree of %s", h.ID), err)
	}
	return e.Checkpoint, nil
}

// begin writes the genesis of all chains, as step 1.
func (s *Store) begin(first genesis) error {
	zero := &state{
		head:   &headRecord{Version: formatVersion, Network: s.network, Chains: make([]chainHead, len(s.ids))},
		chains: make([]chainState, len(s.ids)),
	}
	n := newStep(zero)
	for c, id := range s.ids {
		r, err := first(id)
		if err != nil {
			return fmt.Errorf("genesis of %s: %w", id, err)
		}
		if r.Checkpoint.Epoch != 0 {
			return &ResultError{id, r.Checkpoint.Epoch, "genesis is epoch 0"}
		}
		o, err := newOutcome(c, id, nil, r)
		if err != nil {
			return err
		}
		n.head.Chains[c].ID = id
		if err := s.addOutcome(n, o); err != nil {
			return err
		}
	}
	now, err := s.take(zero, n)
	if err != nil {
		return err
	}
	s.state.Store(now)
	if s.folder != nil {
		return s.folder.begun()
	}
	return nil
}
