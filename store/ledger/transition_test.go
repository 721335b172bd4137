package ledger_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/trie"
)

// honestEpoch is an epoch of a chain as an honest node executes it.
type honestEpoch struct {
	name   string
	mesh   *ledgertest.Mesh
	law    attest.Law
	parent *attest.Checkpoint
	tree   *trie.Tree
	result *ledger.Result
}

// honestEpochs are epochs in which everything occurs that a transcript can hold:
// operations in several blocks, ones that waited, slashes and absences over several steps.
var honestEpochs = sync.OnceValue(func() (out []*honestEpoch) {
	t := fatal{}
	add := func(name string, m *ledgertest.Mesh, in *ledger.EpochInput) {
		chain := string(in.ChainID)
		h := &honestEpoch{name: name, mesh: m, law: m.Manifest.Law(), parent: m.Head(chain).Checkpoint, tree: m.Tree(chain)}
		var err error
		h.result, err = ledger.Execute(m.Manifest, h.parent, h.tree, in)
		t.must(err)
		out = append(out, h)
	}
	input := func(m *ledgertest.Mesh, chain string, ops ...*ledger.Operation) *ledger.EpochInput {
		in, err := m.Input(chain, ops...)
		t.must(err)
		return in
	}
	n := ledgertest.New(3, 4, nil)
	m, err := ledgertest.Play(n)
	t.must(err)
	alpha := n.Chains[0]
	add("the first, and empty", m, input(m, "alpha"))

	var ops []*ledger.Operation
	for i, v := range alpha.Validators {
		d, err := ledger.NewDeposit(uint64(i), v.ID, ledger.Units(400_000))
		t.must(err)
		t.must(d.Sign(n.ID, "alpha", alpha.Authority))
		p, err := ledger.NewPledge(v.ID, 0, "beta", n.Chains[1].Validators[i].ID, ledger.Units(300_000), ledger.One/10*3)
		t.must(err)
		t.must(p.Sign(n.ID, "alpha", v.Account))
		ops = append(ops, d, p)
	}
	in := input(m, "alpha", ops...)
	spread(in, 3)
	add("the first, with operations in three blocks", m, in)
	_, err = m.Epoch("alpha", ops...)
	t.must(err)
	for range 2 {
		for _, c := range n.Chains {
			ops, err := m.Relay(c.ID)
			t.must(err)
			_, err = m.Epoch(c.ID, ops...)
			t.must(err)
		}
	}
	ops, err = m.Relay("alpha")
	t.must(err)
	in = input(m, "alpha", append(ops, &ledger.Operation{Kind: 77, Body: []byte("nonsense")})...)
	spread(in, 2)
	add("what nodes relay, and what is refused", m, in)

	proof, err := m.DoubleVote("beta", m.Head("beta").Checkpoint.Epoch, 2)
	t.must(err)
	fault, err := m.SubmitFault("beta", proof, n.Chains[1].Validators[0].ID)
	t.must(err)
	away, err := m.CertifyWithout(m.Head("beta").Checkpoint, n.Chains[1].Validators[1].ID)
	t.must(err)
	absence, err := ledger.NewRecordCertificate(away, m.Set("beta", m.Head("beta").Checkpoint.Epoch).ValidatorSet())
	t.must(err)
	add("a fault", m, input(m, "beta", fault, absence))
	_, err = m.Epoch("beta", fault, absence)
	t.must(err)
	_, err = m.Epoch("beta")
	t.must(err)
	add("slashes and absence", m, input(m, "beta"))

	n = ledgertest.New(1, 4, narrow)
	m, err = ledgertest.Play(n)
	t.must(err)
	var flood []*ledger.Operation
	for i := range 20 {
		flood = append(flood, &ledger.Operation{Kind: uint8(ledger.KindWithdraw), Account: ledger.AccountID{9}, Nonce: uint64(i), Body: make([]byte, 104_800)},
			&ledger.Operation{Kind: uint8(ledger.KindSubmitFault), Nonce: uint64(i), Body: make([]byte, 400_000)})
	}
	add("more than fits", m, input(m, "alpha", flood...))
	_, err = m.Epoch("alpha", flood...)
	t.must(err)
	in = input(m, "alpha", flood[:2]...)
	spread(in, 2)
	add("what waited, and more", m, in)
	add("what waited alone", m, input(m, "alpha"))
	return out
})

// fatal is a testing.TB for what is made once.
type fatal struct{}

func (fatal) must(err error) {
	if err != nil {
		panic(err)
	}
}

// spread gives the operations of the first block to several.
func spread(in *ledger.EpochInput, blocks int) {
	all, last := in.Blocks[0].Operations, in.Blocks[len(in.Blocks)-1]
	first, out := *in.Blocks[0], []*ledger.Block(nil)
	for i, part := range slices.Collect(slices.Chunk(all, (len(all)+blocks-1)/blocks)) {
		b := first
		b.Height, b.Time, b.Operations = first.Height+uint64(i), first.Time+uint64(i)*10, part
		out = append(out, &b)
	}
	in.Blocks = append(out, last)
}

func (h *honestEpoch) clone() (*ledger.Transcript, *attest.Checkpoint) {
	t := new(ledger.Transcript)
	for _, s := range h.result.Transcript.Steps {
		c := *s
		t.Steps = append(t.Steps, &c)
	}
	cp := *h.result.Checkpoint
	return t, &cp
}

// seal makes the checkpoint commit to the transcript.
func seal(t *ledger.Transcript, cp *attest.Checkpoint) {
	root, err := t.HashTreeRoot()
	if err != nil {
		panic(err)
	}
	cp.OpsRoot = root
}

// lies returns what an attacker who controls all of a chain may certify: the transcript
// and the checkpoint of an epoch, changed in some ways.
func (h *honestEpoch) lies(rt *rapid.T) (*ledger.Transcript, *attest.Checkpoint) {
	t, cp := h.clone()
	for range rapid.IntRange(1, 3).Draw(rt, "lies") {
		h.lie(rt, t, cp)
	}
	seal(t, cp)
	return t, cp
}

func (h *honestEpoch) lie(rt *rapid.T, t *ledger.Transcript, cp *attest.Checkpoint) {
	number := func(label string, old uint64) uint64 {
		return rapid.OneOf(
			rapid.SampledFrom([]uint64{0, old + 1, old - 1, old + 1000, 1 << 63}), rapid.Uint64Range(0, 12),
			rapid.SampledFrom([]uint64{cp.Height, cp.Time, h.parent.Height, h.parent.Time}),
		).Draw(rt, label)
	}
	root := func(label string, old [32]byte) [32]byte {
		old[rapid.IntRange(0, 31).Draw(rt, label)] ^= 1
		return old
	}
	n := len(t.Steps)
	at := func(label string, size int) int { return rapid.IntRange(0, size-1).Draw(rt, label) }
	kind := rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 17, 18, 19, 20, 20, 21, 21, 21}).Draw(rt, "lie")
	if n == 0 {
		kind = rapid.SampledFrom([]int{15, 16, 17, 18, 19}).Draw(rt, "lie")
	}
	switch kind {
	case 0:
		t.Steps[at("step", n)].Kind = uint8(rapid.IntRange(0, 4).Draw(rt, "kind"))
	case 1:
		t.Steps[at("step", n)].Phase = uint8(rapid.IntRange(0, 8).Draw(rt, "phase"))
	case 2:
		s := t.Steps[at("step", n)]
		s.Index = number("index", s.Index)
	case 3:
		s := t.Steps[at("step", n)]
		s.Height = number("height", s.Height)
	case 4:
		s := t.Steps[at("step", n)]
		s.Time = number("time", s.Time)
	case 5:
		s := t.Steps[at("step", n)]
		s.Operation = rapid.SampledFrom([][32]byte{{}, root("operation", s.Operation), t.Steps[at("other", n)].Operation}).Draw(rt, "operation")
	case 6:
		s := t.Steps[at("step", n)]
		s.Receipt = root("receipt", s.Receipt)
	case 7:
		s := t.Steps[at("step", n)]
		s.Root = root("root", s.Root)
	case 8:
		s := t.Steps[at("step", n)]
		s.Spent.Bytes = number("bytes", s.Spent.Bytes)
	case 9:
		s := t.Steps[at("step", n)]
		s.Spent.Records = number("records", s.Spent.Records)
	case 10:
		s := t.Steps[at("step", n)]
		s.Spent.Slashes = number("slashes", s.Spent.Slashes)
		if rapid.Bool().Draw(rt, "ordered instead") {
			s.Spent.Ordered = number("ordered", s.Spent.Ordered)
		}
	case 11: // a step is left out
		i := at("step", n)
		t.Steps = slices.Delete(t.Steps, i, i+1)
	case 12: // or there twice
		s := *t.Steps[at("step", n)]
		t.Steps = slices.Insert(t.Steps, at("at", n+1), &s)
	case 13:
		i, j := at("step", n), at("other", n)
		t.Steps[i], t.Steps[j] = t.Steps[j], t.Steps[i]
	case 14:
		t.Steps = t.Steps[:at("steps", n)]
	case 15:
		cp.LedgerRoot = root("ledger", cp.LedgerRoot)
	case 16:
		cp.ValidatorsRoot = root("validators", cp.ValidatorsRoot)
	case 17:
		cp.Height = number("height", cp.Height)
	case 18:
		cp.Time = number("time", cp.Time)
	case 19:
		cp.BlockHash = root("block", cp.BlockHash)
	case 20: // a state that is made up, from a step on, and goes on by the rules
		h.splice(rt, t, cp)
	case 21: // work that the end of an epoch still has is left out, or done once more
		i := slices.IndexFunc(t.Steps, func(s *ledger.Step) bool {
			return s.Kind == ledger.StepEnd && (s.Phase == ledger.EndSlashes || s.Phase == ledger.EndAbsence)
		})
		if i < 0 {
			return
		}
		for t.Steps[i].Kind == ledger.StepEnd && i+1 < len(t.Steps) && t.Steps[i+1].Phase == t.Steps[i].Phase && rapid.Bool().Draw(rt, "later") {
			i++
		}
		if again := *t.Steps[i]; rapid.Bool().Draw(rt, "more") {
			t.Steps = slices.Insert(t.Steps, i, &again)
		} else {
			t.Steps = slices.Delete(t.Steps, i, i+1)
		}
		return
	}
	if last := len(t.Steps) - 1; last >= 0 && rapid.Bool().Draw(rt, "end") {
		cp.LedgerRoot = t.Steps[last].Root
	}
	if rapid.IntRange(0, 4).Draw(rt, "moment") == 0 { // the end of the epoch moves as a whole
		for _, s := range t.Steps {
			if s.Kind == ledger.StepEnd {
				s.Height, s.Time = cp.Height, cp.Time
			}
		}
	}
}

// splice follows the rules on another state from a step on.
func (h *honestEpoch) splice(rt *rapid.T, t *ledger.Transcript, cp *attest.Checkpoint) {
	tree := h.tree.Snapshot()
	if err := tree.Set([]byte("made up"), []byte("a million")); err != nil {
		rt.Fatal(err)
	}
	other, err := ledger.Execute(h.mesh.Manifest, h.parent, tree, h.result.Input)
	if err != nil {
		rt.Fatal(err)
	}
	i := rapid.IntRange(0, len(other.Transcript.Steps)-1).Draw(rt, "from")
	t.Steps = t.Steps[:min(i, len(t.Steps))]
	for _, s := range other.Transcript.Steps[i:] {
		c := *s
		t.Steps = append(t.Steps, &c)
	}
	cp.LedgerRoot = other.Checkpoint.LedgerRoot
}

// follows executes what the transcript and the checkpoint say that the blocks hold, and
// reports whether that comes to them. It is the judge's twin: it knows of no step alone.
func (h *honestEpoch) follows(t *ledger.Transcript, cp *attest.Checkpoint) (right, known bool) {
	ops := h.result.Input.Operations()
	in := &ledger.EpochInput{ChainID: cp.ChainID, Epoch: cp.Epoch}
	known = true
	for _, s := range t.Steps {
		if s.Kind != ledger.StepOperation {
			continue
		}
		data, ok := ops[s.Operation]
		known = known && ok
		if n := len(in.Blocks); n == 0 || in.Blocks[n-1].Height != s.Height || in.Blocks[n-1].Time != s.Time {
			in.Blocks = append(in.Blocks, &ledger.Block{Height: s.Height, Time: s.Time})
		}
		b := in.Blocks[len(in.Blocks)-1]
		b.Operations = append(b.Operations, &ledger.Bytes{Data: data})
	}
	if n := len(in.Blocks); n == 0 || in.Blocks[n-1].Height != cp.Height {
		in.Blocks = append(in.Blocks, &ledger.Block{Height: cp.Height, Time: cp.Time})
	}
	last := in.Blocks[len(in.Blocks)-1]
	last.Hash = cp.BlockHash
	r, err := ledger.Execute(h.mesh.Manifest, h.parent, h.tree, in)
	return err == nil && r.Checkpoint.Root() == cp.Root(), known
}

func (h *honestEpoch) breach(t *ledger.Transcript, cp *attest.Checkpoint) ([]byte, error) {
	return ledger.FindBreach(h.mesh.Manifest, h.parent, cp, h.tree, t, h.result.Input.Operations())
}

func decodeBreach(t testing.TB, evidence []byte) *ledger.Breach {
	t.Helper()
	b := new(ledger.Breach)
	must(t, b.UnmarshalSSZ(evidence))
	return b
}

func encodeBreach(t testing.TB, b *ledger.Breach) []byte {
	t.Helper()
	out, err := b.MarshalSSZ()
	must(t, err)
	return out
}

// TestWhateverAChainCertifiesIsTrueOrProvablyWrong: who controls a whole chain can certify
// a transcript and checkpoint of any kind, and there is a proof, unless it is what the
// blocks would lead to that it names.
func TestWhateverAChainCertifiesIsTrueOrProvablyWrong(t *testing.T) {
	rules := map[uint8]int{}
	outcomes := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		h := rapid.SampledFrom(honestEpochs()).Draw(rt, "epoch")
		transcript, cp := h.lies(rt)
		right, known := h.follows(transcript, cp)
		evidence, err := h.breach(transcript, cp)
		switch {
		case errors.Is(err, ledger.ErrNoBreach):
			if !right || !known {
				rt.Fatalf("%s: nothing is found, and executed it is %v", h.name, right)
			}
			outcomes["true"]++
		case errors.Is(err, ledger.ErrOperationUnknown):
			if known {
				rt.Fatalf("%s: %v", h.name, err)
			}
			outcomes["unknown"]++
		case err != nil:
			rt.Fatalf("%s: %v", h.name, err)
		case right && known:
			rt.Fatalf("%s: a true epoch is refuted: %+v", h.name, decodeBreach(t, evidence))
		default:
			outcomes["refuted"]++
			rules[decodeBreach(t, evidence).Rule]++
			if err := h.law.JudgeTransition(h.parent, cp, evidence); err != nil {
				rt.Fatal(err)
			}
			h.spared(rt, evidence)
		}
	})
	t.Logf("%v, by rule %v", outcomes, rules)
	if outcomes["refuted"] == 0 || outcomes["true"] == 0 || len(rules) < 3 {
		t.Error("that is no test")
	}
}

// spared checks that the evidence against a lie shows nothing against the truth, neither
// as it is nor with the true steps in the place of those that lie.
func (h *honestEpoch) spared(rt *rapid.T, evidence []byte) {
	honest := h.result.Checkpoint
	if h.law.JudgeTransition(h.parent, honest, evidence) == nil {
		rt.Fatalf("%s: the evidence against a lie refutes the truth", h.name)
	}
	b := new(ledger.Breach)
	if err := b.UnmarshalSSZ(evidence); err != nil {
		rt.Fatal(err)
	}
	steps := h.result.Transcript
	first, n := int(b.Excerpt.First), len(b.Excerpt.Steps)
	if b.Rule == ledger.BreachEnd {
		first, n = len(steps.Steps)-1, 1
	}
	if first+n > len(steps.Steps) {
		return
	}
	if b.Rule != ledger.BreachCheckpoint && b.Rule != ledger.BreachSet {
		b.Excerpt = attest.NewExcerpt(steps.Steps, first, n)
	}
	for b.Rule = 0; b.Rule <= ledger.BreachSet+1; b.Rule++ {
		again, err := b.MarshalSSZ()
		if err != nil {
			rt.Fatal(err)
		}
		if h.law.JudgeTransition(h.parent, honest, again) == nil {
			rt.Fatalf("%s: an honest epoch is refuted by rule %d", h.name, b.Rule)
		}
	}
}

func TestHonestEpochsHaveNoBreach(t *testing.T) {
	kinds := map[uint8]int{}
	for _, h := range honestEpochs() {
		if _, err := h.breach(h.result.Transcript, h.result.Checkpoint); !errors.Is(err, ledger.ErrNoBreach) {
			t.Errorf("%s: %v", h.name, err)
		}
		for _, s := range h.result.Transcript.Steps {
			kinds[s.Kind]++
		}
	}
	if len(kinds) != 3 {
		t.Errorf("kinds of steps: %v", kinds)
	}
}

// sampleBreaches are evidence of each rule, with the epoch that it refutes.
type sampleBreach struct {
	epoch      *honestEpoch
	checkpoint *attest.Checkpoint
	evidence   []byte
}

var sampleBreaches = sync.OnceValue(func() (out []sampleBreach) {
	add := func(h *honestEpoch, change func(*ledger.Transcript, *attest.Checkpoint)) {
		transcript, cp := h.clone()
		change(transcript, cp)
		seal(transcript, cp)
		evidence, err := h.breach(transcript, cp)
		if err != nil {
			panic(err)
		}
		out = append(out, sampleBreach{h, cp, evidence})
	}
	for _, h := range honestEpochs() {
		for i := range h.result.Transcript.Steps {
			if i > 4 && i < len(h.result.Transcript.Steps)-6 {
				continue
			}
			add(h, func(t *ledger.Transcript, _ *attest.Checkpoint) { t.Steps[i].Spent.Records++ })
		}
		add(h, func(_ *ledger.Transcript, cp *attest.Checkpoint) { cp.ValidatorsRoot[0] ^= 1 })
		add(h, func(_ *ledger.Transcript, cp *attest.Checkpoint) { cp.Height++ })
		add(h, func(t *ledger.Transcript, _ *attest.Checkpoint) { t.Steps = nil })
		add(h, func(t *ledger.Transcript, _ *attest.Checkpoint) { t.Steps[0], t.Steps[1] = t.Steps[1], t.Steps[0] })
		add(h, func(t *ledger.Transcript, _ *attest.Checkpoint) { // no look at who was absent
			t.Steps = slices.DeleteFunc(t.Steps, func(s *ledger.Step) bool { return s.Kind == ledger.StepEnd && s.Phase == ledger.EndSlashes })
		})
		for i, s := range h.result.Transcript.Steps { // once more than it takes
			if s.Kind == ledger.StepEnd && s.Phase == ledger.EndSlashes {
				add(h, func(t *ledger.Transcript, _ *attest.Checkpoint) {
					again := *s
					t.Steps = slices.Insert(t.Steps, i, &again)
				})
			}
		}
	}
	return out
})

// TestEveryByteOfABreachCounts: one bit more or less shows nothing.
func TestEveryByteOfABreachCounts(t *testing.T) {
	rules := map[uint8]bool{}
	for _, s := range sampleBreaches() {
		b := decodeBreach(t, s.evidence)
		if rules[b.Rule] {
			continue
		}
		rules[b.Rule] = true
		must(t, s.epoch.law.JudgeTransition(s.epoch.parent, s.checkpoint, s.evidence))
		for i := range s.evidence {
			altered := bytes.Clone(s.evidence)
			altered[i] ^= 1
			err := s.epoch.law.JudgeTransition(s.epoch.parent, s.checkpoint, altered)
			if err == nil {
				t.Errorf("rule %d: byte %d of %d changed nothing", b.Rule, i, len(altered))
			} else if !errors.Is(err, attest.RuleTransition) {
				t.Fatal(err)
			}
		}
		for _, altered := range [][]byte{s.evidence[:len(s.evidence)-1], append(bytes.Clone(s.evidence), 0), nil} {
			if err := s.epoch.law.JudgeTransition(s.epoch.parent, s.checkpoint, altered); !errors.Is(err, attest.RuleTransition) {
				t.Errorf("rule %d, %d bytes: %v", b.Rule, len(altered), err)
			}
		}
	}
	if len(rules) != ledger.BreachSet {
		t.Errorf("rules: %v", rules)
	}
}

// The evidence against one lie shows nothing about another epoch or chain.
func TestEvidenceIsAboutItsOwnEpoch(t *testing.T) {
	for _, s := range sampleBreaches() {
		for _, other := range honestEpochs() {
			if other.law.JudgeTransition(other.parent, other.result.Checkpoint, s.evidence) == nil {
				t.Fatalf("evidence about %q refutes %q", s.epoch.name, other.name)
			}
		}
	}
}

// FuzzTransition: whatever the evidence, an honest epoch stands, and nothing panics.
func FuzzTransition(f *testing.F) {
	for _, s := range sampleBreaches() {
		if len(s.evidence) < 8_000 { // larger ones take the fuzzer minutes to minimize
			f.Add(uint8(slices.Index(honestEpochs(), s.epoch)), s.evidence)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, evidence []byte) {
		h := honestEpochs()[int(which)%len(honestEpochs())]
		if h.law.JudgeTransition(h.parent, h.result.Checkpoint, evidence) == nil {
			t.Fatal("an honest epoch is refuted")
		}
		b := new(ledger.Breach)
		if b.UnmarshalSSZ(evidence) != nil {
			return
		}
		// The same with true steps, so that the state is looked at.
		steps := h.result.Transcript
		n := len(b.Excerpt.Steps)
		if first := int(b.Excerpt.First % uint64(len(steps.Steps))); n > 0 && first+n <= len(steps.Steps) {
			b.Excerpt = attest.NewExcerpt(steps.Steps, first, n)
			if h.law.JudgeTransition(h.parent, h.result.Checkpoint, encodeBreach(t, b)) == nil {
				t.Fatal("an honest epoch is refuted")
			}
		}
	})
}
