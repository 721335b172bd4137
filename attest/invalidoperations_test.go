package attest_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// orderedEpoch is an epoch of a home chain with transactions in its blocks, and the
// transcript that follows from it.
type orderedEpoch struct {
	*homeChain
	transactions [testEpochBlocks][][]byte
	steps        []*attest.Step
	operations   map[[32]byte][]byte
}

// order makes a chain of blocks with these transactions, by height from 1.
func order(base *homeChain, transactions map[int64][][]byte) *orderedEpoch {
	e := &orderedEpoch{homeChain: &homeChain{cast: base.cast, validators: base.validators}, operations: map[[32]byte][]byte{}}
	for h := int64(1); h <= testEpochBlocks; h++ {
		header := e.next(h)
		header.Data = comet.TransactionsHash(transactions[h])
		e.headers, e.transactions[h-1] = append(e.headers, header), transactions[h]
	}
	e.steps = append(e.steps, e.step(attest.StepLate, 3, "late"))
	for h, block := range e.transactions {
		for _, op := range attest.OperationsIn(block) {
			s := e.step(attest.StepOperation, int64(h+1), string(op))
			e.operations[s.Operation] = op
			e.steps = append(e.steps, s)
		}
	}
	for i := range uint64(3) {
		s := e.step(attest.StepEnd, testEpochBlocks, "")
		s.Operation, s.Phase, s.Index = [32]byte{}, 2, i
		e.steps = append(e.steps, s)
	}
	return e
}

func (e *orderedEpoch) step(kind uint8, height int64, op string) *attest.Step {
	return &attest.Step{
		Kind: kind, Height: uint64(height), Time: uint64(e.headers[height-1].Time.UnixMilli()), Operation: sha256.Sum256([]byte(op)),
		Receipt: sha256.Sum256([]byte("receipt of " + op)), Root: sha256.Sum256([]byte("root after " + op)), Spent: attest.Spent{Bytes: 7},
	}
}

// certified is the epoch's certificate over a transcript.
func (e *orderedEpoch) certified(t tb, steps []*attest.Step) *attest.Certificate {
	t.Helper()
	return e.epoch(t, func(cp *attest.Checkpoint) { cp.OpsRoot = naiveRoot(t, steps) })
}

func (e *orderedEpoch) evidence(c *attest.Certificate, steps []*attest.Step, height int) attest.OperationsEvidence {
	return attest.OperationsEvidence{
		Certificate: c, Headers: e.back(int64(height)), Transactions: e.transactions[height-1], Steps: steps, Operations: e.operations,
	}
}

// found is the first proof against a transcript, nil if there is none at any height.
func (e *orderedEpoch) found(t tb, steps []*attest.Step) *attest.FaultProof {
	t.Helper()
	c := e.certified(t, steps)
	for height := 1; height <= testEpochBlocks; height++ {
		proof, err := attest.BuildInvalidOperations(e.set, e.evidence(c, steps, height))
		switch {
		case err == nil:
			return proof
		case !errors.Is(err, attest.RuleContradiction) && !errors.Is(err, attest.RuleHomeBlock):
			t.Fatalf("height %d: %v", height, err)
		}
	}
	return nil
}

var someOperations = []string{"a", "b", "c"}

// drawEpoch draws blocks of few operations, some of them twice, in both forms, among
// transactions of others.
func drawEpoch(t *rapid.T, base *homeChain) *orderedEpoch {
	transactions := map[int64][][]byte{}
	for _, h := range []int64{3, 5, 6, testEpochBlocks} {
		for i := range rapid.IntRange(0, 4).Draw(t, fmt.Sprintf("transactions in %d", h)) {
			op := []byte(rapid.SampledFrom(someOperations).Draw(t, "operation"))
			switch rapid.IntRange(0, 2).Draw(t, "form") {
			case 0:
				transactions[h] = append(transactions[h], attest.RawTransaction(op))
			case 1:
				transactions[h] = append(transactions[h], attest.KeyValueTransaction(op))
			case 2:
				transactions[h] = append(transactions[h], fmt.Appendf(nil, "foreign %d", i))
			}
		}
	}
	return order(base, transactions)
}

// Whatever of the operations is forged, left out, moved or dated otherwise convicts
// everybody who certified it, and nothing else does.
func TestWhoeverCertifiesOtherOperationsIsConvicted(t *testing.T) {
	base := newHomeChain(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		e := drawEpoch(t, base)
		for _, op := range append(someOperations, "forged") {
			e.operations[sha256.Sum256([]byte(op))] = []byte(op)
		}
		if proof := e.found(t, e.steps); proof != nil {
			t.Fatalf("a true transcript is proven to be none: %+v", must[*attest.InvalidOperations](t)(attest.DecodeInvalidOperations(proof.Body)))
		}
		steps := slices.Clone(e.steps)
		first, last := 1, len(steps)-3 // the operations
		at := rapid.IntRange(first, last).Draw(t, "at")
		what := rapid.SampledFrom([]string{"insert", "delete", "swap", "replace", "time", "height"}).Draw(t, "what")
		switch {
		case what == "insert" || first == last || at == last:
			height := rapid.SampledFrom([]int64{3, 4, 5, 6, testEpochBlocks}).Draw(t, "height")
			at = first
			for at < last && steps[at].Height <= uint64(height) {
				at++
			}
			op := rapid.SampledFrom([]string{"a", "forged"}).Draw(t, "operation")
			steps = slices.Insert(steps, at, e.step(attest.StepOperation, height, op))
		case what == "delete":
			steps = slices.Delete(steps, at, at+1)
		case what == "swap":
			if at == first || steps[at].Height != steps[at-1].Height || steps[at].Operation == steps[at-1].Operation {
				return
			}
			steps[at], steps[at-1] = steps[at-1], steps[at]
		case what == "replace":
			other := rapid.SampledFrom(append(someOperations, "forged")).Draw(t, "operation")
			if sha256.Sum256([]byte(other)) == steps[at].Operation {
				return
			}
			steps[at] = e.step(attest.StepOperation, int64(steps[at].Height), other)
		case what == "time":
			s := *steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")]
			i := slices.IndexFunc(steps, func(o *attest.Step) bool { return *o == s })
			s.Time++
			steps[i] = &s
		case what == "height": // to the end of the block before, or the start of the one after
			s := *steps[at]
			if s.Height++; at+1 < last && steps[at+1].Height < s.Height {
				return
			}
			s.Time = uint64(e.headers[min(s.Height, testEpochBlocks)-1].Time.UnixMilli())
			if s.Height > testEpochBlocks {
				return
			}
			steps[at] = &s
		}
		proof := e.found(t, steps)
		if proof == nil {
			t.Fatalf("%s at %d of %d is not proven", what, at, len(steps))
		}
		v := e.verified(t, proof)
		if a := must[attest.Accusation](t)(attest.Peek(proof)); a.Epoch != 1 || a.Height == 0 || a.Height > testEpochBlocks || a.Forked {
			t.Fatalf("%+v", a)
		}
		if who := offendersOf(v, e.set); v.Kind() != attest.FaultInvalidOperations || !slices.Equal(who, []int{0, 1, 2, 3}) {
			t.Fatalf("%v convicts %v", v.Kind(), who)
		}
	})
}

// Nothing that anybody can show of an honest epoch is a proof: other excerpts, other
// operations, less of the block.
func TestHonestTranscriptsConvictNobody(t *testing.T) {
	base := newHomeChain(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		e := drawEpoch(t, base)
		certificate := e.certified(t, e.steps)
		height := rapid.IntRange(1, testEpochBlocks).Draw(t, "height")
		from := rapid.IntRange(0, len(e.steps)).Draw(t, "from")
		to := rapid.IntRange(from, len(e.steps)).Draw(t, "to")
		header := must[*attest.HomeHeader](t)(attest.NewHomeHeader(e.headers[height-1]))
		o := &attest.InvalidOperations{
			ValidatorsRoot: e.set.Root(), Certificate: *certificate, Header: *header, Rule: rapid.Uint8Range(1, 3).Draw(t, "rule"),
			Excerpt: attest.NewExcerpt(e.steps, from, to-from),
		}
		for _, h := range e.back(int64(height))[:testEpochBlocks-height] {
			o.Trail = append(o.Trail, must[*attest.Link](t)(attest.NewLink(h)))
		}
		for _, tx := range e.transactions[height-1] {
			hash := sha256.Sum256(tx)
			o.Transactions = append(o.Transactions, hash[:])
		}
		for _, op := range append(someOperations, "forged", "late") {
			if rapid.Bool().Draw(t, "show "+op) && len(o.Operations) < 2 {
				o.Operations = append(o.Operations, &attest.Shown{Data: []byte(op)})
			}
		}
		slices.SortFunc(o.Operations, func(a, b *attest.Shown) int {
			x, y := sha256.Sum256(a.Data), sha256.Sum256(b.Data)
			return bytes.Compare(x[:], y[:])
		})
		if _, err := attest.EncodeInvalidOperations(o); err == nil {
			t.Fatalf("an honest epoch is proven to be none, by %+v", o)
		}
	})
}

// The reading of a block is compared with all readings that there are.
func TestAReadingIsFoundIfThereIsOne(t *testing.T) {
	names := []byte("abcxy")
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string, alphabet string, most int) []byte {
			return rapid.SliceOfN(rapid.SampledFrom([]byte(alphabet)), 0, most).Draw(t, label)
		}
		// Transactions: upper case is known to carry that operation, a dot is unknown.
		block, steps := draw("block", "AB.", 6), draw("steps", "abxy", 5)
		carried := map[[32]byte][32]byte{}
		for _, c := range names[:2] {
			carried[sha256.Sum256([]byte{c - 32})] = sha256.Sum256([]byte{c})
		}
		var hashes [][]byte
		for i, c := range block {
			h := sha256.Sum256([]byte{c})
			if c == '.' {
				h = sha256.Sum256([]byte{c, byte(i)})
			}
			hashes = append(hashes, h[:])
		}
		var shown []*attest.Step
		for _, c := range steps {
			shown = append(shown, &attest.Step{Operation: sha256.Sum256([]byte{c})})
		}
		readings := map[string]bool{"": true}
		for _, c := range block {
			next := map[string]bool{}
			for r := range readings {
				if c != '.' {
					next[r+string(c+32)] = true
					continue
				}
				next[r], next[r+"x"], next[r+"y"] = true, true, true // not a or b: those are known
			}
			readings = next
		}
		if got, want := attest.Explained(hashes, shown, carried, false), readings[string(steps)]; got != want {
			t.Fatalf("block %s, steps %s: %v, of %v", block, steps, got, slices.Sorted(maps.Keys(readings)))
		}
		begun := false // after the steps the epoch is full
		for r := range readings {
			begun = begun || strings.HasPrefix(r, string(steps))
		}
		if got := attest.Explained(hashes, shown, carried, true); got != begun {
			t.Fatalf("block %s, steps %s and no room: %v, of %v", block, steps, got, slices.Sorted(maps.Keys(readings)))
		}
	})
}

// What is ordered when the epoch is full is not missing from its transcript; as long as
// there is room, it is.
func TestWhatFindsNoRoomIsNotMissing(t *testing.T) {
	base := newHomeChain(t, 4)
	raw := func(op string) []byte { return attest.RawTransaction([]byte(op)) }
	transactions := map[int64][][]byte{5: {raw("a"), raw("b")}, 6: {raw("c")}}
	const blocks = testEpochBlocks
	for _, k := range []struct {
		name    string
		kept    int    // steps of blocks 5 and 6
		ordered uint64 // after the last of them
		proven  bool
	}{
		{"room", 1, attest.EpochRoom(5, blocks) - 1, true},
		{"the block is full", 1, attest.EpochRoom(5, blocks), true}, // and the next one is not
		{"the next one is full", 1, attest.EpochRoom(6, blocks), false},
		{"room in the next one", 2, attest.EpochRoom(6, blocks) - 1, true},
		{"none there", 2, attest.EpochRoom(6, blocks), false},
		{"full at once", 0, attest.EpochRoom(6, blocks), true}, // nothing before it has taken that
		{"nothing is missing", 3, attest.EpochRoom(6, blocks), false},
	} {
		e := order(base, transactions)
		i := slices.IndexFunc(e.steps, func(s *attest.Step) bool { return s.Kind == attest.StepOperation })
		steps := slices.Delete(slices.Clone(e.steps), i+k.kept, i+3)
		for j := i + max(k.kept, 1) - 1; j < len(steps); j++ {
			if j >= i {
				steps[j].Spent.Ordered = k.ordered
			}
		}
		if proof := e.found(t, steps); (proof != nil) != k.proven {
			t.Errorf("%s: proven %v", k.name, proof != nil)
		}
	}
}

// Blocks and transcripts beyond the limits are judged, too.
func TestLargeBlocksAreJudged(t *testing.T) {
	base := newHomeChain(t, 4)
	var block [][]byte
	for i := range attest.MaxBlockTransactions - 2 {
		block = append(block, fmt.Appendf(nil, "foreign %d", i))
	}
	for i := range 4 { // the last two are beyond the limit
		block = append(block, attest.RawTransaction(fmt.Append(nil, i)))
	}
	for range 5000 {
		block = append(block, []byte("more"))
	}
	e := order(base, map[int64][][]byte{4: block})
	if len(e.steps) != 1+2+3 || e.found(t, e.steps) != nil {
		t.Fatalf("%d steps", len(e.steps))
	}
	omitted := slices.Delete(slices.Clone(e.steps), 2, 3)
	beyond := slices.Insert(slices.Clone(e.steps), 3, e.step(attest.StepOperation, 4, "2"))
	e.operations[sha256.Sum256([]byte("2"))] = []byte("2")
	for _, steps := range [][]*attest.Step{omitted, beyond} {
		proof := e.found(t, steps)
		if proof == nil {
			t.Fatal("not proven")
		}
		e.verified(t, proof)
	}

	var many [][]byte
	for i := range attest.MaxBlockOperations + 1 {
		many = append(many, attest.RawTransaction(fmt.Append(nil, i)))
	}
	e = order(base, map[int64][][]byte{4: many})
	if e.found(t, e.steps) != nil {
		t.Fatal("an honest block beyond the limit is proven to be none")
	}
	at := 1 + attest.MaxBlockOperations
	tooMany := slices.Insert(slices.Clone(e.steps), at, e.step(attest.StepOperation, 4, fmt.Sprint(attest.MaxBlockOperations)))
	proof := e.found(t, tooMany)
	if proof == nil {
		t.Fatal("one operation too many is not proven")
	}
	e.verified(t, proof)
}

// What is forged and shown to nobody can be proven where the block has no room for it.
func TestUnknownOperationsAreProvenInEmptyBlocks(t *testing.T) {
	base := newHomeChain(t, 4)
	e := order(base, map[int64][][]byte{4: {[]byte("foreign")}})
	for height, want := range map[int64]bool{3: true, 4: false} {
		steps := slices.Insert(slices.Clone(e.steps), 1, e.step(attest.StepOperation, height, "nobody knows"))
		if proof := e.found(t, steps); (proof != nil) != want {
			t.Errorf("height %d: proven %v", height, proof != nil)
		}
	}
}

func TestACheckpointThatMisnamesItsBlockIsProven(t *testing.T) {
	base := newHomeChain(t, 4)
	e := order(base, nil)
	for name, change := range map[string]func(*attest.Checkpoint){
		"time":   func(cp *attest.Checkpoint) { cp.Time++ },
		"height": func(cp *attest.Checkpoint) { cp.Height-- },
	} {
		c := e.epoch(t, func(cp *attest.Checkpoint) {
			cp.OpsRoot = naiveRoot(t, e.steps)
			change(cp)
		})
		proof := must[*attest.FaultProof](t)(attest.BuildInvalidOperations(e.set, e.evidence(c, e.steps, 7)))
		if e.verified(t, proof); len(proof.Body) > 1500 {
			t.Errorf("%s: %d bytes", name, len(proof.Body))
		}
	}
}

// operationsProofs are one of each rule.
func operationsProofs(t tb, base *homeChain) (proofs []*attest.FaultProof) {
	e := order(base, map[int64][][]byte{
		5: {attest.RawTransaction([]byte("a")), []byte("foreign"), attest.KeyValueTransaction([]byte("b"))},
		6: {attest.RawTransaction([]byte("c"))},
	})
	swapped, dated := slices.Clone(e.steps), slices.Clone(e.steps)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	s := *dated[3]
	s.Time++
	dated[3] = &s
	misnamed := e.epoch(t, func(cp *attest.Checkpoint) { cp.Time++ })
	return []*attest.FaultProof{
		e.found(t, swapped), e.found(t, dated),
		must[*attest.FaultProof](t)(attest.BuildInvalidOperations(e.set, e.evidence(misnamed, e.steps, testEpochBlocks))),
	}
}

// A changed proof is refused, or convicts the same of the same.
func TestChangedOperationsProofsConvictNobodyElse(t *testing.T) {
	base := newHomeChain(t, 4)
	for _, proof := range operationsProofs(t, base) {
		want := base.verified(t, proof)
		rapid.Check(t, func(t *rapid.T) {
			body := bytes.Clone(proof.Body)
			i := rapid.IntRange(0, len(body)-1).Draw(t, "position")
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				body[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			case 1:
				body = slices.Delete(body, i, i+1)
			case 2:
				body = slices.Insert(body, i, rapid.Byte().Draw(t, "byte"))
			}
			got, err := attest.VerifyFault(testNet, base.set, &attest.FaultProof{Kind: proof.Kind, Body: body})
			if err == nil && (!slices.Equal(offendersOf(got, base.set), offendersOf(want, base.set)) || got.Epoch() != want.Epoch()) {
				t.Fatalf("the changed proof convicts %v", got.Offenders())
			}
		})
	}
}

// Less than a quorum has certified nothing: a machine that computes wrongly harms nobody.
func TestWithoutAQuorumInvalidOperationsConvictNobody(t *testing.T) {
	base := newHomeChain(t, 4)
	proof := operationsProofs(t, base)[0]
	body := must[*attest.InvalidOperations](t)(attest.DecodeInvalidOperations(proof.Body))
	for want, c := range map[attest.Rule]*attest.Certificate{
		attest.RuleQuorum:    base.certificate(t, &body.Certificate.Checkpoint, 0, 2),
		attest.RuleSignature: {Checkpoint: body.Certificate.Checkpoint, Signers: body.Certificate.Signers, Signature: base.certificate(t, checkpoint(9, ""), 0, 1, 2).Signature},
	} {
		o := *body
		o.Certificate = *c
		encoded := must[[]byte](t)(attest.EncodeInvalidOperations(&o))
		_, err := attest.VerifyFault(testNet, base.set, &attest.FaultProof{Kind: proof.Kind, Body: encoded})
		wantRule(t, err, want)
	}
}

// What is too large to be shown hides nothing: neither what is left out before it, nor
// itself where the block has nothing that it could be.
func TestLargeOperationsHideNothing(t *testing.T) {
	base := newHomeChain(t, 4)
	large := func(first byte) string { return string(append([]byte{first}, make([]byte, 499<<10)...)) }
	raw := func(op string) []byte { return attest.RawTransaction([]byte(op)) }
	e := order(base, map[int64][][]byte{
		3: {[]byte("foreign"), raw("small"), raw(large(1)), raw("more")},
		4: {raw(large(2)), raw("small")},
	})
	if e.found(t, e.steps) != nil {
		t.Fatal("a true transcript is proven to be none")
	}
	for name, change := range map[string]func([]*attest.Step) []*attest.Step{
		"one is left out before it": func(s []*attest.Step) []*attest.Step { return slices.Delete(s, 1, 2) },
		"one is left out after it":  func(s []*attest.Step) []*attest.Step { return slices.Delete(s, 3, 4) },
		"two are swapped":           func(s []*attest.Step) []*attest.Step { s[4], s[5] = s[5], s[4]; return s },
		"it is in an empty block": func(s []*attest.Step) []*attest.Step {
			return slices.Insert(s, 6, e.step(attest.StepOperation, 5, large(2)))
		},
		"it is in a full block": func(s []*attest.Step) []*attest.Step {
			return slices.Insert(s, 6, e.step(attest.StepOperation, 4, large(1)))
		},
	} {
		proof := e.found(t, change(slices.Clone(e.steps)))
		if proof == nil {
			t.Errorf("%s: not proven", name)
			continue
		}
		e.verified(t, proof)
	}
}

// Of an epoch's blocks no more are asked for than it takes to find the one that is
// contradicted: all of them may be more than fits into memory, and some be forgotten.
func TestBlocksAreAskedForAsTheyAreNeeded(t *testing.T) {
	e := order(newHomeChain(t, 4), map[int64][][]byte{8: {attest.RawTransaction([]byte("a"))}})
	steps := slices.Delete(slices.Clone(e.steps), 1, 2)
	forgotten := errors.New("forgotten")
	for _, from := range []int{8, 9} { // the first one that can be had
		asked := 0
		proof, err := attest.FindInvalidOperations(e.set, e.certified(t, steps), func(yield func(attest.HomeBlock, error) bool) {
			for h := testEpochBlocks; h >= 1; h-- {
				asked++
				b, err := attest.HomeBlock{Header: e.headers[h-1], Transactions: e.transactions[h-1]}, error(nil)
				if h < from {
					b, err = attest.HomeBlock{}, forgotten
				}
				if !yield(b, err) {
					return
				}
			}
		}, steps, e.operations)
		if (proof == nil) != errors.Is(err, forgotten) || (proof != nil) != (from == 8) || asked != 3 {
			t.Errorf("blocks from %d on: %d are asked for, %v, %v", from, asked, proof != nil, err)
		}
	}
}
