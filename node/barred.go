package node

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// barred says why the ledger of a chain will never record a proof by the rules in force;
// it is empty where it has, or may. A ledger that has not heard of the epoch yet may.
func barred(home homeState, spec *ledger.ChainSpec, id [32]byte, a attest.Accusation) (string, error) {
	if recorded, err := home.Fault(id); err != nil || recorded != nil {
		return "", err
	}
	if a.ChainID != spec.ID {
		if peer, err := home.Peer(a.ChainID); err != nil || peer == nil {
			return fmt.Sprintf("the ledger does not know the chain %s", a.ChainID), err
		}
	}
	if a.Forked {
		if useless, err := home.ForkChanges(a.ChainID, a.Epoch); err != nil || useless != "" {
			return useless, err
		}
	}
	meta, err := home.Meta()
	if err != nil {
		return "", err
	}
	params, err := home.Params()
	if err != nil {
		return "", err
	}
	expired, ok, err := (&desk{spec: spec}).expired(home, meta, params, a.ChainID, a.Epoch)
	if err != nil || !ok || !expired {
		return "", err
	}
	return outdated(params), nil
}

// outdated is why an expired offence is not recorded.
func outdated(params *ledger.Params) string {
	return fmt.Sprintf("the offence is older than the evidence age of %v and %d epochs", params.EvidenceAge.Time.Span(), params.EvidenceAge.Epochs)
}

// refusals are the reasons of the ledgers that will never record a proof, by chain.
func (v *view) refusals(id [32]byte, a attest.Accusation) (map[string]string, error) {
	var out map[string]string
	for _, chain := range v.manifest.ChainIDs() {
		r, err := v.execution.reader(chain)
		if err != nil {
			return nil, err
		}
		why, err := barred(r, v.manifest.Chain(chain), id, a)
		if err != nil {
			return nil, err
		}
		if why == "" {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[chain] = why
	}
	return out, nil
}
