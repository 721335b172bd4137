package comet

import (
	"encoding/binary"
	"time"
)

// Message is a protobuf message that is being written. As in proto3, a scalar
// that is zero is left out; the numbers are those of the fields.
type Message []byte

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

func (m Message) tag(field, wire uint64) Message {
	return binary.AppendUvarint(m, field<<3|wire)
}

// Varint is a uint32 or uint64.
func (m Message) Varint(field, v uint64) Message {
	if v == 0 {
		return m
	}
	return binary.AppendUvarint(m.tag(field, wireVarint), v)
}

// Int is an int32 or int64: a negative one takes ten bytes.
func (m Message) Int(field uint64, v int64) Message { return m.Varint(field, uint64(v)) }

// Fixed is an sfixed64.
func (m Message) Fixed(field uint64, v int64) Message {
	if v == 0 {
		return m
	}
	return binary.LittleEndian.AppendUint64(m.tag(field, wireFixed64), uint64(v))
}

// Bytes is bytes or a string.
func (m Message) Bytes(field uint64, b []byte) Message {
	if len(b) == 0 {
		return m
	}
	return m.Embed(field, b)
}

// Embed is a message inside, which is written also when it is empty, as gogoproto
// does where a message is not nullable.
func (m Message) Embed(field uint64, b []byte) Message {
	m = binary.AppendUvarint(m.tag(field, wireBytes), uint64(len(b)))
	return append(m, b...)
}

// Delimited is the message behind its length.
func (m Message) Delimited() []byte {
	return append(binary.AppendUvarint(nil, uint64(len(m))), m...)
}

// Timestamp is a google.protobuf.Timestamp.
func Timestamp(t time.Time) Message {
	return Message(nil).Int(1, t.Unix()).Int(2, int64(t.Nanosecond()))
}

// TimeFits says whether a Timestamp can hold t: from year 1 to year 9999.
func TimeFits(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
