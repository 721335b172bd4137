package store

import (
	"context"
	"io"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// OpenWith is Open with a genesis that need not be the manifest's.
func OpenWith(dir string, m *ledger.Manifest, opts Options, first func(string) (*ledger.Result, error)) (*Store, error) {
	return open(dir, m, opts, first)
}

// NodeKeys returns all nodes of a chain's trees that are stored, as text, and how many
// stale marks there are.
func (s *Store) NodeKeys(chain string) (keys map[string]bool, stale int, err error) {
	c := s.index[chain]
	keys = make(map[string]bool)
	prefix := chainKey(kindNode, c)
	err = s.each(prefix, prefix, func(key []byte, _ func(func([]byte) error) error) error {
		k, err := trie.ParseNodeKey(key[chainSize:])
		keys[k.String()] = true
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	prefix = chainKey(kindStale, c)
	err = s.each(prefix, prefix, func([]byte, func(func([]byte) error) error) error {
		stale++
		return nil
	})
	return keys, stale, err
}

// CommitHalf does what a Commit does that is killed before it moves the head, having
// written only the first n of its early records. The store must then be closed.
func (s *Store) CommitHalf(chain string, r *ledger.Result, n int) (total int, err error) {
	c := s.index[chain]
	o, err := newOutcome(c, chain, &s.state.Load().head.Chains[c], r)
	if err != nil {
		return 0, err
	}
	return len(o.early), s.db.write(o.early[:min(n, len(o.early))], nil)
}

// Records returns how many records there are, leftovers included.
func (s *Store) Records() (n int, err error) {
	err = s.each(nil, nil, func([]byte, func(func([]byte) error) error) error {
		n++
		return nil
	})
	return n, err
}

// Reserve sets what must stay free on the disk, and returns what it was.
func (s *Store) Reserve(bytes uint64) (old uint64) {
	old, s.folder.reserve = s.folder.reserve, bytes
	return old
}

// PruneAll is Prune without an end.
func (s *Store) PruneAll() error { return s.Prune(context.Background()) }

// What the fuzz tests decode.
var (
	DecodeHead        = func(b []byte) (any, error) { return decodeHead(b) }
	DecodeEpochRecord = func(b []byte) ([]byte, error) {
		e, err := decodeEpochRecord(b)
		if err != nil {
			return nil, err
		}
		return e.encode(), nil
	}
	EncodeHead = func(h any) ([]byte, error) { return h.(*headRecord).encode() }
	ParseKey   = func(b []byte) bool { _, ok := parseKey(b); return ok }
)

// VerifySnapshot is Import without writing anything.
func (s *Store) VerifySnapshot(ctx context.Context, r io.Reader) (checkpoint [32]byte, err error) {
	v, err := s.verifySnapshot(ctx, r, ledger.Trust{})
	if err != nil {
		return checkpoint, err
	}
	return v.certificate.Root(), nil
}

// Reachable returns the nodes of the trees of some epochs, as text.
func (s *Store) Reachable(chain string, epochs ...uint64) (map[string]bool, error) {
	c := s.index[chain]
	keys := make(map[string]bool)
	for _, epoch := range epochs {
		rec, err := s.epochRecord(c, epoch)
		if err != nil {
			return nil, err
		}
		noting := note{nodes{s, c}, keys}
		if err := trie.New(noting, rec.ref).Walk(func(_, _ []byte) error { return nil }); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// note is a reader that remembers what was read.
type note struct {
	nodes
	keys map[string]bool
}

func (n note) Node(k trie.NodeKey) ([]byte, error) {
	n.keys[k.String()] = true
	return n.nodes.Node(k)
}

// NextBase is the epoch that a chain's journal will begin with next, 0 if none is chosen.
func (s *Store) NextBase(chain string) uint64 {
	return s.state.Load().head.Chains[s.index[chain]].Next
}

// PruneInPieces bounds what one step removes.
func (s *Store) PruneInPieces(n int) error {
	return s.change(func(*state) (*step, error) {
		s.piece = n
		return nil, nil
	})
}

// epochsOf are the epochs that records of a kind are about.
func (s *Store) epochsOf(kind byte, chain string) (epochs []uint64, err error) {
	prefix := chainKey(kind, s.index[chain])
	err = s.each(prefix, prefix, func(key []byte, _ func(func([]byte) error) error) error {
		a, _ := parseKey(key)
		epochs = append(epochs, a.epoch)
		return nil
	})
	return epochs, err
}

// JournalEpochs are those that have something in the journal.
func (s *Store) JournalEpochs(chain string) ([]uint64, error) { return s.epochsOf(kindJournal, chain) }

// ReceiptEpochs are those that have receipts.
func (s *Store) ReceiptEpochs(chain string) ([]uint64, error) { return s.epochsOf(kindReceipt, chain) }

// CertificateEpochs are those that have certificates.
func (s *Store) CertificateEpochs(chain string) ([]uint64, error) {
	return s.epochsOf(kindCertificate, chain)
}

// ImportHalf does what an Import does that is killed before it moves the head. The store
// must then be closed.
func (s *Store) ImportHalf(ctx context.Context, file io.ReadSeeker) error {
	v, err := s.verifySnapshot(ctx, file, ledger.Trust{})
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return s.change(func(now *state) (*step, error) {
		_, err := s.planImport(ctx, now, s.index[v.Chain], v, file)
		return nil, err
	})
}
