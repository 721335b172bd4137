package evidence

import (
	"errors"

	"github.com/meshsec/meshsec/attest"
)

// transition writes the checks of an invalid transition, of which err is the outcome, and
// says whether they hold.
func (m Mesh) transition(r *reportWriter, p *attest.FaultProof, err error) bool {
	t, malformed := attest.DecodeTransition(p.Body)
	if malformed != nil {
		return r.step("signatures", malformed, "")
	}
	var signed error
	if !errors.Is(err, attest.RuleTransition) {
		signed = err
	}
	refutes := t.Checkpoint.Root()
	if len(t.Claim) > 0 {
		claim := t.Claim[0]
		if !r.step("signatures", signed, "valid on network %s, over the claim to have executed %s from epoch %d to %d", m.Law.Network(), claim.Peer, claim.FromEpoch, claim.ToEpoch) {
			return false
		}
	} else if !r.step("signatures", signed, "valid on network %s, by more than 2/3 of the power", m.Law.Network()) {
		return false
	}
	what := "the evidence shows it"
	if m.Breach != nil {
		what = m.Breach(t.Evidence)
	}
	return r.step("transition", err, "checkpoint %x of epoch %d of %s can't follow the one before it: %s", refutes, t.Checkpoint.Epoch, t.Checkpoint.ChainID, what)
}
