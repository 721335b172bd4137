package ledger

import (
	"encoding/binary"
	"fmt"
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

// txn is one step over a state, which sees what it writes only when it succeeds. Each
// record is read from the state once and decoded once: whoever loads it shares it, and
// changes it only to save it.
type txn struct {
	base    State
	index   map[string]int // of records, by key
	records []touched      // in the order in which the step came to them
}

// touched is a record that a step read or wrote.
type touched struct {
	key     []byte
	value   []byte // nil: there is none
	decoded any    // what load or save had, nil if neither
	written bool
	encoded bool // by this step: the value's memory is its own
}

// begin starts the next step, in the memory of the last one.
func (t *txn) begin(base State) {
	if t.base = base; t.index == nil {
		t.index = make(map[string]int)
	}
	clear(t.index)
	clear(t.records)
	t.records = t.records[:0]
}

// cost is how many records the step has touched.
func (t *txn) cost() int { return len(t.records) }

// read finds a record, in the state if the step has not touched it yet. What it returns
// is good until the next record is touched.
func (t *txn) read(key []byte) (*touched, error) {
	if i, ok := t.index[string(key)]; ok {
		return &t.records[i], nil
	}
	value, _, err := t.base.Get(key)
	if err != nil {
		return nil, err
	}
	return t.add(touched{key: key, value: value}), nil
}

// write finds a record that is to be replaced, whatever the state has.
func (t *txn) write(key []byte) *touched {
	if i, ok := t.index[string(key)]; ok {
		return &t.records[i]
	}
	return t.add(touched{key: key})
}

func (t *txn) add(r touched) *touched {
	t.index[string(r.key)] = len(t.records)
	t.records = append(t.records, r)
	return &t.records[len(t.records)-1]
}

// Get implements View.
func (t *txn) Get(key []byte) ([]byte, bool, error) {
	r, err := t.read(key)
	if err != nil {
		return nil, false, err
	}
	return r.value, r.value != nil, nil
}

func (t *txn) set(key, value []byte) {
	r := t.write(key)
	*r = touched{key: r.key, value: value, written: true}
}

// commit applies the writes in the order in which they were first touched.
func (t *txn) commit() error {
	for i := range t.records {
		if r := &t.records[i]; r.written {
			if err := t.base.Set(r.key, r.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// record is what sszgen makes.
type record[T any] interface {
	*T
	MarshalSSZ() ([]byte, error)
	MarshalSSZTo([]byte) ([]byte, error)
	UnmarshalSSZ([]byte) error
}

// load reads the record under key, nil if there is none. A record that does not
// decode means that the state is damaged.
func load[T any, R record[T]](v View, key []byte) (R, error) {
	t, step := v.(*txn)
	if !step {
		b, ok, err := v.Get(key)
		if err != nil || !ok {
			return nil, err
		}
		return decode[T, R](key, b)
	}
	rec, err := t.read(key)
	if err != nil || rec.value == nil {
		return nil, err
	}
	if r, ok := rec.decoded.(R); ok {
		return r, nil
	}
	r, err := decode[T, R](key, rec.value)
	if err == nil {
		rec.decoded = r
	}
	return r, err
}

func decode[T any, R record[T]](key, b []byte) (R, error) {
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
	rec := t.write(key)
	var b []byte
	var err error
	if rec.encoded {
		b, err = r.MarshalSSZTo(rec.value[:0])
	} else {
		b, err = r.MarshalSSZ()
	}
	if err != nil {
		return fmt.Errorf("encode record %q: %w", key, err)
	}
	*rec = touched{rec.key, b, r, true, true}
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

// accounts reads a list whose items are account ids. Nothing is taken on the word of its
// length: the state may be one that somebody shows.
func (l list) accounts(v View) (ids []AccountID, err error) {
	n, err := l.length(v)
	if err != nil {
		return nil, err
	}
	for i := range n {
		b, err := l.at(v, i)
		if err != nil {
			return nil, err
		}
		var id AccountID
		copy(id[:], b)
		ids = append(ids, id)
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
