package node

import (
	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// effect is something that the council wants done outside of it. Effects are
// carried out one after the other, in order: what is to be kept is on disk before
// what follows from it is sent.
type effect interface{ effect() }

type (
	// signCheckpoint: attest our own result of an epoch, if our key is in its set.
	signCheckpoint struct{ epoch uint64 }
	// signClaim: cross-attest, if the peer's certified checkpoint in the store is
	// the one that the claim names.
	signClaim struct{ claim *attest.CrossClaim }
	// publishVote sends our own attestation.
	publishVote struct{ vote *attest.Attestation }
	// publishCross sends our own cross-attestation.
	publishCross struct{ vote *attest.CrossAttestation }
	// publishCertificate sends a certificate that our chain's validators made.
	publishCertificate struct{ certificate *attest.Certificate }
	// keepCertificate stores a certificate of an epoch that is executed.
	keepCertificate struct {
		certificate attest.VerifiedCertificate
	}
	// keepFault stores a proof, and publishes it if this node made it or somebody brought
	// it, who is then the reporter.
	keepFault struct {
		fault    attest.VerifiedFault
		made     bool
		reporter ledger.AccountID // zero: this node's own
	}
	// release judges again what was parked up to an epoch.
	release struct {
		chain string
		epoch uint64
	}
	// follow hands the certificate of the next epoch to a peer's follower.
	follow struct {
		certificate attest.VerifiedCertificate
	}
	// confirm tells the submitter of a cross-certificate of our own chain.
	confirm struct{ certificate *attest.CrossCertificate }
	// wake tells the submitter that there is more that the home chain should know.
	wake struct{}
	// leave: a chain is no longer followed.
	leave struct{ chain, why string }
	// investigate: our checkpoint is not the certified one. Find the first
	// differing step, and say so.
	investigate struct {
		ours        *attest.Checkpoint
		certificate attest.VerifiedCertificate
	}
	// lookAtClaims: somebody claims to have executed a chain of which an epoch is
	// proven to be wrong.
	lookAtClaims struct{ peer string }
)

func (signCheckpoint) effect()     {}
func (signClaim) effect()          {}
func (publishVote) effect()        {}
func (publishCross) effect()       {}
func (publishCertificate) effect() {}
func (keepCertificate) effect()    {}
func (keepFault) effect()          {}
func (release) effect()            {}
func (follow) effect()             {}
func (confirm) effect()            {}
func (wake) effect()               {}
func (leave) effect()              {}
func (investigate) effect()        {}
func (lookAtClaims) effect()       {}
