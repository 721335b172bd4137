package attest_test

import (
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// homeCodecs are the bodies of proofs about a home chain. Nothing can be drawn at random
// that hashes to what it must: parts of real ones are drawn anew.
func homeCodecs() []codec {
	return []codec{
		codecOf("light client attack", attest.MaxLightClientAttack, attest.DecodeLightClientAttack, attest.EncodeLightClientAttack, drawLightClientAttack),
		codecOf("invalid operations", attest.MaxInvalidOperations, attest.DecodeInvalidOperations, attest.EncodeInvalidOperations, drawInvalidOperations),
	}
}

// homeProofs are real proofs about a home chain, and the set that they are for.
type homeProofs struct {
	chain      *homeChain
	attacks    []*attest.FaultProof // lunatic, equivocation, fork
	operations []*attest.FaultProof // by each rule
}

var realProofs = sync.OnceValue(func() homeProofs {
	t := panics{}
	c := newHomeChain(t, 4)
	return homeProofs{c, []*attest.FaultProof{c.lunatic(t, 4, 0, 2), c.equivocal(t, 4, 1, 2), c.forked(t, 4, 0, 1, 3)}, operationsProofs(t, c)}
})

// all are those of both kinds.
func (p homeProofs) all() []*attest.FaultProof { return slices.Concat(p.attacks, p.operations) }

// panics is a tb where there is no test.
type panics struct{}

func (panics) Helper()                   {}
func (panics) Fatal(args ...any)         { panic(args) }
func (panics) Fatalf(f string, a ...any) { panic(a) }

func drawLightClientAttack(t *rapid.T) *attest.LightClientAttack {
	proof := rapid.SampledFrom(realProofs().attacks).Draw(t, "proof")
	a := must[*attest.LightClientAttack](t)(attest.DecodeLightClientAttack(proof.Body))
	a.ValidatorsRoot, a.PartsHash = drawArray32(t), drawArray32(t)
	a.PartsTotal, a.Round = rapid.Uint32Min(1).Draw(t, "parts"), rapid.Uint32Max(math.MaxInt32).Draw(t, "round")
	draw := func(p *attest.Precommit) {
		p.Seconds, p.Nanos = rapid.Uint64Max(1<<33).Draw(t, "seconds"), rapid.Uint32Max(999_999_999).Draw(t, "nanos")
		p.Signature = [64]byte(rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "signature"))
	}
	for _, p := range a.Precommits {
		draw(p)
	}
	for _, own := range a.Own {
		own.PartsTotal, own.PartsHash = rapid.Uint32Min(1).Draw(t, "own parts"), drawArray32(t)
		for _, p := range own.Precommits {
			draw(p)
		}
	}
	return a
}

func drawInvalidOperations(t *rapid.T) *attest.InvalidOperations {
	proof := rapid.SampledFrom(realProofs().operations).Draw(t, "proof")
	o := must[*attest.InvalidOperations](t)(attest.DecodeInvalidOperations(proof.Body))
	o.ValidatorsRoot, o.Certificate.Signers, o.Certificate.Signature = drawArray32(t), drawSigners(t), drawArray96(t)
	return o
}

func TestProofsAboutHomeChainsHaveOneForm(t *testing.T) {
	for _, c := range homeCodecs() {
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			o := c.draw(t)
			data := must[[]byte](t)(c.encode(o))
			if again := must[any](t)(c.decode(data)); !reflect.DeepEqual(again, o) {
				t.Fatalf("got %+v, want %+v", again, o)
			}
			at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "mutation") {
			case 0:
				data[at] ^= rapid.ByteMin(1).Draw(t, "flip")
			case 1:
				data = data[:at]
			case 2:
				data = append(data, rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "tail")...)
			case 3:
				data = append(data[:at:at], data[at+1:]...)
			}
			checkCanonical(t, c, data)
		}))
		_, err := c.decode(make([]byte, c.max+1))
		wantRule(t, err, attest.RuleSize)
	}
}
