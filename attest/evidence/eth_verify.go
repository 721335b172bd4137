package evidence

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/ethereum"
	"github.com/meshsec/meshsec/bls"
)

// ethRule is one rule of the specification's process_attester_slashing or
// process_proposer_slashing. judge returns what it saw, and an error that is one
// sentence if the rule is broken.
type ethRule struct {
	name  string
	judge func(*ethCase) (detail string, err error)
}

// The rules, from cheap to dear. The first broken one ends the case; both signatures
// are looked at in any case that gets so far.
var (
	ethAttesterRules = []ethRule{
		{"chain", (*ethCase).sameChain},
		{"objects", (*ethCase).objects},
		{"slashable_data", (*ethCase).slashableData},
		{"indices_1", func(c *ethCase) (string, error) { return c.sides[0].sorted() }},
		{"indices_2", func(c *ethCase) (string, error) { return c.sides[1].sorted() }},
		{"accused", (*ethCase).intersect},
		{"domain", (*ethCase).domain},
		{"keys", (*ethCase).findKeys},
	}
	ethProposerRules = []ethRule{
		{"chain", (*ethCase).sameChain},
		{"objects", (*ethCase).objects},
		{"same_slot", (*ethCase).sameSlot},
		{"same_proposer", (*ethCase).sameProposer},
		{"different_headers", (*ethCase).differentHeaders},
		{"domain", (*ethCase).domain},
		{"keys", (*ethCase).findKeys},
	}
	ethSignatureRules = []ethRule{
		{"signature_1", func(c *ethCase) (string, error) { return c.signature(0) }},
		{"signature_2", func(c *ethCase) (string, error) { return c.signature(1) }},
	}
	ethStateRules = []ethRule{
		{"slashable_validators", (*ethCase).slashable},
	}
)

// ethCase is one slashing being judged.
type ethCase struct {
	report   Report
	proposer bool
	sides    [2]*ethSide
	chain    *ethereum.Chain // nil: only the file's domains are known
	decoded  *ethDecoded     // nil: the objects are there
	given    EthereumKeys
	messages [2][32]byte   // signing roots
	accused  []uint64      // who is in both sides, sorted
	sums     [2]bls.KeySum // of the keys of each side's signers
}

// Needs is what a caller must give for [Ethereum.Verify] to have anything to judge
// by, as an error that says so, or nil. It is about the call, not about the evidence.
func (e *Ethereum) Needs(chain *ethereum.Chain, keys EthereumKeys) error {
	switch {
	case e.decoded != nil:
		return nil
	case chain == nil:
		return errors.New("ethereum evidence: give the fork version and the genesis validators root, the evidence does not name its chain")
	case len(keys) == 0:
		return errors.New("ethereum evidence: give the keys of the validators, the evidence holds their indices only")
	}
	return nil
}

// Verify judges the evidence by the rules of the consensus specification, with
// nothing but what it is given. The decoded form brings chain and keys of its own;
// what is given must agree with them. An attester slashing convicts those in both
// votes. Power is the effective balance in Gwei, where it is known.
func (e *Ethereum) Verify(chain *ethereum.Chain, keys EthereumKeys) Report {
	c := e.open(chain, keys)
	rules := ethAttesterRules
	if c.proposer {
		rules = ethProposerRules
	}
	if c.sides[0] == nil {
		c.report.Failed = "there is no slashing to judge"
		return c.report
	}
	if c.allOf(rules) && c.eachOf(ethSignatureRules) && c.allOf(ethStateRules) {
		c.report.Valid = true
		c.report.Offenders = c.offenders()
	}
	return c.report
}

func (e *Ethereum) open(chain *ethereum.Chain, keys EthereumKeys) *ethCase {
	c := &ethCase{
		report:  Report{Kind: attest.FaultEthereumSlashing.String(), Offenders: []Offender{}, Checks: []Check{}},
		chain:   chain,
		decoded: e.decoded,
		given:   keys,
	}
	switch {
	case e.Attester != nil:
		c.sides[0] = ethVote(&e.Attester.Attestation1)
		c.sides[1] = ethVote(&e.Attester.Attestation2)
	case e.Proposer != nil:
		c.proposer = true
		c.sides[0] = ethProposal(&e.Proposer.SignedHeader1)
		c.sides[1] = ethProposal(&e.Proposer.SignedHeader2)
	case e.decoded != nil:
		c.proposer = e.decoded.proposer
		c.sides[0], c.sides[1] = &e.decoded.sides[0], &e.decoded.sides[1]
		if chain == nil {
			c.chain = e.decoded.chain
		}
	default:
		return c
	}
	if e.decoded == nil {
		for i, side := range c.sides {
			side.name, side.opened = ethSideName(c.proposer, i), true
		}
	}
	if c.chain != nil {
		c.report.Chain = fmt.Sprintf("%#x", c.chain.GenesisValidatorsRoot)
	}
	c.report.Epoch = max(c.epoch(c.sides[0]), c.epoch(c.sides[1]))
	return c
}

func ethVote(a *ethereum.IndexedAttestationElectra) *ethSide {
	return &ethSide{
		who:       a.AttestingIndices,
		slot:      a.Data.Slot,
		vote:      a.Data.Vote(),
		signature: a.Signature[:],
	}
}

func ethProposal(h *ethereum.SignedBeaconBlockHeader) *ethSide {
	return &ethSide{
		who:       []uint64{h.Message.ProposerIndex},
		slot:      h.Message.Slot,
		vote:      ethereum.Vote{Root: h.Message.Root()},
		signature: h.Signature[:],
	}
}

// epoch is the one whose fork version the signature is bound to.
func (c *ethCase) epoch(s *ethSide) uint64 {
	if c.proposer {
		return c.chain.EpochOf(s.slot)
	}
	return s.vote.Target
}

// allOf stops at the first broken rule.
func (c *ethCase) allOf(rules []ethRule) bool {
	for _, rule := range rules {
		if !c.apply(rule) {
			return false
		}
	}
	return true
}

// eachOf applies all rules, whatever comes of them.
func (c *ethCase) eachOf(rules []ethRule) bool {
	all := true
	for _, rule := range rules {
		all = c.apply(rule) && all
	}
	return all
}

func (c *ethCase) apply(rule ethRule) bool {
	detail, err := rule.judge(c)
	if err != nil {
		detail = err.Error()
		if c.report.Failed == "" {
			c.report.Failed = detail
		}
	}
	c.report.Checks = append(c.report.Checks, Check{rule.name, err == nil, detail})
	return err == nil
}

func (c *ethCase) sameChain() (string, error) {
	switch {
	case c.chain == nil && c.decoded == nil:
		return "", errors.New("it is not known for which chain the signatures were made")
	case c.chain == nil:
		return "the file does not name it", nil
	case c.decoded != nil && c.decoded.chain != nil && c.decoded.chain.GenesisValidatorsRoot != c.chain.GenesisValidatorsRoot:
		return "", fmt.Errorf("wrong chain: the file is about genesis validators root %#x, not %#x", c.decoded.chain.GenesisValidatorsRoot, c.chain.GenesisValidatorsRoot)
	}
	return fmt.Sprintf("genesis validators root %#x", c.chain.GenesisValidatorsRoot), nil
}

func (c *ethCase) objects() (string, error) {
	opened := 0
	for _, side := range c.sides {
		if side.conflict != nil {
			return "", fmt.Errorf("%s: %w", side.name, side.conflict)
		}
		if side.opened {
			opened++
		}
	}
	if opened == len(c.sides) {
		return "the roots were computed from the signed objects", nil
	}
	return "the file holds roots in place of the signed objects: slots and epochs are its word, and it proves nothing to others", nil
}

// slashableData is is_slashable_attestation_data, which is not symmetric: of a
// surround vote, the outer vote comes first.
func (c *ethCase) slashableData() (string, error) {
	a, b := c.sides[0].vote, c.sides[1].vote
	switch {
	case a.Root == b.Root:
		return "", errors.New("both attestations are the same vote")
	case a.Doubles(b):
		return fmt.Sprintf("double vote: two votes for target epoch %d", a.Target), nil
	case a.Surrounds(b):
		return fmt.Sprintf("surround vote: %d to %d surrounds %d to %d", a.Source, a.Target, b.Source, b.Target), nil
	case b.Surrounds(a):
		return "", errors.New("attestation 1 must surround attestation 2, not the other way around: swap them")
	}
	return "", fmt.Errorf("the votes do not contradict: %d to %d and %d to %d are neither for the same target epoch nor does one surround the other", a.Source, a.Target, b.Source, b.Target)
}

// sorted is what is_valid_indexed_attestation wants of the indices.
func (s *ethSide) sorted() (string, error) {
	if len(s.who) == 0 {
		return "", fmt.Errorf("%s has no attesting indices", s.name)
	}
	for i := 1; i < len(s.who); i++ {
		switch before, this := s.who[i-1], s.who[i]; {
		case this == before:
			return "", fmt.Errorf("%s has the index %d twice, they must be unique", s.name, this)
		case this < before:
			return "", fmt.Errorf("%s has the index %d after %d, they must be sorted", s.name, this, before)
		}
	}
	return fmt.Sprintf("attesters: %d", len(s.who)), nil
}

// intersect merges two sorted lists.
func (c *ethCase) intersect() (string, error) {
	a, b := c.sides[0].who, c.sides[1].who
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case b[0] < a[0]:
			b = b[1:]
		default:
			c.accused = append(c.accused, a[0])
			a, b = a[1:], b[1:]
		}
	}
	if len(c.accused) == 0 {
		return "", errors.New("nobody is among the attesters of both votes")
	}
	return fmt.Sprintf("in both votes: %d", len(c.accused)), nil
}

func (c *ethCase) sameSlot() (string, error) {
	if a, b := c.sides[0].slot, c.sides[1].slot; a != b {
		return "", fmt.Errorf("the headers are for different slots, %d and %d", a, b)
	}
	return fmt.Sprintf("slot %d", c.sides[0].slot), nil
}

func (c *ethCase) sameProposer() (string, error) {
	a, b := c.sides[0].who[0], c.sides[1].who[0]
	if a != b {
		return "", fmt.Errorf("the headers are by different proposers, %d and %d", a, b)
	}
	c.accused = []uint64{a}
	return fmt.Sprintf("proposer %d", a), nil
}

func (c *ethCase) differentHeaders() (string, error) {
	if c.sides[0].vote.Root == c.sides[1].vote.Root {
		return "", errors.New("both headers are the same block")
	}
	return fmt.Sprintf("roots %#x and %#x", c.sides[0].vote.Root, c.sides[1].vote.Root), nil
}

// domain computes what was signed, and holds it against what a decoded form says.
func (c *ethCase) domain() (string, error) {
	kind := ethereum.DomainAttester
	if c.proposer {
		kind = ethereum.DomainProposer
	}
	for i, side := range c.sides {
		var domain [32]byte
		switch {
		case c.chain != nil:
			domain = c.chain.Domain(kind, c.epoch(side))
		case side.domain != nil:
			domain = *side.domain
		default:
			return "", fmt.Errorf("%s: neither its domain nor its chain is known", side.name)
		}
		c.messages[i] = ethereum.SigningRoot(side.vote.Root, domain)
		if said := side.domain; said != nil && (*said != domain || ethereum.DomainType(said[:4]) != kind) {
			return "", fmt.Errorf("%s: the file says domain %#x, which is not that of its kind, fork version and genesis validators root", side.name, *said)
		}
		if said := side.signing; said != nil && *said != c.messages[i] {
			return "", fmt.Errorf("%s: the file says signing root %#x, object root and domain give %#x", side.name, *said, c.messages[i])
		}
	}
	if c.chain == nil {
		return "the file's word: it names no fork version and genesis validators root", nil
	}
	return "computed from fork version and genesis validators root", nil
}

// findKeys adds up the keys of the signers of each side, without keeping them: the
// largest vote has too many. Whoever is accused, and all keys that the file brings, are
// parsed, once. The keys that were given, of those who are accused of nothing, are taken
// as the caller vouches for them, which is what a large slashing would cost.
func (c *ethCase) findKeys() (string, error) {
	first, second := c.sides[0], c.sides[1]
	owners := make(map[[48]byte]uint64)
	for n, side := range c.sides {
		if c.decoded != nil && len(side.keys) != len(side.who) {
			return "", fmt.Errorf("%s has %d keys for %d indices: the others are unknown", side.name, len(side.keys), len(side.who))
		}
		for i, index := range side.who {
			encoded, err := c.keyOf(side, i)
			if err != nil {
				return "", err
			}
			_, accused := slices.BinarySearch(c.accused, index)
			if accused && n == 1 {
				at, _ := slices.BinarySearch(first.who, index)
				if b, err := c.keyOf(first, at); err != nil || !slices.Equal(b, encoded) {
					return "", fmt.Errorf("validator %d has two keys", index)
				}
				continue // it was added to both
			}
			if err := c.addKey(n, encoded, accused); err != nil {
				return "", fmt.Errorf("validator %d: %w", index, err)
			}
			if c.given != nil {
				continue // EthereumKeys has no key twice
			}
			key := [48]byte(encoded)
			if owner, taken := owners[key]; taken {
				return "", fmt.Errorf("validators %d and %d have the same key", owner, index)
			}
			owners[key] = index
		}
	}
	detail := fmt.Sprintf("keys: %d", len(first.who)+len(second.who)-len(c.accused))
	if c.given == nil {
		detail += ", which the file itself brings: nothing here shows that they belong to these validators"
	}
	return detail, nil
}

// addKey adds a key to the sum of a side, or of both if its owner is accused.
func (c *ethCase) addKey(side int, encoded []byte, accused bool) error {
	if c.given != nil && !accused {
		return c.sums[side].AddVouched(encoded)
	}
	key, err := bls.ParsePublicKey(encoded)
	if err != nil {
		return err
	}
	if accused {
		return errors.Join(c.sums[0].Add(key), c.sums[1].Add(key))
	}
	return c.sums[side].Add(key)
}

func (c *ethCase) keyOf(side *ethSide, i int) ([]byte, error) {
	given, known := c.given[side.who[i]]
	switch {
	case c.given != nil && !known:
		return nil, fmt.Errorf("%s: validator %d is unknown, no key was given for it", side.name, side.who[i])
	case c.decoded == nil && !known:
		return nil, fmt.Errorf("%s: no keys were given", side.name)
	case c.decoded == nil:
		return given.Key[:], nil
	case known && !slices.Equal(given.Key[:], side.keys[i]):
		return nil, fmt.Errorf("%s: the key of validator %d is not the one that was given", side.name, side.who[i])
	}
	return side.keys[i], nil
}

// signature is FastAggregateVerify with the sum of the keys. The results are the same:
// no keys, an infinite sum and an infinite signature are all refused.
func (c *ethCase) signature(n int) (string, error) {
	name, signers := c.sides[n].name, len(c.sides[n].who)
	signature, err := bls.ParseSignature(c.sides[n].signature)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	sum, err := c.sums[n].PublicKey()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if !bls.Verify(sum, c.messages[n][:], signature) {
		return "", fmt.Errorf("%s: the signature is not that of its signers (%d) over this object on this chain", name, signers)
	}
	return fmt.Sprintf("signers: %d, signing root %#x", signers, c.messages[n]), nil
}

// slashable is is_slashable_validator, as far as it can be known: a decoded form may
// tell who could be slashed in the state for which it was made.
func (c *ethCase) slashable() (string, error) {
	const unknown = "whether they are active, withdrawn or slashed already depends on the state of the chain, which is not here"
	if c.decoded == nil {
		return unknown, nil
	}
	state := c.decoded.state
	switch {
	case state.nobody:
		return "", errors.New("the file says that none of the accused could be slashed in its state: not active, withdrawn, or slashed already")
	case state.slashed == nil:
		return unknown, nil
	}
	for index := range state.slashed {
		if _, accused := slices.BinarySearch(c.accused, index); !accused {
			return "", fmt.Errorf("the file says that validator %d was slashed, who is not accused", index)
		}
	}
	c.accused = slices.DeleteFunc(c.accused, func(index uint64) bool {
		_, slashed := state.slashed[index]
		return !slashed
	})
	if len(c.accused) == 0 {
		return "", errors.New("the file says that nobody was slashed in its state")
	}
	return fmt.Sprintf("as the file says of its state, of the accused: %d", len(c.accused)), nil
}

// offenders are named by index and key.
func (c *ethCase) offenders() []Offender {
	offenders := make([]Offender, len(c.accused))
	for i, index := range c.accused {
		at, _ := slices.BinarySearch(c.sides[0].who, index)
		key, _ := c.keyOf(c.sides[0], at) // it was found before
		offenders[i].Name = fmt.Sprintf("validator %d %#x", index, key)
		if balance := c.balance(index); balance != 0 {
			offenders[i].Power = strconv.FormatUint(balance, 10)
		}
	}
	return offenders
}

func (c *ethCase) balance(index uint64) uint64 {
	if v, ok := c.given[index]; ok && v.EffectiveBalance != 0 {
		return v.EffectiveBalance
	}
	if c.decoded != nil {
		return c.decoded.state.slashed[index].EffectiveBalance
	}
	return 0
}
