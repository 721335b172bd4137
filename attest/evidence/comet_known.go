package evidence

import (
	"bytes"
	"fmt"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

// cometKnown is what is known beside the evidence.
type cometKnown struct {
	chainID string // what the caller says
	kind    attest.FaultKind
	set     *comet.Set          // what the caller says, checked; nil if he does not
	sets    []*comet.Set        // beside the evidence: good where a header has their hash
	keys    []comet.Key         // from lists of keys, whoever has them
	lights  []*comet.LightBlock // signed headers beside the evidence
	blocks  int                 // that carry no evidence
	forms   comet.Forms         // of BLS signatures
	indexed map[string]int      // address → position in keys
}

// chain is the chain that the evidence is about, and why it can't be, if it says that
// it is about another.
func (k *cometKnown) chain(said string) (id string, wrong, missing error) {
	if said == "" && k.chainID == "" {
		for _, l := range k.lights {
			if said != "" && said != l.Header.ChainID {
				return "", nil, &Missing{fmt.Sprintf("the headers are of %s and of %s: say with --chain-id which chain the votes are of", said, l.Header.ChainID)}
			}
			said = l.Header.ChainID
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
func (k *cometKnown) key(address []byte, from cometCarrier) (comet.Key, error) {
	if k.set != nil {
		v, ok := k.set.Find(address)
		if !ok {
			return comet.Key{}, fmt.Errorf("%X is not in the validator set that was given", address)
		}
		return v.Key, nil
	}
	for _, key := range from.keys {
		if bytes.Equal(key.Address(), address) {
			return key, nil
		}
	}
	if k.indexed == nil {
		k.indexed = make(map[string]int, len(k.keys))
		for i, key := range k.keys {
			k.indexed[string(key.Address())] = i
		}
	}
	if i, ok := k.indexed[string(address)]; ok {
		return k.keys[i], nil
	}
	if len(k.keys)+len(from.keys) > 0 {
		return comet.Key{}, fmt.Errorf("the key of %X is not among those that were given", address)
	}
	return comet.Key{}, &Missing{fmt.Sprintf("the evidence names validator %X but not its key: give --validators or --keys", address)}
}

// light is the signed header of a chain at a height.
func (k *cometKnown) light(chainID string, height int64) *comet.LightBlock {
	for _, l := range k.lights {
		if l.Header.ChainID == chainID && l.Header.Height == height {
			return l
		}
	}
	return nil
}

// latest is the latest signed header of a chain from one height on and below another.
func (k *cometKnown) latest(chainID string, from, below int64) (last *comet.LightBlock) {
	for _, l := range k.lights {
		h := l.Header
		if h.ChainID == chainID && h.Height >= from && h.Height < below && (last == nil || h.Time.After(last.Header.Time)) {
			last = l
		}
	}
	return last
}

// setOf is the set with the hash that a header has, out of the caller's and others.
func (k *cometKnown) setOf(h *comet.Header, others ...*comet.Set) *comet.Set {
	for _, s := range append(append(others, k.set), k.sets...) {
		if s != nil && bytes.Equal(s.Hash(), h.Validators) {
			return s
		}
	}
	return nil
}
