package guard_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/meshsec/meshsec/store/guard"
)

var (
	errPower = errors.New("power is off")
	errIO    = errors.New("input/output error")
)

// powerDisk is a disk in memory that knows what a power failure would leave: of a
// file what was synced, and any part of the rest; of the names in the directory
// those synced, and any of the changes since. It can fail at any of its steps.
type powerDisk struct {
	names   map[string]*inode // as the processes see it
	durable map[string]*inode // as of the last SyncDir
	pending []change          // since
	locked  bool
	dead    bool

	steps  int  // writes, syncs and changes of names so far
	fuse   int  // steps left until one fails; negative: none does
	sticky bool // whether the failure is a power failure
	late   bool // whether the step that fails takes effect nevertheless
	blown  bool
}

// change is what one call did to names; a nil inode means that the name is gone.
type change map[string]*inode

type inode struct {
	data    []byte // as the processes see it
	durable []byte
	synced  int // data[:synced] is durable
	lost    int // data[synced:lost] was in a sync that failed: clean pages that are not on disk
}

func newPowerDisk() *powerDisk {
	return &powerDisk{names: map[string]*inode{}, durable: map[string]*inode{}, fuse: -1}
}

// arm makes the step after n others fail, for good (power) or once (error).
func (d *powerDisk) arm(n int, power, late bool) {
	d.fuse, d.sticky, d.late, d.blown = n, power, late, false
}

// disarm returns whether a step has failed since arm.
func (d *powerDisk) disarm() bool {
	blown := d.blown
	d.fuse, d.blown = -1, false
	return blown
}

// step runs a step's effect unless it is the one that fails. torn, if not nil, is
// the effect of a step that failed halfway.
func (d *powerDisk) step(effect, torn func()) error {
	if d.dead {
		return errPower
	}
	d.steps++
	if d.fuse != 0 {
		d.fuse--
		effect()
		return nil
	}
	d.fuse, d.blown, d.dead = -1, true, d.sticky
	switch {
	case d.late:
		effect()
	case torn != nil:
		torn()
	}
	if d.sticky {
		return errPower
	}
	return errIO
}

// reboot returns the disk after a power failure. pick(n) chooses among n outcomes;
// 0 is always the one that keeps the least.
func (d *powerDisk) reboot(pick func(n int) int) *powerDisk {
	names := maps.Clone(d.durable)
	for _, c := range d.pending {
		if pick(2) == 1 {
			apply(names, c)
		}
	}
	next := newPowerDisk()
	next.steps = d.steps
	for _, name := range slices.Sorted(maps.Keys(names)) {
		data := names[name].survivor(pick)
		next.names[name] = &inode{data: data, durable: bytes.Clone(data), synced: len(data)}
	}
	next.durable = maps.Clone(next.names)
	return next
}

func (f *inode) survivor(pick func(n int) int) []byte {
	rest := len(f.data) - f.synced
	if rest == 0 && bytes.Equal(f.data, f.durable) {
		return bytes.Clone(f.durable)
	}
	switch pick(4) {
	case 0:
		return bytes.Clone(f.durable)
	case 1: // all of it was written back in time
		return f.written()
	case 2: // some of it
		return f.written()[:f.synced+pick(rest+1)]
	default: // the size was, the blocks were not
		return append(bytes.Clone(f.data[:f.synced]), make([]byte, rest)...)
	}
}

// written returns what is on disk when all pages that are dirty are written.
func (f *inode) written() []byte {
	data := bytes.Clone(f.data)
	if f.lost > f.synced {
		clear(data[f.synced:f.lost])
	}
	return data
}

func apply(names map[string]*inode, c change) {
	for name, f := range c {
		if f == nil {
			delete(names, name)
		} else {
			names[name] = f
		}
	}
}

func (d *powerDisk) change(c change) func() {
	return func() {
		apply(d.names, c)
		d.pending = append(d.pending, c)
	}
}

func (d *powerDisk) List() ([]string, error) {
	if d.dead {
		return nil, errPower
	}
	return slices.Collect(maps.Keys(d.names)), nil
}

func (d *powerDisk) ReadFile(name string) ([]byte, error) {
	if d.dead {
		return nil, errPower
	}
	f, err := d.find(name)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(f.data), nil
}

func (d *powerDisk) find(name string) (*inode, error) {
	f, ok := d.names[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

func (d *powerDisk) Create(name string) (guard.File, error) {
	f, ok := d.names[name]
	effect := func() { f.data, f.synced, f.lost = nil, 0, 0 }
	if !ok {
		f = &inode{}
		effect = d.change(change{name: f})
	}
	if err := d.step(effect, nil); err != nil {
		return nil, err
	}
	return &powerFile{disk: d, inode: f}, nil
}

func (d *powerDisk) Append(name string) (guard.File, error) {
	if d.dead {
		return nil, errPower
	}
	f, err := d.find(name)
	if err != nil {
		return nil, err
	}
	return &powerFile{disk: d, inode: f}, nil
}

func (d *powerDisk) Rename(oldname, newname string) error {
	f, err := d.find(oldname)
	if err != nil {
		return err
	}
	return d.step(d.change(change{oldname: nil, newname: f}), nil)
}

func (d *powerDisk) Remove(name string) error {
	if _, err := d.find(name); err != nil {
		return err
	}
	return d.step(d.change(change{name: nil}), nil)
}

func (d *powerDisk) SyncDir() error {
	return d.step(func() {
		d.durable, d.pending = maps.Clone(d.names), nil
	}, nil)
}

func (d *powerDisk) Lock() (io.Closer, error) {
	if d.dead {
		return nil, errPower
	}
	if d.locked {
		return nil, &guard.LockedError{}
	}
	d.locked = true
	return unlocker{d}, nil
}

func (d *powerDisk) Close() error { return nil }

type unlocker struct{ disk *powerDisk }

func (u unlocker) Close() error {
	u.disk.locked = false
	return nil
}

type powerFile struct {
	disk   *powerDisk
	inode  *inode
	closed bool
}

func (f *powerFile) Write(p []byte) (int, error) {
	if f.closed {
		return 0, fs.ErrClosed
	}
	n := 0
	write := func(k int) func() {
		return func() {
			f.inode.data = append(f.inode.data, p[:k]...)
			n = k
		}
	}
	err := f.disk.step(write(len(p)), write(len(p)/2))
	return n, err
}

// Sync is as unfriendly as Linux is: after one that failed the pages are clean, and
// the next succeeds without writing them.
func (f *powerFile) Sync() error {
	if f.closed {
		return fs.ErrClosed
	}
	i := f.inode
	return f.disk.step(func() {
		i.durable = i.written()
		if i.lost <= i.synced {
			i.synced = len(i.data)
		}
	}, func() {
		i.lost = len(i.data)
	})
}

func (f *powerFile) Close() error {
	if f.closed {
		return fmt.Errorf("close: %w", fs.ErrClosed)
	}
	f.closed = true
	return nil
}
