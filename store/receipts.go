package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/meshsec/meshsec/store/ledger"
)

// Outcome is what became of an operation, and where.
type Outcome struct {
	Epoch   uint64
	Height  uint64 // of the home-chain block that ordered it
	Receipt *ledger.Receipt
}

// Receipt returns what became of an operation, by the SHA-256 of its bytes. The same bytes
// may be ordered many times: the first success counts, and as long as there is none, the
// last failure. ok is false if it was not executed yet.
func (s *Store) Receipt(chain string, operation [32]byte) (o Outcome, ok bool, err error) {
	c, err := s.chain(chain)
	if err != nil {
		return Outcome{}, false, err
	}
	head := s.state.Load().head.Chains[c].Epoch
	var key, value []byte
	success := receiptsKey(c, operation, false)
	err = s.each(success, success, func(k []byte, v func(func([]byte) error) error) error {
		key = slices.Clone(k)
		err := v(func(b []byte) error {
			value = slices.Clone(b)
			return nil
		})
		return cmp.Or(err, errStop)
	})
	if err != nil {
		return Outcome{}, false, err
	}
	if key == nil || receiptEpoch(key) > head {
		failure := receiptsKey(c, operation, true)
		key, value, err = s.last(failure, receiptKey(c, operation, true, head, math.MaxUint32))
		if err != nil || key == nil {
			return Outcome{}, false, err
		}
	}
	o = Outcome{Epoch: receiptEpoch(key), Receipt: new(ledger.Receipt)}
	if len(value) < 8 {
		return Outcome{}, false, s.corrupt(fmt.Sprintf("a receipt of %s epoch %d is cut short", chain, o.Epoch), nil)
	}
	o.Height = binary.BigEndian.Uint64(value)
	if err := o.Receipt.UnmarshalSSZ(value[8:]); err != nil {
		return Outcome{}, false, s.corrupt(fmt.Sprintf("a receipt of %s epoch %d", chain, o.Epoch), err)
	}
	return o, true, nil
}
