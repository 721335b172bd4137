package ledger_test

import (
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/ledger/ledgertest"
)

// accepts has a chain take a certificate of a peer's next epoch, be it wrong.
func accepts(t *testing.T, m *ledgertest.Mesh, chain string, cert *attest.Certificate) {
	t.Helper()
	peer := string(cert.Checkpoint.ChainID)
	up, err := ledger.NewUpdatePeer(cert, m.Set(peer, cert.Checkpoint.Epoch).ValidatorSet())
	must(t, err)
	epoch(t, m, chain, up)
}

func TestAWrongEpochIsOverturnedAndItsSignersAreSlashed(t *testing.T) {
	for _, accepted := range []bool{true, false} {
		m := play(t, 3, 4, nil)
		crossPledge(t, m)
		for range 8 {
			round(t, m)
		}
		ops, err := m.Relay("alpha")
		must(t, err)
		epoch(t, m, "alpha", ops...)
		before := peerView(t, m, "alpha", "beta")
		l := lie(t, m, "beta")
		if l.Certificate.Checkpoint.Epoch != before.Accepted+1 {
			t.Fatalf("epoch %d after %d", l.Certificate.Checkpoint.Epoch, before.Accepted)
		}
		if accepted {
			accepts(t, m, "alpha", l.Certificate)
		}
		op, err := m.SubmitFault("alpha", l.Proof, m.Chains[0].Validators[0].ID)
		must(t, err)
		epoch(t, m, "alpha", op)
		view := peerView(t, m, "alpha", "beta")
		if !strings.Contains(view.Halted, "proven to be wrong") || view.Stale || view.Overturned != view.Final+1 || view.Overturned > l.Certificate.Checkpoint.Epoch {
			t.Fatalf("accepted %v: %+v", accepted, view)
		}
		refused(t, m, "alpha", ledger.CodeDuplicate, op)
		for range 3 {
			epoch(t, m, "alpha")
		}
		if now := peerView(t, m, "alpha", "beta"); now.Final != view.Final {
			t.Errorf("epoch %d became final", now.Final)
		}
		faults, err := m.Reader("alpha").Faults()
		must(t, err)
		if len(faults) != 1 || faults[0].Kind != "invalid_transition" || len(faults[0].Offenders) != 4 || !faults[0].Executed {
			t.Errorf("%+v", faults)
		}
		slashes, err := m.Reader("alpha").Slashes()
		must(t, err)
		if len(slashes) != 4 {
			t.Errorf("%d slashes", len(slashes))
		}
		for _, s := range slashes { // all of the ratio that was agreed to
			if s.Consumer != "beta" || s.Ratio != ledger.One/10*3 || s.Amount != ledger.Units(90_000) {
				t.Errorf("%+v", s)
			}
		}
		conserved(t, m, "alpha")

		// On the chain's own ledger they lose their stake, and it goes on.
		own, err := m.SubmitFault("beta", l.Proof, ledger.AccountID{})
		must(t, err)
		epoch(t, m, "beta", own)
		for range 3 {
			epoch(t, m, "beta")
		}
		if n, err := m.Reader("beta").SlashCount(); err != nil || n == 0 {
			t.Errorf("%d slashes at home, %v", n, err)
		}
	}
}

func TestWhoVouchedForAWrongEpochIsSlashedAlone(t *testing.T) {
	m := play(t, 3, 4, nil)
	crossPledge(t, m)
	for range 8 {
		round(t, m)
	}
	for _, chain := range []string{"alpha", "gamma"} {
		ops, err := m.Relay(chain)
		must(t, err)
		epoch(t, m, chain, ops...)
	}
	l := lie(t, m, "beta")
	cp := &l.Certificate.Checkpoint
	at := m.Head("gamma").Checkpoint.Epoch
	claim := &attest.CrossClaim{ChainID: []byte("gamma"), Epoch: at, Peer: []byte("beta"), FromEpoch: 1, ToEpoch: cp.Epoch, ToRoot: cp.Root()}
	culprit := m.Chains[2].Validators[3].ID
	cross, err := m.Attests(claim, culprit)
	must(t, err)
	proof, err := opened(t, l.Proof).Covering(m.Set("gamma", at), cross, nil)
	must(t, err)
	submit := func(chain string) {
		t.Helper()
		op, err := m.SubmitFault(chain, proof, ledger.AccountID{})
		must(t, err)
		epoch(t, m, chain, op)
		faults, err := m.Reader(chain).Faults()
		must(t, err)
		if len(faults) != 1 || faults[0].Chain != "gamma" || faults[0].Epoch != at || len(faults[0].Offenders) != 1 || faults[0].Offenders[0] != culprit {
			t.Errorf("%s: %+v", chain, faults)
		}
	}
	submit("alpha") // which has not taken that epoch of beta
	if v := peerView(t, m, "alpha", "beta"); v.Halted != "" {
		t.Errorf("beta is halted: %s", v.Halted)
	}
	if v := peerView(t, m, "alpha", "gamma"); v.Halted != "" {
		t.Errorf("gamma is halted over one of four: %s", v.Halted)
	}
	accepts(t, m, "gamma", l.Certificate)
	submit("gamma")
	if v := peerView(t, m, "gamma", "beta"); !strings.Contains(v.Halted, "proven to be wrong") {
		t.Errorf("on gamma, which has taken it: %q", v.Halted)
	}
	for range 3 {
		epoch(t, m, "alpha")
	}
	slashes, err := m.Reader("alpha").Slashes()
	must(t, err)
	if len(slashes) != 1 || slashes[0].Validator != culprit {
		t.Errorf("%+v", slashes)
	}
}

// A proof that comes when the same validators were convicted of a fork in that epoch adds
// nothing, and one that comes before is what they are convicted of.
func TestAWrongEpochAndADoubleVoteAreOneOffenceEach(t *testing.T) {
	m := play(t, 2, 4, nil)
	for range 3 {
		round(t, m)
	}
	ops, err := m.Relay("alpha")
	must(t, err)
	epoch(t, m, "alpha", ops...)
	l := lie(t, m, "beta")
	op, err := m.SubmitFault("alpha", l.Proof, ledger.AccountID{})
	must(t, err)
	epoch(t, m, "alpha", op)
	honest, err := m.Certify(l.Honest.Checkpoint)
	must(t, err)
	fork, err := attest.BuildDoubleVote(m.Set("beta", honest.Checkpoint.Epoch), honest, l.Certificate)
	must(t, err)
	op, err = m.SubmitFault("alpha", fork, ledger.AccountID{})
	must(t, err)
	refused(t, m, "alpha", ledger.CodeDuplicate, op)
}
