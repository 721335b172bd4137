package comet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/cometbft/cometbft/crypto/merkle"
	"github.com/cometbft/cometbft/crypto/secp256k1"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"

	"github.com/meshsec/meshsec/node/chain"
)

// perPage is CometBFT's maximum for /validators.
const perPage = 100

// keyTypes holds, for each JSON name of a key type, our name, the field of
// tendermint.crypto.PublicKey that holds it, and the key's size in bytes: 0
// where releases differ (BLS keys came compressed and uncompressed).
var keyTypes = map[string]struct {
	name  string
	field byte
	size  int
}{
	"tendermint/PubKeyEd25519":   {chain.KeyEd25519, 1, 32},
	"tendermint/PubKeySecp256k1": {chain.KeySecp256k1, 2, 33},
	"cometbft/PubKeyBls12_381":   {chain.KeyBLS12381, 3, 0},
	"cometbft/PubKeyMlDsa65":     {chain.KeyMLDSA65, 4, 1952},
}

// validatorAnswer is one validator in the result of /validators. It is decoded
// here, not by CometBFT's types, because each release knows other key types.
type validatorAnswer struct {
	Address cmtbytes.HexBytes `json:"address"`
	PubKey  struct {
		Type  string `json:"type"`
		Value []byte `json:"value"`
	} `json:"pub_key"`
	Power int64 `json:"voting_power,string"`
}

// Validators returns the set that signs the block at height, all pages of it,
// and checks it against the header of that block.
func (c *Chain) Validators(ctx context.Context, height uint64) ([]chain.Validator, error) {
	signed, err := c.signedHeader(ctx, height)
	if err != nil {
		return nil, err
	}
	var list []validatorAnswer
	for page, total := 1, 1; len(list) < total; page++ {
		var answer struct {
			Validators []validatorAnswer `json:"validators"`
			Total      int               `json:"total,string"`
		}
		paging := map[string]any{"page": strconv.Itoa(page), "per_page": strconv.Itoa(perPage)}
		if err := c.get(ctx, "validators", height, paging, &answer); err != nil {
			return nil, err
		}
		if len(answer.Validators) == 0 || len(list)+len(answer.Validators) > answer.Total {
			return nil, fmt.Errorf("%w: page %d of the validators at %d has %d of %d", chain.ErrInconsistent, page, height, len(answer.Validators), answer.Total)
		}
		list, total = append(list, answer.Validators...), answer.Total
	}
	out, hash, err := decodeValidators(list)
	if err != nil {
		return nil, fmt.Errorf("%w: validators at %d of %s: %w", chain.ErrInconsistent, height, c.rpc.endpoint, err)
	}
	if !bytes.Equal(hash, signed.ValidatorsHash) {
		return nil, fmt.Errorf("%w: the validators at %d hash to %X, the header says %X", chain.ErrInconsistent, height, hash, signed.ValidatorsHash)
	}
	return out, nil
}

// decodeValidators converts a complete set, and returns it with the Merkle
// root that headers commit to.
func decodeValidators(list []validatorAnswer) ([]chain.Validator, []byte, error) {
	out := make([]chain.Validator, len(list))
	leaves := make([][]byte, len(list))
	for i, v := range list {
		kind, ok := keyTypes[v.PubKey.Type]
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("validator %d has a key of the unknown type %q", i, v.PubKey.Type)
		case kind.size != 0 && len(v.PubKey.Value) != kind.size:
			return nil, nil, fmt.Errorf("validator %d has a %s key of %d bytes", i, kind.name, len(v.PubKey.Value))
		case v.Power <= 0:
			return nil, nil, fmt.Errorf("validator %d has power %d", i, v.Power)
		}
		address := addressOf(kind.name, v.PubKey.Value)
		if !bytes.Equal(address[:], v.Address) {
			return nil, nil, fmt.Errorf("validator %d has address %X, its key says %X", i, v.Address, address)
		}
		out[i] = chain.Validator{ConsensusKey: v.PubKey.Value, KeyType: kind.name, Power: uint64(v.Power), Address: address}
		leaves[i] = simpleValidator(kind.field, v.PubKey.Value, uint64(v.Power))
	}
	return out, merkle.HashFromByteSlices(leaves), nil
}

func addressOf(keyType string, key []byte) (address [20]byte) {
	if keyType == chain.KeySecp256k1 {
		copy(address[:], secp256k1.PubKey(key).Address())
		return address
	}
	hash := sha256.Sum256(key)
	copy(address[:], hash[:])
	return address
}

// simpleValidator encodes tendermint.types.SimpleValidator{pub_key: 1,
// voting_power: 2}, with the key in the given field of its oneof.
func simpleValidator(field byte, key []byte, power uint64) []byte {
	const bytesType, varintType = 2, 0
	inner := append([]byte{field<<3 | bytesType}, binary.AppendUvarint(nil, uint64(len(key)))...)
	inner = append(inner, key...)
	out := append([]byte{1<<3 | bytesType}, binary.AppendUvarint(nil, uint64(len(inner)))...)
	out = append(out, inner...)
	out = append(out, 2<<3|varintType)
	return binary.AppendUvarint(out, power)
}
