package evidence

import (
	"errors"
	"fmt"

	"github.com/meshsec/meshsec/attest/ethereum"
)

// EthereumFiles is what is given beside the files of a command line: the chain, nil if
// it is not said, and files with keys.
type EthereumFiles struct {
	Chain *ethereum.Chain
	Keys  [][]byte
}

// Verify judges every slashing in the files. [ErrShape] says that one of them holds none
// in any known form, a [Missing] what must be given before one can be judged.
func (g EthereumFiles) Verify(files ...[]byte) ([]Report, error) {
	var all []Ethereum
	for i, file := range files {
		found, err := ParseEthereum(file)
		switch {
		case errors.Is(err, ErrEthereumSize):
			return nil, inFile(i, len(files), fmt.Errorf("%w: %w", ErrSize, err))
		case err != nil:
			return nil, inFile(i, len(files), fmt.Errorf("%w: %w", ErrShape, err))
		}
		all = append(all, found...)
	}
	keys, err := g.AllKeys()
	if err != nil {
		return nil, err
	}
	reports := make([]Report, len(all))
	for i := range all {
		if err := all[i].Needs(g.Chain, keys); err != nil {
			return nil, &Missing{err.Error()}
		}
		reports[i] = all[i].Verify(g.Chain, keys)
	}
	return reports, nil
}

// AllKeys are those of all files; nil: none are given, which a decoded form can do without.
func (g EthereumFiles) AllKeys() (EthereumKeys, error) {
	var keys EthereumKeys
	if len(g.Keys) > 0 {
		keys = EthereumKeys{}
	}
	for i, file := range g.Keys {
		some, err := ParseEthereumKeys(file)
		if err != nil {
			return nil, fmt.Errorf("keys: %w", inFile(i, len(g.Keys), err))
		}
		for index, v := range some {
			if old, known := keys[index]; known && old.Key != v.Key {
				return nil, fmt.Errorf("keys: validator %d has two keys", index)
			}
			keys[index] = v
		}
	}
	return keys, nil
}
