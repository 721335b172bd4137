package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// checkTables verifies the checksums of all of Badger's tables that its manifest names.
// Badger can do so itself (OnTableRead), but on goroutines of its own, on which some
// damages panic and end the process, and it leaves out a table whose index is damaged.
func checkTables(dir string, o badger.Options) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %.80v", p)
		}
	}()
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	m, _, err := badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	for id, t := range m.Tables {
		if err := checkTable(table.NewFilename(id, dir), id, t.Compression); err != nil {
			return fmt.Errorf("table %06d: %w", id, err)
		}
	}
	return nil
}

func checkTable(path string, id uint64, compression options.CompressionType) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %.80v", p)
		}
	}()
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !hasFooter(data) {
		return errors.New("the footer is damaged")
	}
	t, err := table.OpenInMemoryTable(data, id, &table.Options{Compression: compression, BlockSize: 4 << 10})
	if err != nil {
		return err
	}
	return t.VerifyChecksum()
}

// hasFooter reports whether the lengths at a table's end lie inside it, without which
// Badger ends the process: index, length of the index, checksum, length of the checksum.
func hasFooter(data []byte) bool {
	for range 2 {
		if len(data) < 4 {
			return false
		}
		n := uint64(binary.BigEndian.Uint32(data[len(data)-4:]))
		data = data[:len(data)-4]
		if n > uint64(len(data)) {
			return false
		}
		data = data[:uint64(len(data))-n]
	}
	return true
}
