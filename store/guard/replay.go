package guard

import (
	"bytes"
	"fmt"
)

// replay reads a log up to its head and one record further. tail says that there was
// something behind the acknowledged records; the book has it if it was whole. An
// error is a *CorruptError.
func replay(h head, data []byte) (first genesis, b *book, tail bool, err error) {
	b = newBook()
	var last digest
	var n uint64
	corrupt := func(format string, args ...any) error {
		return &CorruptError{File: h.logName(), Record: n, Reason: fmt.Sprintf(format, args...)}
	}

	for n = 1; n <= uint64(h.Count); n++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return first, nil, false, corrupt("the log ends here, but %d records were acknowledged", uint64(h.Count))
		}
		body, next, err := unseal(last, line)
		if err != nil {
			return first, nil, false, corrupt("%v", err)
		}
		r, err := decodeRecord(body)
		if err != nil {
			return first, nil, false, corrupt("%v", err)
		}
		if n == 1 {
			var ok bool
			if first, ok = r.(genesis); !ok {
				return first, nil, false, corrupt("the log does not start with the key and network")
			}
		} else if err := b.apply(r); err != nil {
			return first, nil, false, corrupt("%v", err)
		}
		last, data = next, rest
	}
	if last != h.Last {
		n = uint64(h.Count)
		return first, nil, false, corrupt("the head knows another hash than that of this record")
	}

	// The head is replaced after every single record, so a crash leaves at most
	// one behind it. More means that the head is not the one last written.
	if len(data) == 0 {
		return first, b, false, nil
	}
	line, rest, whole := bytes.Cut(data, []byte{'\n'})
	if len(rest) != 0 {
		return first, nil, false, corrupt("more than one record is behind the head: the head is an old one")
	}
	if !whole {
		return first, b, true, nil
	}
	body, _, err := unseal(last, line)
	if err != nil {
		return first, b, true, nil // torn
	}
	r, err := decodeRecord(body)
	if err != nil {
		return first, nil, false, corrupt("%v", err)
	}
	if err := b.apply(r); err != nil {
		return first, nil, false, corrupt("%v", err)
	}
	return first, b, true, nil
}
