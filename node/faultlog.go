package node

import (
	"maps"
	"sync"

	"github.com/meshsec/meshsec/store/ledger"
)

// faultLog remembers when this node first saw what of a fault, by its own clock:
// for people and measurements, nothing depends on it. What was seen before a restart
// has the block time of the ledger instead. Safe for concurrent use.
type faultLog struct {
	clock Clock

	mu    sync.Mutex
	times map[[32]byte]*faultTimes
	open  map[string]map[[32]byte]bool // by ledger: recorded there and not executed, or unknown there
}

// faultTimes are Unix milliseconds.
type faultTimes struct {
	seen     uint64
	frozen   map[string]uint64
	executed map[string]uint64
}

func newFaultLog(clock Clock, chains []string) *faultLog {
	l := &faultLog{clock: clock, times: make(map[[32]byte]*faultTimes), open: make(map[string]map[[32]byte]bool)}
	for _, chain := range chains {
		l.open[chain] = make(map[[32]byte]bool)
	}
	return l
}

// saw notes that a proof is known.
func (l *faultLog) saw(id [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enter(id, l.now())
}

func (l *faultLog) enter(id [32]byte, now uint64) {
	if l.times[id] != nil {
		return
	}
	l.times[id] = &faultTimes{seen: now, frozen: make(map[string]uint64), executed: make(map[string]uint64)}
	for _, open := range l.open {
		open[id] = true
	}
}

func (l *faultLog) now() uint64 { return uint64(l.clock().UnixMilli()) }

// executed compares with a ledger after an epoch. There is no need while idle.
func (l *faultLog) executed(chain string, r *ledger.Reader) error {
	return l.compare(chain, r, l.now())
}

// restore is executed for a node that starts: times are those of the ledger.
func (l *faultLog) restore(chain string, r *ledger.Reader, known [][32]byte) error {
	meta, err := r.Meta()
	if err != nil {
		return err
	}
	l.mu.Lock()
	for _, id := range known {
		l.enter(id, meta.Time)
	}
	l.mu.Unlock()
	return l.compare(chain, r, meta.Time)
}

// idle says that every known fault is executed on a ledger.
func (l *faultLog) idle(chain string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open[chain]) == 0
}

func (l *faultLog) compare(chain string, r *ledger.Reader, now uint64) error {
	views, err := r.Faults()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range views {
		id := [32]byte(v.ID)
		t := l.times[id]
		if t == nil || !l.open[chain][id] {
			continue
		}
		if t.frozen[chain] == 0 {
			t.frozen[chain] = now
		}
		if v.Executed {
			t.executed[chain] = now
			delete(l.open[chain], id)
		}
	}
	return nil
}

// of are the times of a fault; zero if it was never seen.
func (l *faultLog) of(id [32]byte) faultTimes {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.times[id]
	if t == nil {
		return faultTimes{frozen: map[string]uint64{}, executed: map[string]uint64{}}
	}
	return faultTimes{seen: t.seen, frozen: maps.Clone(t.frozen), executed: maps.Clone(t.executed)}
}
