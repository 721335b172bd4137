package ledger_test

import (
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// frozen is what a ledger froze of a validator's lien to another.
func frozen(t *testing.T, m *ledgertest.Mesh, chain string, account, validator ledger.AccountID) ledger.Amount {
	t.Helper()
	liens, err := m.Reader(chain).Liens()
	must(t, err)
	for _, l := range liens {
		if l.Account == account && l.Validator == validator {
			return l.Frozen
		}
	}
	t.Fatalf("%s: no lien of %v behind %v", chain, account, validator)
	return ledger.Amount{}
}

// What gave the offender power is captured even if the checkpoint that shows it is
// not final yet: whoever submits may prove it. What was pledged after the offence is
// not.
func TestALaterReferenceCapturesWhatGavePower(t *testing.T) {
	for _, c := range []struct {
		name  string
		later bool
		want  uint64
	}{
		{"the last final checkpoint", false, 300_000},
		{"a later accepted one", true, 400_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := play(t, 2, 4, nil)
			crossPledge(t, m)
			for range 7 {
				round(t, m)
			}
			v, to := m.Chains[0].Validators[0], m.Chains[1].Validators[0].ID
			more := epoch(t, m, "alpha", pledge(t, m, "alpha", v, 1, "beta", to, 100_000, ledger.One/10*3)).Checkpoint.Epoch
			for {
				round(t, m)
				in, err := m.Reader("beta").Import("alpha")
				must(t, err)
				if in.Epoch >= more {
					break
				}
				if m.Head("beta").Checkpoint.Epoch > 40 {
					t.Fatal("the larger statement was never imported")
				}
			}
			base := m.Head("beta").Checkpoint.Epoch // made the set of the next epoch
			round(t, m)
			proof, err := m.DoubleVote("beta", base+1, 0)
			must(t, err)
			// After the offence, before the proof: this must stay out of it.
			epoch(t, m, "alpha", pledge(t, m, "alpha", v, 2, "beta", to, 50_000, ledger.One/10*3))

			body := &ledger.SubmitFault{Proof: *proof, Set: *m.Set("beta", base+1).ValidatorSet()}
			if c.later {
				body.LaterEpoch = base
				body.Later, err = m.Prove("beta", base, ledger.ImportKey("alpha"))
				must(t, err)
			}
			op, err := ledger.NewSubmitFault(body)
			must(t, err)
			epoch(t, m, "alpha", op)
			if got := frozen(t, m, "alpha", v.ID, to); got != ledger.Units(c.want) {
				t.Errorf("captured %v, want %d", got, c.want)
			}
			if c.later {
				refused(t, m, "alpha", ledger.CodeDuplicate, op)
				return
			}
			// Who was first must not decide: what he left out can be brought afterwards,
			// also when the slash is executed already, and once.
			for range 3 {
				epoch(t, m, "alpha")
			}
			before := lost(t, m, "alpha", v.ID, to)
			body.LaterEpoch = base
			body.Later, err = m.Prove("beta", base, ledger.ImportKey("alpha"))
			must(t, err)
			op, err = ledger.NewSubmitFault(body)
			must(t, err)
			epoch(t, m, "alpha", op)
			refused(t, m, "alpha", ledger.CodeDuplicate, op)
			for range 3 {
				epoch(t, m, "alpha")
			}
			// Three tenths of 100,000 more.
			if after := lost(t, m, "alpha", v.ID, to); after != before+30_000 {
				t.Errorf("%d taken, then %d", before, after)
			}
			conserved(t, m, "alpha")
		})
	}
}

// lost is what slashes took of a part to beta.
func lost(t *testing.T, m *ledgertest.Mesh, chain string, account, validator ledger.AccountID) uint64 {
	t.Helper()
	liens, err := m.Reader(chain).Liens()
	must(t, err)
	for _, l := range liens {
		if l.Account == account && l.Consumer == "beta" && l.Validator == validator {
			return l.Slashed.Int().Uint64()
		}
	}
	return 0
}

func TestFaultsThatCannotBeJudgedAreRefused(t *testing.T) {
	m := play(t, 2, 4, nil)
	for range 6 {
		round(t, m)
	}
	submit := func(chain string, proof *attest.FaultProof, change func(*ledger.SubmitFault)) *ledger.Operation {
		accused, err := attest.Peek(proof)
		must(t, err)
		body := &ledger.SubmitFault{Proof: *proof, Set: *m.Set("beta", accused.Epoch).ValidatorSet()}
		if change != nil {
			change(body)
		}
		op, err := ledger.NewSubmitFault(body)
		must(t, err)
		return op
	}
	early, err := m.DoubleVote("beta", 2, 0)
	must(t, err)
	epoch(t, m, "beta")
	epoch(t, m, "beta")
	ahead, err := m.DoubleVote("beta", m.Head("beta").Checkpoint.Epoch, 0)
	must(t, err)

	refused(t, m, "alpha", ledger.CodeUnknown, submit("alpha", ahead, nil)) // its set is not accepted here yet
	refused(t, m, "alpha", ledger.CodeInvalid, submit("alpha", early, func(b *ledger.SubmitFault) {
		b.Set.Validators = b.Set.Validators[1:]
	}))
	refused(t, m, "alpha", ledger.CodeInvalid, submit("alpha", early, func(b *ledger.SubmitFault) {
		b.Proof.Body = append([]byte(nil), b.Proof.Body...)
		b.Proof.Body[len(b.Proof.Body)-1] ^= 1
	}))
	refused(t, m, "alpha", ledger.CodeInvalid, submit("alpha", early, func(b *ledger.SubmitFault) { b.LaterEpoch = 2 })) // not before the offence
	refused(t, m, "beta", ledger.CodeMalformed, submit("beta", early, func(b *ledger.SubmitFault) { b.LaterEpoch = 1 })) // nothing to prove at home
	for range 12 {
		round(t, m) // 60 s of evidence age pass
	}
	refused(t, m, "alpha", ledger.CodeExpired, submit("alpha", early, nil))
	refused(t, m, "beta", ledger.CodeExpired, submit("beta", early, nil))
}
