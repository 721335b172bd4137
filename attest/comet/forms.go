package comet

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/meshsec/meshsec/bls"
)

// Domain separation tags that releases of CometBFT sign under. All have keys in G1 and
// signatures in G2, whatever the second one is called.
const (
	tagBasic      = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
	tagMislabeled = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
	tagPossession = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
)

// blsForm is how a release signs: under which tag, and whether it signs the SHA-256 of a
// message of more than 32 bytes.
type blsForm struct {
	tag    string
	digest bool
}

// blsForms are tried one after the other, by the length of the key: compressed before
// v1.0.0-rc2 and in forks of that time, with both coordinates since. A digest is shorter
// than any canonical vote, so no signature counts for two votes.
var blsForms = map[int][]blsForm{
	48: {{tagPossession, true}, {tagBasic, true}, {tagBasic, false}, {tagPossession, false}},
	96: {{tagBasic, false}, {tagMislabeled, false}, {tagBasic, true}, {tagPossession, true}},
}

// Forms are what was learned, from all signatures so far, of the forms in which chains
// sign with BLS. The zero value has learned nothing. Not for concurrent use.
type Forms struct {
	last blsForm // in which one was valid
	more int

	encoded []byte // the key that was parsed last
	key     bls.PublicKey
}

// More is how many tries it took beyond the first of each signature. Each takes as long
// as verifying a signature, and whoever makes signatures that are not valid causes them:
// the caller has to bound it.
func (f *Forms) More() int { return f.more }

// parse reads a key.
func (f *Forms) parse(encoded []byte) (key bls.PublicKey, err error) {
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

// Scheme is how the signatures of one commit or double vote are made: all in the form in
// which the first of them is valid.
type Scheme struct {
	forms *Forms
	found []blsForm // one, or none yet
}

// NewScheme is the scheme of signatures of which none was looked at yet.
func NewScheme(forms *Forms) *Scheme { return &Scheme{forms: forms} }

// verify tries the forms for keys of that length, the likeliest first.
func (s *Scheme) verify(encoded, msg, sig []byte) bool {
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
		candidates = slices.Clone(blsForms[len(encoded)])
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
			s.forms.last, s.found = form, []blsForm{form}
			return true
		}
	}
	return false
}
