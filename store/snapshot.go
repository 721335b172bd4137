package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// A snapshot file is a chain's state at the end of a certified epoch. Numbers are
// big-endian.
//
//	meshsec/snapshot/1\n
//	length (4)  Snapshot in JSON
//	length (4)  the epoch's journal entry
//	for each record, in the order of the paths:
//	    length of the key (2)  length of the value (4)  key  value
//	0 (2)
//	SHA-256 of all of that
const snapshotMagic = "meshsec/snapshot/1\n"

// Limits of a snapshot's parts, in bytes.
const (
	maxSnapshotHead  = 64 << 20
	maxSnapshotEntry = 1 << 30
)

// Snapshot is what a snapshot file says about itself.
type Snapshot struct {
	Network ledger.HexBytes `json:"network"`
	Chain   string          `json:"chain"`
	Epoch   uint64          `json:"epoch"`
	// Previous is the hash of the journal entry before. It makes hashes of entries
	// comparable with those of other nodes, and is the one thing here that nobody signed.
	Previous ledger.HexBytes `json:"previous"`
	Trail    ledger.Trail    `json:"trail"` // the last certificate is that of Epoch
}

// ErrSnapshot says that a file is no snapshot, or not all of one, or contradicts itself or
// what is trusted.
var ErrSnapshot = errors.New("store: not a valid snapshot")

func badSnapshot(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrSnapshot, fmt.Errorf(format, args...))
}

// Export writes the state of a chain at the end of a certified epoch, 0 being the newest,
// with the certificates from another epoch on, 0 being only its own. It returns the number
// of records. Errors: [ErrPruned] if the state is no longer kept; [ErrNotFound] if a
// certificate is missing; [ErrUnknownChain], [ErrCorrupt], [ErrClosed]; the writer's and
// the context's.
func (s *Store) Export(ctx context.Context, w io.Writer, chain string, epoch, from uint64) (*Snapshot, uint64, error) {
	if epoch == 0 {
		epoch = s.Certified(chain)
	}
	if from == 0 {
		from = epoch
	}
	tree, err := s.TreeAt(chain, epoch)
	if err != nil {
		return nil, 0, err
	}
	if from > epoch || epoch-from >= ledger.MaxTrail {
		return nil, 0, fmt.Errorf("store: certificates from epoch %d to %d do not fit into a snapshot", from, epoch)
	}
	trail, err := s.Trail(ctx, chain, from, int(epoch-from)+1)
	if err != nil {
		return nil, 0, err
	}
	if uint64(len(trail)) != epoch-from+1 {
		return nil, 0, fmt.Errorf("the certificate of %s epoch %d: %w", chain, from+uint64(len(trail)), ErrNotFound)
	}
	entry, rec, err := s.journalBytes(s.index[chain], epoch)
	if err != nil {
		return nil, 0, err
	}
	head := &Snapshot{Network: s.network[:], Chain: chain, Epoch: epoch, Previous: rec.previous[:], Trail: trail}
	n, err := head.write(ctx, w, entry, tree)
	return head, n, err
}

func (h *Snapshot) write(ctx context.Context, to io.Writer, entry []byte, tree *trie.Tree) (records uint64, err error) {
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(to, sum), 1<<16) // its first error stays
	encoded, err := json.Marshal(h)
	if err != nil {
		return 0, fmt.Errorf("encode snapshot: %w", err)
	}
	if len(encoded) > maxSnapshotHead || len(entry) > maxSnapshotEntry {
		return 0, errors.New("store: certificates or journal entry are too large for a snapshot: give fewer certificates")
	}
	_, _ = buffered.WriteString(snapshotMagic)
	for _, part := range [][]byte{encoded, entry} {
		_, _ = buffered.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		_, _ = buffered.Write(part)
	}
	err = tree.Walk(func(key, value []byte) error {
		records++
		lengths := binary.BigEndian.AppendUint16(nil, uint16(len(key)))
		_, _ = buffered.Write(binary.BigEndian.AppendUint32(lengths, uint32(len(value))))
		_, _ = buffered.Write(key)
		_, err := buffered.Write(value)
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return 0, err
	}
	_, _ = buffered.Write([]byte{0, 0})
	if err := buffered.Flush(); err != nil {
		return 0, err
	}
	_, err = to.Write(sum.Sum(nil))
	return records, err
}

// snapshotReader reads a snapshot file from its start.
type snapshotReader struct {
	r   *bufio.Reader
	sum hash.Hash
}

func newSnapshotReader(r io.Reader) *snapshotReader {
	return &snapshotReader{bufio.NewReaderSize(r, 1<<16), sha256.New()}
}

// take reads n bytes. It never makes room for much more than there is.
func (s *snapshotReader) take(n int) ([]byte, error) {
	var b bytes.Buffer
	if _, err := io.CopyN(&b, s.r, int64(n)); err != nil {
		return nil, badSnapshot("it is cut short: %w", err)
	}
	s.sum.Write(b.Bytes())
	return b.Bytes(), nil
}

// part reads what stands behind its length.
func (s *snapshotReader) part(limit uint32) ([]byte, error) {
	b, err := s.take(4)
	if err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(b)
	if n > limit {
		return nil, badSnapshot("a part has %d bytes, at most %d are allowed", n, limit)
	}
	return s.take(int(n))
}

// head reads all that stands before the records.
func (s *snapshotReader) head() (h *Snapshot, entry []byte, err error) {
	magic, err := s.take(len(snapshotMagic))
	if err != nil {
		return nil, nil, err
	}
	if string(magic) != snapshotMagic {
		return nil, nil, badSnapshot("it does not begin with %q", snapshotMagic[:len(snapshotMagic)-1])
	}
	encoded, err := s.part(maxSnapshotHead)
	if err != nil {
		return nil, nil, err
	}
	h = new(Snapshot)
	if err := json.Unmarshal(encoded, h); err != nil {
		return nil, nil, badSnapshot("its head can't be read: %w", err)
	}
	again, err := json.Marshal(h)
	if err != nil || !bytes.Equal(again, encoded) || len(h.Network) != 32 || len(h.Previous) != 32 {
		return nil, nil, badSnapshot("its head is not in canonical form")
	}
	entry, err = s.part(maxSnapshotEntry)
	return h, entry, err
}

// records calls add for each record, to the end of the file.
func (s *snapshotReader) records(ctx context.Context, add func(key, value []byte) error) (n uint64, err error) {
	for ; ; n++ {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		lengths, err := s.take(2)
		if err != nil {
			return n, err
		}
		nkey := binary.BigEndian.Uint16(lengths)
		if nkey == 0 {
			return n, s.end()
		}
		if lengths, err = s.take(4); err != nil {
			return n, err
		}
		nvalue := binary.BigEndian.Uint32(lengths)
		if nkey > trie.MaxKey || nvalue > trie.MaxValue {
			return n, badSnapshot("record %d is too large", n)
		}
		both, err := s.take(int(nkey) + int(nvalue))
		if err != nil {
			return n, err
		}
		if err := add(both[:nkey], both[nkey:]); err != nil {
			return n, err
		}
	}
}

// end checks that the file ends with the sum of all before.
func (s *snapshotReader) end() error {
	want := s.sum.Sum(nil)
	have, err := s.take(len(want))
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return badSnapshot("its checksum is wrong: it was damaged on the way")
	}
	if _, err := s.r.ReadByte(); err != io.EOF {
		return badSnapshot("there is something behind its end")
	}
	return nil
}

// verifiedSnapshot is all of a snapshot that fits into memory, verified.
type verifiedSnapshot struct {
	*Snapshot
	certificate attest.VerifiedCertificate
	signers     []byte // the set that signed it
	next        []byte // the set that signs the next epoch
	entry       *Entry
	encoded     []byte // the entry
	ref         trie.Ref
	records     uint64
}

// verifySnapshot reads a snapshot to its end and checks all of it.
func (s *Store) verifySnapshot(ctx context.Context, file io.Reader, trust ledger.Trust) (*verifiedSnapshot, error) {
	r := newSnapshotReader(file)
	h, encoded, err := r.head()
	if err != nil {
		return nil, err
	}
	v := &verifiedSnapshot{Snapshot: h, encoded: encoded}
	trust.Manifest = s.manifest // it is of our network, and without more the genesis is trusted
	if v.certificate, err = h.Trail.Verify(attest.Network(h.Network), h.Chain, trust); err != nil {
		return nil, badSnapshot("%w", err)
	}
	set, err := h.Trail.Signers()
	if err != nil {
		return nil, badSnapshot("%w", err)
	}
	if v.signers, err = attest.EncodeValidatorSet(set.ValidatorSet()); err != nil {
		return nil, err
	}
	certified := v.certificate.Checkpoint()
	if v.entry, err = DecodeEntry(encoded); err != nil {
		return nil, badSnapshot("%w", err)
	}
	v.entry.Previous = [32]byte(h.Previous)
	if v.certificate.Epoch() != h.Epoch || v.entry.Checkpoint.Root() != v.certificate.Root() {
		return nil, badSnapshot("the journal entry, the certificate and the epoch do not belong together")
	}
	if err := v.entry.Authentic(certified); err != nil {
		return nil, badSnapshot("%w", err)
	}
	setKey, err := ledger.ParseKey("set")
	if err != nil {
		return nil, err
	}
	b := trie.NewBuilder(h.Epoch, func(trie.Node) error { return nil })
	v.records, err = r.records(ctx, func(key, value []byte) error {
		if bytes.Equal(key, setKey) {
			v.next = bytes.Clone(value)
		}
		return b.Add(key, value)
	})
	if err == nil {
		v.ref, err = b.Finish()
	}
	switch {
	case errors.Is(err, ErrSnapshot) || err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, badSnapshot("%w", err)
	case v.ref.Hash != certified.LedgerRoot:
		return nil, badSnapshot("its records have the root %v, certified is %x", v.ref.Hash, certified.LedgerRoot)
	}
	next, err := attest.DecodeValidatorSet(v.next)
	if err != nil || next.Root() != certified.ValidatorsRoot {
		return nil, badSnapshot("the next validator set in it is not the one that is certified")
	}
	if reason := contradiction(v.entry, v.ref); reason != "" {
		return nil, badSnapshot("%s", reason)
	}
	return v, nil
}
