package attest

import (
	"slices"

	"github.com/meshsec/meshsec/attest/comet"
)

// AttackEvidence is what a proof of an attack on light clients is made from. Nothing of
// it is verified, all of it is needed but where it says so.
type AttackEvidence struct {
	Certificate       *Certificate    // of the epoch that the height belongs to
	Headers           []*comet.Header // of the chain, from the epoch's last block back to the height
	Commit            *comet.Commit   // for the last of Headers; only if it is of the same round as the other
	Validators        *comet.Set      // of the last of Headers; only where nobody can be convicted
	Conflicting       *comet.Header
	ConflictingCommit *comet.Commit
}

// BuildLightClientAttack makes the proof that e shows something against the set which
// signed the certificate, or against its chain: of all signatures those which are
// valid, of keys in the set. Errors: [RuleOffender] if there are none, [RuleHomeBlock] if
// the headers do not lead from the certificate to the height, and those of a malformed
// or useless proof.
func BuildLightClientAttack(set *Set, e AttackEvidence) (*FaultProof, error) {
	a, err := newLightClientAttack(set, &e)
	if err != nil {
		return nil, err
	}
	chain := string(e.Certificate.Checkpoint.ChainID)
	forged := precommitsFor(e.ConflictingCommit, chain)
	signers := NewBits(set.Len())
	var own OwnCommit
	switch {
	case a.lunatic():
		a.Precommits = gather(set, signers, forged)
	case e.Commit != nil && e.Commit.Round == e.ConflictingCommit.Round:
		block := newHomeBlockID(&e.Commit.Block)
		own.PartsTotal, own.PartsHash = block.PartsTotal, block.PartsHash
		a.Precommits = gather(set, signers, forged, precommitsFor(e.Commit, chain))
		own.Precommits = gather(set, signers, precommitsFor(e.Commit, chain), forged)
	}
	a.Signers = signers
	switch {
	case len(own.Precommits) > 0:
		a.Own = []*OwnCommit{&own}
	case len(a.Precommits) == 0 && !a.lunatic() && e.Validators != nil:
		if err := a.fork(e.Validators, forged); err != nil {
			return nil, err
		}
	}
	if len(a.Precommits) == 0 {
		return nil, refuse(RuleOffender, "no validator of epoch %d of %s signed the conflicting block so that it could be convicted", e.Certificate.Checkpoint.Epoch, chain)
	}
	body, err := EncodeLightClientAttack(a)
	if err != nil {
		return nil, err
	}
	proof := &FaultProof{uint8(FaultLightClientAttack), body}
	return proof, proof.check()
}

// check: the headers are of the certificate's chain, and each commit is of its header.
func (e *AttackEvidence) check() error {
	last := e.Headers[len(e.Headers)-1]
	signed := []*comet.LightBlock{{Header: e.Conflicting, Commit: e.ConflictingCommit}}
	if e.Commit != nil {
		signed = append(signed, &comet.LightBlock{Header: last, Commit: e.Commit})
	}
	for _, l := range signed {
		if err := l.Check(); err != nil {
			return refuse(RuleHomeBlock, "%v", err)
		}
	}
	for _, h := range []*comet.Header{last, e.Conflicting} {
		if chain := string(e.Certificate.Checkpoint.ChainID); h.ChainID != chain {
			return refuse(RuleHomeBlock, "a header of %q, the certificate is of %s", h.ChainID, chain)
		}
	}
	return nil
}

// newLightClientAttack is the proof but for signatures.
func newLightClientAttack(set *Set, e *AttackEvidence) (*LightClientAttack, error) {
	trail, err := newTrail(e.Headers)
	if err != nil {
		return nil, err
	}
	canonical, err := NewHomeHeader(e.Headers[len(e.Headers)-1])
	if err != nil {
		return nil, err
	}
	conflicting, err := NewHomeHeader(e.Conflicting)
	if err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	block := newHomeBlockID(&e.ConflictingCommit.Block)
	return &LightClientAttack{
		ValidatorsRoot: set.Root(), Certificate: *e.Certificate, Trail: trail, Canonical: *canonical, Conflicting: *conflicting,
		PartsTotal: block.PartsTotal, PartsHash: block.PartsHash, Round: uint32(e.ConflictingCommit.Round),
	}, nil
}

// fork completes the proof that accuses nobody.
func (a *LightClientAttack) fork(validators *comet.Set, forged commitVotes) error {
	if len(validators.Members) > MaxValidators {
		return refuse(RuleHomeBlock, "%d validators of the chain, at most %d", len(validators.Members), MaxValidators)
	}
	signers := NewBits(len(validators.Members))
	for i, v := range validators.Members {
		if v.Key.Type != comet.Ed25519 {
			return refuse(RuleUnsupported, "validator %X of the chain has a key of type %v", v.Address, v.Key.Type)
		}
		a.Validators = append(a.Validators, &HomeValidator{[32]byte(v.Key.Bytes), uint64(v.Power)})
		if p := forged.by(v.Key.Bytes); p != nil {
			signers.Set(i)
			a.Precommits = append(a.Precommits, p)
		}
	}
	a.Signers = signers
	return nil
}

// commitVotes are the precommits in a commit for its block, with signatures that could be
// of ed25519 keys, by the address of which they are said to be: a commit that somebody
// made up may name one twice.
type commitVotes map[[comet.AddressSize]byte][]commitVote

type commitVote struct {
	precommit *Precommit
	message   []byte
}

func precommitsFor(c *comet.Commit, chainID string) commitVotes {
	all := make(commitVotes)
	for i, s := range c.Signatures {
		if s.Flag != comet.FlagCommit || len(s.Address) != comet.AddressSize || len(s.Signature) != 64 {
			continue
		}
		address := [comet.AddressSize]byte(s.Address)
		all[address] = append(all[address], commitVote{
			&Precommit{Seconds: uint64(s.Time.Unix()), Nanos: uint32(s.Time.Nanosecond()), Signature: [64]byte(s.Signature)},
			c.SignBytes(chainID, i),
		})
	}
	return all
}

// by is the first valid precommit of a key, nil if there is none.
func (c commitVotes) by(key []byte) *Precommit {
	for _, v := range c[comet.Address(key)] {
		if comet.VerifyEd25519(key, v.message, v.precommit.Signature[:]) {
			return v.precommit
		}
	}
	return nil
}

// gather returns the precommits in the first commit of all members of the set that have
// valid ones in all of them, and sets their bits.
func gather(set *Set, signers Bits, commits ...commitVotes) (out []*Precommit) {
	for i := range set.members {
		key := &set.members[i].ConsensusKey
		if key.Type != KeyEd25519 || slices.ContainsFunc(commits, func(c commitVotes) bool { return c.by(key.Bytes) == nil }) {
			continue
		}
		signers.Set(i)
		out = append(out, commits[0].by(key.Bytes))
	}
	return out
}
