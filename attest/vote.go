package attest

import (
	"bytes"

	"github.com/meshsec/meshsec/bls"
)

// Signer holds a validator's key. [bls.SecretKey] is one. What keeps a validator
// from signing two checkpoints of one epoch stands in front of it, not here.
type Signer interface {
	PublicKey() bls.PublicKey
	Sign(message []byte) bls.Signature
}

// SignAttestation signs a checkpoint for a network. The error says that the
// checkpoint is not one that can be signed ([RuleChainID], [RuleEpoch]).
func SignAttestation(signer Signer, net Network, checkpoint *Checkpoint) (*Attestation, error) {
	if err := checkpoint.checkSignable(); err != nil {
		return nil, err
	}
	message := checkpoint.SigningRoot(net)
	return &Attestation{
		Checkpoint: cloneCheckpoint(checkpoint),
		Signer:     signer.PublicKey().Bytes(),
		Signature:  signer.Sign(message[:]).Bytes(),
	}, nil
}

func cloneCheckpoint(c *Checkpoint) Checkpoint {
	clone := *c
	clone.ChainID = bytes.Clone(c.ChainID)
	return clone
}

// CandidateVote is an attestation of which everything but the pairing is checked:
// its form, that the signer is in the set, that the signature is a point. Making
// one costs most of the time of a batched vote and can be done in parallel.
type CandidateVote struct {
	ballot
	checkpoint *Checkpoint // own copy
}

// VerifiedVote is one validator's valid signature on a checkpoint. The zero value
// is nobody's vote, and refused wherever votes are taken.
type VerifiedVote struct {
	candidate CandidateVote
}

// CheckAttestation makes a candidate. The set is the one that the checkpoint's
// parent committed to; without knowing it, no error here would be just. Errors are
// all hard.
func CheckAttestation(net Network, set *Set, a *Attestation) (CandidateVote, error) {
	if err := a.check(); err != nil {
		return CandidateVote{}, err
	}
	checkpoint := cloneCheckpoint(&a.Checkpoint)
	b, err := newBallot(net, set, a.Signer, a.Signature, checkpoint.Root(), checkpoint.SigningRoot(net))
	if err != nil {
		return CandidateVote{}, err
	}
	return CandidateVote{b, &checkpoint}, nil
}

// VerifyCandidates verifies candidates together, those for one checkpoint in one
// batch. Both results are as long as the input: either errs[i] is nil, or
// candidate i is bad and votes[i] the zero value. The good are not hurt by the bad.
func VerifyCandidates(candidates []CandidateVote) (votes []VerifiedVote, errs []error) {
	ballots := make([]ballot, len(candidates))
	for i := range candidates {
		ballots[i] = candidates[i].ballot
	}
	votes = make([]VerifiedVote, len(candidates))
	errs = verifyBallots(ballots)
	for i, err := range errs {
		if err == nil {
			votes[i] = VerifiedVote{candidates[i]}
		}
	}
	return votes, errs
}

// VerifyAttestation checks one attestation against the set of its epoch, see
// [CheckAttestation].
func VerifyAttestation(net Network, set *Set, a *Attestation) (VerifiedVote, error) {
	candidate, err := CheckAttestation(net, set, a)
	if err != nil {
		return VerifiedVote{}, err
	}
	if err := candidate.verify(); err != nil {
		return VerifiedVote{}, err
	}
	return VerifiedVote{candidate}, nil
}

// VerifyAttestations checks attestations of one set together. Both results are as
// long as the input, as with [VerifyCandidates].
func VerifyAttestations(net Network, set *Set, attestations []*Attestation) (votes []VerifiedVote, errs []error) {
	votes = make([]VerifiedVote, len(attestations))
	errs = make([]error, len(attestations))
	var candidates []CandidateVote
	var positions []int
	for i, a := range attestations {
		candidate, err := CheckAttestation(net, set, a)
		if err != nil {
			errs[i] = err
			continue
		}
		candidates = append(candidates, candidate)
		positions = append(positions, i)
	}
	verified, invalid := VerifyCandidates(candidates)
	for j, i := range positions {
		votes[i], errs[i] = verified[j], invalid[j]
	}
	return votes, errs
}

// IsZero says whether v is the zero value, which nobody signed. The other methods
// must not be called on it.
func (v VerifiedVote) IsZero() bool { return v.candidate.checkpoint == nil }

// Checkpoint is a copy of what was signed.
func (v VerifiedVote) Checkpoint() *Checkpoint {
	c := cloneCheckpoint(v.candidate.checkpoint)
	return &c
}

// Root is the root of the checkpoint that was signed.
func (v VerifiedVote) Root() [32]byte { return v.candidate.root }

// ChainID is the chain that the vote is about.
func (v VerifiedVote) ChainID() string { return string(v.candidate.checkpoint.ChainID) }

// Epoch is the epoch that the vote is about.
func (v VerifiedVote) Epoch() uint64 { return v.candidate.checkpoint.Epoch }

// Signer is the key that signed.
func (v VerifiedVote) Signer() [48]byte { return v.candidate.set.members[v.candidate.index].Key }

// Index is the signer's position in the set that the vote was verified against.
func (v VerifiedVote) Index() int { return v.candidate.index }

// Attestation is the vote as it travels.
func (v VerifiedVote) Attestation() *Attestation {
	return &Attestation{
		Checkpoint: *v.Checkpoint(),
		Signer:     v.Signer(),
		Signature:  v.candidate.signature.Bytes(),
	}
}

// Aggregate is the vote as an aggregate of one signer, the form that it has in a
// fault proof.
func (v VerifiedVote) Aggregate() VerifiedAggregate {
	signers := NewBits(v.candidate.set.Len())
	signers.Set(v.candidate.index)
	return newVerifiedAggregate(v.candidate.net, v.candidate.set, v.candidate.checkpoint, signers, v.candidate.signature)
}
