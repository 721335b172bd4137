package guard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/meshsec/meshsec/store/guard"
)

// twin is a guard without a disk that looks everything up by walking lists.
type twin struct {
	signed []statement
	marks  []mark
}

type statement struct {
	slot guard.Slot
	root [32]byte
}

type mark struct {
	chain, kind string
	below       uint64
}

func (m twin) clone() twin {
	return twin{slices.Clone(m.signed), slices.Clone(m.marks)}
}

func (m twin) watermark(chain, kind string) uint64 {
	var below uint64
	for _, w := range m.marks {
		if w.chain == chain && w.kind == kind {
			below = max(below, w.below)
		}
	}
	return below
}

// refusal returns what Sign must return, nil for a signature.
func (m twin) refusal(s statement) error {
	if s.slot.Epoch < m.watermark(s.slot.Chain, s.slot.Kind) {
		return guard.ErrBelowWatermark
	}
	for _, have := range m.signed {
		if have.slot == s.slot && have.root != s.root {
			return guard.ErrConflict
		}
	}
	return nil
}

// sign returns the twin after Sign, and what Sign must return.
func (m twin) sign(s statement) (twin, error) {
	err := m.refusal(s)
	if err == nil && !slices.Contains(m.signed, s) {
		m = m.clone()
		m.signed = append(m.signed, s)
	}
	return m, err
}

func (m twin) prune(w mark) twin {
	m = m.clone()
	m.marks = append(m.marks, w)
	m.signed = slices.DeleteFunc(m.signed, func(s statement) bool {
		return s.slot.Epoch < m.watermark(s.slot.Chain, s.slot.Kind)
	})
	return m
}

// merge returns the twin after an import. A statement without a root is unknown.
func (m twin) merge(signed, unknown []statement, marks []mark) twin {
	all := slices.Concat(m.signed, signed)
	for _, s := range all {
		for _, other := range all {
			if s.slot == other.slot && s.root != other.root {
				unknown = append(unknown, s)
			}
		}
	}
	next := m.clone()
	for _, s := range signed {
		next, _ = next.sign(s)
	}
	for _, s := range unknown {
		next = next.prune(mark{s.slot.Chain, s.slot.Kind, s.slot.Epoch + 1})
	}
	for _, w := range marks {
		next = next.prune(w)
	}
	return next
}

// lines says all of the twin in sorted text.
func (m twin) lines() []string {
	var lines []string
	for _, s := range m.signed {
		lines = append(lines, fmt.Sprintf("%+q %x", s.slot, s.root))
	}
	for _, w := range m.marks {
		if below := m.watermark(w.chain, w.kind); below > 0 {
			lines = append(lines, fmt.Sprintf("%q %q below %d", w.chain, w.kind, below))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// document is the interchange format, written down a second time.
type document struct {
	Metadata struct {
		Version string `json:"interchange_format_version"`
		Network string `json:"network"`
	} `json:"metadata"`
	Data []entry `json:"data"`
}

type entry struct {
	Pubkey     string           `json:"pubkey"`
	Signed     []entrySigned    `json:"signed_checkpoints"`
	Watermarks []entryWatermark `json:"watermarks"`
}

type entrySigned struct {
	Chain   string `json:"chain"`
	Kind    string `json:"kind"`
	Epoch   string `json:"epoch"`
	Subject string `json:"subject"`
	Root    string `json:"signing_root,omitempty"`
}

type entryWatermark struct {
	Chain string `json:"chain"`
	Kind  string `json:"kind"`
	Below string `json:"below"`
}

// newDocument returns a file about testKey.
func newDocument(signed, unknown []statement, marks []mark) []byte {
	var doc document
	doc.Metadata.Version = guard.InterchangeVersion
	doc.Metadata.Network = testNetwork
	e := entry{Pubkey: fmt.Sprintf("%#x", testKey[:]), Signed: []entrySigned{}, Watermarks: []entryWatermark{}}
	for i, s := range slices.Concat(signed, unknown) {
		line := entrySigned{s.slot.Chain, s.slot.Kind, strconv.FormatUint(s.slot.Epoch, 10), s.slot.Subject, ""}
		if i < len(signed) {
			line.Root = fmt.Sprintf("%#x", s.root[:])
		}
		e.Signed = append(e.Signed, line)
	}
	for _, w := range marks {
		e.Watermarks = append(e.Watermarks, entryWatermark{w.chain, w.kind, strconv.FormatUint(w.below, 10)})
	}
	doc.Data = []entry{e}
	data, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return data
}

// export returns what a guard holds as a twin.
func export(g *guard.Guard) (twin, error) {
	var out bytes.Buffer
	if err := g.Export(&out); err != nil {
		return twin{}, err
	}
	var doc document
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		return twin{}, err
	}
	if len(doc.Data) != 1 {
		return twin{}, errors.New("an export is about one key")
	}
	var m twin
	for _, s := range doc.Data[0].Signed {
		epoch, err := strconv.ParseUint(s.Epoch, 10, 64)
		if err != nil {
			return twin{}, err
		}
		var root []byte
		if _, err := fmt.Sscanf(s.Root, "0x%x", &root); err != nil {
			return twin{}, err
		}
		m.signed = append(m.signed, statement{guard.Slot{Chain: s.Chain, Kind: s.Kind, Epoch: epoch, Subject: s.Subject}, [32]byte(root)})
	}
	for _, w := range doc.Data[0].Watermarks {
		below, err := strconv.ParseUint(w.Below, 10, 64)
		if err != nil {
			return twin{}, err
		}
		m.marks = append(m.marks, mark{w.Chain, w.Kind, below})
	}
	return m, nil
}
