package node_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node/api"
	"github.com/meshsec/meshsec/store/ledger"
)

// Somebody outside of the mesh brings a proof to one node: it reaches every ledger, and
// on the offender's own the reporter is the one who was named.
func TestAReportedFaultIsFrozenEverywhereAndItsReporterNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2, 3, nil)
		w.start()
		const epoch = 4
		w.await("some epochs are certified", w.everywhere(certified(epoch+1)))
		members := w.of("beta")
		desk, reporter := members[2], members[1].validator.ID
		answer, err := desk.api().Certificate(t.Context(), "beta", epoch)
		must(t, err)
		certificate, _, err := answer.Open(w.network.ID)
		must(t, err)
		encoded, err := attest.DecodeValidatorSet(answer.Set)
		must(t, err)
		set, err := attest.NewSet(encoded)
		must(t, err)
		proof, err := w.network.DoubleVote(set, certificate.Checkpoint(), members[0].validator)
		must(t, err)
		id := proof.ID()

		broken := &attest.FaultProof{Kind: proof.Kind, Body: append([]byte{}, proof.Body...)}
		broken.Body[len(broken.Body)-10] ^= 1
		if _, err := desk.api().Report(t.Context(), broken, reporter); !errors.Is(err, api.ErrInvalid) {
			t.Fatalf("a broken proof: %v", err)
		}
		w.chains["beta"].cut(desk.name, true)
		if _, err := desk.api().Report(t.Context(), proof, reporter); !errors.Is(err, api.ErrUnavailable) || desk.knownFaults() != 0 {
			t.Fatalf("without the home chain: %v", err)
		}
		w.chains["beta"].cut(desk.name, false)

		report, err := desk.api().Report(t.Context(), proof, reporter)
		must(t, err)
		if [32]byte(report.ID) != id || len(report.Operation) != 32 || report.Reason != "" {
			t.Fatalf("%+v", report)
		}
		desk.succeed([32]byte(report.Operation))
		w.await("the fault is on every ledger", w.everywhere(func(m *member) bool {
			for _, c := range w.network.Chains {
				if len(m.ledger(c.ID).Faults) != 1 {
					return false
				}
			}
			return m.knownFaults() == 1
		}))
		v, err := desk.api().Conviction(t.Context(), "beta", id)
		must(t, err)
		if v.Reporter != reporter || !v.Known || len(v.Convicted) != 1 || v.Convicted[0].Account != members[0].validator.ID {
			t.Errorf("%+v", v)
		}
		again, err := desk.api().Report(t.Context(), proof, ledger.AccountID{1})
		if err != nil || len(again.Operation) != 0 || !strings.Contains(again.Reason, "recorded already since epoch") {
			t.Errorf("the second time: %+v, %v", again, err)
		}
		if _, err := desk.api().Conviction(t.Context(), "omega", id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("unknown chain: %v", err)
		}
		if _, err := desk.api().Conviction(t.Context(), "beta", [32]byte{1}); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("unknown fault: %v", err)
		}
	})
}
