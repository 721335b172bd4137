package attest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// naiveRoot is the hash tree root of a list of at most 2^20 steps, the long way.
func naiveRoot(t tb, steps []*attest.Step) (root [32]byte) {
	level := [][32]byte{}
	for _, s := range steps {
		level = append(level, must[[32]byte](t)(s.HashTreeRoot()))
	}
	zero := [32]byte{}
	for range 20 {
		if len(level)%2 == 1 {
			level = append(level, zero)
		}
		var above [][32]byte
		for i := 0; i < len(level); i += 2 {
			above = append(above, sha256.Sum256(append(level[i][:], level[i+1][:]...)))
		}
		level, zero = above, sha256.Sum256(append(zero[:], zero[:]...))
	}
	if root = zero; len(level) > 0 {
		root = level[0]
	}
	var count [32]byte
	binary.LittleEndian.PutUint64(count[:], uint64(len(steps)))
	return sha256.Sum256(append(root[:], count[:]...))
}

// Steps are shown to be in one transcript, at one place, in one way.
func TestAnExcerptHasOneForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := make([]*attest.Step, rapid.IntRange(0, 40).Draw(t, "steps"))
		for i := range steps {
			steps[i] = &attest.Step{Index: uint64(i)}
		}
		root := naiveRoot(t, steps)
		first := rapid.IntRange(0, max(len(steps)-1, 0)).Draw(t, "first")
		n := rapid.IntRange(min(1, len(steps)), len(steps)-first).Draw(t, "shown")
		e := attest.NewExcerpt(steps, first, n)
		if !e.Of(root) {
			t.Fatalf("%v are none", &e)
		}
		for name, change := range map[string]func(*attest.Excerpt){
			"another place":      func(e *attest.Excerpt) { e.First++ },
			"a longer one":       func(e *attest.Excerpt) { e.Length++ },
			"one that is huge":   func(e *attest.Excerpt) { e.Length = 1 << 40 },
			"one that overflows": func(e *attest.Excerpt) { e.First = 1<<64 - 1 },
			"a longer branch":    func(e *attest.Excerpt) { e.Branch = append(e.Branch, make([]byte, 32)) },
			"no step":            func(e *attest.Excerpt) { e.Steps = append(slices.Clone(e.Steps), nil) },
			"a shorter sibling":  func(e *attest.Excerpt) { e.Branch = append(e.Branch, nil) },
			"a sibling cut": func(e *attest.Excerpt) {
				if len(e.Branch) > 0 {
					e.Branch = slices.Clone(e.Branch)
					e.Branch[0] = e.Branch[0][:31]
				} else {
					e.Length++
				}
			},
			"another step": func(e *attest.Excerpt) {
				if len(e.Steps) > 0 {
					e.Steps = slices.Clone(e.Steps)
					e.Steps[0] = &attest.Step{Index: 99}
				} else {
					e.First++
				}
			},
		} {
			changed := e
			if change(&changed); changed.Of(root) {
				t.Fatalf("%s passes for %v", name, &e)
			}
		}
	})
}

// No steps show only that there are none.
func TestAnEmptyExcerptIsOfAnEmptyTranscript(t *testing.T) {
	some := []*attest.Step{{Index: 1}, {Index: 2}}
	if e := attest.NewExcerpt(nil, 0, 0); !e.Empty() || !e.Of(naiveRoot(t, nil)) || e.Of(naiveRoot(t, some)) {
		t.Error("of an empty transcript")
	}
	if e := attest.NewExcerpt(some, 1, 0); e.Empty() || e.Of(naiveRoot(t, some)) {
		t.Error("of one with steps")
	}
}

// The bytes of an excerpt decode to it, or not at all.
func FuzzExcerpt(f *testing.F) {
	for n := range 4 {
		steps := []*attest.Step{{Index: 1}, {Index: 2}, {Index: 3}}
		e := attest.NewExcerpt(steps, 3-n, n)
		f.Add(must[[]byte](f)(e.MarshalSSZ()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e attest.Excerpt
		if e.UnmarshalSSZ(data) != nil {
			return
		}
		e.Of([32]byte{})
		_ = e.String()
		if again, err := e.MarshalSSZ(); err != nil || len(again) == len(data) && !bytes.Equal(again, data) {
			t.Fatalf("%x is encoded as %x, %v", data, again, err)
		}
	})
}
