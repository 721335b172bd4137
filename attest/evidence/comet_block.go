package evidence

import (
	"bytes"
	"fmt"

	"github.com/meshsec/meshsec/attest/comet"
)

// cometBlock is a block that carries evidence, as far as it matters for that.
type cometBlock struct {
	header *comet.Header
	id     []byte // the hash that the file gives the block, none if it gives none
	leaves [][]byte
	opaque bool // there is evidence of which the leaf is not known

	root []byte // of the leaves, nil until it is asked for
}

// judge checks that the evidence is the block's: by the block's hash, which holds the
// header, and the header, which holds the root of the evidence.
func (b *cometBlock) judge(r *reportWriter) bool {
	if err := b.header.Check(); err != nil {
		return r.step("block", err, "")
	}
	if hash := b.header.Hash(); b.id != nil && !bytes.Equal(hash, b.id) {
		return r.step("block", fmt.Errorf("the header's hash is %X, the block is called %X", hash, b.id), "")
	}
	if b.root == nil {
		b.root = comet.MerkleRoot(b.leaves)
	}
	if !b.opaque && !bytes.Equal(b.root, b.header.Evidence) {
		return r.step("block", fmt.Errorf("the hash of the block's evidence is %X, its header says %X", b.root, b.header.Evidence), "")
	}
	return r.step("block", nil, "%d, %X", b.header.Height, b.header.Hash())
}
