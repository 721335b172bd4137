package attest

import (
	"bytes"
	"math"
	"time"

	"github.com/meshsec/meshsec/attest/comet"
)

// NewHomeHeader is the form of a header in proofs. The error is [RuleHomeBlock].
func NewHomeHeader(h *comet.Header) (*HomeHeader, error) {
	if err := h.Check(); err != nil {
		return nil, refuse(RuleHomeBlock, "%v", err)
	}
	out := &HomeHeader{
		VersionBlock: h.VersionBlock, VersionApp: h.VersionApp, Height: uint64(h.Height),
		Seconds: uint64(h.Time.Unix()), Nanos: uint32(h.Time.Nanosecond()), Parent: newHomeBlockID(&h.LastBlock),
		LastCommit: bytes.Clone(h.LastCommit), Data: bytes.Clone(h.Data), Validators: [32]byte(h.Validators), NextValidators: bytes.Clone(h.NextValidators),
		Consensus: bytes.Clone(h.Consensus), App: bytes.Clone(h.App), LastResults: bytes.Clone(h.LastResults), Evidence: bytes.Clone(h.Evidence),
		Proposer: [20]byte(h.Proposer),
	}
	return out, out.check()
}

// NewLink shows the parent of the block with a header. The error is [RuleHomeBlock], also
// for a first block.
func NewLink(h *comet.Header) (*Link, error) {
	if err := h.Check(); err != nil {
		return nil, refuse(RuleHomeBlock, "%v", err)
	}
	l := &Link{Parent: newHomeBlockID(&h.LastBlock)}
	for i, sibling := range h.ParentBranch() {
		copy(l.Branch[i*comet.HashSize:], sibling[:])
	}
	return l, l.check()
}

// newTrail are the links from the first header back to the last one, each the parent of
// the one before.
func newTrail(headers []*comet.Header) ([]*Link, error) {
	if len(headers) == 0 {
		return nil, refuse(RuleHomeBlock, "no header")
	}
	trail := make([]*Link, 0, len(headers)-1)
	for _, h := range headers[:len(headers)-1] {
		l, err := NewLink(h)
		if err != nil {
			return nil, err
		}
		trail = append(trail, l)
	}
	return trail, nil
}

func newHomeBlockID(b *comet.BlockID) (id HomeBlockID) {
	copy(id.Hash[:], b.Hash)
	copy(id.PartsHash[:], b.PartsHash)
	id.PartsTotal = uint32(b.PartsTotal)
	return id
}

// isNil says whether it names no block, given that it was checked.
func (b *HomeBlockID) isNil() bool { return b.PartsTotal == 0 }

func (b *HomeBlockID) check() error {
	if b.PartsTotal == 0 && *b != (HomeBlockID{}) {
		return refuse(RuleHomeBlock, "block %x has no parts", b.Hash)
	}
	return nil
}

func (b *HomeBlockID) comet() comet.BlockID {
	if b.isNil() {
		return comet.BlockID{}
	}
	return comet.BlockID{Hash: b.Hash[:], PartsTotal: int64(b.PartsTotal), PartsHash: b.PartsHash[:]}
}

func (l *Link) check() error {
	if l.Parent.isNil() {
		return refuse(RuleHomeBlock, "a trail leads beyond the first block")
	}
	return nil
}

// time is when the block was made, by its chain.
func (h *HomeHeader) time() time.Time { return homeTime(h.Seconds, h.Nanos) }

func homeTime(seconds uint64, nanos uint32) time.Time {
	return time.Unix(int64(seconds), int64(nanos)).UTC()
}

func checkHomeTime(seconds uint64, nanos uint32) error {
	if nanos >= uint32(time.Second) || !comet.TimeFits(homeTime(seconds, nanos)) {
		return refuse(RuleHomeBlock, "%d seconds and %d nanoseconds are no time of a block", int64(seconds), nanos)
	}
	return nil
}

// check is the form of a header.
func (h *HomeHeader) check() error {
	for _, hash := range [][]byte{h.LastCommit, h.Data, h.NextValidators, h.Consensus, h.LastResults, h.Evidence} {
		if len(hash) != 0 && len(hash) != comet.HashSize {
			return refuse(RuleHomeBlock, "a hash of %d bytes in the header of block %d", len(hash), h.Height)
		}
	}
	switch {
	case h.Height == 0 || h.Height > math.MaxInt64:
		return refuse(RuleHomeBlock, "height %d", h.Height)
	case len(h.App) > MaxApp:
		return refuse(RuleHomeBlock, "an application hash of %d bytes, at most %d", len(h.App), MaxApp)
	}
	if err := checkHomeTime(h.Seconds, h.Nanos); err != nil {
		return err
	}
	return h.Parent.check()
}

// comet is the header of a chain, given that it was checked.
func (h *HomeHeader) comet(chainID []byte) *comet.Header {
	return &comet.Header{
		VersionBlock: h.VersionBlock, VersionApp: h.VersionApp, ChainID: string(chainID), Height: int64(h.Height), Time: h.time(),
		LastBlock: h.Parent.comet(), LastCommit: h.LastCommit, Data: h.Data, Validators: h.Validators[:], NextValidators: h.NextValidators,
		Consensus: h.Consensus, App: h.App, LastResults: h.LastResults, Evidence: h.Evidence, Proposer: h.Proposer[:],
	}
}

// hash is the hash of the block on a chain.
func (h *HomeHeader) hash(chainID []byte) [32]byte { return [32]byte(h.comet(chainID).Hash()) }

// trace follows a trail from the last block of an epoch and returns the hash of the block
// where it ends, and which height that must be: each block is one below the next.
func trace(cp *Checkpoint, trail []*Link) (hash [32]byte, height uint64, err error) {
	if len(trail) > MaxTrail || uint64(len(trail)) >= cp.Height {
		return hash, 0, refuse(RuleHomeBlock, "a trail of %d blocks from height %d", len(trail), cp.Height)
	}
	hash = cp.BlockHash
	for i, l := range trail {
		if l == nil {
			return hash, 0, refuse(RuleHomeBlock, "link %d is nil", i)
		}
		if err := l.check(); err != nil {
			return hash, 0, err
		}
		var branch [4][comet.HashSize]byte
		for k := range branch {
			branch[k] = [comet.HashSize]byte(l.Branch[k*comet.HashSize:])
		}
		parent := l.Parent.comet()
		if comet.HashOver(&parent, &branch) != hash {
			return hash, 0, refuse(RuleHomeBlock, "link %d does not show the parent of %x", i, hash)
		}
		hash = l.Parent.Hash
	}
	return hash, cp.Height - uint64(len(trail)), nil
}

func (p *Precommit) check() error { return checkHomeTime(p.Seconds, p.Nanos) }

// signedBy says whether a key signed the precommit for a block.
func (p *Precommit) signedBy(key, chainID []byte, height uint64, round uint32, block *comet.BlockID) bool {
	message := comet.SignBytes(string(chainID), comet.Precommit, int64(height), int64(round), block, homeTime(p.Seconds, p.Nanos))
	return comet.VerifyEd25519(key, message, p.Signature[:])
}
