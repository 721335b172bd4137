package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// database is Badger with the few operations that a store needs.
type database struct {
	db       *badger.DB
	maxSize  int64 // of a transaction, in bytes
	maxCount int64 // in entries
}

// openDatabase opens Badger. Some damages make it panic.
func openDatabase(o badger.Options) (d *database, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	o.Logger.(*badgerLog).open.Store(true)
	// What Badger adds to an entry is not exactly known here: keep away from its limits.
	return &database{db: db, maxSize: db.MaxBatchSize() * 9 / 10, maxCount: db.MaxBatchCount() * 9 / 10}, nil
}

func (d *database) close() error { return d.db.Close() }

// get returns the value at a key, nil if there is none. No value is empty but those of
// stale marks.
func (d *database) get(key []byte) (value []byte, err error) {
	err = d.db.View(func(t *badger.Txn) error {
		item, err := t.Get(key)
		if err != nil {
			return err
		}
		value, err = item.ValueCopy(nil)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	return value, err
}

// errStop ends an iteration early and without an error.
var errStop = errors.New("stop")

// each calls fn for the records whose keys start with prefix and are not below from, in
// their order. The slices are valid during the call only.
func (d *database) each(prefix, from []byte, fn func(key []byte, value func(func([]byte) error) error) error) error {
	err := d.db.View(func(t *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues = false // all values lie beside their keys
		o.Prefix = prefix
		it := t.NewIterator(o)
		defer it.Close()
		for it.Seek(from); it.Valid(); it.Next() {
			if err := fn(it.Item().Key(), it.Item().Value); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// last returns the last record whose key starts with prefix and is not above the
// largest, nil if there is none.
func (d *database) last(prefix, largest []byte) (key, value []byte, err error) {
	err = d.db.View(func(t *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues, o.Reverse, o.Prefix = false, true, prefix
		it := t.NewIterator(o)
		defer it.Close()
		it.Seek(largest)
		if !it.Valid() {
			return nil
		}
		key = it.Item().KeyCopy(nil)
		value, err = it.Item().ValueCopy(nil)
		return err
	})
	return key, value, err
}

// record is something to be written: a nil value removes the key.
type record struct {
	key, value []byte
}

func (r record) size() int64 { return int64(len(r.key)+len(r.value)) + 32 }

// write writes early records, in as many transactions as it takes, and then or together
// with the last of these, in one transaction, the final ones.
func (d *database) write(early, final []record) error {
	t := d.db.NewTransaction(true)
	defer func() { t.Discard() }()
	var size, count int64
	next := func() error {
		size, count = 0, 0
		if err := t.Commit(); err != nil {
			return err
		}
		t = d.db.NewTransaction(true)
		return nil
	}
	room := func(bytes, entries int64) error {
		if count > 0 && (size+bytes > d.maxSize || count+entries > d.maxCount) {
			if err := next(); err != nil {
				return err
			}
		}
		size, count = size+bytes, count+entries
		return nil
	}
	put := func(r record) error {
		if r.value == nil {
			return t.Delete(r.key)
		}
		return t.Set(r.key, r.value)
	}
	for _, r := range early {
		if err := errors.Join(room(r.size(), 1), put(r)); err != nil {
			return err
		}
	}
	var total int64
	for _, r := range final {
		total += r.size()
	}
	if err := room(total, int64(len(final))); err != nil {
		return err
	}
	for _, r := range final {
		if err := put(r); err != nil {
			return err
		}
	}
	return next()
}
