package ledger_test

import (
	"slices"
	"testing"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// strict has every chain jail who misses more than half of four epochs, for three.
func strict(n *ledger.Manifest) {
	for _, c := range n.Chains {
		c.Params.Downtime = ledger.Downtime{Window: 4, Allowed: ledger.One / 2, Penalty: ledger.One / 10_000, Jail: 3}
	}
}

// record is the operation that records a chain's last certificate, signed by all but
// those who are away.
func record(t *testing.T, m *ledgertest.Mesh, chain string, away ...ledger.AccountID) *ledger.Operation {
	t.Helper()
	cp := m.Head(chain).Checkpoint
	cert, err := m.CertifyWithout(cp, away...)
	must(t, err)
	op, err := ledger.NewRecordCertificate(cert, m.Set(chain, cp.Epoch).ValidatorSet())
	must(t, err)
	return op
}

func jailed(t *testing.T, m *ledgertest.Mesh, chain string) []ledger.JailView {
	t.Helper()
	j, err := m.Reader(chain).Jailed()
	must(t, err)
	return j
}

func TestWhoIsAbsentTooOftenIsJailedAndPaysFromItsOwnStake(t *testing.T) {
	m := play(t, 2, 4, strict)
	crossPledge(t, m)
	away := m.Chains[0].Validators[2].ID
	for range 4 {
		if len(jailed(t, m, "alpha")) != 0 {
			t.Fatal("jailed too early")
		}
		epoch(t, m, "alpha", record(t, m, "alpha", away))
	}
	// Three epochs missed, the last of them settled two epochs after it.
	epoch(t, m, "alpha")
	j := jailed(t, m, "alpha")
	if len(j) != 1 || j[0].Account != away {
		t.Fatalf("jailed: %+v", j)
	}
	slashes, err := m.Reader("alpha").Slashes()
	must(t, err)
	if len(slashes) != 1 || slashes[0].Account != away || slashes[0].Consumer != "alpha" || slashes[0].Burned != ledger.Units(60) {
		t.Fatalf("%+v", slashes) // 0.01 % of its own 600,000, nothing of what others lent
	}
	if faults, err := m.Reader("alpha").Faults(); err != nil || len(faults) != 0 {
		t.Fatalf("downtime is no fault: %+v, %v", faults, err)
	}
	power, err := m.Reader("alpha").Power()
	must(t, err)
	if slices.ContainsFunc(power, func(p ledger.PowerView) bool { return p.Account == away }) {
		t.Fatal("a jailed validator has power")
	}

	unjail := func(epoch uint64) *ledger.Operation {
		v := m.Chains[0].Validators[2]
		return signedBy(t, m, "alpha", v.Account)(ledger.NewUnjail(away, nonceOf(t, m, "alpha", away), epoch))
	}
	refused(t, m, "alpha", ledger.CodeFrozen, unjail(j[0].Epoch))
	refused(t, m, "alpha", ledger.CodeInvalid, unjail(j[0].Epoch+1))
	for m.Head("alpha").Checkpoint.Epoch+1 < j[0].Until {
		epoch(t, m, "alpha", record(t, m, "alpha"))
	}
	epoch(t, m, "alpha", unjail(j[0].Epoch))
	if len(jailed(t, m, "alpha")) != 0 {
		t.Fatal("still in jail")
	}
	refused(t, m, "alpha", ledger.CodeDuplicate, unjail(j[0].Epoch))
	power, err = m.Reader("alpha").Power()
	must(t, err)
	if len(power) != 4 {
		t.Fatalf("%d validators", len(power))
	}
}

func TestAbsenceIsWhatNoRecordedCertificateContradicts(t *testing.T) {
	m := play(t, 1, 4, strict)
	a, b := m.Chains[0].Validators[0].ID, m.Chains[0].Validators[1].ID
	epoch(t, m, "alpha") // nobody signs epoch 0
	for range 12 {
		// Two certificates of an epoch, each without another one: nobody was absent.
		epoch(t, m, "alpha", record(t, m, "alpha", a), record(t, m, "alpha", b))
	}
	for range 12 {
		epoch(t, m, "alpha") // epochs without a certificate count for nobody
	}
	if j := jailed(t, m, "alpha"); len(j) != 0 {
		t.Fatalf("%+v", j)
	}
}

func TestMissedEpochsLeaveTheWindow(t *testing.T) {
	m := play(t, 1, 4, strict)
	away := m.Chains[0].Validators[3].ID
	epoch(t, m, "alpha")
	for range 8 { // two of four, again and again: as much as is allowed
		epoch(t, m, "alpha", record(t, m, "alpha", away))
		epoch(t, m, "alpha", record(t, m, "alpha", away))
		epoch(t, m, "alpha", record(t, m, "alpha"))
		epoch(t, m, "alpha", record(t, m, "alpha"))
	}
	if j := jailed(t, m, "alpha"); len(j) != 0 {
		t.Fatalf("%+v", j)
	}
}

func TestCertificatesThatSayNothingAboutParticipationAreRefused(t *testing.T) {
	m := play(t, 2, 4, strict)
	away := m.Chains[0].Validators[0].ID
	epoch(t, m, "alpha")
	old := record(t, m, "alpha")
	epoch(t, m, "alpha")
	second := record(t, m, "alpha", away)
	epoch(t, m, "alpha", second, old) // the last two epochs
	refused(t, m, "alpha", ledger.CodeDuplicate, second)
	refused(t, m, "alpha", ledger.CodeExpired, old)
	epoch(t, m, "beta")
	refused(t, m, "alpha", ledger.CodeInvalid, record(t, m, "beta"))

	cp := *m.Head("alpha").Checkpoint
	cp.BlockHash[0] ^= 1 // another branch, signed by all
	fork, err := m.Certify(&cp)
	must(t, err)
	op, err := ledger.NewRecordCertificate(fork, m.Set("alpha", cp.Epoch).ValidatorSet())
	must(t, err)
	refused(t, m, "alpha", ledger.CodeInvalid, op)

	forged := record(t, m, "alpha")
	var body ledger.RecordCertificate
	must(t, body.UnmarshalSSZ(forged.Body))
	body.Certificate.Signature[5] ^= 1
	op, err = ledger.NewRecordCertificate(&body.Certificate, &body.Set)
	must(t, err)
	refused(t, m, "alpha", ledger.CodeInvalid, op)
}

// What downtime took counts against what a fault may take: the lien never loses more
// than the ratio that was agreed.
func TestDowntimeAndAFaultTogetherTakeNoMoreThanTheRatio(t *testing.T) {
	m := play(t, 1, 4, strict)
	v := m.Chains[0].Validators[2]
	epoch(t, m, "alpha")
	for range 4 {
		epoch(t, m, "alpha", record(t, m, "alpha", v.ID))
	}
	at := m.Head("alpha").Checkpoint.Epoch
	epoch(t, m, "alpha")
	if len(jailed(t, m, "alpha")) != 1 {
		t.Fatal("not jailed")
	}
	proof, err := m.DoubleVote("alpha", at, 2)
	must(t, err)
	op, err := m.SubmitFault("alpha", proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, "alpha", op)
	for range 3 {
		epoch(t, m, "alpha")
	}
	a, _, err := m.Reader("alpha").Account(v.ID)
	must(t, err)
	if want := ledger.Units(ledgertest.Collateral - ledgertest.Stake/2); a.Collateral != want {
		t.Fatalf("collateral %v, want %v", a.Collateral, want)
	}
}
