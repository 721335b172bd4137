package store

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/meshsec/meshsec/store/ledger"
)

// DefaultKeepVersions is how many tree versions are kept by default.
const DefaultKeepVersions = 256

// Options are how a store is opened. The zero value is for a node.
type Options struct {
	InMemory     bool         // nothing reaches a disk; the directory is ignored
	Logger       *slog.Logger // nil: nothing is logged
	KeepVersions uint64       // trees kept of each chain, the head's included; 0: [DefaultKeepVersions]
	// Keep is how much of the journal, with receipts and certificates, is kept at least;
	// zero: all of it. See [ledger.Manifest.Horizon] for what is never missed.
	Keep ledger.Window
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.KeepVersions == 0 {
		o.KeepVersions = DefaultKeepVersions
	}
	return o
}

// badger returns the options of a small node: some 100 MB at most. All values are below
// the threshold of the value log, which is therefore empty and needs no collection. The
// tables' checksums are verified when the store is opened, by checkTables.
func (o Options) badger(dir string) badger.Options {
	b := badger.DefaultOptions(dir).
		WithLogger(&badgerLog{log: o.Logger}).
		WithMetricsEnabled(false). // they are globals of the process
		WithDetectConflicts(false).
		WithNumCompactors(2).
		WithNumMemtables(2).
		WithValueLogFileSize(16 << 20)
	if o.InMemory {
		return b.WithDir("").WithValueDir("").WithInMemory(true).
			WithMemTableSize(8 << 20).
			WithCompression(options.None).
			WithBlockCacheSize(0)
	}
	return b.WithSyncWrites(true).
		WithMemTableSize(16 << 20).
		WithBlockCacheSize(32 << 20).
		WithIndexCacheSize(16 << 20)
}

// badgerLog brings Badger's messages into ours. Its information is for developers, and so
// are errors before it is open: the one that opening returns tells all.
type badgerLog struct {
	log  *slog.Logger
	open atomic.Bool
}

func (l *badgerLog) Errorf(format string, v ...any) {
	if l.open.Load() {
		l.log.Error(message(format, v))
	} else {
		l.Infof(format, v...)
	}
}

func (l *badgerLog) Warningf(format string, v ...any) { l.log.Warn(message(format, v)) }
func (l *badgerLog) Infof(format string, v ...any)    { l.log.Debug(message(format, v)) }
func (l *badgerLog) Debugf(string, ...any)            {}

func message(format string, v []any) string {
	return "badger: " + strings.TrimSpace(fmt.Sprintf(format, v...))
}
