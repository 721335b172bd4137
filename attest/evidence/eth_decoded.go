package evidence

import (
	"fmt"
	"strings"

	"github.com/meshsec/meshsec/attest/ethereum"
)

// ethDecoded is a slashing as test vectors describe it: the objects' roots in place
// of the objects, and the keys in place of a state. What the file says about the
// outcome of signatures is not read.
type ethDecoded struct {
	proposer bool
	sides    [2]ethSide
	chain    *ethereum.Chain // nil: the file does not say
	state    ethState
}

// ethState is what the file says about the state in which the slashing was tried,
// and what no evidence can say: who of the accused could still be slashed in it. It
// can only take offenders away.
type ethState struct {
	nobody  bool // nobody could be slashed
	slashed map[uint64]EthereumValidator
}

// ethSide is one of the two contradicting votes or headers.
type ethSide struct {
	name      string // in messages
	who       []uint64
	slot      uint64
	vote      ethereum.Vote // of a header, its root alone
	opened    bool          // the root was computed, and who, slot, vote are what it commits to
	signature []byte

	// Of the decoded form.
	keys            [][]byte  // of who, in that order
	domain, signing *[32]byte // as the file says, nil if it does not
	conflict        error     // between the object and what the file says of it
}

// The remarks of a decoded form that tell of its state, not of its evidence.
const (
	ethRemarkAttesters = "nobody slashable"
	ethRemarkProposer  = "proposer not slashable"
)

func (r *ethReader) decoded(v ethValue) (*ethDecoded, error) {
	var sides, previous, current, root, epoch ethValue
	var kind, origin, remark string
	d := new(ethDecoded)
	err := v.some(ethMembers{
		"kind":                    ethText(&kind),
		"origin":                  ethText(&origin),
		"sides":                   ethRaw(&sides),
		"fork_previous_version":   ethRaw(&previous),
		"fork_current_version":    ethRaw(&current),
		"fork_epoch":              ethRaw(&epoch),
		"genesis_validators_root": ethRaw(&root),
		"computed_result":         ethText(&remark),
		"slashed":                 d.state.read,
	})
	if err != nil {
		return nil, err
	}
	switch kind {
	case "proposer_slashing":
		d.proposer = true
	case "attester_slashing":
	default:
		return nil, ethShape("kind is attester_slashing or proposer_slashing, not %.30q", kind)
	}
	d.state.nobody = remark == ethRemarkAttesters || remark == ethRemarkProposer
	if root != nil && current != nil {
		if previous == nil {
			previous = current
		}
		if epoch == nil {
			epoch = ethValue("0")
		}
		d.chain = new(ethereum.Chain)
		if strings.HasPrefix(origin, "minimal/") {
			d.chain.SlotsPerEpoch = 8
		}
		if err := readFork(d.chain, root, previous, current, epoch); err != nil {
			return nil, fmt.Errorf("fork: %w", err)
		}
	}
	n := 0
	err = sides.list(len(d.sides), func(i int, v ethValue) error {
		n++
		return d.sides[i].read(v, d.proposer, r.limit)
	})
	if err == nil && n != len(d.sides) {
		err = ethShape("there are %d sides, not 2", n)
	}
	if err != nil {
		return nil, fmt.Errorf("sides: %w", err)
	}
	for i := range d.sides {
		d.sides[i].name = ethSideName(d.proposer, i)
	}
	return d, nil
}

func ethSideName(proposer bool, i int) string {
	if proposer {
		return fmt.Sprintf("header %d", i+1)
	}
	return fmt.Sprintf("attestation %d", i+1)
}

func (s *ethState) read(v ethValue) error {
	s.slashed = make(map[uint64]EthereumValidator)
	return v.list(ethereum.MaxAttestersElectra, func(_ int, v ethValue) error {
		var number ethValue
		var validator EthereumValidator
		err := v.some(ethMembers{"index": ethRaw(&number), "effective_balance_gwei": ethInteger(&validator.EffectiveBalance)})
		if err != nil {
			return err
		}
		index, err := number.integer()
		s.slashed[index] = validator
		return err
	})
}

func (s *ethSide) read(v ethValue, proposer bool, limit int) error {
	var object, keys, index, slot, source, target ethValue
	var root *[32]byte
	members := ethMembers{
		"pubkeys":      ethRaw(&keys),
		"object_root":  ethOptional(&root),
		"domain":       ethOptional(&s.domain),
		"signing_root": ethOptional(&s.signing),
		"signature":    ethBytes(&s.signature),
		"slot":         ethRaw(&slot),
		"source_epoch": ethRaw(&source),
		"target_epoch": ethRaw(&target),
	}
	if proposer {
		members["proposer_index"] = ethRaw(&index)
		members["message"] = ethRaw(&object)
	} else {
		members["attesting_indices"] = ethIntegers(&s.who, limit)
		members["data"] = ethRaw(&object)
	}
	if err := v.some(members); err != nil {
		return err
	}
	if keys != nil {
		err := keys.list(limit, func(_ int, v ethValue) error {
			key, err := v.bytes()
			s.keys = append(s.keys, key)
			return err
		})
		if err != nil {
			return fmt.Errorf("pubkeys: %w", err)
		}
	}
	if object != nil {
		if err := s.open(object, proposer); err != nil {
			return err
		}
	} else if root == nil {
		return ethShape("object_root is missing")
	}
	s.compareRoot(root)
	for _, claim := range []struct {
		name   string
		said   ethValue
		into   *uint64
		signed bool // an opened object commits to it
	}{
		{"slot", slot, &s.slot, true},
		{"source_epoch", source, &s.vote.Source, !proposer},
		{"target_epoch", target, &s.vote.Target, !proposer},
	} {
		if err := s.compare(claim.name, claim.said, claim.into, claim.signed); err != nil {
			return err
		}
	}
	if proposer {
		return s.readProposer(index)
	}
	return nil
}

// open takes what the object says, which its root then commits to.
func (s *ethSide) open(object ethValue, proposer bool) error {
	s.opened = true
	if proposer {
		var header ethereum.BeaconBlockHeader
		err := ethHeader(&header)(object)
		s.slot, s.who, s.vote.Root = header.Slot, []uint64{header.ProposerIndex}, header.Root()
		return err
	}
	var data ethereum.AttestationData
	err := ethAttestationData(&data)(object)
	s.slot, s.vote = data.Slot, data.Vote()
	return err
}

func (s *ethSide) compareRoot(said *[32]byte) {
	switch {
	case said == nil:
	case !s.opened:
		s.vote.Root = *said
	case *said != s.vote.Root:
		s.differ("object_root", fmt.Sprintf("%#x", *said), fmt.Sprintf("%#x", s.vote.Root))
	}
}

// compare reads what the file says, and holds it against the object, if it is there.
func (s *ethSide) compare(name string, v ethValue, into *uint64, signed bool) error {
	if v == nil {
		if !s.opened && signed {
			return ethShape("%s is missing", name)
		}
		return nil
	}
	said, err := v.integer()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if s.opened && signed && said != *into {
		s.differ(name, fmt.Sprint(said), fmt.Sprint(*into))
		return nil
	}
	*into = said
	return nil
}

func (s *ethSide) readProposer(v ethValue) error {
	if v == nil && s.opened {
		return nil
	}
	if v == nil {
		return ethShape("proposer_index is missing")
	}
	index, err := v.integer()
	if err != nil {
		return fmt.Errorf("proposer_index: %w", err)
	}
	if s.opened && index != s.who[0] {
		s.differ("proposer_index", fmt.Sprint(index), fmt.Sprint(s.who[0]))
		return nil
	}
	s.who = []uint64{index}
	return nil
}

func (s *ethSide) differ(name, said, is string) {
	if s.conflict == nil {
		s.conflict = fmt.Errorf("the file says %s %s, the object %s", name, said, is)
	}
}
