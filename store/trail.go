package store

import (
	"context"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// Trail returns the certificates of up to limit consecutive epochs from one on, each
// with the set that signed it unless the one before it has the same. It is empty if the
// first is not there. Errors: [ErrUnknownChain], [ErrCorrupt], [ErrClosed], and the
// context's.
func (s *Store) Trail(ctx context.Context, chain string, from uint64, limit int) (ledger.Trail, error) {
	var out ledger.Trail
	var before [32]byte
	for epoch := from; len(out) < limit; epoch++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, ok, err := s.Certificate(chain, epoch)
		if err != nil || !ok {
			return out, err
		}
		set, err := s.Set(chain, epoch)
		if err != nil {
			return nil, err
		}
		var link ledger.Link
		if link.Certificate, err = attest.EncodeCertificate(c); err != nil {
			return nil, err
		}
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
