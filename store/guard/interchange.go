package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// InterchangeVersion is the version of the format that Export writes and Import
// reads. The format is that of EIP-3076 with this protocol's objects:
//
//	{"metadata": {"interchange_format_version": "1", "network": "…"},
//	 "data": [{"pubkey": "0x…",
//	   "signed_checkpoints": [{"chain": "…", "kind": "checkpoint", "epoch": "7",
//	                           "subject": "", "signing_root": "0x…"}],
//	   "watermarks": [{"chain": "…", "kind": "checkpoint", "below": "3"}]}]}
//
// Numbers are strings. All members are required, and none other is allowed, except
// that signing_root may be missing where it is not known.
const InterchangeVersion = "1"

// maxInterchange is the largest file that Import reads, in bytes: some 200,000 slots.
const maxInterchange = 64 << 20

type interchange struct {
	Metadata *metadata   `json:"metadata"`
	Data     []keyRecord `json:"data"`
}

type metadata struct {
	Version string `json:"interchange_format_version"`
	Network string `json:"network"`
}

type keyRecord struct {
	Pubkey     *pubkey          `json:"pubkey"`
	Signed     []slotRecord     `json:"signed_checkpoints"`
	Watermarks []watermarkEntry `json:"watermarks"`
}

type slotRecord struct {
	Chain   string   `json:"chain"`
	Kind    string   `json:"kind"`
	Epoch   *decimal `json:"epoch"`
	Subject *string  `json:"subject"`
	Root    *digest  `json:"signing_root,omitempty"`
}

type watermarkEntry struct {
	Chain string   `json:"chain"`
	Kind  string   `json:"kind"`
	Below *decimal `json:"below"`
}

// Export writes all that the guard knows, in the interchange format (see
// [InterchangeVersion]) and in a fixed order. To move a key, stop signing first:
// what is signed afterwards is not in the file. Errors are those of w, ErrBroken
// and ErrClosed.
func (g *Guard) Export(w io.Writer) error {
	g.mu.Lock()
	if err := g.usable(); err != nil {
		g.mu.Unlock()
		return err
	}
	records := g.book.records()
	g.mu.Unlock()

	key := pubkey(g.key)
	entry := keyRecord{Pubkey: &key, Signed: []slotRecord{}, Watermarks: []watermarkEntry{}}
	for _, r := range records {
		switch r := r.(type) {
		case signed:
			entry.Signed = append(entry.Signed, slotRecord{r.Chain, r.Kind, &r.Epoch, &r.Subject, &r.Root})
		case watermark:
			entry.Watermarks = append(entry.Watermarks, watermarkEntry{r.Chain, r.Kind, &r.Below})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(interchange{
		Metadata: &metadata{Version: InterchangeVersion, Network: g.network},
		Data:     []keyRecord{entry},
	})
}

// Merge says what Import did.
type Merge struct {
	// Added counts the slots that are on record now and were not before.
	Added int
	// Conflicts are the slots, each once, for which the file has another root
	// than the guard, or two of them: this key may have double-signed. They are
	// below their watermark now.
	Conflicts []*ConflictError
}

// Import merges what a file in the interchange format (see [InterchangeVersion])
// says about this key, all of it or nothing. It only ever adds to what is refused:
// watermarks are raised to those of the file; slots are added; a slot with two
// roots, or with one that the file does not tell, raises the watermark above its
// epoch. The error is
//
//   - [ErrInterchange] if the file is not in the format,
//   - [ErrWrongNetwork] if it is about another, [ErrWrongKey] if it has nothing
//     about this key,
//   - [ErrBroken], [ErrClosed] as for Sign.
func (g *Guard) Import(r io.Reader) (Merge, error) {
	entries, err := g.readInterchange(r)
	if err != nil {
		return Merge{}, fmt.Errorf("import: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.usable(); err != nil {
		return Merge{}, err
	}
	next := g.book.clone()
	merge, changed := next.merge(entries)
	if !changed {
		return merge, nil
	}
	if err := g.replace(next); err != nil {
		return Merge{}, err
	}
	return merge, nil
}

// readInterchange returns what a file says about this guard's key.
func (g *Guard) readInterchange(r io.Reader) ([]keyRecord, error) {
	limited := &io.LimitedReader{R: r, N: maxInterchange + 1}
	dec := json.NewDecoder(limited)
	dec.DisallowUnknownFields()
	var file interchange
	if err := dec.Decode(&file); err != nil {
		if limited.N == 0 {
			return nil, fmt.Errorf("%w: larger than %d bytes", ErrInterchange, maxInterchange)
		}
		return nil, fmt.Errorf("%w: %w", ErrInterchange, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the object", ErrInterchange)
	}
	if file.Metadata == nil || file.Data == nil {
		return nil, fmt.Errorf("%w: metadata or data is missing", ErrInterchange)
	}
	if file.Metadata.Version != InterchangeVersion {
		return nil, fmt.Errorf("%w: version %q is unknown, this program knows %q", ErrInterchange, file.Metadata.Version, InterchangeVersion)
	}
	if file.Metadata.Network != g.network {
		return nil, fmt.Errorf("%w: the file is that of %q, not of %q", ErrWrongNetwork, file.Metadata.Network, g.network)
	}
	var mine []keyRecord
	for i, entry := range file.Data {
		if err := entry.validate(); err != nil {
			return nil, fmt.Errorf("%w: data[%d]: %w", ErrInterchange, i, err)
		}
		if *entry.Pubkey == g.key {
			mine = append(mine, entry)
		}
	}
	if mine == nil {
		return nil, fmt.Errorf("%w: the file says nothing about %#x", ErrWrongKey, g.key[:])
	}
	return mine, nil
}

func (e keyRecord) validate() error {
	if e.Pubkey == nil || e.Signed == nil || e.Watermarks == nil {
		return errors.New("pubkey, signed_checkpoints or watermarks is missing")
	}
	for i, s := range e.Signed {
		if s.Epoch == nil || s.Subject == nil {
			return fmt.Errorf("signed_checkpoints[%d]: epoch or subject is missing", i)
		}
		if err := s.slot().validate(); err != nil {
			return fmt.Errorf("signed_checkpoints[%d]: %w", i, err)
		}
	}
	for i, w := range e.Watermarks {
		if w.Below == nil {
			return fmt.Errorf("watermarks[%d]: below is missing", i)
		}
		if err := w.stream().validate(); err != nil {
			return fmt.Errorf("watermarks[%d]: %w", i, err)
		}
	}
	return nil
}

func (s slotRecord) slot() Slot { return Slot{s.Chain, s.Kind, uint64(*s.Epoch), *s.Subject} }

func (w watermarkEntry) stream() stream { return stream{w.Chain, w.Kind} }
