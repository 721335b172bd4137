package store

import (
	"fmt"
	"sync"

	"github.com/meshsec/meshsec/attest"
)

// Set returns the validator set that signs an epoch, from 1 to the one after the head.
// It is parsed once and then comes from memory as long as it is in use. Errors:
// [ErrNotFound], [ErrUnknownChain], [ErrCorrupt].
func (s *Store) Set(chain string, epoch uint64) (*attest.Set, error) {
	c, err := s.chain(chain)
	if err != nil {
		return nil, err
	}
	if epoch == 0 {
		return nil, ErrNotFound
	}
	rec, err := s.epochRecord(c, epoch-1)
	if err != nil {
		return nil, err
	}
	return s.sets.get(rec.validators, func() (*attest.Set, error) {
		set, err := s.readSet(c, rec.validators)
		if err != nil {
			return nil, s.corrupt(fmt.Sprintf("the validator set of %s epoch %d", chain, epoch), err)
		}
		return set, nil
	})
}

func (s *Store) readSet(chain int, root [32]byte) (*attest.Set, error) {
	b, err := s.get(setKey(chain, root))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, ErrNotFound
	}
	v, err := attest.DecodeValidatorSet(b)
	if err != nil {
		return nil, err
	}
	set, err := attest.NewSet(v)
	if err != nil {
		return nil, err
	}
	if set.Root() != root {
		return nil, fmt.Errorf("has the root %x", set.Root())
	}
	return set, nil
}

// maxSets bounds the cache: a set of 512 validators has some 200 kB.
const maxSets = 64

// setCache holds the sets used last, by their roots. The zero cache is empty. It is safe
// for concurrent use.
type setCache struct {
	mu   sync.Mutex // never held while a set is read or parsed
	sets map[[32]byte]*attest.Set
	used [][32]byte // oldest first
}

// get returns a set from the cache, or what read returns.
func (c *setCache) get(root [32]byte, read func() (*attest.Set, error)) (*attest.Set, error) {
	if set := c.find(root); set != nil {
		return set, nil
	}
	set, err := read()
	if err == nil {
		c.put(root, set)
	}
	return set, err
}

func (c *setCache) find(root [32]byte) *attest.Set {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sets[root]
}

func (c *setCache) put(root [32]byte, set *attest.Set) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sets[root] != nil {
		return
	}
	if c.sets == nil {
		c.sets = make(map[[32]byte]*attest.Set)
	}
	if len(c.used) == maxSets {
		delete(c.sets, c.used[0])
		c.used = c.used[1:]
	}
	c.sets[root] = set
	c.used = append(c.used, root)
}
