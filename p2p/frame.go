package p2p

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/meshsec/meshsec/attest"
)

// One stream carries one request and one response. All numbers are little-endian.
//
//	request   u16 length │ u8 method │ u8 n │ n bytes chain │ u64 from │ u32 offset │ u16 limit
//	response  u8 status │ u32 length │ payload
//	payload   of status ok: u16 count │ count × ( u32 length │ item )
//	          of status busy: u32 milliseconds to wait; else empty
//	item      heads         u8 n │ n bytes chain │ u64 epoch │ 32 bytes root
//	          certificates  SSZ
//	          epochs        u64 epoch │ u32 size of the whole entry │ (a piece of) the entry
//	          faults        u64 position │ SSZ
//	          votes         u8 kind │ SSZ, as in gossip
//
// Fields that a method does not use are zero. There is one encoding of everything.
type method uint8

const (
	methodHeads method = iota + 1
	methodCertificates
	methodEpochs
	methodFaults
	methodVotes
)

// methodInfo is what limits the messages of one method.
type methodInfo struct {
	name     string
	chain    bool // the request names a chain
	offset   bool // the request may have an offset
	maxLimit int
	maxItem  int // bytes
}

var methods = [...]methodInfo{
	methodHeads:        {"heads", false, false, 0, 1 + attest.MaxChainID + 8 + 32},
	methodCertificates: {"certificates", true, false, MaxPage, attest.MaxCertificateSize},
	methodEpochs:       {"epochs", true, true, MaxPage, 12 + MaxPageBytes},
	methodFaults:       {"faults", false, false, MaxPage, 8 + attest.MaxFaultProofSize},
	methodVotes:        {"votes", true, false, MaxVotesPage, maxVoteMessageSize},
}

func (m method) valid() bool    { return m >= methodHeads && int(m) < len(methods) }
func (m method) String() string { return methods[m].name }

type status uint8

const (
	statusOK status = iota
	statusBusy
	statusUnavailable
	statusBadRequest
	statusInternal
)

const (
	maxHeads       = 1 << 10
	requestFixed   = 1 + 1 + 8 + 4 + 2
	maxRequestSize = requestFixed + attest.MaxChainID
	maxItems       = max(maxHeads, MaxPage, MaxVotesPage)
	maxPayload     = 2 + 4*maxItems + MaxPageBytes + 12
)

// errFrame says that bytes are not a well-formed frame.
var errFrame = errors.New("malformed frame")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errFrame, fmt.Sprintf(format, args...))
}

// request is what a client asks for: from is an epoch or, for faults, a position.
type request struct {
	method method
	chain  string
	from   uint64
	offset uint32
	limit  uint16
}

// maxCount is how many items the response may have.
func (r request) maxCount() int {
	if r.method == methodHeads {
		return maxHeads
	}
	return int(r.limit)
}

func (r request) check() error {
	if !r.method.valid() {
		return malformed("method %d", r.method)
	}
	info := methods[r.method]
	switch {
	case info.chain && attest.CheckChainID(r.chain) != nil:
		return malformed("chain %q", r.chain)
	case !info.chain && r.chain != "":
		return malformed("%s has no chain", info.name)
	case r.method == methodHeads && r.from != 0:
		return malformed("%s has no cursor", info.name)
	case !info.offset && r.offset != 0:
		return malformed("%s has no offset", info.name)
	case r.offset >= MaxEpochBytes:
		return malformed("offset %d", r.offset)
	case int(r.limit) > info.maxLimit, r.limit == 0 && info.maxLimit > 0:
		return malformed("limit %d, at most %d", r.limit, info.maxLimit)
	}
	return nil
}

func (r request) encode() []byte {
	body := make([]byte, 0, maxRequestSize)
	body = append(body, uint8(r.method), uint8(len(r.chain)))
	body = append(body, r.chain...)
	body = binary.LittleEndian.AppendUint64(body, r.from)
	body = binary.LittleEndian.AppendUint32(body, r.offset)
	return binary.LittleEndian.AppendUint16(body, r.limit)
}

func decodeRequest(body []byte) (request, error) {
	if len(body) < requestFixed || len(body) > maxRequestSize {
		return request{}, malformed("request of %d bytes", len(body))
	}
	n := int(body[1])
	if len(body) != requestFixed+n {
		return request{}, malformed("request of %d bytes with a chain of %d", len(body), n)
	}
	rest := body[2+n:]
	r := request{
		method: method(body[0]),
		chain:  string(body[2 : 2+n]),
		from:   binary.LittleEndian.Uint64(rest),
		offset: binary.LittleEndian.Uint32(rest[8:]),
		limit:  binary.LittleEndian.Uint16(rest[12:]),
	}
	return r, r.check()
}

func writeRequest(w io.Writer, r request) error {
	body := r.encode()
	frame := binary.LittleEndian.AppendUint16(make([]byte, 0, 2+len(body)), uint16(len(body)))
	_, err := w.Write(append(frame, body...))
	return err
}

func readRequest(r io.Reader) (request, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return request{}, err
	}
	n := binary.LittleEndian.Uint16(length[:])
	if n > maxRequestSize {
		return request{}, malformed("request of %d bytes, at most %d", n, maxRequestSize)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return request{}, err
	}
	return decodeRequest(body)
}

// response is an answer with its payload still encoded.
type response struct {
	status  status
	payload []byte
}

func busy(wait time.Duration) response {
	ms := uint32(min(max(wait.Milliseconds(), 1), int64(time.Hour/time.Millisecond)))
	return response{statusBusy, binary.LittleEndian.AppendUint32(nil, ms)}
}

func writeResponse(w io.Writer, r response) error {
	head := binary.LittleEndian.AppendUint32([]byte{uint8(r.status)}, uint32(len(r.payload)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(r.payload)
	return err
}

// readResponse reads a response to r. The buffer grows with what arrives, so that a
// length alone costs nothing.
func readResponse(in io.Reader, r request) (response, error) {
	var head [5]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return response{}, err
	}
	st, length := status(head[0]), binary.LittleEndian.Uint32(head[1:])
	var most uint32
	switch st {
	case statusOK:
		most = uint32(r.maxPayload())
	case statusBusy:
		most = 4
	case statusUnavailable, statusBadRequest, statusInternal:
	default:
		return response{}, malformed("status %d", st)
	}
	if length > most {
		return response{}, malformed("response of %d bytes, at most %d", length, most)
	}
	var payload bytes.Buffer
	if _, err := io.CopyN(&payload, in, int64(length)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return response{}, err
	}
	if st == statusBusy && length != 4 {
		return response{}, malformed("busy with %d bytes", length)
	}
	return response{st, payload.Bytes()}, nil
}

// maxPayload is the longest payload that r may be answered with.
func (r request) maxPayload() int {
	return min(maxPayload, 2+r.maxCount()*(4+methods[r.method].maxItem))
}

// page collects the items of a response.
type page struct {
	items [][]byte
	size  int
}

// add says whether the item still fits; the first always does.
func (p *page) add(item []byte) bool {
	if len(p.items) > 0 && p.size+len(item) > MaxPageBytes {
		return false
	}
	p.items = append(p.items, item)
	p.size += len(item)
	return true
}

func (p *page) encode() []byte {
	out := make([]byte, 0, 2+4*len(p.items)+p.size)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(p.items)))
	for _, item := range p.items {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(item)))
		out = append(out, item...)
	}
	return out
}

// decodePage splits the payload of a response to r into items that share its memory.
func decodePage(r request, payload []byte) ([][]byte, error) {
	if len(payload) < 2 {
		return nil, malformed("payload of %d bytes", len(payload))
	}
	count := int(binary.LittleEndian.Uint16(payload))
	rest := payload[2:]
	if count > r.maxCount() || 4*count > len(rest) {
		return nil, malformed("%d items in %d bytes, at most %d", count, len(payload), r.maxCount())
	}
	items := make([][]byte, 0, count)
	for range count {
		if len(rest) < 4 {
			return nil, malformed("payload ends within an item")
		}
		n := uint64(binary.LittleEndian.Uint32(rest))
		rest = rest[4:]
		if n > uint64(len(rest)) || n > uint64(methods[r.method].maxItem) {
			return nil, malformed("item of %d bytes", n)
		}
		items = append(items, rest[:n:n])
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return nil, malformed("%d bytes after the last item", len(rest))
	}
	return items, nil
}
