package evidence

import "fmt"

// EthereumValidator is what is known of a validator by its index.
type EthereumValidator struct {
	Key              [48]byte // as given; checked when it is used
	EffectiveBalance uint64   // in Gwei; 0 if it was not said
}

// EthereumKeys says which key an index of the beacon chain stands for. It is as
// trustworthy as where it comes from. Whoever may choose it can convict anybody: with a
// key that nobody proved to possess, another's key cancels out of an aggregate. No key
// occurs twice, which [ParseEthereumKeys] checks.
type EthereumKeys map[uint64]EthereumValidator

// MaxEthereumKeys is the longest file that [ParseEthereumKeys] reads, in bytes: the
// beacon API's answer about as many validators as one slashing can name. Ask for the
// indices in the evidence, not for all.
const MaxEthereumKeys = 64 << 20

// ParseEthereumKeys reads {"index": "0x… key", …}, or the beacon API's answer about
// validators, a list or a single one, alone or inside of {"data": …}. An index or a
// key that occurs twice is an error.
func ParseEthereumKeys(data []byte) (EthereumKeys, error) {
	v, err := ethDocument(data, MaxEthereumKeys)
	if err != nil {
		return nil, err
	}
	if v.isObject() {
		var inner ethValue
		if err := v.some(ethMembers{"data": ethRaw(&inner)}); err != nil {
			return nil, err
		}
		if inner != nil {
			v = inner
		}
	}
	book := ethKeyBook{make(EthereumKeys), make(map[[48]byte]uint64)}
	var validator ethValue
	switch {
	case v.isArray():
		err = v.list(len(data), func(_ int, v ethValue) error { return book.answer(v) })
	case !v.isObject():
		err = ethShape("keys: an object or a list is expected")
	default:
		if err = v.some(ethMembers{"validator": ethRaw(&validator)}); err == nil && validator != nil {
			err = book.answer(v)
		} else if err == nil {
			err = v.each(book.entry)
		}
	}
	if err == nil && len(book.keys) == 0 {
		err = ethShape("keys: there are none")
	}
	if err != nil {
		return nil, err
	}
	return book.keys, nil
}

type ethKeyBook struct {
	keys   EthereumKeys
	owners map[[48]byte]uint64
}

func (b ethKeyBook) entry(name string, v ethValue) error {
	index, err := ethValue(name).integer()
	if err != nil {
		return ethShape("keys: %.30q is no index", name)
	}
	var validator EthereumValidator
	if err := ethFixed(validator.Key[:])(v); err != nil {
		return fmt.Errorf("key of %d: %w", index, err)
	}
	return b.add(index, validator)
}

// answer is one validator as the beacon API describes it.
func (b ethKeyBook) answer(v ethValue) error {
	var number, inner, key ethValue
	var validator EthereumValidator
	err := v.some(ethMembers{"index": ethRaw(&number), "validator": ethRaw(&inner)})
	if err == nil && (number == nil || inner == nil) {
		err = ethShape("keys: a validator has index and validator")
	}
	if err != nil {
		return err
	}
	index, err := number.integer()
	if err != nil {
		return err
	}
	err = inner.some(ethMembers{"pubkey": ethRaw(&key), "effective_balance": ethInteger(&validator.EffectiveBalance)})
	if err == nil && key == nil {
		err = ethShape("keys: validator %d has no pubkey", index)
	}
	if err == nil {
		err = ethFixed(validator.Key[:])(key)
	}
	if err != nil {
		return err
	}
	return b.add(index, validator)
}

func (b ethKeyBook) add(index uint64, v EthereumValidator) error {
	if _, known := b.keys[index]; known {
		return ethShape("keys: index %d occurs twice", index)
	}
	if owner, known := b.owners[v.Key]; known {
		return ethShape("keys: indices %d and %d have the same key", owner, index)
	}
	b.keys[index], b.owners[v.Key] = v, index
	return nil
}
