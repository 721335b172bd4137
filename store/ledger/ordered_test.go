package ledger_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// busy is crossed after an epoch of beta with two operations in it, which it returns.
func busy(t *testing.T, change func(*ledger.Manifest)) (*ledgertest.Mesh, uint64) {
	t.Helper()
	m := crossed(t, change)
	var ops []*ledger.Operation
	for i := range uint64(2) {
		ops = append(ops, byAuthority(t, m, "beta")(ledger.NewDeposit(authorityNonce(t, m, "beta")+i, m.Chains[1].Validators[0].ID, ledger.Units(1))))
	}
	epoch(t, m, "beta", ops...)
	at := m.Head("beta").Checkpoint.Epoch
	round(t, m)
	return m, at
}

var alterations = map[string]func([]*ledger.Step) []*ledger.Step{
	"omitted":   func(s []*ledger.Step) []*ledger.Step { return slices.Delete(s, operationAt(s)+1, operationAt(s)+2) },
	"reordered": func(s []*ledger.Step) []*ledger.Step { i := operationAt(s); s[i], s[i+1] = s[i+1], s[i]; return s },
	"repeated":  func(s []*ledger.Step) []*ledger.Step { return slices.Insert(s, operationAt(s), s[operationAt(s)]) },
	"dated": func(s []*ledger.Step) []*ledger.Step {
		i := len(s) - 1
		last := *s[i]
		last.Time++
		s[i] = &last
		return s
	},
	"moved": func(s []*ledger.Step) []*ledger.Step {
		i := operationAt(s) + 1
		moved := *s[i]
		moved.Height++
		moved.Time += ledgertest.BlockTime
		s[i] = &moved
		return s
	},
}

func operationAt(steps []*ledger.Step) int {
	return slices.IndexFunc(steps, func(s *ledger.Step) bool { return s.Kind == ledger.StepOperation })
}

func TestInvalidOperationsConvictAllWhoCertified(t *testing.T) {
	for name, change := range alterations {
		t.Run(name, func(t *testing.T) {
			m, at := busy(t, nil)
			proof, err := m.InvalidOperations("beta", at, change)
			must(t, err)
			submit(t, m, "alpha", proof)
			refusedFault(t, m, "alpha", ledger.CodeDuplicate, proof)
			submit(t, m, "beta", proof)
			view := peerView(t, m, "alpha", "beta")
			if view.Halted != ledger.HaltRefuted.String() || view.Overturned == 0 || view.Overturned > at {
				t.Fatalf("%+v", view)
			}
			for range 3 {
				epoch(t, m, "alpha")
				epoch(t, m, "beta")
			}
			for _, chain := range ledgertest.ChainIDs[:2] {
				faults, err := m.Reader(chain).Faults()
				must(t, err)
				if len(faults) != 1 || faults[0].Kind != "invalid_operations" || len(faults[0].Offenders) != 4 || !faults[0].Executed {
					t.Fatalf("%s: %+v", chain, faults)
				}
			}
		})
	}
}

// Nothing contradicts what the ledger really made of the blocks, whatever was in them.
func TestWhatALedgerMakesOfBlocksConvictsNobody(t *testing.T) {
	m, _ := busy(t, nil)
	for _, chain := range ledgertest.ChainIDs[:2] {
		for at := uint64(1); at <= m.Head(chain).Checkpoint.Epoch; at++ {
			past := m.Past(chain, at)
			_, err := attest.FindInvalidOperations(m.Set(chain, at), m.Certificate(chain, at), ledgertest.Each(m.HomeBlocks(chain, at)), past.Transcript.Steps, past.Input.Operations())
			if !errors.Is(err, attest.RuleContradiction) {
				t.Errorf("%s epoch %d: %v", chain, at, err)
			}
		}
	}
}

// Both kinds in one epoch cost what the dearer does.
func TestInvalidOperationsAreTheDearerOffence(t *testing.T) {
	m, at := busy(t, func(n *ledger.Manifest) {
		for _, c := range n.Chains {
			c.Params.Penalty.Rule, c.Params.Penalty.Equivocation, c.Params.Penalty.Transition = ledger.Flat, ledger.One/100, ledger.One
		}
	})
	attack, err := m.Attack(attest.AttackLunatic, "beta", at, at*5-1, 2)
	must(t, err)
	proof, err := m.InvalidOperations("beta", at, alterations["omitted"])
	must(t, err)
	submit(t, m, "beta", attack)
	submit(t, m, "beta", proof)
	refusedFault(t, m, "beta", ledger.CodeDuplicate, attack)
	for range 3 {
		round(t, m)
	}
	slashes, err := m.Reader("beta").Slashes()
	must(t, err)
	lost := map[ledger.AccountID]uint64{}
	for _, s := range slashes {
		lost[s.Validator] += s.Amount.Int().Uint64()
	}
	for _, v := range m.Chains[1].Validators { // at most the ratio of a half
		if lost[v.ID] != ledgertest.Stake/2 {
			t.Errorf("%v lost %d", v.ID, lost[v.ID])
		}
	}
}

// The block must be of the epoch: one of another has nothing in the transcript.
func TestABlockOfAnotherEpochProvesNothing(t *testing.T) {
	m, at := busy(t, nil)
	next := m.Past("beta", at+1)
	blocks := append(m.HomeBlocks("beta", at+1), m.HomeBlocks("beta", at)...)
	proof, err := attest.FindInvalidOperations(m.Set("beta", at+1), m.Certificate("beta", at+1), ledgertest.Each(blocks), next.Transcript.Steps, m.Past("beta", at).Input.Operations())
	must(t, err) // it looks like one
	refusedFault(t, m, "alpha", ledger.CodeInvalid, proof)
}

// What the transcript names an operation by is the hash of its bytes, also where they are
// no operation at all.
func TestRubbishIsOrderedToo(t *testing.T) {
	m := play(t, 1, 3, nil)
	in, err := m.Input("alpha")
	must(t, err)
	rubbish := []byte("rubbish")
	headers := ledgertest.HomeHeaders(m.Manifest.Chain("alpha"), m.Head("alpha").Checkpoint, [][]byte{attest.RawTransaction(rubbish)})
	first := &ledger.Block{Height: 1, Hash: [32]byte(headers[0].Hash()), Time: uint64(headers[0].Time.UnixMilli()), Operations: []*ledger.Bytes{{Data: rubbish}}}
	in.Blocks = append([]*ledger.Block{first}, in.Blocks...)
	r, err := ledger.Execute(m.Manifest, m.Head("alpha").Checkpoint, m.Tree("alpha"), in)
	must(t, err)
	if s := r.Transcript.Steps[0]; s.Kind != ledger.StepOperation || s.Operation != sha256.Sum256(rubbish) {
		t.Errorf("step %+v", s)
	}
}
