package main

import (
	"context"
	"fmt"

	"github.com/meshsec/meshsec/attest/evidence"
)

const buildEthereumHelp = `  ethereum_slashing        an attester or proposer slashing as the beacon API writes it, with
                           --keys, a file of the validators' keys by their index, and
                           --manifest, that of a network with that beacon chain in it. All
                           attesters must be in the validator set
`

// buildEthereumSlashing makes a proof out of every slashing in the files that one of the
// network's beacon chains can be judged by.
func buildEthereumSlashing(ctx context.Context, in *raw) (all []*built, refused []error, err error) {
	var found []evidence.Ethereum
	for _, file := range in.files {
		some, err := evidence.ParseEthereum(file)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", evidence.ErrShape, err)
		}
		found = append(found, some...)
	}
	if len(found) == 0 {
		return nil, nil, evidence.ErrShape
	}
	if in.manifest == nil {
		return nil, nil, evidence.ErrManifest
	}
	keys, err := evidence.EthereumFiles{Keys: in.keys}.AllKeys()
	if err != nil {
		return nil, nil, &evidence.Missing{What: err.Error()}
	}
	for i := range found {
		b, err := in.proveEthereum(ctx, &found[i], keys)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return nil, nil, refused[0]
	}
	return all, refused, nil
}

// proveEthereum proves a slashing on the first of the network's beacon chains that it can
// be judged by, in one of the epochs that it belongs to, the later one first.
func (in *raw) proveEthereum(ctx context.Context, e *evidence.Ethereum, keys evidence.EthereumKeys) (*built, error) {
	law, failed := in.manifest.Law(), error(evidence.ErrManifest)
	for _, chain := range in.manifest.ChainIDs() {
		if in.manifest.Chain(chain).Ethereum == nil {
			continue
		}
		s, err := e.Slashing(law, chain, keys)
		if err != nil {
			failed = err
			continue
		}
		for _, epoch := range s.Epochs {
			sets, err := in.setsOf(ctx, chain, epoch)
			if err != nil {
				failed = err
				continue
			}
			b, err := in.built(s.Prove(law, epoch, sets...))
			if err != nil {
				failed = err
				continue
			}
			b.law = law
			return b, nil
		}
	}
	return nil, failed
}
