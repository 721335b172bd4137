package attest

import (
	"bytes"
	"crypto/sha256"

	"github.com/meshsec/meshsec/attest/comet"
)

// What contradicts the home chain in [InvalidOperations].
const (
	// OperationsCheckpoint: the checkpoint names its block with another height or time
	// than its header has. Nothing else is shown.
	OperationsCheckpoint = iota + 1
	// OperationsTime: a step that says it is of the block has another time. That step
	// alone is shown.
	OperationsTime
	// OperationsOrder: the steps of the block's operations, with the step before and
	// the one after them, are not what its transactions hold in their order. Or there
	// are more of them than a block can have: then those alone are shown.
	OperationsOrder
)

// height is the block's, by the checkpoint.
func (o *InvalidOperations) height() uint64 {
	return o.Certificate.Checkpoint.Height - uint64(len(o.Trail))
}

// check is everything but the certificate's signature.
func (o *InvalidOperations) check() error {
	if err := o.Certificate.check(); err != nil {
		return err
	}
	if err := o.Header.check(); err != nil {
		return err
	}
	cp := &o.Certificate.Checkpoint
	hash, height, err := trace(cp, o.Trail)
	if err != nil {
		return err
	}
	if own := o.Header.hash(cp.ChainID); own != hash {
		return refuse(RuleHomeBlock, "the chain's block %d is %x, the header is that of %x", height, hash, own)
	}
	if len(o.Transactions) > MaxBlockTransactions || len(o.Operations) > 2 || len(o.Excerpt.Steps) > MaxBlockOperations+2 {
		return refuse(RuleEncoding, "%d transactions, %d operations, %d steps", len(o.Transactions), len(o.Operations), len(o.Excerpt.Steps))
	}
	if o.Rule == OperationsCheckpoint {
		return o.checkCheckpoint()
	}
	if o.Header.Height != height {
		return refuse(RuleHomeBlock, "the header is of height %d, the block %d", o.Header.Height, height)
	}
	if !o.Excerpt.Of(cp.OpsRoot) {
		return refuse(RuleHomeBlock, "%v are not those of the certified transcript", &o.Excerpt)
	}
	switch o.Rule {
	case OperationsTime:
		return o.checkTime()
	case OperationsOrder:
		return o.checkOrder()
	}
	return refuse(RuleEncoding, "rule %d of invalid operations", o.Rule)
}

// blank checks that nothing is shown of the block's transactions.
func (o *InvalidOperations) blank() error {
	if len(o.Transactions)+len(o.Rest)+len(o.Operations) > 0 {
		return refuse(RuleEncoding, "it shows transactions, which it does not need")
	}
	return nil
}

func (o *InvalidOperations) checkCheckpoint() error {
	if len(o.Trail) > 0 || !o.Excerpt.Empty() {
		return refuse(RuleEncoding, "it shows more than the last block's header, which it does not need")
	}
	cp := &o.Certificate.Checkpoint
	if o.Header.Height == cp.Height && o.millis() == cp.Time {
		return refuse(RuleContradiction, "block %d has the height and the time that the checkpoint says", cp.Height)
	}
	return o.blank()
}

// millis is the time of the block, in Unix milliseconds.
func (o *InvalidOperations) millis() uint64 { return uint64(o.Header.time().UnixMilli()) }

func (o *InvalidOperations) checkTime() error {
	if len(o.Excerpt.Steps) != 1 {
		return refuse(RuleEncoding, "it shows %d steps, it takes one", len(o.Excerpt.Steps))
	}
	if s := o.Excerpt.Steps[0]; s.Height != o.Header.Height || s.Time == o.millis() {
		return refuse(RuleContradiction, "the step is of height %d and time %d, the block of %d and %d", s.Height, s.Time, o.Header.Height, o.millis())
	}
	return o.blank()
}

// before, of and after say where a step is with regard to the operations of a block, in a
// transcript that is in order. None holds of a step that has no place there.
func (s *Step) before(height uint64) bool {
	return s.Kind == StepLate || s.Kind == StepOperation && s.Height < height
}

func (s *Step) of(height uint64) bool { return s.Kind == StepOperation && s.Height == height }

func (s *Step) after(height uint64) bool {
	return s.Kind == StepEnd || s.Kind == StepOperation && s.Height > height
}

// ofBlock are the steps of the block's operations, if all of them are shown, with what
// is before and after them and nothing else.
func (o *InvalidOperations) ofBlock() (steps []*Step, ok bool) {
	h, e := o.Header.Height, &o.Excerpt
	steps = e.Steps
	last := e.First+uint64(len(steps)) == e.Length
	if len(steps) > 0 && steps[0].before(h) {
		steps = steps[1:]
	} else if e.First > 0 {
		return nil, false
	}
	if n := len(steps); n > 0 && steps[n-1].after(h) {
		steps = steps[:n-1]
	} else if !last {
		return nil, false
	}
	for _, s := range steps {
		if !s.of(h) {
			return nil, false
		}
	}
	return steps, true
}

// tooMany says whether one more step than a block can have says that it is an operation
// of the block.
func (o *InvalidOperations) tooMany() bool {
	for _, s := range o.Excerpt.Steps {
		if !s.of(o.Header.Height) {
			return false
		}
	}
	return len(o.Excerpt.Steps) == MaxBlockOperations+1
}

func (o *InvalidOperations) checkOrder() error {
	if o.tooMany() {
		return o.blank()
	}
	steps, ok := o.ofBlock()
	if !ok {
		return refuse(RuleHomeBlock, "the steps shown are not those of block %d with the ones before and after them", o.Header.Height)
	}
	if err := o.checkTransactions(); err != nil {
		return err
	}
	carried, err := o.shown(steps)
	if err != nil {
		return err
	}
	if explained(o.Transactions, steps, carried, o.full(steps)) {
		return refuse(RuleContradiction, "the %d transactions of block %d may hold the operations of the %d steps", len(o.Transactions), o.Header.Height, len(steps))
	}
	return nil
}

// full says whether the epoch had no room for operations of the block after these steps,
// which are all that it has of the block, by what the transcript says of the room taken.
// Were that a lie, a step would be wrong ([FaultInvalidTransition]); and so would one be
// that has found no room.
func (o *InvalidOperations) full(steps []*Step) bool {
	var taken uint64
	switch h, shown := o.Header.Height, o.Excerpt.Steps; {
	case len(steps) > 0:
		taken = steps[len(steps)-1].Spent.Ordered
	case len(shown) > 0 && shown[0].before(h):
		taken = shown[0].Spent.Ordered
	}
	return fullAt(&o.Certificate.Checkpoint, o.height(), taken)
}

// fullAt says whether so much as was taken leaves no room in a block of the epoch of a
// checkpoint. Where the checkpoint's height can't be that of its epoch, that is what is wrong.
func fullAt(cp *Checkpoint, height, taken uint64) bool {
	if cp.Epoch == 0 || cp.Height-height >= cp.Height/cp.Epoch {
		return false
	}
	blocks := cp.Height / cp.Epoch
	return taken >= EpochRoom(blocks-(cp.Height-height), blocks)
}

// checkTransactions checks that the hashes are those of the block's first transactions.
func (o *InvalidOperations) checkTransactions() error {
	if len(o.Rest) > 0 && len(o.Transactions) != MaxBlockTransactions {
		return refuse(RuleEncoding, "siblings of %d transactions", len(o.Transactions))
	}
	for _, hash := range append(o.Transactions[:len(o.Transactions):len(o.Transactions)], o.Rest...) {
		if len(hash) != comet.HashSize {
			return refuse(RuleEncoding, "a hash of %d bytes", len(hash))
		}
	}
	if root := comet.RootOver(comet.MerkleRoot(o.Transactions), o.Rest); !bytes.Equal(root, o.Header.Data) {
		return refuse(RuleHomeBlock, "the transactions have the root %x, the header of block %d says %x", root, o.Header.Height, o.Header.Data)
	}
	return nil
}

// shown maps the hashes of all transactions that could carry one of the operations shown
// to that one. Each must be in the block or in the steps.
func (o *InvalidOperations) shown(steps []*Step) (carried map[[32]byte][32]byte, err error) {
	carried = make(map[[32]byte][32]byte)
	var last [32]byte
	for i, s := range o.Operations {
		if s == nil || len(s.Data) == 0 || len(s.Data) > MaxOperation {
			return nil, refuse(RuleEncoding, "operation %d is no operation", i)
		}
		op := sha256.Sum256(s.Data)
		if i > 0 && bytes.Compare(last[:], op[:]) >= 0 {
			return nil, refuse(RuleOrder, "operation %x before %x", last, op)
		}
		last = op
		needed := false
		for _, step := range steps {
			needed = needed || step.Operation == op
		}
		for _, tx := range [][]byte{RawTransaction(s.Data), KeyValueTransaction(s.Data)} {
			hash := sha256.Sum256(tx)
			carried[hash] = op
			for _, t := range o.Transactions {
				needed = needed || [32]byte(t) == hash
			}
		}
		if !needed {
			return nil, refuse(RuleEncoding, "operation %x is neither in the block nor in the steps", op)
		}
	}
	return carried, nil
}

// explained says whether the steps can be the operations of the transactions, of which
// some are known to carry an operation. Each of the others may carry anything or
// nothing, but for the known operations: only a transaction that is known to carries
// one. After the last step anything may follow if the epoch is full then.
func explained(transactions [][]byte, steps []*Step, carried map[[32]byte][32]byte, full bool) bool {
	known := make(map[[32]byte]bool)
	for _, op := range carried {
		known[op] = true
	}
	// unknown takes the steps up to the next one with a known operation.
	at := 0
	unknown := func() (n int) {
		for ; at < len(steps) && !known[steps[at].Operation]; at++ {
			n++
		}
		return n
	}
	room := 0 // transactions since the last known one
	for _, t := range transactions {
		op, isKnown := carried[[32]byte(t)]
		if !isKnown {
			room++
			continue
		}
		if unknown() > room {
			return false
		}
		if at == MaxBlockOperations || at == len(steps) && full {
			return true // what follows is beyond what a block, or the epoch, can have
		}
		if at == len(steps) || steps[at].Operation != op {
			return false
		}
		at, room = at+1, 0
	}
	return unknown() <= room && at == len(steps)
}

func (o *InvalidOperations) accusation() Accusation {
	cp := &o.Certificate.Checkpoint
	return Accusation{
		ChainID: string(cp.ChainID), Epoch: cp.Epoch, Height: o.height(), ValidatorsRoot: o.ValidatorsRoot, Accused: o.Certificate.Signers,
		Refutes: Refuted{string(cp.ChainID), cp.Epoch, cp.Root()},
	}
}

// verify asks for more than 2/3 of the power behind the checkpoint: a wrong one without
// them harms nobody, and may come from a broken machine.
func (o *InvalidOperations) verify(law Law, set *Set) error {
	if set.root != o.ValidatorsRoot {
		return refuse(RuleWrongSet, "set %x, the proof names %x", set.root, o.ValidatorsRoot)
	}
	_, err := VerifyCertificate(law.Network(), set, &o.Certificate)
	return err
}
