package attest_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// crowded is an epoch of which some operations are said to be so large that others find no
// room. Their sizes are made up, since a proof that shows one can't hold that: the
// transcript says them, and that it says the truth is not for this kind of proof.
type crowded struct {
	*homeChain
	number, blocks uint64
	transactions   map[uint64][][]byte
	size           map[string]uint64
	operations     map[[32]byte][]byte
}

// placed is an operation of a block.
type placed struct {
	height uint64
	op     string
}

func drawCrowded(t *rapid.T, base *homeChain) *crowded {
	c := &crowded{
		homeChain: &homeChain{cast: base.cast, validators: base.validators},
		number:    rapid.Uint64Range(1, 3).Draw(t, "epoch"), blocks: rapid.Uint64Range(1, 4).Draw(t, "blocks"),
		transactions: map[uint64][][]byte{}, size: map[string]uint64{}, operations: map[[32]byte][]byte{},
	}
	share := attest.EpochRoom(1, c.blocks)
	for _, op := range []string{"a", "b", "c", "d"} {
		c.size[op] = rapid.SampledFrom([]uint64{attest.OrderedSize(1), share / 2, share/2 + 1, share - 1, share, share + 1, 2 * share, 3 * share}).Draw(t, "size of "+op)
		c.operations[sha256.Sum256([]byte(op))] = []byte(op)
	}
	for h := uint64(1); h <= c.last(); h++ {
		var block [][]byte
		for i := range rapid.IntRange(0, 4).Draw(t, fmt.Sprintf("transactions in %d", h)) {
			switch op := []byte(c.draw(t)); rapid.IntRange(0, 2).Draw(t, "form") {
			case 0:
				block = append(block, attest.RawTransaction(op))
			case 1:
				block = append(block, attest.KeyValueTransaction(op))
			case 2:
				block = append(block, fmt.Appendf(nil, "foreign %d", i))
			}
		}
		header := c.next(int64(h))
		header.Data = comet.TransactionsHash(block)
		c.headers, c.transactions[h] = append(c.headers, header), block
	}
	return c
}

func (c *crowded) draw(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "operation")
}

func (c *crowded) first() uint64 { return (c.number-1)*c.blocks + 1 }
func (c *crowded) last() uint64  { return c.number * c.blocks }

// room is what the epoch takes up to a block, see [attest.EpochRoom].
func (c *crowded) room(height uint64) uint64 {
	return (64 << 20) * (height - c.first() + 1) / c.blocks
}

// ordered are the operations that count.
func (c *crowded) ordered() (out []placed) {
	taken := uint64(0)
	for h := c.first(); h <= c.last(); h++ {
		for _, op := range attest.OperationsIn(c.transactions[h]) {
			if taken < c.room(h) {
				out = append(out, placed{h, string(op)})
				taken += c.size[string(op)]
			}
		}
	}
	return out
}

// steps are the transcript of an epoch with these operations. It is not possible if one of
// them has found no room: the judge of transitions sees that.
func (c *crowded) steps(ops []placed, late bool) (steps []*attest.Step, possible bool) {
	taken := uint64(0)
	add := func(kind uint8, height uint64, op [32]byte) *attest.Step {
		s := &attest.Step{Kind: kind, Height: height, Time: uint64(c.headers[height-1].Time.UnixMilli()), Operation: op, Spent: attest.Spent{Ordered: taken}}
		steps = append(steps, s)
		return s
	}
	if late {
		height := c.last()
		if len(ops) > 0 {
			height = ops[0].height
		}
		add(attest.StepLate, height, sha256.Sum256([]byte("late")))
	}
	possible = true
	for _, o := range ops {
		possible = possible && taken < c.room(o.height)
		taken += c.size[o.op]
		add(attest.StepOperation, o.height, sha256.Sum256([]byte(o.op)))
	}
	for i := range uint64(2) {
		add(attest.StepEnd, c.last(), [32]byte{}).Index = i
	}
	return steps, possible
}

func (c *crowded) certified(t tb, steps []*attest.Step) *attest.Certificate {
	t.Helper()
	return c.epoch(t, func(cp *attest.Checkpoint) { cp.Epoch, cp.OpsRoot = c.number, naiveRoot(t, steps) })
}

func (c *crowded) found(t tb, steps []*attest.Step) *attest.FaultProof {
	t.Helper()
	blocks := func(yield func(attest.HomeBlock, error) bool) {
		for h := c.last(); h >= c.first(); h-- {
			if !yield(attest.HomeBlock{Header: c.headers[h-1], Transactions: c.transactions[h]}, nil) {
				return
			}
		}
	}
	proof, err := attest.FindInvalidOperations(c.set, c.certified(t, steps), blocks, steps, c.operations)
	if err != nil && !errors.Is(err, attest.RuleContradiction) {
		t.Fatalf("%v", err)
	}
	return proof
}

// Which operations count is proven whatever had room and what had not: all other
// transcripts that are possible are convicted by their chain's blocks.
func TestWhateverElseCountsIsProven(t *testing.T) {
	base := newHomeChain(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCrowded(t, base)
		ops, late := c.ordered(), rapid.Bool().Draw(t, "late")
		honest, possible := c.steps(ops, late)
		if !possible {
			t.Fatal("the true transcript is not possible")
		}
		if proof := c.found(t, honest); proof != nil {
			t.Fatalf("a true transcript is proven to be none: %+v", must[*attest.InvalidOperations](t)(attest.DecodeInvalidOperations(proof.Body)))
		}
		lie := slices.Clone(ops)
		height := func() uint64 { return rapid.Uint64Range(c.first(), c.last()).Draw(t, "height") }
		for range rapid.IntRange(1, 4).Draw(t, "lies") {
			at := rapid.IntRange(0, len(lie)).Draw(t, "at")
			switch what := rapid.IntRange(0, 3).Draw(t, "what"); {
			case what == 0 || at == len(lie):
				lie = slices.Insert(lie, at, placed{height(), c.draw(t)})
			case what == 1:
				lie = slices.Delete(lie, at, at+1)
			case what == 2:
				lie[at].op = c.draw(t)
			case what == 3:
				lie[at].height = height()
			}
		}
		slices.SortStableFunc(lie, func(a, b placed) int { return int(a.height) - int(b.height) })
		steps, possible := c.steps(lie, late)
		if !possible {
			return
		}
		proof := c.found(t, steps)
		if (proof != nil) != !slices.Equal(lie, ops) {
			t.Fatalf("ordered are %v, certified %v: proven %v", ops, lie, proof != nil)
		}
		if proof != nil {
			c.verified(t, proof)
		}
	})
}

// What found no room can't be shown to be missing, by no excerpt and no operations, nor
// can what another epoch ordered.
func TestCrowdedEpochsConvictNobody(t *testing.T) {
	base := newHomeChain(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCrowded(t, base)
		steps, _ := c.steps(c.ordered(), rapid.Bool().Draw(t, "late"))
		certificate := c.certified(t, steps)
		for range 20 {
			height := rapid.Uint64Range(1, c.last()).Draw(t, "height")
			of := func(s *attest.Step) bool {
				return s.Kind == attest.StepOperation && s.Height >= height || s.Kind == attest.StepEnd
			}
			past := func(s *attest.Step) bool { return of(s) && (s.Height > height || s.Kind == attest.StepEnd) }
			from := max(slices.IndexFunc(steps, of)-rapid.SampledFrom([]int{1, 0, 2}).Draw(t, "before"), 0)
			to := min(max(slices.IndexFunc(steps, past)+rapid.SampledFrom([]int{1, 0, -1, 2}).Draw(t, "after"), from), len(steps))
			o := &attest.InvalidOperations{
				ValidatorsRoot: c.set.Root(), Certificate: *certificate, Rule: rapid.SampledFrom([]uint8{3, 3, 3, 2, 1}).Draw(t, "rule"),
				Header:  *must[*attest.HomeHeader](t)(attest.NewHomeHeader(c.headers[height-1])),
				Excerpt: attest.NewExcerpt(steps, from, to-from),
			}
			for _, h := range c.back(int64(height))[:c.last()-height] {
				o.Trail = append(o.Trail, must[*attest.Link](t)(attest.NewLink(h)))
			}
			for _, tx := range c.transactions[height] {
				hash := sha256.Sum256(tx)
				o.Transactions = append(o.Transactions, hash[:])
			}
			for _, op := range []string{"a", "b", "c", "d", "forged"} {
				if rapid.Bool().Draw(t, "show "+op) && len(o.Operations) < 2 {
					o.Operations = append(o.Operations, &attest.Shown{Data: []byte(op)})
				}
			}
			slices.SortFunc(o.Operations, func(a, b *attest.Shown) int {
				x, y := sha256.Sum256(a.Data), sha256.Sum256(b.Data)
				return bytes.Compare(x[:], y[:])
			})
			body, err := attest.EncodeInvalidOperations(o)
			if err != nil {
				continue
			}
			a := must[attest.Accusation](t)(attest.Peek(&attest.FaultProof{Kind: uint8(attest.FaultInvalidOperations), Body: body}))
			if (a.Height-1)/c.blocks+1 == a.Epoch { // else everybody refuses it for that, see ledger.Manifest.Misplaced
				t.Fatalf("an honest epoch is proven to be none, by %+v", o)
			}
		}
	})
}
