package devchain

import (
	"errors"
	"fmt"
	"syscall"

	dbm "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// ErrInUse: another process, or another Start in this one, runs the chain.
var ErrInUse = errors.New("the chain in this directory is already running")

// databases opens the databases of one validator and remembers them: CometBFT
// does not close all of them, and none when it fails to start.
type databases struct{ open []database }

// provide is CometBFT's DBProvider. Buffers are small: a dozen databases are
// open in a chain of four, and the default is 8 MiB for each.
func (d *databases) provide(ctx *cfg.DBContext) (dbm.DB, error) {
	db, err := dbm.NewGoLevelDBWithOpts(ctx.ID, ctx.Config.DBDir(), &opt.Options{
		WriteBuffer:            512 << 10,
		BlockCacheCapacity:     1 << 20,
		OpenFilesCacheCapacity: 32,
	})
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, ctx.Config.DBDir())
	}
	if err != nil {
		return nil, fmt.Errorf("open the database %s in %s: %w", ctx.ID, ctx.Config.DBDir(), err)
	}
	d.open = append(d.open, database{db})
	return d.open[len(d.open)-1], nil
}

// close closes what is still open.
func (d *databases) close() error {
	var errs []error
	for _, db := range d.open {
		if err := db.Close(); err != nil && !errors.Is(err, leveldb.ErrClosed) {
			errs = append(errs, err)
		}
	}
	d.open = nil
	return errors.Join(errs...)
}

// database reads as empty once it is closed. CometBFT closes its databases
// while goroutines that gossip blocks to peers are still on their way out, and
// panics when one of them gets an error instead.
type database struct{ *dbm.GoLevelDB }

func (d database) Get(key []byte) ([]byte, error) {
	value, err := d.GoLevelDB.Get(key)
	if errors.Is(err, leveldb.ErrClosed) {
		return nil, nil
	}
	return value, err
}

func (d database) Has(key []byte) (bool, error) {
	has, err := d.GoLevelDB.Has(key)
	if errors.Is(err, leveldb.ErrClosed) {
		return false, nil
	}
	return has, err
}
