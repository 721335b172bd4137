package store

import (
	"fmt"
	"slices"
)

// census is what a look at all records finds.
type census struct {
	sum       sum      // of all records that count
	records   uint64   // that count
	leftovers [][]byte // keys of a step that was not finished
	certified []uint64 // of each chain, see chainState
}

// readHead reads the head alone.
func (d *database) readHead() ([]byte, error) { return d.get(headKey) }

// count looks at all records. Early ones above the chain's head are left over from a
// step that a crash ended; with no head at all, that was the first.
func (d *database) count(h *headRecord, chains int) (*census, error) {
	c := &census{certified: make([]uint64, chains)}
	for i := range c.certified {
		if h != nil {
			c.certified[i] = h.Chains[i].Base // which has one
		}
	}
	err := d.each(nil, nil, func(key []byte, value func(func([]byte) error) error) error {
		if key[0] == kindHead {
			return nil
		}
		a, ok := parseKey(key)
		if !ok || a.chain >= chains {
			return fmt.Errorf("there is a record under the unknown key %x", key)
		}
		if a.early && (h == nil && a.epoch == 0 || h != nil && a.epoch > h.Chains[a.chain].Epoch) {
			c.leftovers = append(c.leftovers, slices.Clone(key))
			return nil
		}
		if a.kind == kindCertificate && a.epoch == c.certified[a.chain]+1 {
			c.certified[a.chain]++
		}
		c.records++
		if keyOnly(key) {
			c.sum.add(key, nil)
			return nil
		}
		return value(func(v []byte) error {
			c.sum.add(key, v)
			return nil
		})
	})
	return c, err
}

// sweep removes what a crash left.
func (d *database) sweep(c *census) error {
	if len(c.leftovers) == 0 {
		return nil
	}
	var removals []record
	for _, key := range c.leftovers {
		removals = append(removals, record{key: key})
	}
	return d.write(removals, nil)
}
