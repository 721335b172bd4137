package evidence

import (
	"bytes"
	"fmt"

	"github.com/meshsec/meshsec/attest"
)

// cometKnown is what is known beside the evidence.
type cometKnown struct {
	chainID string // what the caller says
	kind    attest.FaultKind
	set     *cometSet      // what the caller says, checked; nil if he does not
	sets    []*cometSet    // beside the evidence: good where a header has their hash
	keys    []cometKey     // from lists of keys, whoever has them
	lights  []*cometLight  // signed headers beside the evidence
	blocks  int            // that carry no evidence
	forms   cometForms     // of BLS signatures
	indexed map[string]int // address → position in keys
}

// chain is the chain that the evidence is about, and why it can't be, if it says that
// it is about another.
func (k *cometKnown) chain(said string) (id string, wrong, missing error) {
	if said == "" && k.chainID == "" {
		for _, l := range k.lights {
			if said != "" && said != l.header.chainID {
				return "", nil, &Missing{fmt.Sprintf("the headers are of %s and of %s: say with --chain-id which chain the votes are of", said, l.header.chainID)}
			}
			said = l.header.chainID
		}
	}
	switch {
	case said == "" && k.chainID == "":
		return "", nil, &Missing{"the evidence does not say of which chain it is: give --chain-id"}
	case k.chainID == "":
		return said, nil, nil
	case said != "" && said != k.chainID:
		return k.chainID, fmt.Errorf("the evidence is of chain %s, not of %s", said, k.chainID), nil
	}
	return k.chainID, nil, nil
}

// key is the key of a validator: that of the set, where one was given; else one of
// those in the lists.
func (k *cometKnown) key(address []byte, from cometCarrier) (cometKey, error) {
	if k.set != nil {
		v, ok := k.set.find(address)
		if !ok {
			return cometKey{}, fmt.Errorf("%X is not in the validator set that was given", address)
		}
		return v.key, nil
	}
	for _, key := range from.keys {
		if bytes.Equal(key.address(), address) {
			return key, nil
		}
	}
	if k.indexed == nil {
		k.indexed = make(map[string]int, len(k.keys))
		for i, key := range k.keys {
			k.indexed[string(key.address())] = i
		}
	}
	if i, ok := k.indexed[string(address)]; ok {
		return k.keys[i], nil
	}
	if len(k.keys)+len(from.keys) > 0 {
		return cometKey{}, fmt.Errorf("the key of %X is not among those that were given", address)
	}
	return cometKey{}, &Missing{fmt.Sprintf("the evidence names validator %X but not its key: give --validators or --keys", address)}
}

// light is the signed header of a chain at a height.
func (k *cometKnown) light(chainID string, height int64) *cometLight {
	for _, l := range k.lights {
		if l.header.chainID == chainID && l.header.height == height {
			return l
		}
	}
	return nil
}

// latest is the latest signed header of a chain from one height on and below another.
func (k *cometKnown) latest(chainID string, from, below int64) (last *cometLight) {
	for _, l := range k.lights {
		h := l.header
		if h.chainID == chainID && h.height >= from && h.height < below && (last == nil || h.time.After(last.header.time)) {
			last = l
		}
	}
	return last
}

// setOf is the set with the hash that a header has, out of the caller's and others.
func (k *cometKnown) setOf(h *cometHeader, others ...*cometSet) *cometSet {
	for _, s := range append(append(others, k.set), k.sets...) {
		if s != nil && bytes.Equal(s.hash(), h.validators) {
			return s
		}
	}
	return nil
}
