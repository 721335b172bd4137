package evidence

import (
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// DoubleVote are two votes of one validator of a CometBFT chain in one step of its
// consensus, as a proof of this protocol holds them. Nothing of it is verified.
type DoubleVote struct {
	ChainID       string
	Height        uint64
	Round         uint32
	Type          uint8 // as in [attest.Equivocation]
	Address       [comet.AddressSize]byte
	First, Second attest.ConsensusVote
}

// Offences are what files hold that a proof of this protocol can be made of.
type Offences struct {
	DoubleVotes []DoubleVote
	Attacks     []*comet.LightBlock // what light clients were shown; that the commit is one for the header was checked
}

// Offences finds them in files that [Comet.Verify] reads; of c only the chain counts. What
// is evidence and no good as such a proof, because of its kind or of a rule that it breaks,
// is in refused, each an [ErrNoFault]. The error is one of those of Verify, or [ErrNoFault]
// if there is no evidence at all.
func (c Comet) Offences(files ...[]byte) (found Offences, refused []error, err error) {
	known := &cometKnown{chainID: c.ChainID, kind: c.Kind}
	pieces, err := known.readFiles(files)
	if err != nil {
		return found, nil, err
	}
	if len(pieces) == 0 {
		return found, nil, fmt.Errorf("%w: there is no evidence in it", ErrNoFault)
	}
	for i, p := range pieces {
		err := found.add(p, known)
		switch missing := (*Missing)(nil); {
		case errors.As(err, &missing):
			return Offences{}, nil, err
		case err != nil && len(pieces) > 1:
			refused = append(refused, fmt.Errorf("%w: evidence %d of %d: %w", ErrNoFault, i+1, len(pieces), err))
		case err != nil:
			refused = append(refused, fmt.Errorf("%w: %w", ErrNoFault, err))
		}
	}
	return found, refused, nil
}

// add keeps a piece of evidence, as far as it can be judged by itself.
func (o *Offences) add(p cometPiece, known *cometKnown) error {
	switch p := p.(type) {
	case cometMalformed:
		return p.cause
	case *cometDoubleVote:
		v, err := doubleVoteOf(p, known)
		if err == nil {
			o.DoubleVotes = append(o.DoubleVotes, v)
		}
		return err
	case *cometAttack:
		if err := p.conflicting.Check(); err != nil {
			return err
		}
		if _, wrong, missing := known.chain(p.conflicting.Header.ChainID); missing != nil {
			return missing
		} else if wrong != nil {
			return wrong
		}
		o.Attacks = append(o.Attacks, p.conflicting)
		return nil
	}
	return errors.New("it is the misbehaviour of a light client, two headers of which neither is known to be the chain's: no proof is made of it")
}

// doubleVoteOf is a double vote as far as it can be judged without a key.
func doubleVoteOf(d *cometDoubleVote, known *cometKnown) (out DoubleVote, err error) {
	r, err := d.examine(known)
	if err != nil {
		return out, err
	}
	if r.Failed != "" {
		return out, errors.New(r.Failed)
	}
	return DoubleVote{
		ChainID: r.Chain, Height: uint64(d.a.Height), Round: uint32(d.a.Round), Type: uint8(d.a.Type),
		Address: [comet.AddressSize]byte(d.a.Address), First: consensusVote(&d.a), Second: consensusVote(&d.b),
	}, nil
}

// consensusVote is what is signed in a vote that was checked.
func consensusVote(v *comet.Vote) attest.ConsensusVote {
	out := attest.ConsensusVote{Seconds: uint64(v.Time.Unix()), Nanos: uint32(v.Time.Nanosecond()), Signature: v.Signature}
	if !v.Block.IsNil() {
		out.BlockHash, out.PartsHash = [32]byte(v.Block.Hash), [32]byte(v.Block.PartsHash)
		out.PartsTotal = uint32(v.Block.PartsTotal)
	}
	return out
}

// Prove makes the proof that convicts the owner of the address in the first of the sets
// with which it is valid. Only the manifest tells the epoch of the height, so that it is
// given. The error is [ErrNoFault] with the reason that the last set gave.
func (d *DoubleVote) Prove(law attest.Law, epoch uint64, sets ...*attest.Set) (*attest.FaultProof, *attest.Set, error) {
	err := error(&Missing{"no validator set is given"})
	for _, set := range sets {
		var proof *attest.FaultProof
		if proof, err = d.prove(law, epoch, set); err == nil {
			return proof, set, nil
		}
		err = fmt.Errorf("%w: %w", ErrNoFault, err)
	}
	return nil, nil, err
}

func (d *DoubleVote) prove(law attest.Law, epoch uint64, set *attest.Set) (*attest.FaultProof, error) {
	key, known := d.key(set)
	if !known {
		return nil, fmt.Errorf("%X, who voted twice, is the consensus address of no validator in the set of %s epoch %d", d.Address, d.ChainID, epoch)
	}
	proof, err := attest.BuildEquivocation(set, attest.Equivocation{
		ChainID: []byte(d.ChainID), Epoch: epoch, Key: key, Height: d.Height, Round: d.Round, Type: d.Type, First: d.First, Second: d.Second,
	})
	if err != nil {
		return nil, err
	}
	_, err = attest.VerifyFault(law, set, proof)
	return proof, err
}

// key is the consensus key that a set has for the address.
func (d *DoubleVote) key(set *attest.Set) (attest.ConsensusKey, bool) {
	for i := range set.Len() {
		if k := set.At(i).ConsensusKey; k.Type == attest.KeyEd25519 && comet.Address(k.Bytes) == d.Address {
			return k, true
		}
	}
	return attest.ConsensusKey{}, false
}

// ProveAttack makes the proof of an attack on light clients against the first of the sets
// with which it is valid. The error is [ErrNoFault] with the reason that the last set gave.
func ProveAttack(law attest.Law, e attest.AttackEvidence, sets ...*attest.Set) (*attest.FaultProof, *attest.Set, error) {
	err := error(&Missing{"no validator set is given"})
	for _, set := range sets {
		var proof *attest.FaultProof
		if proof, err = attest.BuildLightClientAttack(set, e); err == nil {
			if _, err = attest.VerifyFault(law, set, proof); err == nil {
				return proof, set, nil
			}
		}
		err = fmt.Errorf("%w: %w", ErrNoFault, err)
	}
	return nil, nil, err
}
