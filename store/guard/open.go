package guard

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Create makes an empty guard for a key (48 bytes, compressed G1) in a network, in a
// directory that is created with its parents where needed. It leaves the guard
// closed, and durable. An interrupted Create can be repeated. The error is
//
//   - [ErrExists] if there is a guard already, sound or not,
//   - [ErrLocked] if another process is creating it,
//   - [ErrSlot] for a network without or with an overlong name.
func Create(dir string, pubkey [48]byte, network string) error {
	d, err := makeFolder(dir)
	if err != nil {
		return fmt.Errorf("create guard: %w", err)
	}
	if err := errors.Join(create(d, pubkey, network), d.Close()); err != nil {
		return fmt.Errorf("create guard in %s: %w", dir, err)
	}
	return nil
}

func create(d disk, pubkey [48]byte, network string) (err error) {
	first := newGenesis(pubkey, network)
	if err := first.validate(); err != nil {
		return err
	}
	lock, err := d.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	exists, err := inhabited(d)
	if err != nil {
		return err
	}
	if exists {
		return ErrExists
	}
	log, _, err := writeLog(d, 1, first, newBook())
	if err != nil {
		return err
	}
	return log.Close()
}

// inhabited returns whether a guard was ever complete here: there is a head, or a
// log with more than the one line that an interrupted Create can leave.
func inhabited(d disk) (bool, error) {
	names, err := d.List()
	if err != nil {
		return false, err
	}
	if slices.Contains(names, headName) {
		return true, nil
	}
	for _, name := range names {
		if !strings.HasPrefix(name, logPrefix) {
			continue
		}
		data, err := d.ReadFile(name)
		if err != nil {
			return false, err
		}
		if _, rest, _ := strings.Cut(string(data), "\n"); rest != "" {
			return true, nil
		}
	}
	return false, nil
}

// Open opens the guard of a key in a network, and keeps it locked until Close. It
// reads and checks all of the log, and repairs what a crash left of a record that
// was not acknowledged. The error is
//
//   - [ErrMissing] if there is none: it is never made in silence,
//   - [ErrLocked], a *[LockedError], if it is open elsewhere,
//   - [ErrCorrupt], a *[CorruptError], if it holds less or other than was written,
//   - [ErrWrongKey], [ErrWrongNetwork] if it is not that of this key and network.
func Open(dir string, pubkey [48]byte, network string) (*Guard, error) {
	d, err := openFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open guard %s: %w", dir, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("open guard: %w", err)
	}
	g, err := open(d, pubkey, network)
	if err != nil {
		return nil, fmt.Errorf("open guard %s: %w", dir, errors.Join(err, d.Close()))
	}
	return g, nil
}

func open(d disk, pubkey [48]byte, network string) (*Guard, error) {
	// Looked at before locking, so that an empty directory stays empty.
	exists, err := inhabited(d)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, ErrMissing
	}
	lock, err := d.Lock()
	if err != nil {
		return nil, err
	}
	g, err := recoverGuard(d, lock, pubkey, network)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return g, nil
}

// recoverGuard needs the lock.
func recoverGuard(d disk, lock io.Closer, pubkey [48]byte, network string) (*Guard, error) {
	// A process killed between the rename and the sync of the directory leaves a
	// head that a power failure can still take back, to a log removed below.
	if err := d.SyncDir(); err != nil {
		return nil, err
	}
	h, err := readHead(d)
	if err != nil {
		return nil, err
	}
	data, err := d.ReadFile(h.logName())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &CorruptError{File: h.logName(), Record: 1, Reason: "the log is missing"}
	}
	if err != nil {
		return nil, err
	}
	first, b, tail, err := replay(h, data)
	if err != nil {
		return nil, err
	}
	if first.Pubkey != pubkey {
		return nil, fmt.Errorf("%w: it is that of %#x, not of %#x", ErrWrongKey, first.Pubkey[:], pubkey[:])
	}
	if first.Network != network {
		return nil, fmt.Errorf("%w: it is that of %q, not of %q", ErrWrongNetwork, first.Network, network)
	}
	g := &Guard{key: pubkey, network: network, disk: d, lock: lock, book: b, head: h}
	if tail {
		// What is beyond the head may be known to the page cache alone, and a
		// sync that failed once does not fail again: write all of it anew.
		g.log, g.head, err = writeLog(d, h.Generation+1, first, b)
	} else {
		g.log, err = d.Append(h.logName())
	}
	if err != nil {
		return nil, err
	}
	if err := g.sweep(); err != nil {
		return nil, errors.Join(err, g.log.Close())
	}
	return g, nil
}

func readHead(d disk) (head, error) {
	data, err := d.ReadFile(headName)
	if errors.Is(err, fs.ErrNotExist) {
		return head{}, &CorruptError{File: headName, Reason: "the head is missing"}
	}
	if err != nil {
		return head{}, err
	}
	h, err := decodeHead(data)
	if err != nil {
		return head{}, &CorruptError{File: headName, Reason: err.Error()}
	}
	return h, nil
}

// sweep removes what interrupted rewrites left behind.
func (g *Guard) sweep() error {
	names, err := g.disk.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		stale := strings.HasPrefix(name, logPrefix) && name != g.head.logName()
		if !stale && name != headNewName {
			continue
		}
		if err := g.disk.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
