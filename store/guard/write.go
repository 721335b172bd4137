package guard

import "fmt"

// append writes one record behind the log and then the head that covers it. After
// an error the state of the disk is unknown. It needs mu.
func (g *Guard) append(r record) error {
	body, err := encodeRecord(r)
	if err != nil {
		return err
	}
	line, last := seal(g.head.Last, body)
	if err := writeSynced(g.log, append(line, '\n')); err != nil {
		return fmt.Errorf("append to %s: %w", g.head.logName(), err)
	}
	next := g.head
	next.Count++
	next.Last = last
	if err := writeHead(g.disk, next); err != nil {
		return err
	}
	g.head = next
	return nil
}

// replace makes the guard follow another book, by a log of the next generation. If
// that fails the guard is broken. It needs mu.
func (g *Guard) replace(b *book) error {
	log, h, err := writeLog(g.disk, g.head.Generation+1, newGenesis(g.key, g.network), b)
	if err != nil {
		return g.poison(err)
	}
	old := g.log
	oldName := g.head.logName()
	g.book, g.head, g.log = b, h, log
	// The old log has been read for the last time. What is left of it after an
	// error here is removed when the guard is opened next.
	_ = old.Close()
	_ = g.disk.Remove(oldName)
	return nil
}

// writeLog writes a log of its own with all of a book, and then lets the head point
// to it. It returns the log, open to append.
func writeLog(d disk, generation decimal, first genesis, b *book) (_ file, _ head, err error) {
	h := head{Version: formatVersion, Generation: generation}
	var data []byte
	for _, r := range append([]record{first}, b.records()...) {
		body, err := encodeRecord(r)
		if err != nil {
			return nil, head{}, err
		}
		var line []byte
		line, h.Last = seal(h.Last, body)
		data = append(append(data, line...), '\n')
		h.Count++
	}
	log, err := d.Create(h.logName())
	if err != nil {
		return nil, head{}, err
	}
	defer func() {
		if err != nil {
			_ = log.Close() // the first error says it all
		}
	}()
	if err := writeSynced(log, data); err != nil {
		return nil, head{}, fmt.Errorf("write %s: %w", h.logName(), err)
	}
	if err := d.SyncDir(); err != nil {
		return nil, head{}, err
	}
	if err := writeHead(d, h); err != nil {
		return nil, head{}, err
	}
	return log, h, nil
}

// writeHead replaces the head, atomically and durably.
func writeHead(d disk, h head) error {
	data, err := encodeHead(h)
	if err != nil {
		return err
	}
	f, err := d.Create(headNewName)
	if err != nil {
		return err
	}
	if err := writeSynced(f, data); err != nil {
		_ = f.Close() // the first error says it all
		return fmt.Errorf("write %s: %w", headNewName, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.Rename(headNewName, headName); err != nil {
		return err
	}
	return d.SyncDir()
}

func writeSynced(f file, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
