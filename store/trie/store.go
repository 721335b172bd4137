package trie

// Store keeps nodes in memory, for tests and offline use. It is the model of what a
// store on disk has to do. Use NewStore; not for concurrent use.
type Store struct {
	nodes map[NodeKey][]byte
	stale map[uint64][]NodeKey // by the version that no longer uses them
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{make(map[NodeKey][]byte), make(map[uint64][]NodeKey)}
}

// Node implements [Reader].
func (s *Store) Node(k NodeKey) ([]byte, error) {
	b, ok := s.nodes[k]
	if !ok {
		return nil, ErrMissingNode
	}
	return b, nil
}

// Apply adds a version.
func (s *Store) Apply(c Changes) {
	for _, n := range c.Put {
		s.nodes[n.Key] = n.Bytes
	}
	if len(c.Stale) > 0 {
		s.stale[c.Version] = append(s.stale[c.Version], c.Stale...)
	}
}

// Prune removes what only versions before oldest use. They are no longer readable.
func (s *Store) Prune(oldest uint64) {
	for version, keys := range s.stale {
		if version > oldest {
			continue
		}
		for _, k := range keys {
			delete(s.nodes, k)
		}
		delete(s.stale, version)
	}
}

// Len returns the number of nodes kept.
func (s *Store) Len() int { return len(s.nodes) }
