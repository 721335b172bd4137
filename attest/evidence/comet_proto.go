package evidence

import (
	"encoding/binary"
	"time"
)

// protoMessage is a protobuf message that is being written. As in proto3, a scalar
// that is zero is left out; the numbers are those of the fields.
type protoMessage []byte

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

func (m protoMessage) tag(field, wire uint64) protoMessage {
	return binary.AppendUvarint(m, field<<3|wire)
}

func (m protoMessage) varint(field, v uint64) protoMessage {
	if v == 0 {
		return m
	}
	return binary.AppendUvarint(m.tag(field, wireVarint), v)
}

// int is an int32 or int64: a negative one takes ten bytes.
func (m protoMessage) int(field uint64, v int64) protoMessage { return m.varint(field, uint64(v)) }

// fixed is an sfixed64.
func (m protoMessage) fixed(field uint64, v int64) protoMessage {
	if v == 0 {
		return m
	}
	return binary.LittleEndian.AppendUint64(m.tag(field, wireFixed64), uint64(v))
}

func (m protoMessage) bytes(field uint64, b []byte) protoMessage {
	if len(b) == 0 {
		return m
	}
	return m.embed(field, b)
}

// embed is a message inside, which is written also when it is empty, as gogoproto
// does where a message is not nullable.
func (m protoMessage) embed(field uint64, b []byte) protoMessage {
	m = binary.AppendUvarint(m.tag(field, wireBytes), uint64(len(b)))
	return append(m, b...)
}

// delimited is the message behind its length.
func (m protoMessage) delimited() []byte {
	return append(binary.AppendUvarint(nil, uint64(len(m))), m...)
}

// protoTime is a google.protobuf.Timestamp.
func protoTime(t time.Time) protoMessage {
	return protoMessage(nil).int(1, t.Unix()).int(2, int64(t.Nanosecond()))
}

// timeFits says whether a Timestamp can hold t: from year 1 to year 9999.
func timeFits(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
