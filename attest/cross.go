package attest

import (
	"bytes"

	"github.com/meshsec/meshsec/bls"
)

// SignCrossAttestation signs a claim for a network. The error says that the claim is
// not one that can be signed ([RuleChainID], [RuleEpoch], [RuleClaim]).
func SignCrossAttestation(signer Signer, net Network, claim *CrossClaim) (*CrossAttestation, error) {
	if err := claim.check(); err != nil {
		return nil, err
	}
	message := claim.SigningRoot(net)
	return &CrossAttestation{
		Claim:     cloneClaim(claim),
		Signer:    signer.PublicKey().Bytes(),
		Signature: signer.Sign(message[:]).Bytes(),
	}, nil
}

func cloneClaim(c *CrossClaim) CrossClaim {
	clone := *c
	clone.ChainID, clone.Peer = bytes.Clone(c.ChainID), bytes.Clone(c.Peer)
	return clone
}

// CandidateCrossVote is to a cross-attestation what [CandidateVote] is to an
// attestation.
type CandidateCrossVote struct {
	ballot
	claim *CrossClaim // own copy
}

// VerifiedCrossVote is one validator's valid signature on a claim. The zero value
// is nobody's.
type VerifiedCrossVote struct {
	candidate CandidateCrossVote
}

// VerifiedCrossCertificate is a claim signed by more than 2/3 of the power of the
// set that it was verified against.
type VerifiedCrossCertificate struct {
	net         Network
	set         *Set
	root        [32]byte // of the claim
	certificate *CrossCertificate
	signature   bls.Signature
}

// CheckCrossAttestation makes a candidate. The set is that of the claiming chain,
// a.Claim.ChainID, in epoch a.Claim.Epoch. Errors are all hard.
func CheckCrossAttestation(net Network, set *Set, a *CrossAttestation) (CandidateCrossVote, error) {
	if err := a.check(); err != nil {
		return CandidateCrossVote{}, err
	}
	claim := cloneClaim(&a.Claim)
	b, err := newBallot(net, set, a.Signer, a.Signature, claim.Root(), claim.SigningRoot(net))
	if err != nil {
		return CandidateCrossVote{}, err
	}
	return CandidateCrossVote{b, &claim}, nil
}

// VerifyCrossCandidates is to cross-attestations what [VerifyCandidates] is to
// attestations.
func VerifyCrossCandidates(candidates []CandidateCrossVote) (votes []VerifiedCrossVote, errs []error) {
	ballots := make([]ballot, len(candidates))
	for i := range candidates {
		ballots[i] = candidates[i].ballot
	}
	votes = make([]VerifiedCrossVote, len(candidates))
	errs = verifyBallots(ballots)
	for i, err := range errs {
		if err == nil {
			votes[i] = VerifiedCrossVote{candidates[i]}
		}
	}
	return votes, errs
}

// VerifyCrossAttestation checks one cross-attestation, see [CheckCrossAttestation].
func VerifyCrossAttestation(net Network, set *Set, a *CrossAttestation) (VerifiedCrossVote, error) {
	candidate, err := CheckCrossAttestation(net, set, a)
	if err != nil {
		return VerifiedCrossVote{}, err
	}
	if err := candidate.verify(); err != nil {
		return VerifiedCrossVote{}, err
	}
	return VerifiedCrossVote{candidate}, nil
}

// VerifyCrossCertificate checks quorum and signature of a cross-certificate against
// the set of the claiming chain in the claim's epoch. Errors are all hard.
func VerifyCrossCertificate(net Network, set *Set, c *CrossCertificate) (VerifiedCrossCertificate, error) {
	if err := c.check(); err != nil {
		return VerifiedCrossCertificate{}, err
	}
	if err := checkQuorum(set, c.Signers); err != nil {
		return VerifiedCrossCertificate{}, err
	}
	signature, err := verifyAggregate(set, c.Signers, c.Signature, c.Claim.SigningRoot(net))
	if err != nil {
		return VerifiedCrossCertificate{}, err
	}
	return VerifiedCrossCertificate{
		net:         net,
		set:         set,
		root:        c.Claim.Root(),
		certificate: &CrossCertificate{cloneClaim(&c.Claim), Bits(c.Signers).Clone(), c.Signature},
		signature:   signature,
	}, nil
}

// IsZero says whether v is the zero value, which nobody signed. The other methods
// must not be called on it.
func (v VerifiedCrossVote) IsZero() bool { return v.candidate.claim == nil }

// Claim is a copy of what was signed.
func (v VerifiedCrossVote) Claim() *CrossClaim {
	c := cloneClaim(v.candidate.claim)
	return &c
}

// Root is the root of the claim that was signed.
func (v VerifiedCrossVote) Root() [32]byte { return v.candidate.root }

// Signer is the key that signed.
func (v VerifiedCrossVote) Signer() [48]byte { return v.candidate.set.members[v.candidate.index].Key }

// Index is the signer's position in the set that the vote was verified against.
func (v VerifiedCrossVote) Index() int { return v.candidate.index }

// CrossAttestation is the vote as it travels.
func (v VerifiedCrossVote) CrossAttestation() *CrossAttestation {
	return &CrossAttestation{
		Claim:     *v.Claim(),
		Signer:    v.Signer(),
		Signature: v.candidate.signature.Bytes(),
	}
}

// IsZero says whether c is the zero value, which nobody signed. The other methods
// must not be called on it.
func (c VerifiedCrossCertificate) IsZero() bool { return c.certificate == nil }

// Claim is a copy of what was certified.
func (c VerifiedCrossCertificate) Claim() *CrossClaim {
	claim := cloneClaim(&c.certificate.Claim)
	return &claim
}

// Root is the root of the claim, by which a cross-certificate is identified.
func (c VerifiedCrossCertificate) Root() [32]byte { return c.root }

// Signers is a copy of the bitfield.
func (c VerifiedCrossCertificate) Signers() Bits { return Bits(c.certificate.Signers).Clone() }

// CrossCertificate is a copy of the object that was verified.
func (c VerifiedCrossCertificate) CrossCertificate() *CrossCertificate {
	return &CrossCertificate{*c.Claim(), c.Signers(), c.certificate.Signature}
}
