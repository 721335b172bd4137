package evidence

import (
	"errors"
	"fmt"
	"strings"

	"github.com/meshsec/meshsec/attest/comet"
)

// cometKeyNames has every name by which JSON calls an algorithm, folded.
var cometKeyNames = map[string]comet.KeyType{
	"ed25519": comet.Ed25519, "tendermint/pubkeyed25519": comet.Ed25519, "/cosmos.crypto.ed25519.pubkey": comet.Ed25519,
	"secp256k1": comet.Secp256k1, "tendermint/pubkeysecp256k1": comet.Secp256k1, "/cosmos.crypto.secp256k1.pubkey": comet.Secp256k1,
	"bls12381": comet.BLS12381, "cometbft/pubkeybls12381": comet.BLS12381, "tendermint/pubkeybls12381": comet.BLS12381, "/cosmos.crypto.bls12381.pubkey": comet.BLS12381,
}

// errNoKey: a value has not the form of a key at all.
var errNoKey = errors.New("not a public key in any known form")

// readCometKey reads the forms that keys have in JSON:
//
//	{"type": "tendermint/PubKeyEd25519", "value": …}        amino
//	{"@type": "/cosmos.crypto.ed25519.PubKey", "key": …}    Cosmos SDK
//	{"ed25519": …}                                          proto
//	{"Sum": {"type": …, "value": {"ed25519": …}}}           proto in amino
func readCometKey(o cometObject) (comet.Key, error) {
	var failed error
	f := cometFields{object: o, err: &failed}
	if f.has("sum") {
		f = f.open("sum").open("value")
	}
	name, encoded := "", ""
	switch {
	case f.has("type", "@type"):
		name, encoded = foldName(f.text("type", "@type")), f.text("value", "key")
		if _, known := cometKeyNames[name]; !known && !strings.Contains(name, "pubkey") {
			return comet.Key{}, errNoKey
		}
	case len(f.object) == 1:
		for only := range f.object {
			if _, known := cometKeyNames[only]; !known {
				return comet.Key{}, errNoKey
			}
			name, encoded = only, f.text(only)
		}
	default:
		return comet.Key{}, errNoKey
	}
	if failed != nil {
		return comet.Key{}, failed
	}
	return newCometKey(name, encoded)
}

// newCometKey reads a key of a named algorithm from hex or base64.
func newCometKey(name, text string) (comet.Key, error) {
	algorithm, known := cometKeyNames[foldName(name)]
	if !known {
		return comet.Key{}, fmt.Errorf("keys of type %q are not supported, only ed25519, secp256k1 and bls12_381", name)
	}
	encoded, err := readCometBytes(text, algorithm.Lengths()...)
	if err != nil {
		return comet.Key{}, err
	}
	for _, n := range algorithm.Lengths() {
		if len(encoded) == n {
			return comet.Key{Type: algorithm, Bytes: encoded}, nil
		}
	}
	return comet.Key{}, fmt.Errorf("a key of type %s has %d bytes", algorithm, len(encoded))
}
