package attest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"

	"github.com/meshsec/meshsec/attest/comet"
)

// OperationsEvidence is what a proof of invalid operations is made from. Nothing of it is
// verified.
type OperationsEvidence struct {
	Certificate  *Certificate
	Headers      []*comet.Header     // of the home chain, from the epoch's last block back to the one in question
	Transactions [][]byte            // of that block
	Steps        []*Step             // the certified transcript
	Operations   map[[32]byte][]byte // by their SHA-256, those that the steps name and the block does not have, as far as they are known
}

// BuildInvalidOperations makes the proof that the signers of a certificate, of set,
// certified what contradicts one block of their home chain. It verifies no signature.
// Errors: [RuleContradiction] if nothing contradicts it, or nothing that e can show;
// [RuleHomeBlock] if the headers or steps are not those that the certificate names; and
// those of a malformed or too large proof.
func BuildInvalidOperations(set *Set, e OperationsEvidence) (*FaultProof, error) {
	o, err := e.block(set)
	if err != nil {
		return nil, err
	}
	cp := &e.Certificate.Checkpoint
	if last := e.Headers[0]; uint64(last.Height) != cp.Height || uint64(last.Time.UnixMilli()) != cp.Time {
		if o, err = (&OperationsEvidence{Certificate: e.Certificate, Headers: e.Headers[:1]}).block(set); err != nil {
			return nil, err
		}
		o.Rule = OperationsCheckpoint
		return o.proof()
	}
	if i := slices.IndexFunc(e.Steps, func(s *Step) bool { return s.Height == o.Header.Height && s.Time != o.millis() }); i >= 0 {
		o.Rule = OperationsTime
		o.Excerpt = NewExcerpt(e.Steps, i, 1)
		return o.proof()
	}
	o.Rule = OperationsOrder
	from, to := e.ofBlock(o.Header.Height)
	if to-from > MaxBlockOperations {
		o.Excerpt = NewExcerpt(e.Steps, from, MaxBlockOperations+1)
		return o.proof()
	}
	differing := e.differing(o.Header.Height, from, to)
	hashes := make([][]byte, len(e.Transactions))
	for i, tx := range e.Transactions {
		hash := sha256.Sum256(tx)
		hashes[i] = hash[:]
	}
	o.Transactions, o.Rest = hashes[:min(len(hashes), MaxBlockTransactions)], comet.PrefixBranch(hashes, MaxBlockTransactions)
	from, to = max(from-1, 0), min(to+1, len(e.Steps)) // with the ones before and after them
	o.Excerpt = NewExcerpt(e.Steps, from, to-from)
	return o.fitting(differing)
}

// fitting is the proof with as much of what differs as fits. One that is too large may
// not be needed: else whoever orders it beside another one could leave that out.
func (o *InvalidOperations) fitting(differing []*Shown) (*FaultProof, error) {
	o.Operations = differing
	proof, err := o.proof()
	if !errors.Is(err, RuleSize) {
		return proof, err
	}
	for i := range differing {
		o.Operations = differing[i : i+1]
		if proof, failed := o.proof(); failed == nil {
			return proof, nil
		}
	}
	o.Operations = nil
	if proof, failed := o.proof(); failed == nil {
		return proof, nil
	}
	return nil, err
}

// block is the proof but for what it shows of transactions and steps.
func (e *OperationsEvidence) block(set *Set) (*InvalidOperations, error) {
	trail, err := newTrail(e.Headers)
	if err != nil {
		return nil, err
	}
	header, err := NewHomeHeader(e.Headers[len(e.Headers)-1])
	if err != nil {
		return nil, err
	}
	return &InvalidOperations{ValidatorsRoot: set.Root(), Certificate: *e.Certificate, Trail: trail, Header: *header}, nil
}

// ofBlock are the indices of the steps that say they are operations of a block; where
// there are none, where they would be.
func (e *OperationsEvidence) ofBlock(height uint64) (from, to int) {
	from = slices.IndexFunc(e.Steps, func(s *Step) bool { return s.of(height) })
	if from < 0 {
		from = slices.IndexFunc(e.Steps, func(s *Step) bool { return s.after(height) })
	}
	if from < 0 {
		from = len(e.Steps)
	}
	for to = from; to < len(e.Steps) && e.Steps[to].of(height); {
		to++
	}
	return from, to
}

// differing are the operations of the block and of the steps where the two differ first.
// Those suffice: of each there is one more in the one than in the other up to there.
func (e *OperationsEvidence) differing(height uint64, from, to int) (out []*Shown) {
	ordered, steps := OperationsIn(e.Transactions), e.Steps[from:to]
	if to > 0 && len(steps) < len(ordered) && fullAt(&e.Certificate.Checkpoint, height, e.Steps[to-1].Spent.Ordered) {
		ordered = ordered[:len(steps)] // the others found no room
	}
	i := 0
	for i < len(ordered) && i < len(steps) && sha256.Sum256(ordered[i]) == steps[i].Operation {
		i++
	}
	if i < len(ordered) {
		out = append(out, &Shown{ordered[i]})
	}
	if i < len(steps) {
		if op, known := e.Operations[steps[i].Operation]; known {
			out = append(out, &Shown{op})
		} else if j := slices.IndexFunc(ordered, func(op []byte) bool { return sha256.Sum256(op) == steps[i].Operation }); j >= 0 {
			out = append(out, &Shown{ordered[j]})
		}
	}
	slices.SortFunc(out, func(a, b *Shown) int {
		x, y := sha256.Sum256(a.Data), sha256.Sum256(b.Data)
		return bytes.Compare(x[:], y[:])
	})
	return out
}

func (o *InvalidOperations) proof() (*FaultProof, error) {
	body, err := EncodeInvalidOperations(o)
	if err != nil {
		return nil, err
	}
	proof := &FaultProof{uint8(FaultInvalidOperations), body}
	return proof, proof.check()
}

// HomeBlock is a block of a home chain with all its transactions.
type HomeBlock struct {
	Header       *comet.Header
	Transactions [][]byte
}

// FindInvalidOperations looks for a block that contradicts a certified transcript, and
// makes the proof. blocks are those of the epoch, from its last one back to its first, and
// are asked for as they are needed, since all of them may be much; operations are those
// that the transcript names, by their SHA-256, as far as they are known. The error is
// [RuleContradiction] if no block does, that of blocks if one of them can't be had before
// one does, else as of [BuildInvalidOperations].
func FindInvalidOperations(set *Set, c *Certificate, blocks iter.Seq2[HomeBlock, error], steps []*Step, operations map[[32]byte][]byte) (*FaultProof, error) {
	err := refuse(RuleContradiction, "no blocks")
	var headers []*comet.Header
	for b, failed := range blocks {
		if failed != nil {
			return nil, failed
		}
		headers = append(headers, b.Header)
		var proof *FaultProof
		proof, err = BuildInvalidOperations(set, OperationsEvidence{c, headers, b.Transactions, steps, operations})
		if err == nil {
			return proof, nil
		}
	}
	return nil, err
}
