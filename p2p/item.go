package p2p

import (
	"encoding/binary"
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// The items of each sync method, and what a response must mean to be believed: its
// cursor goes forward without gaps, from where it was asked to.

func encodeHead(h Head) []byte {
	item := append([]byte{uint8(len(h.Chain))}, h.Chain...)
	item = binary.LittleEndian.AppendUint64(item, h.Epoch)
	return append(item, h.Root[:]...)
}

func decodeHeads(_ request, items [][]byte) ([]Head, error) {
	heads := make([]Head, 0, len(items))
	seen := make(map[string]bool)
	for _, item := range items {
		if len(item) < 41 || len(item) != 41+int(item[0]) {
			return nil, malformed("head of %d bytes", len(item))
		}
		n := int(item[0])
		h := Head{Chain: string(item[1 : 1+n]), Epoch: binary.LittleEndian.Uint64(item[1+n:])}
		copy(h.Root[:], item[9+n:])
		if err := attest.CheckChainID(h.Chain); err != nil {
			return nil, err
		}
		if seen[h.Chain] {
			return nil, malformed("two heads of chain %q", h.Chain)
		}
		seen[h.Chain] = true
		heads = append(heads, h)
	}
	return heads, nil
}

func decodeCertificates(r request, items [][]byte) ([]*attest.Certificate, error) {
	out := make([]*attest.Certificate, 0, len(items))
	for i, item := range items {
		c, err := attest.DecodeCertificate(item)
		if err != nil {
			return nil, err
		}
		if string(c.Checkpoint.ChainID) != r.chain || c.Checkpoint.Epoch != r.from+uint64(i) {
			return nil, fmt.Errorf("certificate %d is of %s epoch %d, asked for %s epoch %d",
				i, c.Checkpoint.ChainID, c.Checkpoint.Epoch, r.chain, r.from+uint64(i))
		}
		out = append(out, c)
	}
	return out, nil
}

// piece is a part of the journal entry of one epoch; all of it, where it fits.
type piece struct {
	epoch uint64
	size  uint32 // of the whole entry
	data  []byte
}

func (p piece) encode() []byte {
	item := binary.LittleEndian.AppendUint64(make([]byte, 0, 12+len(p.data)), p.epoch)
	item = binary.LittleEndian.AppendUint32(item, p.size)
	return append(item, p.data...)
}

// decodePieces accepts whole entries of consecutive epochs, or a single piece, which is
// full or the last one: else a peer could bring an entry byte by byte, for years.
func decodePieces(r request, items [][]byte) ([]piece, error) {
	out := make([]piece, 0, len(items))
	for i, item := range items {
		if len(item) < 12 {
			return nil, malformed("epoch of %d bytes", len(item))
		}
		p := piece{binary.LittleEndian.Uint64(item), binary.LittleEndian.Uint32(item[8:]), item[12:]}
		end := uint64(r.offset) + uint64(len(p.data))
		switch {
		case p.epoch != r.from+uint64(i):
			return nil, fmt.Errorf("epoch %d, asked for %d", p.epoch, r.from+uint64(i))
		case p.size == 0 || p.size > MaxEpochBytes || end > uint64(p.size):
			return nil, fmt.Errorf("epoch %d: piece %d to %d of %d bytes", p.epoch, r.offset, end, p.size)
		case len(items) > 1 && (r.offset != 0 || end != uint64(p.size)):
			return nil, fmt.Errorf("epoch %d is incomplete and not alone", p.epoch)
		case len(p.data) == 0:
			return nil, fmt.Errorf("epoch %d: an empty piece", p.epoch)
		case end != uint64(p.size) && len(p.data) != MaxPageBytes:
			return nil, fmt.Errorf("epoch %d: a piece of %d bytes that is not the last", p.epoch, len(p.data))
		}
		out = append(out, p)
	}
	return out, nil
}

func encodeFault(f FaultRecord) ([]byte, error) {
	data, err := attest.EncodeFaultProof(f.Proof)
	if err != nil {
		return nil, err
	}
	return append(binary.LittleEndian.AppendUint64(nil, f.Position), data...), nil
}

func decodeFaults(r request, items [][]byte) ([]FaultRecord, error) {
	out := make([]FaultRecord, 0, len(items))
	last := r.from
	for _, item := range items {
		if len(item) < 8 {
			return nil, malformed("fault of %d bytes", len(item))
		}
		f := FaultRecord{Position: binary.LittleEndian.Uint64(item)}
		if f.Position <= last {
			return nil, fmt.Errorf("fault at position %d after %d", f.Position, last)
		}
		last = f.Position
		var err error
		if f.Proof, err = attest.DecodeFaultProof(item[8:]); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// Votes are what is known of an epoch that has no certificate yet.
type Votes struct {
	Attestations      []*attest.Attestation
	CrossAttestations []*attest.CrossAttestation
}

func decodeVotes(r request, items [][]byte) (Votes, error) {
	var out Votes
	for _, item := range items {
		m, refused := decodeFamily(votes, item)
		if refused != nil {
			return Votes{}, refused
		}
		if chain, epoch, _ := m.subject(); chain != r.chain || epoch != r.from {
			return Votes{}, fmt.Errorf("%s of %s epoch %d, asked for %s epoch %d", m.noun(), chain, epoch, r.chain, r.from)
		}
		if m.Vote != nil {
			out.Attestations = append(out.Attestations, m.Vote)
		} else {
			out.CrossAttestations = append(out.CrossAttestations, m.Cross)
		}
	}
	return out, nil
}
