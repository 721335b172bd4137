package guard

import "bytes"

// Disk and File let tests be the file system.
type (
	Disk = disk
	File = file
)

// CreateOn is Create on any disk.
func CreateOn(d Disk, pubkey [48]byte, network string) error { return create(d, pubkey, network) }

// OpenOn is Open on any disk.
func OpenOn(d Disk, pubkey [48]byte, network string) (*Guard, error) { return open(d, pubkey, network) }

// Reencode decodes the body of a record and encodes it again.
func Reencode(body []byte) ([]byte, error) {
	r, err := decodeRecord(body)
	if err != nil {
		return nil, err
	}
	return encodeRecord(r)
}

// SealLog returns a log of the given bodies whose hashes are right, with its head.
func SealLog(bodies [][]byte) (name string, log, head []byte) {
	h := headOf(bodies)
	var last digest
	for _, body := range bodies {
		var line []byte
		line, last = seal(last, body)
		log = append(append(log, line...), '\n')
	}
	h.Last = last
	head, err := encodeHead(h)
	if err != nil {
		panic(err)
	}
	return h.logName(), log, head
}

func headOf(bodies [][]byte) head {
	return head{Version: formatVersion, Generation: 1, Count: decimal(len(bodies))}
}

// Bodies returns the bodies of a log without checking a hash.
func Bodies(log []byte) [][]byte {
	var bodies [][]byte
	for line := range bytes.Lines(log) {
		cut := len(line) - 1 - sealLength
		bodies = append(bodies, append(bytes.Clone(line[:cut]), '}'))
	}
	return bodies
}

// ReheadFor returns the head as it was when the log had that many records.
func ReheadFor(log []byte, count int) []byte {
	_, _, head := SealLog(Bodies(log)[:count])
	return head
}
