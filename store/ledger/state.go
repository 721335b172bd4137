package ledger

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// View is a readable set of records. *trie.Tree is one.
type View interface {
	// Get returns the record under key; the caller does not modify it.
	Get(key []byte) (value []byte, ok bool, err error)
}

// State is a View that can be written. Nothing is ever deleted: what is over is a
// record that says so.
type State interface {
	View
	Set(key, value []byte) error
}

// txn collects the writes of one step over a state, which sees them only when the
// step succeeds.
type txn struct {
	base    State
	writes  map[string][]byte
	touched int // records read or written, the step's cost
}

func newTxn(base State) *txn { return &txn{base: base, writes: make(map[string][]byte, 8)} }

// Get implements View.
func (t *txn) Get(key []byte) ([]byte, bool, error) {
	t.touched++
	if v, ok := t.writes[string(key)]; ok {
		return v, true, nil
	}
	return t.base.Get(key)
}

func (t *txn) set(key, value []byte) {
	t.touched++
	t.writes[string(key)] = value
}

// commit applies the writes in the order of their keys.
func (t *txn) commit() error {
	for _, k := range slices.Sorted(maps.Keys(t.writes)) {
		if err := t.base.Set([]byte(k), t.writes[k]); err != nil {
			return err
		}
	}
	return nil
}

// record is what sszgen makes.
type record[T any] interface {
	*T
	MarshalSSZ() ([]byte, error)
	UnmarshalSSZ([]byte) error
}

// load reads the record under key, nil if there is none. A record that does not
// decode means that the state is damaged.
func load[T any, R record[T]](v View, key []byte) (R, error) {
	b, ok, err := v.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	r := R(new(T))
	if err := r.UnmarshalSSZ(b); err != nil {
		return nil, fmt.Errorf("decode record %q: %w", key, err)
	}
	return r, nil
}

// must is load for records that the ledger itself put there.
func must[T any, R record[T]](v View, key []byte) (R, error) {
	r, err := load[T, R](v, key)
	if err == nil && r == nil {
		err = fmt.Errorf("record %q is missing", key)
	}
	return r, err
}

// save writes r under key.
func save[T any, R record[T]](t *txn, key []byte, r R) error {
	b, err := r.MarshalSSZ()
	if err != nil {
		return fmt.Errorf("encode record %q: %w", key, err)
	}
	t.set(key, b)
	return nil
}

// length is the number of items of l.
func (l list) length(v View) (uint64, error) { return counter(v, l) }

// at reads item i, which exists.
func (l list) at(v View, i uint64) ([]byte, error) {
	b, ok, err := v.Get(l.item(i))
	if err == nil && !ok {
		err = fmt.Errorf("item %d of list %q is missing", i, []byte(l))
	}
	return b, err
}

// push appends an item and returns its index.
func (l list) push(t *txn, item []byte) (uint64, error) {
	n, err := l.length(t)
	if err != nil {
		return 0, err
	}
	t.set(l.item(n), item)
	setCounter(t, l, n+1)
	return n, nil
}

// accounts reads a list whose items are account ids.
func (l list) accounts(v View) ([]AccountID, error) {
	n, err := l.length(v)
	if err != nil {
		return nil, err
	}
	ids := make([]AccountID, n)
	for i := range ids {
		b, err := l.at(v, uint64(i))
		if err != nil {
			return nil, err
		}
		copy(ids[i][:], b)
	}
	return ids, nil
}

// counter reads a number, 0 if there is none.
func counter(v View, key []byte) (uint64, error) {
	b, ok, err := v.Get(key)
	if err != nil || !ok {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("record %q is not a number", key)
	}
	return binary.LittleEndian.Uint64(b), nil
}

func setCounter(t *txn, key []byte, n uint64) {
	t.set(key, binary.LittleEndian.AppendUint64(nil, n))
}
