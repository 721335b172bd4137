package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	//lint:ignore SA1019 CometBFT's addresses of secp256k1 keys are defined by it
	"golang.org/x/crypto/ripemd160"

	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/bls"
)

// cometKeyType is the algorithm of a consensus key: its field in the protobuf oneof
// tendermint.crypto.PublicKey.
type cometKeyType uint64

const (
	cometEd25519   cometKeyType = 1
	cometSecp256k1 cometKeyType = 2
	cometBLS       cometKeyType = 3
)

// cometKeyNames has every name by which JSON calls an algorithm, folded.
var cometKeyNames = map[string]cometKeyType{
	"ed25519": cometEd25519, "tendermint/pubkeyed25519": cometEd25519, "/cosmos.crypto.ed25519.pubkey": cometEd25519,
	"secp256k1": cometSecp256k1, "tendermint/pubkeysecp256k1": cometSecp256k1, "/cosmos.crypto.secp256k1.pubkey": cometSecp256k1,
	"bls12381": cometBLS, "cometbft/pubkeybls12381": cometBLS, "tendermint/pubkeybls12381": cometBLS, "/cosmos.crypto.bls12381.pubkey": cometBLS,
}

func (t cometKeyType) String() string {
	return map[cometKeyType]string{cometEd25519: "ed25519", cometSecp256k1: "secp256k1", cometBLS: "bls12_381"}[t]
}

// lengths are those of the algorithm's keys in bytes. A BLS key is compressed (as
// in the release candidates before v1) or has both coordinates.
func (t cometKeyType) lengths() []int {
	return map[cometKeyType][]int{cometEd25519: {32}, cometSecp256k1: {33}, cometBLS: {48, 96}}[t]
}

// cometKey is a consensus key of a length that its algorithm has; whether it is a
// point is seen when it verifies.
type cometKey struct {
	algorithm cometKeyType
	encoded   []byte
}

// address is the name of the key's validator.
func (k cometKey) address() []byte {
	digest := sha256.Sum256(k.encoded)
	if k.algorithm == cometSecp256k1 {
		h := ripemd160.New()
		h.Write(digest[:]) // a hash does not fail
		return h.Sum(nil)
	}
	return digest[:cometAddressSize]
}

// proto is tendermint.crypto.PublicKey.
func (k cometKey) proto() comet.Message {
	return comet.Message(nil).Embed(uint64(k.algorithm), k.encoded)
}

// verify says whether the key signed the message, as the consensus engine decides it.
func (k cometKey) verify(msg, sig []byte, scheme *cometScheme) bool {
	switch k.algorithm {
	case cometEd25519:
		return comet.VerifyEd25519(k.encoded, msg, sig)
	case cometSecp256k1:
		return verifySecp256k1(k.encoded, msg, sig)
	case cometBLS:
		return scheme.verify(k.encoded, msg, sig)
	}
	return false
}

// verifySecp256k1 is ECDSA over SHA-256; the signature is R ‖ S with S in the lower
// half of the order.
func verifySecp256k1(encoded, msg, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	key, err := secp256k1.ParsePubKey(encoded)
	if err != nil {
		return false
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) || s.IsOverHalfOrder() {
		return false
	}
	digest := sha256.Sum256(msg)
	return ecdsa.NewSignature(&r, &s).Verify(digest[:], key)
}

// Domain separation tags that releases of CometBFT sign under. All have keys in G1 and
// signatures in G2, whatever the second one is called.
const (
	cometTagBasic      = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
	cometTagMislabeled = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
	cometTagPossession = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
)

// cometBLSForm is how a release signs: under which tag, and whether it signs the
// SHA-256 of a message of more than 32 bytes.
type cometBLSForm struct {
	tag    string
	digest bool
}

// cometBLSForms are tried one after the other, by the length of the key: compressed
// before v1.0.0-rc2 and in forks of that time, with both coordinates since. A digest
// is shorter than any canonical vote, so no signature counts for two votes.
var cometBLSForms = map[int][]cometBLSForm{
	48: {{cometTagPossession, true}, {cometTagBasic, true}, {cometTagBasic, false}, {cometTagPossession, false}},
	96: {{cometTagBasic, false}, {cometTagMislabeled, false}, {cometTagBasic, true}, {cometTagPossession, true}},
}

// cometForms are what was learned of the forms from all signatures so far.
type cometForms struct {
	last cometBLSForm // in which one was valid
	more int          // tries beyond the first of each signature

	encoded []byte // the key that was parsed last
	key     bls.PublicKey
}

// parse reads a key.
func (f *cometForms) parse(encoded []byte) (key bls.PublicKey, err error) {
	if bytes.Equal(f.encoded, encoded) {
		return f.key, nil
	}
	if len(encoded) == bls.PublicKeySize {
		key, err = bls.ParsePublicKey(encoded)
	} else {
		key, err = bls.ParseUncompressedPublicKey(encoded)
	}
	if err == nil {
		f.encoded, f.key = encoded, key
	}
	return key, err
}

// cometScheme is how the signatures of one commit or double vote are made: all in the
// form in which the first of them is valid.
type cometScheme struct {
	forms *cometForms
	found []cometBLSForm // one, or none yet
}

// verify tries the forms for keys of that length, the likeliest first.
func (s *cometScheme) verify(encoded, msg, sig []byte) bool {
	key, err := s.forms.parse(encoded)
	if err != nil {
		return false
	}
	signature, err := bls.ParseSignature(sig)
	if err != nil {
		return false
	}
	candidates := s.found
	if len(candidates) == 0 {
		candidates = slices.Clone(cometBLSForms[len(encoded)])
		if i := slices.Index(candidates, s.forms.last); i > 0 {
			candidates[0], candidates[i] = candidates[i], candidates[0]
		}
	}
	digest := sha256.Sum256(msg)
	for i, form := range candidates {
		if i > 0 {
			s.forms.more++
		}
		signed := msg
		if form.digest && len(msg) > sha256.Size {
			signed = digest[:]
		}
		if bls.VerifyTagged(key, form.tag, signed, signature) {
			s.forms.last, s.found = form, []cometBLSForm{form}
			return true
		}
	}
	return false
}

// errNoKey: a value has not the form of a key at all.
var errNoKey = errors.New("not a public key in any known form")

// readCometKey reads the forms that keys have in JSON:
//
//	{"type": "tendermint/PubKeyEd25519", "value": …}        amino
//	{"@type": "/cosmos.crypto.ed25519.PubKey", "key": …}    Cosmos SDK
//	{"ed25519": …}                                          proto
//	{"Sum": {"type": …, "value": {"ed25519": …}}}           proto in amino
func readCometKey(o cometObject) (cometKey, error) {
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
			return cometKey{}, errNoKey
		}
	case len(f.object) == 1:
		for only := range f.object {
			if _, known := cometKeyNames[only]; !known {
				return cometKey{}, errNoKey
			}
			name, encoded = only, f.text(only)
		}
	default:
		return cometKey{}, errNoKey
	}
	if failed != nil {
		return cometKey{}, failed
	}
	return newCometKey(name, encoded)
}

// newCometKey reads a key of a named algorithm from hex or base64.
func newCometKey(name, text string) (cometKey, error) {
	algorithm, known := cometKeyNames[foldName(name)]
	if !known {
		return cometKey{}, fmt.Errorf("keys of type %q are not supported, only ed25519, secp256k1 and bls12_381", name)
	}
	encoded, err := readCometBytes(text, algorithm.lengths()...)
	if err != nil {
		return cometKey{}, err
	}
	for _, n := range algorithm.lengths() {
		if len(encoded) == n {
			return cometKey{algorithm, encoded}, nil
		}
	}
	return cometKey{}, fmt.Errorf("a key of type %s has %d bytes", algorithm, len(encoded))
}
