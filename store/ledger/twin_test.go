package ledger_test

import (
	"flag"
	"os"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
	"github.com/meshsec/meshsec/store/trie"
)

// twinRounds is how often rapid is run over a property of the twin: a hundred
// histories each time. MESHSEC_TWIN_ROUNDS=100 makes the accounts a million.
func twinRounds(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("MESHSEC_TWIN_ROUNDS"))
	if err != nil {
		return 1
	}
	t.Logf("%d rounds", n)
	return n
}

// fewer has rapid try less often than it would: what follows is slow.
func fewer(t *testing.T, checks int) {
	f := flag.Lookup("rapid.checks")
	if f.Value.String() != f.DefValue {
		return // somebody asked for so many
	}
	if raceEnabled {
		checks /= 5
	}
	must(t, f.Value.Set(strconv.Itoa(checks)))
	t.Cleanup(func() { must(t, f.Value.Set(f.DefValue)) })
}

// adapter reports to rapid, so that it shrinks what failed.
type adapter struct {
	testing.TB
	rt *rapid.T
}

func (a adapter) Helper()                   { a.rt.Helper() }
func (a adapter) Fatal(args ...any)         { a.rt.Fatal(args...) }
func (a adapter) Fatalf(f string, x ...any) { a.rt.Fatalf(f, x...) }

// slow is a challenge window that is longer than unbonding.
func slow(m *ledger.Manifest) {
	twinManifest(m)
	for _, c := range m.Chains {
		c.Params.ChallengeWindow.Epochs = 4
	}
}

// draw makes a history and runs it, with the other chains too if relay is set.
func (b *both) draw(rt *rapid.T, accounts, epochs int, relay bool) {
	faulty := 1
	if relay {
		faulty = len(b.mesh.Chains)
	}
	scripts := rapid.SliceOfN(drawScript(len(b.mesh.Chains), epochs), accounts, accounts+accounts/5).Draw(rt, "scripts")
	offences := rapid.SliceOfN(drawOffence(faulty, len(scripts), epochs), 2, 6).Draw(rt, "offences")
	for e := range epochs {
		var faults []offence
		for _, o := range offences {
			if o.epoch == e {
				faults = append(faults, o)
			}
		}
		var relayed []*ledger.Operation
		if relay {
			relayed = b.others()
		}
		b.epoch(relayed, faults, b.reporter, b.events(scripts, e))
	}
}

// reporter is the account of a script, or somebody unknown.
func (b *both) reporter(script int) ledger.AccountID {
	if script < 0 {
		return ledger.AccountID{1}
	}
	return ledger.AccountOf(b.key(script))
}

// others runs an epoch of every other chain, and tells what is then relayed here.
func (b *both) others() []*ledger.Operation {
	for _, c := range b.mesh.Chains {
		if c == b.home {
			continue
		}
		ops, err := b.mesh.Relay(c.ID)
		must(b.t, err)
		epoch(b.t, b.mesh, c.ID, ops...)
	}
	ops, err := b.mesh.Relay(b.home.ID)
	must(b.t, err)
	return slices.DeleteFunc(ops, b.aboutHalted)
}

// aboutHalted tells whether what a node relays is about a peer that has failed,
// whom no ledger follows.
func (b *both) aboutHalted(op *ledger.Operation) bool {
	var chain string
	switch ledger.Kind(op.Kind) {
	case ledger.KindUpdatePeer:
		var body ledger.UpdatePeer
		must(b.t, body.UnmarshalSSZ(op.Body))
		chain = string(body.Certificate.Checkpoint.ChainID)
	case ledger.KindImportStatement:
		var body ledger.ImportStatement
		must(b.t, body.UnmarshalSSZ(op.Body))
		chain = string(body.Provider)
	default:
		return false
	}
	peer, err := b.mesh.Reader(b.home.ID).Peer(chain)
	must(b.t, err)
	return peer.Halted != 0
}

// A ledger and its twin agree on every operation and every figure, through
// thousands of accounts, faults at home, and slashes slower than unbonding.
func TestLedgerIsItsTwin(t *testing.T) {
	networks := []*ledgertest.Network{ledgertest.New(4, 4, twinManifest), ledgertest.New(4, 4, slow)}
	accounts := 100
	if raceEnabled {
		accounts = 5
		fewer(t, 50)
	}
	for range twinRounds(t) {
		rapid.Check(t, func(rt *rapid.T) {
			b := newBoth(adapter{t, rt}, rapid.SampledFrom(networks).Draw(rt, "network"))
			b.draw(rt, accounts, 10, false)
		})
	}
}

// The same with peers that are followed: their statements, faults of theirs that
// capture what they had in force, stake that matures, peers that fail.
func TestLedgerIsItsTwinInAMesh(t *testing.T) {
	n := ledgertest.New(2, 4, func(m *ledger.Manifest) {
		twinManifest(m)
		for _, c := range m.Chains {
			c.Params.StatementExpiry, c.Params.EvidenceAge = 20_000, ledger.Window{Time: 20_000}
			c.Params.Unbonding.Time, c.Params.MaxDrift = 45_000, 5_000
		}
	})
	must(t, n.Manifest.Validate())
	fewer(t, 10)
	for range twinRounds(t) {
		rapid.Check(t, func(rt *rapid.T) {
			newBoth(adapter{t, rt}, n).draw(rt, 5, 18, true)
		})
	}
}

// Any order and any grouping of the same faults between the same operations ends in
// the same accounts, liens and totals.
func TestFaultsCommute(t *testing.T) {
	const pledged, submitted = 4, 3 // epochs
	patient := func(correlation uint64) func(*ledger.Manifest) {
		return func(m *ledger.Manifest) {
			twinManifest(m)
			for _, c := range m.Chains {
				c.Params.EvidenceAge, c.Params.Unbonding.Time = ledger.Window{Time: 60_000}, 80_000
				c.Params.Correlation = ledger.Window{Epochs: correlation}
			}
		}
	}
	networks := []*ledgertest.Network{ledgertest.New(3, 4, patient(0)), ledgertest.New(3, 4, patient(1)), ledgertest.New(3, 4, patient(8))}
	type fault struct {
		validator int
		epoch     uint64
	}
	fewer(t, 25)
	for range twinRounds(t) {
		rapid.Check(t, func(rt *rapid.T) {
			tb := adapter{t, rt}
			n := rapid.SampledFrom(networks).Draw(rt, "network")
			scripts := rapid.SliceOfN(drawScript(3, pledged), 6, 8).Draw(rt, "scripts")
			faults := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) fault {
				return fault{rapid.IntRange(0, 2).Draw(t, "validator"), rapid.Uint64Range(2, pledged).Draw(t, "epoch")}
			}), 2, 6, rapid.ID).Draw(rt, "faults")
			reporter := rapid.IntRange(-1, len(scripts)-1).Draw(rt, "reporter")
			var want *both
			for i := range 2 {
				b := newBoth(tb, n)
				for e := range pledged {
					b.epoch(nil, nil, nil, b.events(scripts, e))
				}
				groups := make([][]*ledger.Operation, submitted)
				for _, f := range rapid.Permutation(faults).Draw(rt, "order") {
					if power, _ := powerOf(b.mesh.Set("alpha", f.epoch), b.home.Validators[f.validator].ID); power == nil {
						continue
					}
					proof, err := b.mesh.DoubleVote("alpha", f.epoch, f.validator)
					must(tb, err)
					op, err := b.mesh.SubmitFault("alpha", proof, b.reporter(reporter))
					must(tb, err)
					g := rapid.IntRange(0, submitted-1).Draw(rt, "group")
					groups[g] = append(groups[g], op)
				}
				for _, g := range append(groups, nil, nil) {
					epoch(tb, b.mesh, "alpha", g...)
				}
				if i == 0 {
					want = b
					continue
				}
				same(tb, b.mesh, want.mesh)
			}
		})
	}
}

// same checks that two ledgers of alpha have the same accounts, liens and totals.
func same(t testing.TB, a, b *ledgertest.Mesh) {
	t.Helper()
	x, y := a.Reader("alpha"), b.Reader("alpha")
	totals := func(r *ledger.Reader) ledger.Totals {
		v, err := r.Totals()
		must(t, err)
		return v
	}
	accounts := func(r *ledger.Reader) []ledger.AccountView {
		v, err := r.Accounts()
		must(t, err)
		return v
	}
	liens := func(r *ledger.Reader) []ledger.LienView {
		v, err := r.Liens()
		must(t, err)
		return v
	}
	if totals(x) != totals(y) {
		t.Fatalf("totals %+v and %+v", totals(x), totals(y))
	}
	if !slices.Equal(accounts(x), accounts(y)) {
		t.Fatalf("accounts\n%+v\n%+v", accounts(x), accounts(y))
	}
	if !slices.Equal(liens(x), liens(y)) {
		t.Fatalf("liens\n%+v\n%+v", liens(x), liens(y))
	}
}

// Whoever runs a ledger again from its genesis, or from any epoch, gets the same
// checkpoints.
func TestReplayingAnyPrefixGivesTheSameRoots(t *testing.T) {
	n := ledgertest.New(3, 4, twinManifest)
	fewer(t, 10)
	rapid.Check(t, func(rt *rapid.T) {
		b := newBoth(adapter{t, rt}, n)
		b.draw(rt, 10, 10, false)
		nodes := trie.NewStore()
		parent, err := ledger.Genesis(n.Manifest, "alpha")
		must(b.t, err)
		for e := range b.mesh.Head("alpha").Checkpoint.Epoch {
			nodes.Apply(parent.Changes)
			past := b.mesh.Past("alpha", e+1)
			again, err := ledger.Execute(n.Manifest, parent.Checkpoint, trie.New(nodes, parent.Ref), past.Input)
			must(b.t, err)
			if cp := past.Checkpoint; again.Checkpoint.Root() != cp.Root() {
				b.t.Fatalf("epoch %d: %+v, first it was %+v", e+1, again.Checkpoint, cp)
			}
			parent = again
		}
	})
}
