package api

import (
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// Open decodes a certificate and checks it: a quorum of its set signed it, and next is
// the set that it commits to. That its set is the chain's own remains the node's word.
func (c *Certificate) Open(network attest.Network) (cert attest.VerifiedCertificate, next *attest.ValidatorSet, err error) {
	fail := func(what string, err error) (attest.VerifiedCertificate, *attest.ValidatorSet, error) {
		return attest.VerifiedCertificate{}, nil, fmt.Errorf("the node's %s is not usable, ask another one: %w", what, err)
	}
	signed, err := attest.DecodeCertificate(c.Certificate)
	if err != nil {
		return fail("certificate", err)
	}
	members, err := attest.DecodeValidatorSet(c.Set)
	if err != nil {
		return fail("validator set", err)
	}
	set, err := attest.NewSet(members)
	if err != nil {
		return fail("validator set", err)
	}
	if cert, err = attest.VerifyCertificate(network, set, signed); err != nil {
		return fail("certificate", err)
	}
	if next, err = attest.DecodeValidatorSet(c.Next); err != nil {
		return fail("set of the next epoch", err)
	}
	if next.Root() != signed.Checkpoint.ValidatorsRoot {
		return fail("set of the next epoch", fmt.Errorf("the certificate commits to another one"))
	}
	return cert, next, nil
}
