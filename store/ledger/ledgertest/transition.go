package ledgertest

import (
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
)

// Lie is an epoch that all validators of a chain certified, and that is wrong.
type Lie struct {
	Honest      *ledger.Result // what it should be; not part of the mesh
	Previous    *attest.Checkpoint
	Transcript  *ledger.Transcript
	Certificate *attest.Certificate
	Proof       *attest.FaultProof
}

// Lie has a chain certify a next epoch in which these operations come to what change
// makes of their honest outcome. The mesh goes on as if nothing had happened.
func (m *Mesh) Lie(chain string, change func(*ledger.Transcript, *attest.Checkpoint), ops ...*ledger.Operation) (*Lie, error) {
	in, err := m.Input(chain, ops...)
	if err != nil {
		return nil, err
	}
	previous := m.Head(chain).Checkpoint
	honest, err := ledger.Execute(m.Manifest, previous, m.Tree(chain), in)
	if err != nil {
		return nil, err
	}
	l := &Lie{Honest: honest, Previous: previous, Transcript: new(ledger.Transcript)}
	for _, s := range honest.Transcript.Steps {
		step := *s
		l.Transcript.Steps = append(l.Transcript.Steps, &step)
	}
	cp := *honest.Checkpoint
	change(l.Transcript, &cp)
	if cp.OpsRoot, err = l.Transcript.HashTreeRoot(); err != nil {
		return nil, err
	}
	if l.Certificate, err = m.Certify(&cp); err != nil {
		return nil, err
	}
	evidence, err := ledger.FindBreach(m.Manifest, previous, &cp, m.Tree(chain), l.Transcript, in.Operations())
	if err != nil {
		return nil, err
	}
	l.Proof, err = attest.BuildTransition(previous, l.Certificate, evidence)
	return l, err
}

// WrongRoot is the change of a [Mesh.Lie] after which the ledger has another state.
func WrongRoot(t *ledger.Transcript, cp *attest.Checkpoint) {
	last := t.Steps[len(t.Steps)-1]
	last.Root[0] ^= 1
	cp.LedgerRoot = last.Root
}

// Attests has the validators with these accounts sign a claim of their chain.
func (m *Mesh) Attests(claim *attest.CrossClaim, by ...ledger.AccountID) (*attest.CrossCertificate, error) {
	s := m.chains[string(claim.ChainID)]
	var away []ledger.AccountID
	for i, set := 0, s.sets[claim.Epoch]; i < set.Len(); i++ {
		if id := ledger.AccountID(set.At(i).Account); !slices.Contains(by, id) {
			away = append(away, id)
		}
	}
	bits, sum, err := s.together(claim.Epoch, away, func(key bls.SecretKey) ([96]byte, error) {
		a, err := attest.SignCrossAttestation(key, m.ID, claim)
		if err != nil {
			return [96]byte{}, err
		}
		return a.Signature, nil
	})
	return &attest.CrossCertificate{Claim: *claim, Signers: bits, Signature: sum}, err
}
