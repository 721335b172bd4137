package guard_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshsec/meshsec/store/guard"
)

const (
	headFile = "head.json"
	logFile  = "log-0000000001.jsonl"
)

// written is a guard with signatures for epochs 1, 2 and 3, closed: its log has the
// records 1 to 4.
func written(t testing.TB) (dir string, log, head []byte) {
	t.Helper()
	dir, g := mustCreate(t)
	for epoch := uint64(1); epoch <= 3; epoch++ {
		mustSign(t, g, checkpoint(epoch), root(1))
	}
	mustClose(t, g)
	return dir, read(t, dir, logFile), read(t, dir, headFile)
}

func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// openBytes opens a guard that has these files; nil is a missing one.
func openBytes(log, head []byte) (*guard.Guard, error) {
	d := newPowerDisk()
	for name, data := range map[string][]byte{logFile: log, headFile: head} {
		if data != nil {
			d.names[name] = &inode{data: data, durable: data, synced: len(data)}
		}
	}
	return guard.OpenOn(d, testKey, testNetwork)
}

// wantCorrupt checks that err is about this record, or any if record is 0.
func wantCorrupt(t *testing.T, err error, file string, record uint64) {
	t.Helper()
	var corrupt *guard.CorruptError
	if !errors.As(err, &corrupt) || !errors.Is(err, guard.ErrCorrupt) {
		t.Fatalf("error is %v", err)
	}
	if corrupt.File != file || record != 0 && corrupt.Record != record {
		t.Errorf("corrupt in %s at record %d, not in %s at %d: %v", corrupt.File, corrupt.Record, file, record, err)
	}
}

func TestOpenNeverMakesAGuard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lost")
	_, err := guard.Open(dir, testKey, testNetwork)
	wantError(t, err, guard.ErrMissing)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open left something behind: %v", err)
	}
	empty := t.TempDir()
	_, err = guard.Open(empty, testKey, testNetwork)
	wantError(t, err, guard.ErrMissing)
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("Open left something behind: %v, %v", entries, err)
	}
}

func TestCreateRefusesAnExistingGuard(t *testing.T) {
	dir, log, head := written(t)
	wantError(t, guard.Create(dir, testKey, testNetwork), guard.ErrExists)
	wantError(t, guard.Create(dir, [48]byte{9}, "other"), guard.ErrExists)
	if !bytes.Equal(read(t, dir, logFile), log) || !bytes.Equal(read(t, dir, headFile), head) {
		t.Error("Create has changed it")
	}
	if err := os.Remove(filepath.Join(dir, headFile)); err != nil {
		t.Fatal(err)
	}
	wantError(t, guard.Create(dir, testKey, testNetwork), guard.ErrExists) // a damaged one too

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := guard.Create(file, testKey, testNetwork); err == nil {
		t.Error("created in a file")
	}
	if _, err := guard.Open(file, testKey, testNetwork); err == nil {
		t.Error("opened a file")
	}
}

func TestCreateFillsAnEmptyDirectory(t *testing.T) {
	dir := t.TempDir() // as a mounted volume is one
	if err := guard.Create(dir, testKey, testNetwork); err != nil {
		t.Fatal(err)
	}
	mustSign(t, mustOpen(t, dir), checkpoint(1), root(1))
}

func TestOpenRefusesAnotherKeyOrNetwork(t *testing.T) {
	dir, _, _ := written(t)
	_, err := guard.Open(dir, [48]byte{9}, testNetwork)
	wantError(t, err, guard.ErrWrongKey)
	_, err = guard.Open(dir, testKey, "other")
	wantError(t, err, guard.ErrWrongNetwork)
	mustOpen(t, dir)
}

func TestASecondOpenIsLockedOut(t *testing.T) {
	dir, g := mustCreate(t)
	locked := func(err error) {
		t.Helper()
		var held *guard.LockedError
		if !errors.As(err, &held) || !errors.Is(err, guard.ErrLocked) || held.PID != os.Getpid() {
			t.Errorf("error is %v", err)
		}
	}
	_, err := guard.Open(dir, testKey, testNetwork)
	locked(err)
	locked(guard.Create(dir, testKey, testNetwork))

	// To delete the lock file does not free the lock.
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	_, err = guard.Open(dir, testKey, testNetwork)
	wantError(t, err, guard.ErrLocked)

	mustClose(t, g)
	mustOpen(t, dir)
}

func TestADirectoryTakenAwayBreaksTheGuard(t *testing.T) {
	dir, g := mustCreate(t)
	mustSign(t, g, checkpoint(1), root(1))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	wantError(t, refused(t, g, checkpoint(2), root(1)), guard.ErrBroken)
	wantError(t, refused(t, g, checkpoint(1), root(1)), guard.ErrBroken)
}

// TestAnyFlippedByteIsCorrupt flips every byte that was acknowledged, in several ways.
func TestAnyFlippedByteIsCorrupt(t *testing.T) {
	_, log, head := written(t)
	record := uint64(1)
	for i := range log {
		for _, flip := range []byte{1, ' ', 0xff} {
			bad := bytes.Clone(log)
			bad[i] ^= flip
			_, err := openBytes(bad, head)
			wantCorrupt(t, err, logFile, record)
		}
		if log[i] == '\n' {
			record++
		}
	}
	for i := range head {
		for _, flip := range []byte{1, ' ', 0xff} {
			bad := bytes.Clone(head)
			bad[i] ^= flip
			_, err := openBytes(log, bad)
			wantCorrupt(t, err, headFile, 0)
		}
	}
}

func TestAnythingShorterThanTheHeadIsCorrupt(t *testing.T) {
	_, log, head := written(t)
	for n := range len(log) {
		_, err := openBytes(log[:n], head)
		wantCorrupt(t, err, logFile, uint64(bytes.Count(log[:n], []byte{'\n'})+1))
	}
	for n := range len(head) {
		_, err := openBytes(log, head[:n])
		wantCorrupt(t, err, headFile, 0)
	}
	_, err := openBytes(nil, head)
	wantCorrupt(t, err, logFile, 1)
	_, err = openBytes(log, nil)
	wantCorrupt(t, err, headFile, 0)
	_, err = openBytes(nil, nil)
	wantError(t, err, guard.ErrMissing)
}

func TestRecordsCannotBeDroppedSwappedOrTakenFromElsewhere(t *testing.T) {
	_, log, head := written(t)
	lines := bytes.SplitAfter(log, []byte{'\n'})[:4]
	_, other, otherHead := written(t)
	if !bytes.Equal(log, other) || !bytes.Equal(head, otherHead) {
		t.Fatal("the same signatures give other files")
	}
	foreign, foreignLog, _ := guard.SealLog([][]byte{guard.Bodies(log)[0], guard.Bodies(log)[2], guard.Bodies(log)[1], guard.Bodies(log)[3]})
	if foreign != logFile {
		t.Fatal(foreign)
	}
	for _, c := range []struct {
		name   string
		log    []byte
		record uint64
	}{
		{"dropped", bytes.Join([][]byte{lines[0], lines[2], lines[3]}, nil), 2},
		{"swapped", bytes.Join([][]byte{lines[0], lines[1], lines[3], lines[2]}, nil), 3},
		{"doubled", bytes.Join([][]byte{lines[0], lines[1], lines[1], lines[2], lines[3]}, nil), 3},
		{"another log with right hashes", foreignLog, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.log, head)
			wantCorrupt(t, err, logFile, c.record)
		})
	}
}

// TestSealedNonsenseIsCorrupt has right hashes, but what no guard would have written.
func TestSealedNonsenseIsCorrupt(t *testing.T) {
	_, log, _ := written(t)
	bodies := guard.Bodies(log)
	for _, c := range []struct {
		name   string
		bodies []string
		record uint64
	}{
		{"no genesis", []string{string(bodies[1])}, 1},
		{"second genesis", []string{string(bodies[0]), string(bodies[0])}, 2},
		{"slot twice", []string{string(bodies[0]), string(bodies[1]), string(bodies[1])}, 3},
		{"two roots", []string{string(bodies[0]), string(bodies[1]), string(bytes.ReplaceAll(bodies[1], []byte("0x01"), []byte("0x02")))}, 3},
		{"later version", []string{string(bytes.ReplaceAll(bodies[0], []byte(`"version":1`), []byte(`"version":2`)))}, 1},
		{"unknown type", []string{string(bodies[0]), `{"type":"unsigned"}`}, 2},
		{"unknown member", []string{string(bodies[0]), `{"type":"watermark","chain":"a","kind":"b","below":"1","x":1}`}, 2},
		{"missing member", []string{string(bodies[0]), `{"type":"watermark","chain":"a","below":"1"}`}, 2},
		{"watermark of nothing", []string{string(bodies[0]), `{"type":"watermark","chain":"a","kind":"b","below":"0"}`}, 2},
		{"below the watermark", []string{string(bodies[0]), `{"type":"watermark","chain":"alpha","kind":"checkpoint","below":"2"}`, string(bodies[1])}, 3},
		{"padded number", []string{string(bodies[0]), `{"type":"watermark","chain":"a","kind":"b","below":"01"}`}, 2},
		{"bare number", []string{string(bodies[0]), `{"type":"watermark","chain":"a","kind":"b","below":1}`}, 2},
		{"null", []string{string(bodies[0]), `{"type":"watermark","chain":"a","kind":"b","below":null}`}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sealed [][]byte
			for _, body := range c.bodies {
				sealed = append(sealed, []byte(body))
			}
			_, log, head := guard.SealLog(sealed)
			_, err := openBytes(log, head)
			wantCorrupt(t, err, logFile, c.record)
		})
	}
}

// TestATornRecordIsRepaired cuts the log anywhere in the record that the head does not
// cover yet: it is whole or gone, and signing goes on.
func TestATornRecordIsRepaired(t *testing.T) {
	_, log, _ := written(t)
	head := guard.ReheadFor(log, 3)
	start := bytes.LastIndexByte(log[:len(log)-1], '\n') + 1
	for n := start; n <= len(log); n++ {
		g, err := openBytes(log[:n], head)
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if want := 2 + n/len(log); g.Len() != want {
			t.Errorf("cut at %d: %d slots, not %d", n, g.Len(), want)
		}
		wantError(t, refused(t, g, checkpoint(2), root(2)), guard.ErrConflict)
		mustSign(t, g, checkpoint(4), root(4))
	}
	for i := start; i < len(log); i++ {
		bad := bytes.Clone(log)
		bad[i] ^= 0xff
		g, err := openBytes(bad, head)
		if err != nil {
			t.Fatalf("flipped at %d: %v", i, err)
		}
		if g.Len() != 2 {
			t.Errorf("flipped at %d: %d slots", i, g.Len())
		}
	}
}

func TestAnOldHeadIsCorrupt(t *testing.T) {
	_, log, _ := written(t)
	_, err := openBytes(log, guard.ReheadFor(log, 2))
	wantCorrupt(t, err, logFile, 3)
	_, err = openBytes(log, guard.ReheadFor(log, 1))
	wantCorrupt(t, err, logFile, 2)
}

func TestOpenSweepsWhatACrashLeft(t *testing.T) {
	dir, log, head := written(t)
	stale := []string{"log-0000000002.jsonl", "head.json.tmp"}
	for _, name := range append(stale, "kept") {
		if err := os.WriteFile(filepath.Join(dir, name), log[:9], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustSign(t, mustOpen(t, dir), checkpoint(3), root(1))
	for _, name := range stale {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	read(t, dir, "kept")
	if !bytes.Equal(read(t, dir, logFile), log) || !bytes.Equal(read(t, dir, headFile), head) {
		t.Error("opening a sound guard has written to it")
	}
}
