package attest

import (
	"github.com/meshsec/meshsec/bls"
)

// VerifiedAggregate is a checkpoint with the valid signatures of one or more named
// validators. It never changes.
type VerifiedAggregate struct {
	net         Network
	set         *Set
	root        [32]byte // of the checkpoint
	certificate *Certificate
	signature   bls.Signature // certificate.Signature, parsed
}

// VerifiedCertificate is an aggregate whose signers hold more than 2/3 of the power
// of the set that it was verified against.
type VerifiedCertificate struct {
	aggregate VerifiedAggregate
}

// VerifyAggregate checks the signature of an aggregate, but not how much power is
// behind it. The set is the one that the checkpoint's parent committed to. Errors
// are all hard.
func VerifyAggregate(net Network, set *Set, c *Certificate) (VerifiedAggregate, error) {
	if err := c.check(); err != nil {
		return VerifiedAggregate{}, err
	}
	signature, err := verifyAggregate(set, c.Signers, c.Signature, c.Checkpoint.SigningRoot(net))
	if err != nil {
		return VerifiedAggregate{}, err
	}
	return newVerifiedAggregate(net, set, &c.Checkpoint, c.Signers, signature), nil
}

// newVerifiedAggregate copies what it keeps.
func newVerifiedAggregate(net Network, set *Set, checkpoint *Checkpoint, signers Bits, signature bls.Signature) VerifiedAggregate {
	return VerifiedAggregate{
		net:  net,
		set:  set,
		root: checkpoint.Root(),
		certificate: &Certificate{
			Checkpoint: cloneCheckpoint(checkpoint),
			Signers:    signers.Clone(),
			Signature:  signature.Bytes(),
		},
		signature: signature,
	}
}

// VerifyCertificate checks quorum and signature of a certificate against the set of
// its epoch, see [VerifyAggregate]. Errors are all hard.
func VerifyCertificate(net Network, set *Set, c *Certificate) (VerifiedCertificate, error) {
	if err := c.check(); err != nil {
		return VerifiedCertificate{}, err
	}
	if err := checkQuorum(set, c.Signers); err != nil {
		return VerifiedCertificate{}, err
	}
	aggregate, err := VerifyAggregate(net, set, c)
	if err != nil {
		return VerifiedCertificate{}, err
	}
	return VerifiedCertificate{aggregate}, nil
}

// IsZero says whether a is the zero value, which nobody signed. The other methods
// must not be called on it.
func (a VerifiedAggregate) IsZero() bool { return a.certificate == nil }

// Certificate is a copy of the object that was verified.
func (a VerifiedAggregate) Certificate() *Certificate {
	return &Certificate{
		Checkpoint: cloneCheckpoint(&a.certificate.Checkpoint),
		Signers:    a.Signers(),
		Signature:  a.certificate.Signature,
	}
}

// Root is the root of the checkpoint that was signed.
func (a VerifiedAggregate) Root() [32]byte { return a.root }

// ChainID is the chain that the checkpoint is about.
func (a VerifiedAggregate) ChainID() string { return string(a.certificate.Checkpoint.ChainID) }

// Epoch is the epoch that the checkpoint is about.
func (a VerifiedAggregate) Epoch() uint64 { return a.certificate.Checkpoint.Epoch }

// Signers is a copy of the bitfield.
func (a VerifiedAggregate) Signers() Bits { return Bits(a.certificate.Signers).Clone() }

// IsZero says whether c is the zero value, which nobody signed. The other methods
// must not be called on it.
func (c VerifiedCertificate) IsZero() bool { return c.aggregate.IsZero() }

// Aggregate forgets that there is a quorum.
func (c VerifiedCertificate) Aggregate() VerifiedAggregate { return c.aggregate }

// Certificate is a copy of the object that was verified.
func (c VerifiedCertificate) Certificate() *Certificate { return c.aggregate.Certificate() }

// Checkpoint is a copy of what was certified.
func (c VerifiedCertificate) Checkpoint() *Checkpoint { return &c.aggregate.Certificate().Checkpoint }

// Root is the root of the checkpoint, by which a certificate is identified.
func (c VerifiedCertificate) Root() [32]byte { return c.aggregate.root }

// ChainID is the chain that the checkpoint is about.
func (c VerifiedCertificate) ChainID() string { return c.aggregate.ChainID() }

// Epoch is the epoch that the checkpoint is about.
func (c VerifiedCertificate) Epoch() uint64 { return c.aggregate.Epoch() }

// Signers is a copy of the bitfield.
func (c VerifiedCertificate) Signers() Bits { return c.aggregate.Signers() }
