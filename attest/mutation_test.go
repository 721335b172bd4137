package attest_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// A changed proof convicts nobody else, and of nothing else.
//
// proofForms are the forms that valid proofs have: a new kind adds its lines. Each makes
// proofs of different offences by the validators of c; body decodes what is in the
// envelope; innocent makes bodies out of what honest validators sign.
var proofForms = []struct {
	name       string
	make       func(t tb, c *cast) []sample
	body       func([]byte) (sszBody, error)
	innocent   func(t tb, c *cast) []sszBody
	anyNetwork bool // what it shows was not signed for a network
}{
	{"double vote, single and single", doubleVotes([]int{1}, []int{1}, 1), body(attest.DecodeDoubleVote), honestVotes, false},
	{"double vote, single and aggregate", doubleVotes([]int{2}, []int{0, 2, 3}, 2), body(attest.DecodeDoubleVote), honestVotes, false},
	{"double vote, two aggregates", doubleVotes([]int{0, 1, 2}, []int{1, 2, 3}, 1, 2), body(attest.DecodeDoubleVote), honestVotes, false},
	{"consensus equivocation", equivocations(comet.Precommit, "a", "b"), body(attest.DecodeEquivocation), honestConsensus, true},
	{"consensus equivocation, nil and a block", equivocations(comet.Prevote, "", "b"), body(attest.DecodeEquivocation), honestConsensus, true},
}

// sample is a valid proof, and everything that it convicts of.
type sample struct {
	proof *attest.FaultProof
	truth map[offence]bool
}

func (c *cast) sample(proof *attest.FaultProof, chain string, epoch uint64, offenders ...int) sample {
	s := sample{proof, make(map[offence]bool)}
	for _, i := range offenders {
		s.truth[offence{attest.FaultKind(proof.Kind), chain, epoch, c.set.At(i).Account}] = true
	}
	return s
}

// slots are what the samples are about: one epoch, a later one, and the same on another
// chain, where the validators have the same keys.
var slots = []struct {
	chain string
	epoch uint64
}{{testChain, 5}, {testChain, 6}, {testPeer, 5}}

// doubleVotes has the first sign one checkpoint and the second another one.
func doubleVotes(first, second []int, both ...int) func(tb, *cast) []sample {
	return func(t tb, c *cast) (out []sample) {
		t.Helper()
		for _, s := range slots {
			a, b := checkpoint(s.epoch, "a"), checkpoint(s.epoch, "b")
			a.ChainID, b.ChainID = []byte(s.chain), []byte(s.chain)
			proof := c.doubleVote(t, c.aggregate(t, a, first...).Certificate(), c.aggregate(t, b, second...).Certificate())
			out = append(out, c.sample(proof, s.chain, s.epoch, both...))
		}
		return out
	}
}

// equivocations has one validator after the other vote twice at a height of the epoch.
func equivocations(kind uint8, first, second string) func(tb, *cast) []sample {
	return func(t tb, c *cast) (out []sample) {
		t.Helper()
		at := time.Unix(1_700_000_000, 123_456_789)
		for i, s := range slots {
			e, key := equivocated(i), consensusKey(i)
			e.ChainID, e.Type, e.Epoch, e.Height = []byte(s.chain), kind, s.epoch, s.epoch*10-3
			e.First = consensusVote(key, s.chain, kind, e.Height, e.Round, first, at)
			e.Second = consensusVote(key, s.chain, kind, e.Height, e.Round, second, at.Add(time.Second))
			out = append(out, c.sample(must[*attest.FaultProof](t)(attest.BuildEquivocation(c.set, e)), s.chain, s.epoch, i))
		}
		return out
	}
}

// honestVotes are pairs out of the votes of validators who sign one checkpoint an epoch.
func honestVotes(t tb, c *cast) (out []sszBody) {
	t.Helper()
	cp := func(chain string, epoch uint64, variant string) *attest.Checkpoint {
		cp := checkpoint(epoch, variant)
		cp.ChainID = []byte(chain)
		return cp
	}
	pair := func(a, b *attest.Checkpoint, first, second []int) {
		x, y := c.certificate(t, a, first...), c.certificate(t, b, second...)
		rootX, rootY := a.Root(), b.Root()
		if bytes.Compare(rootX[:], rootY[:]) > 0 {
			x, y = y, x
		}
		out = append(out, &attest.DoubleVote{ValidatorsRoot: c.set.Root(), First: *x, Second: *y})
	}
	for _, who := range [][]int{{1}, {0, 1, 3}} {
		pair(cp(testChain, 7, "a"), cp(testPeer, 7, "a"), who, who)       // on two chains
		pair(cp(testChain, 7, "a"), cp(testChain, 8, "b"), who, who)      // in two epochs
		pair(cp(testChain, 7, "a"), cp(testChain, 7, "a"), who, who)      // twice the same
		pair(cp(testChain, 7, "a"), cp(testChain, 7, "b"), who, []int{2}) // of two minds, but two
	}
	return out
}

// honestConsensus are votes of one validator that differ in their step of the consensus,
// or not in their block. All of them together are honest.
func honestConsensus(t tb, c *cast) (out []sszBody) {
	t.Helper()
	at := time.Unix(1_700_000_000, 123_456_789)
	for _, other := range []struct {
		chain  string
		kind   uint8
		height uint64
		round  uint32
		block  string
	}{
		{testPeer, comet.Precommit, 47, 1, "b"},
		{testChain, comet.Prevote, 47, 1, "b"},
		{testChain, comet.Precommit, 48, 1, "b"},
		{testChain, comet.Precommit, 47, 2, "b"},
		{testChain, comet.Precommit, 47, 2, ""},
		{testChain, comet.Precommit, 47, 1, "a"}, // signed again at another time
	} {
		e, key := equivocated(3), consensusKey(3)
		e.ValidatorsRoot, e.Accused = c.set.Root(), attest.NewBits(c.set.Len())
		attest.Bits(e.Accused).Set(3)
		e.First = consensusVote(key, testChain, e.Type, e.Height, e.Round, "a", at)
		e.Second = consensusVote(key, other.chain, other.kind, other.height, other.round, other.block, at.Add(time.Second))
		if bytes.Compare(e.First.BlockHash[:], e.Second.BlockHash[:]) > 0 {
			e.First, e.Second = e.Second, e.First
		}
		out = append(out, &e)
	}
	return out
}

// sszBody is the decoded body of a proof; only its generated code is used, so that what
// the package would refuse to encode is encoded as well.
type sszBody interface {
	MarshalSSZ() ([]byte, error)
}

func body[B sszBody](decode func([]byte) (B, error)) func([]byte) (sszBody, error) {
	return func(data []byte) (sszBody, error) { return decode(data) }
}

// offence is what an account can be convicted of.
type offence struct {
	kind    attest.FaultKind
	chain   string
	epoch   uint64
	account [32]byte
}

// court judges as a node and a ledger do. The set of every epoch of every chain is the
// same, so that no change fails for want of a set; an epoch has ten heights.
type court struct {
	set *attest.Set
	net attest.Network
}

// convicts are the offences that an encoded proof shows; none if it is refused.
func (c court) convicts(encoded []byte) map[offence]bool {
	proof, err := attest.DecodeFaultProof(encoded)
	if err != nil {
		return nil
	}
	accusation, err := attest.Peek(proof)
	if err != nil || accusation.Height != 0 && (accusation.Height-1)/10+1 != accusation.Epoch {
		return nil
	}
	verified, err := attest.VerifyFault(c.net, c.set, proof)
	if err != nil {
		return nil
	}
	out := make(map[offence]bool)
	for _, o := range verified.Offenders() {
		out[offence{verified.Kind(), verified.ChainID(), verified.Epoch(), o.Account}] = true
	}
	return out
}

// holds fails if a changed proof convicts of anything but all of what the proof did.
func (c court) holds(t tb, what string, changed []byte, truth map[offence]bool) {
	t.Helper()
	if got := c.convicts(changed); len(got) > 0 && !maps.Equal(got, truth) {
		t.Fatalf("%s: convicts of %+v, the truth is %+v\n%x", what, got, truth, changed)
	}
}

func wrapped(t tb, f *attest.FaultProof) []byte {
	t.Helper()
	return must[[]byte](t)(attest.EncodeFaultProof(f))
}

// Every byte of the encoding, also cut off and added.
func TestAProofWithAnotherByteConvictsNobodyElse(t *testing.T) {
	c := newCast(t, 10, 20, 30, 40)
	court := court{c.set, testNet}
	for _, form := range proofForms {
		t.Run(form.name, func(t *testing.T) {
			samples := form.make(t, c)
			for i, s := range samples {
				if got := court.convicts(wrapped(t, s.proof)); !maps.Equal(got, s.truth) {
					t.Fatalf("sample %d convicts of %+v, the truth is %+v", i, got, s.truth)
				}
			}
			good, truth := wrapped(t, samples[0].proof), samples[0].truth
			for i := range good {
				changed := bytes.Clone(good)
				changed[i] ^= 1 << (i % 8)
				court.holds(t, fmt.Sprintf("byte %d", i), changed, truth)
				if court.convicts(good[:i]) != nil {
					t.Fatalf("the first %d bytes convict", i)
				}
			}
			for b := range 256 {
				if court.convicts(append(bytes.Clone(good), byte(b))) != nil {
					t.Fatalf("with a byte %d behind it, it still convicts", b)
				}
				changed := bytes.Clone(good)
				changed[0] = byte(b) // the kind
				court.holds(t, fmt.Sprintf("kind %d", b), changed, truth)
			}
			elsewhere := court
			elsewhere.net = attest.Network(sha256.Sum256([]byte("another network")))
			if got := elsewhere.convicts(good); form.anyNetwork != maps.Equal(got, truth) {
				t.Fatalf("on another network it convicts of %+v", got)
			}
		})
	}
}

// Every field, on its own and from another proof of the form; every pair of fields of
// one type that change places, as whole sides do; several changes at once.
func TestAProofWithAnotherFieldConvictsNobodyElse(t *testing.T) {
	c := newCast(t, 10, 20, 30, 40)
	court := court{c.set, testNet}
	for _, form := range proofForms {
		t.Run(form.name, func(t *testing.T) {
			samples := form.make(t, c)
			rapid.Check(t, func(t *rapid.T) {
				own := must[sszBody](t)(form.body(samples[0].proof.Body))
				what := ""
				for range rapid.IntRange(1, 3).Draw(t, "changes") {
					other := rapid.SampledFrom(samples[1:]).Draw(t, "other proof").proof
					foreign := must[sszBody](t)(form.body(other.Body))
					what += mutate(t, c, reflect.ValueOf(own).Elem(), reflect.ValueOf(foreign).Elem()) + "; "
				}
				encoded, err := own.MarshalSSZ()
				if err != nil {
					return // longer than its list may be
				}
				changed := append([]byte{samples[0].proof.Kind, 5, 0, 0, 0}, encoded...)
				got := court.convicts(changed)
				if slices.ContainsFunc(samples[1:], func(s sample) bool { return maps.Equal(got, s.truth) }) {
					return // all that matters came from another one
				}
				court.holds(t, what, changed, samples[0].truth)
			})
		})
	}
}

// What honest validators sign convicts nobody, as it is and with one field changed or
// from another of them.
func TestWhatTheHonestSignConvictsNobody(t *testing.T) {
	c := newCast(t, 10, 20, 30, 40)
	court := court{c.set, testNet}
	for _, form := range proofForms {
		t.Run(form.name, func(t *testing.T) {
			kind := form.make(t, c)[0].proof.Kind
			try := func(t tb, what string, b sszBody) {
				t.Helper()
				if encoded, err := b.MarshalSSZ(); err == nil {
					court.holds(t, what, append([]byte{kind, 5, 0, 0, 0}, encoded...), nil)
				}
			}
			n := len(form.innocent(t, c))
			for i, b := range form.innocent(t, c) {
				try(t, fmt.Sprintf("%d as it is", i), b)
			}
			rapid.Check(t, func(t *rapid.T) {
				own := form.innocent(t, c)[rapid.IntRange(0, n-1).Draw(t, "own")]
				foreign := form.innocent(t, c)[rapid.IntRange(0, n-1).Draw(t, "other")]
				what := mutate(t, c, reflect.ValueOf(own).Elem(), reflect.ValueOf(foreign).Elem())
				try(t, what, own)
			})
		})
	}
}

// field is a settable part of an object.
type field struct {
	path  string
	value reflect.Value
}

// fields are all parts of an object at any depth.
func fields(path string, v reflect.Value) (out []field) {
	switch {
	case v.Kind() == reflect.Pointer:
		return fields(path, v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			out = append(out, fields(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		for i := range v.Len() {
			out = append(out, fields(fmt.Sprintf("%s[%d]", path, i), v.Index(i))...)
		}
	}
	return append(out, field{path, v})
}

// mutate changes one part of an object, and tells which.
func mutate(t *rapid.T, c *cast, own, foreign reflect.Value) string {
	all, others := fields("", own), fields("", foreign)
	all, others = all[:len(all)-1], others[:len(others)-1] // not the whole
	f := all[rapid.IntRange(0, len(all)-1).Draw(t, "field")]
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		if i := slices.IndexFunc(others, func(o field) bool { return o.path == f.path }); i >= 0 {
			f.value.Set(others[i].value)
			return f.path + " of another proof"
		}
	case 1:
		alike := slices.DeleteFunc(slices.Clone(all), func(o field) bool { return o.path == f.path || o.value.Type() != f.value.Type() })
		if len(alike) > 0 {
			o := alike[rapid.IntRange(0, len(alike)-1).Draw(t, "other")]
			held := reflect.New(f.value.Type()).Elem()
			held.Set(f.value)
			f.value.Set(o.value)
			if rapid.Bool().Draw(t, "swap") {
				o.value.Set(held)
				return f.path + " and " + o.path + " swapped"
			}
			return o.path + " as " + f.path
		}
	}
	return f.path + " " + edit(t, c, f.value)
}

// edit gives a part another value.
func edit(t *rapid.T, c *cast, v reflect.Value) string {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		n := rapid.SampledFrom([]uint64{0, 1, v.Uint() + 1, v.Uint() - 1, 1<<63 - 1, 1 << 63, ^uint64(0)}).Draw(t, "number")
		v.SetUint(n & (1<<v.Type().Bits() - 1))
		return fmt.Sprintf("= %d", v.Uint())
	case reflect.Array:
		b := v.Slice(0, v.Len()).Bytes()
		switch v.Len() {
		case 96:
			point := rapid.SampledFrom([][]byte{infinity(96), make([]byte, 96), bytes.Repeat([]byte{0xff}, 96)}).Draw(t, "point")
			copy(b, point)
		case 48:
			key := c.set.At(rapid.IntRange(0, c.set.Len()-1).Draw(t, "key")).Key
			copy(b, rapid.SampledFrom([][]byte{key[:], infinity(48), make([]byte, 48)}).Draw(t, "key"))
		default:
			root := c.set.Root()
			copy(b, rapid.SampledFrom([][]byte{root[:], make([]byte, v.Len())}).Draw(t, "bytes"))
		}
		if rapid.Bool().Draw(t, "flip") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		return fmt.Sprintf("= %x", b)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(otherBytes(t, v.Bytes()))
			return fmt.Sprintf("= %x", v.Bytes())
		}
		return editList(t, v)
	}
	return "as it was"
}

func infinity(n int) []byte {
	point := make([]byte, n)
	point[0] = 0xc0
	return point
}

func otherBytes(t *rapid.T, old []byte) []byte {
	b := bytes.Clone(old)
	switch rapid.IntRange(0, 3).Draw(t, "edit") {
	case 0:
		if len(b) > 0 {
			return b[:rapid.IntRange(0, len(b)-1).Draw(t, "length")]
		}
	case 1:
		return append(b, rapid.Byte().Draw(t, "more"))
	case 2:
		return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "any")
	}
	if len(b) > 0 {
		b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	}
	return b
}

// editList drops an entry, doubles one, or turns the order around.
func editList(t *rapid.T, v reflect.Value) string {
	if v.Len() == 0 {
		return "stays empty"
	}
	i := rapid.IntRange(0, v.Len()-1).Draw(t, "entry")
	fresh := reflect.MakeSlice(v.Type(), 0, v.Len()+1)
	switch rapid.IntRange(0, 2).Draw(t, "edit") {
	case 0:
		fresh = reflect.AppendSlice(reflect.AppendSlice(fresh, v.Slice(0, i)), v.Slice(i+1, v.Len()))
		v.Set(fresh)
		return fmt.Sprintf("without entry %d", i)
	case 1:
		fresh = reflect.Append(reflect.AppendSlice(fresh, v), v.Index(i))
		v.Set(fresh)
		return fmt.Sprintf("with entry %d twice", i)
	}
	for j := range v.Len() {
		fresh = reflect.Append(fresh, v.Index(v.Len()-1-j))
	}
	v.Set(fresh)
	return "backwards"
}
