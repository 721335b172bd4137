package ledgertest

import (
	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// TreeAt is a chain's state at the end of an epoch.
func (m *Mesh) TreeAt(chain string, epoch uint64) *trie.Tree {
	s := m.chains[chain]
	return trie.New(s.nodes, s.past[epoch].Ref)
}

// Trail is a chain's certificates from one epoch to another, with their sets.
func (m *Mesh) Trail(chain string, from, to uint64) (ledger.Trail, error) {
	var out ledger.Trail
	var before [32]byte
	for epoch := from; epoch <= to; epoch++ {
		var link ledger.Link
		var err error
		if link.Certificate, err = attest.EncodeCertificate(m.Certificate(chain, epoch)); err != nil {
			return nil, err
		}
		set := m.Set(chain, epoch)
		if root := set.Root(); root != before {
			if link.Set, err = attest.EncodeValidatorSet(set.ValidatorSet()); err != nil {
				return nil, err
			}
			before = root
		}
		out = append(out, link)
	}
	return out, nil
}
