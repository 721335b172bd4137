package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// formatVersion is that of the log and the head.
const formatVersion = 1

// record is one line of the log: a genesis, a signed or a watermark.
type record interface {
	// validate refuses what this package would not have written.
	validate() error
}

// genesis is the first record of every log, and of none other.
type genesis struct {
	Type    string `json:"type"` // "guard"
	Version int    `json:"version"`
	Pubkey  pubkey `json:"pubkey"`
	Network string `json:"network"`
}

// signed says that for a slot no root but this one may be signed.
type signed struct {
	Type    string  `json:"type"` // "signed"
	Chain   string  `json:"chain"`
	Kind    string  `json:"kind"`
	Epoch   decimal `json:"epoch"`
	Subject string  `json:"subject"`
	Root    digest  `json:"root"`
}

// watermark says that no epoch below this one may be signed.
type watermark struct {
	Type  string  `json:"type"` // "watermark"
	Chain string  `json:"chain"`
	Kind  string  `json:"kind"`
	Below decimal `json:"below"`
}

func newGenesis(key [48]byte, network string) genesis {
	return genesis{Type: "guard", Version: formatVersion, Pubkey: key, Network: network}
}

func newSigned(slot Slot, root [32]byte) signed {
	return signed{"signed", slot.Chain, slot.Kind, decimal(slot.Epoch), slot.Subject, root}
}

func newWatermark(s stream, below uint64) watermark {
	return watermark{"watermark", s.Chain, s.Kind, decimal(below)}
}

func (r signed) slot() Slot { return Slot{r.Chain, r.Kind, uint64(r.Epoch), r.Subject} }

func (r watermark) stream() stream { return stream{r.Chain, r.Kind} }

func (r genesis) validate() error {
	if r.Version != formatVersion {
		return fmt.Errorf("version %d is unknown, this program knows %d", r.Version, formatVersion)
	}
	if r.Network == "" {
		return fmt.Errorf("%w: the network has no name", ErrSlot)
	}
	return validateName("network", r.Network)
}

func (r signed) validate() error { return r.slot().validate() }

func (r watermark) validate() error { return r.stream().validate() }

// encodeRecord returns the one JSON form of a record, without hash or newline.
func encodeRecord(r record) ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// decodeRecord accepts exactly what encodeRecord returns.
func decodeRecord(body []byte) (record, error) {
	var tag struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(body, &tag); err != nil {
		return nil, err
	}
	switch tag.Type {
	case "guard":
		return decodeAs[genesis](body)
	case "signed":
		return decodeAs[signed](body)
	case "watermark":
		return decodeAs[watermark](body)
	}
	return nil, fmt.Errorf("type %q is unknown", tag.Type)
}

func decodeAs[R record](body []byte) (record, error) {
	var r R
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	again, err := encodeRecord(r)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, body) {
		return nil, errors.New("not in canonical form")
	}
	return r, nil
}

// A sealed line is a JSON object whose last member is the hash
// SHA-256(hash of the line before ‖ the object without that member).
const (
	sealOpen   = `,"hash":"`
	sealClose  = `"}`
	sealLength = len(sealOpen) + 2*sha256.Size + len(sealClose)
)

// seal chains a JSON object to the hash before it. It returns the line, without a
// newline, and its hash.
func seal(prev digest, body []byte) (line []byte, next digest) {
	next = chainHash(prev, body)
	line = append(line, body[:len(body)-1]...)
	line = append(line, sealOpen...)
	line = hex.AppendEncode(line, next[:])
	line = append(line, sealClose...)
	return line, next
}

// unseal is the inverse of seal. It fails for every line that seal would not return.
func unseal(prev digest, line []byte) (body []byte, next digest, err error) {
	if len(line) <= sealLength {
		return nil, next, errors.New("too short")
	}
	cut := len(line) - sealLength
	body = append(append(body, line[:cut]...), '}')
	again, next := seal(prev, body)
	if !bytes.Equal(again, line) {
		return nil, digest{}, errors.New("the hash does not match")
	}
	return body, next, nil
}

func chainHash(prev digest, body []byte) digest {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(body)
	return digest(h.Sum(nil))
}
