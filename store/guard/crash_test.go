package guard_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/meshsec/meshsec/store/guard"
	"pgregory.net/rapid"
)

const testNetwork = "net-1"

var testKey = [48]byte{0xa0, 1, 2, 3}

// rig drives a guard and its twin over a disk that fails, and holds what must be
// true after every action.
type rig struct {
	t        failer
	disk     *powerDisk
	guard    *guard.Guard
	twin     twin
	released []statement // every signature that was ever made
	highest  map[[2]string]uint64
	pick     func(n int) int
	repairs  int // how often opening failed
}

// failer is what testing.T and rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// located says where in a table a failure is.
type located struct {
	failer
	where string
}

func (l located) Fatalf(format string, args ...any) {
	l.Helper()
	l.failer.Fatalf("%s: %s", l.where, fmt.Sprintf(format, args...))
}

func newRig(t failer, pick func(n int) int) *rig {
	return &rig{t: t, disk: newPowerDisk(), highest: map[[2]string]uint64{}, pick: pick}
}

// create makes and opens the guard. fail arms the disk, or doesn't.
func (r *rig) create(fail func()) {
	r.t.Helper()
	for {
		fail()
		err := guard.CreateOn(r.disk, testKey, testNetwork)
		blown := r.disk.disarm()
		if err == nil || errors.Is(err, guard.ErrExists) {
			break
		}
		if !blown {
			r.t.Fatalf("create: %v", err)
		}
		r.restart()
	}
	r.open(func() {})
}

// restart is what happens to the disk when the machine or the process is started again.
func (r *rig) restart() {
	if r.disk.dead {
		r.disk = r.disk.reboot(r.pick)
	}
}

// open opens the guard. It must succeed as soon as the disk does not fail.
func (r *rig) open(fail func()) {
	r.t.Helper()
	for {
		r.restart()
		fail()
		g, err := guard.OpenOn(r.disk, testKey, testNetwork)
		blown := r.disk.disarm()
		if err == nil {
			if r.disk.dead {
				r.t.Fatalf("opened without power")
			}
			r.guard = g
			return
		}
		if !blown {
			r.t.Fatalf("open: %v", err)
		}
		r.repairs++
		fail = func() {}
	}
}

// do runs one action that turns the twin into next if it returns nil, and into next
// or nothing at all if the disk fails.
func (r *rig) do(fail, failOpen func(), next twin, action func(g *guard.Guard) error) {
	r.t.Helper()
	before := r.twin
	fail()
	err := action(r.guard)
	blown := r.disk.disarm()
	switch {
	case err == nil:
		r.twin = next
	case !blown:
		r.t.Fatalf("the disk is well: %v", err)
	case !errors.Is(err, guard.ErrBroken) || !(errors.Is(err, errIO) || errors.Is(err, errPower)):
		r.t.Fatalf("a failing disk gave %v", err)
	default:
		r.mustStayBroken()
	}
	if blown {
		if err := r.guard.Close(); err != nil {
			r.t.Fatalf("close: %v", err)
		}
		r.open(failOpen)
	}
	r.settle(err == nil, before, next)
}

// settle compares guard and twin; if the action failed both states are right.
func (r *rig) settle(done bool, before, next twin) {
	r.t.Helper()
	have, err := export(r.guard)
	if err != nil {
		r.t.Fatalf("export: %v", err)
	}
	lines := fmt.Sprint(have.lines())
	switch {
	case lines == fmt.Sprint(next.lines()):
		r.twin = next
	case !done && lines == fmt.Sprint(before.lines()):
		r.twin = before
	default:
		r.t.Fatalf("the guard has\n%v\nbefore (done %v)\n%v\nafter\n%v", lines, done, before.lines(), next.lines())
	}
	if n := r.guard.Len(); n != len(r.twin.signed) {
		r.t.Fatalf("Len is %d, %d slots are on record", n, len(r.twin.signed))
	}
	r.check()
}

// check is the promise: whatever was signed stays guarded.
func (r *rig) check() {
	r.t.Helper()
	for _, s := range r.released {
		other := s.root
		other[31] ^= 0xff
		_, err := r.guard.Sign(s.slot, other, func() ([]byte, error) {
			r.t.Fatalf("%s was signed with %x and now with %x", s.slot, s.root, other)
			return nil, nil
		})
		if !errors.Is(err, guard.ErrConflict) && !errors.Is(err, guard.ErrBelowWatermark) {
			r.t.Fatalf("%s with another root: %v", s.slot, err)
		}
		_, err = r.guard.Sign(s.slot, s.root, func() ([]byte, error) { return nil, nil })
		if want := r.twin.refusal(s); !errors.Is(err, want) {
			r.t.Fatalf("%s with the same root: %v, not %v", s.slot, err, want)
		}
		stream := [2]string{s.slot.Chain, s.slot.Kind}
		top, ok := r.guard.Highest(stream[0], stream[1])
		if !ok || top < s.slot.Epoch || top < r.highest[stream] {
			r.t.Fatalf("highest of %v is %d after %d and %s", stream, top, r.highest[stream], s.slot)
		}
		r.highest[stream] = top
	}
}

func (r *rig) mustStayBroken() {
	r.t.Helper()
	_, err := r.guard.Sign(guard.Slot{Chain: "other", Kind: "checkpoint"}, [32]byte{}, func() ([]byte, error) {
		r.t.Fatalf("signed by a broken guard")
		return nil, nil
	})
	_, errImport := r.guard.Import(bytes.NewReader(newDocument(nil, nil, nil)))
	for _, err := range []error{
		err, errImport,
		r.guard.Prune("other", "checkpoint", 1),
		r.guard.Export(&bytes.Buffer{}),
	} {
		if !errors.Is(err, guard.ErrBroken) {
			r.t.Fatalf("a broken guard said %v", err)
		}
	}
}

// sign signs, which may be refused, and remembers what was released.
func (r *rig) sign(s statement, fail, failOpen func()) {
	r.t.Helper()
	next, refusal := r.twin.sign(s)
	r.do(fail, failOpen, next, func(g *guard.Guard) error {
		_, err := g.Sign(s.slot, s.root, func() ([]byte, error) {
			r.released = append(r.released, s)
			return nil, nil
		})
		if refusal != nil {
			if !errors.Is(err, refusal) {
				r.t.Fatalf("%s: %v, not %v", s.slot, err, refusal)
			}
			return nil
		}
		return err
	})
}

func (r *rig) prune(w mark, fail, failOpen func()) {
	r.t.Helper()
	r.do(fail, failOpen, r.twin.prune(w), func(g *guard.Guard) error {
		return g.Prune(w.chain, w.kind, w.below)
	})
}

func (r *rig) merge(signed, unknown []statement, marks []mark, fail, failOpen func()) {
	r.t.Helper()
	r.do(fail, failOpen, r.twin.merge(signed, unknown, marks), func(g *guard.Guard) error {
		_, err := g.Import(bytes.NewReader(newDocument(signed, unknown, marks)))
		return err
	})
}

func (r *rig) reopen(failOpen func()) {
	r.t.Helper()
	if err := r.guard.Close(); err != nil {
		r.t.Fatalf("close: %v", err)
	}
	r.open(failOpen)
	r.settle(true, r.twin, r.twin)
}

func drawStatement(t *rapid.T) statement {
	return statement{
		slot: guard.Slot{
			Chain:   rapid.SampledFrom([]string{"a", "b"}).Draw(t, "chain"),
			Kind:    rapid.SampledFrom([]string{"checkpoint", "cross"}).Draw(t, "kind"),
			Epoch:   rapid.Uint64Range(0, 6).Draw(t, "epoch"),
			Subject: rapid.SampledFrom([]string{"", "peer"}).Draw(t, "subject"),
		},
		root: [32]byte{rapid.Byte().Draw(t, "root") & 1},
	}
}

func drawMark(t *rapid.T) mark {
	return mark{
		chain: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "chain"),
		kind:  rapid.SampledFrom([]string{"checkpoint", "cross"}).Draw(t, "kind"),
		below: rapid.Uint64Range(0, 7).Draw(t, "below"),
	}
}

// TestReleasedSignaturesStayGuarded runs random sequences over a disk that fails at
// random steps, with and without a power failure, also while opening, and compares
// the guard with its twin.
func TestReleasedSignaturesStayGuarded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "survives") })
		fail := func() {
			if rapid.IntRange(0, 2).Draw(t, "fails") == 0 {
				r.disk.arm(rapid.IntRange(0, 10).Draw(t, "at"), rapid.Bool().Draw(t, "power"), rapid.Bool().Draw(t, "late"))
			}
		}
		r.create(fail)
		t.Repeat(map[string]func(*rapid.T){
			"sign": func(t *rapid.T) { r.sign(drawStatement(t), fail, fail) },
			"sign again": func(t *rapid.T) {
				if len(r.released) == 0 {
					t.Skip("nothing is released yet")
				}
				r.sign(rapid.SampledFrom(r.released).Draw(t, "again"), fail, fail)
			},
			"prune": func(t *rapid.T) { r.prune(drawMark(t), fail, fail) },
			"import": func(t *rapid.T) {
				statements := rapid.SliceOfN(rapid.Custom(drawStatement), 0, 4)
				r.merge(statements.Draw(t, "signed"), nil,
					rapid.SliceOfN(rapid.Custom(drawMark), 0, 1).Draw(t, "marks"), fail, fail)
			},
			"import without roots": func(t *rapid.T) {
				r.merge(nil, []statement{drawStatement(t)}, nil, fail, fail)
			},
			"reopen": func(*rapid.T) { r.reopen(fail) },
			"power failure": func(*rapid.T) {
				r.disk.dead = true
				r.open(fail)
				r.settle(true, r.twin, r.twin)
			},
		})
	})
}

// script is a life that has every kind of write.
func script(r *rig, fail, failOpen func()) {
	r.t.Helper()
	at := func(epoch uint64, root byte) statement {
		return statement{guard.Slot{Chain: "a", Kind: "checkpoint", Epoch: epoch}, [32]byte{root}}
	}
	r.create(fail)
	r.sign(at(1, 1), fail, failOpen)
	r.sign(at(2, 1), fail, failOpen)
	r.prune(mark{"a", "checkpoint", 2}, fail, failOpen)
	r.sign(at(3, 1), fail, failOpen)
	r.merge([]statement{at(3, 2), at(5, 1)}, nil, nil, fail, failOpen)
	r.sign(at(6, 1), fail, failOpen)
	r.reopen(failOpen)
	r.sign(at(7, 1), fail, failOpen)
}

// TestEveryStepCanFail fails each single step of the script, in every way that a step
// can fail, then each step of the repair that follows.
func TestEveryStepCanFail(t *testing.T) {
	none := func() {}
	least := func(int) int { return 0 }
	plain := newRig(t, least)
	script(plain, none, none)
	steps := plain.disk.steps
	if len(plain.released) != 5 {
		t.Fatalf("the script releases %d signatures", len(plain.released))
	}

	dice := rand.New(rand.NewPCG(1, 2))
	for _, survival := range []struct {
		name    string
		pick    func(n int) int
		repairs bool // whether repairing fails too
	}{
		{"least", least, false},
		{"most", func(int) int { return 1 }, false}, // every change of a name, every byte
		{"zeros", func(n int) int { return n - 1 }, false},
		{"any", dice.IntN, true},
	} {
		for at := range steps {
			for mode := range 4 {
				for repair := -1; ; repair++ {
					where := fmt.Sprintf("survives %s, step %d, mode %d, repair %d", survival.name, at, mode, repair)
					r := newRig(located{t, where}, survival.pick)
					fail := func() { r.disk.arm(at-r.disk.steps, mode&1 == 0, mode&2 == 0) }
					failOpen := func() { r.disk.arm(repair, mode&1 == 0, mode&2 == 0) }
					script(r, fail, failOpen)
					if !survival.repairs || repair >= 0 && r.repairs == 0 {
						break // no repair has that many steps
					}
				}
			}
		}
	}
}

// TestRecordIsDurableBeforeTheSignature cuts the power in the moment of signing.
func TestRecordIsDurableBeforeTheSignature(t *testing.T) {
	r := newRig(t, func(int) int { return 0 })
	r.create(func() {})
	s := statement{guard.Slot{Chain: "a", Kind: "checkpoint", Epoch: 1}, [32]byte{1}}
	_, err := r.guard.Sign(s.slot, s.root, func() ([]byte, error) {
		r.released = append(r.released, s)
		r.disk.dead = true
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.twin, _ = r.twin.sign(s)
	r.open(func() {})
	r.settle(true, r.twin, r.twin)
}
