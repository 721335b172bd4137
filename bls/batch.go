package bls

import (
	"crypto/rand"
	"slices"

	herumi "github.com/herumi/bls-eth-go-binary/bls"
)

// Batches rest on random linear combinations (Bellare, Garay, Rabin: "Fast batch
// verification", 1998; for BLS see Ferrara, Green, Hohenberger, Pedersen, 2009).
// Each claim is weighed with a secret random scalar of 64 bits before the claims
// are added up, so that a wrong one goes unnoticed with a chance of 2⁻⁶⁴, however it
// was chosen. Without the scalars, two wrong ones could cancel.

// SignatureSet is one claim of a batch: Signature is PublicKey's over Message.
type SignatureSet struct {
	PublicKey PublicKey
	Message   []byte
	Signature Signature
}

// VerifyBatch says whether all signatures are valid, each over its own message, at
// about half the price of one by one. An empty batch proves nothing: no. It does not
// say which one is bad; for votes over one message VerifySameMessage does.
func VerifyBatch(sets []SignatureSet) bool {
	if len(sets) == 0 {
		return false
	}
	keys := make([]herumi.G1, len(sets))
	hashes := make([]herumi.G2, len(sets))
	sigs := make([]herumi.G2, len(sets))
	scalars := randomScalars(len(sets))
	for i, s := range sets {
		if s.PublicKey.IsZero() || s.Signature.IsZero() {
			return false
		}
		herumi.G1Mul(&keys[i], herumi.CastFromPublicKey(&s.PublicKey.point.point), &scalars[i])
		hashes[i] = hashToCurve(s.Message)
		sigs[i] = *herumi.CastFromSign(&s.Signature.point.point)
	}
	var sum herumi.G2
	herumi.G2MulVec(&sum, sigs, scalars)
	r := residue(keys, hashes, sum)
	return r.IsOne()
}

// Vote is one claim of a batch over a common message.
type Vote struct {
	PublicKey PublicKey
	Signature Signature
}

// VerifySameMessage verifies votes over one message together and returns the
// positions of the bad ones in ascending order; nil means that all are valid, also
// when there are none. A valid vote is never blamed; a bad one escapes with a chance
// of 2⁻⁶⁴. The same vote may occur more than once.
//
// n good votes cost one pairing check and two multi-scalar multiplications. Every
// bad one adds at most log₂ n smaller checks, and never do they cost much more than
// verifying one by one.
func VerifySameMessage(msg []byte, votes []Vote) (invalid []int) {
	if len(votes) == 1 { // nothing to weigh it against
		if !Verify(votes[0].PublicKey, msg, votes[0].Signature) {
			invalid = []int{0}
		}
		return invalid
	}
	b := sameMessage{
		positions: make([]int, 0, len(votes)),
		keys:      make([]herumi.G1, 0, len(votes)),
		sigs:      make([]herumi.G2, 0, len(votes)),
	}
	for i, v := range votes {
		if v.PublicKey.IsZero() || v.Signature.IsZero() {
			invalid = append(invalid, i)
			continue
		}
		b.positions = append(b.positions, i)
		b.keys = append(b.keys, *herumi.CastFromPublicKey(&v.PublicKey.point.point))
		b.sigs = append(b.sigs, *herumi.CastFromSign(&v.Signature.point.point))
	}
	if n := len(b.positions); n > 0 {
		b.hash = hashToCurve(msg)
		b.scalars = randomScalars(n)
		invalid = b.bisect(0, n, b.residue(0, n), invalid)
	}
	slices.Sort(invalid)
	return invalid
}

// sameMessage holds votes over one message; the slices run in parallel.
type sameMessage struct {
	hash      herumi.G2
	positions []int // in the slice of the caller
	keys      []herumi.G1
	sigs      []herumi.G2
	scalars   []herumi.Fr
}

// residue of the votes [from, to), weighed with their scalars. One means valid.
func (b *sameMessage) residue(from, to int) herumi.GT {
	var key herumi.G1
	var sig herumi.G2
	herumi.G1MulVec(&key, b.keys[from:to], b.scalars[from:to])
	herumi.G2MulVec(&sig, b.sigs[from:to], b.scalars[from:to])
	return residue([]herumi.G1{key}, []herumi.G2{b.hash}, sig)
}

// bisect appends the positions of the bad votes among [from, to), whose residue is
// r. The residue of the right half needs no pairing: it is r divided by that of the
// left one. With a single vote left, r is its own error raised to its scalar, which
// is one only if there is no error.
func (b *sameMessage) bisect(from, to int, r herumi.GT, bad []int) []int {
	if r.IsOne() {
		return bad
	}
	if to-from == 1 {
		return append(bad, b.positions[from])
	}
	middle := from + (to-from)/2
	left := b.residue(from, middle)
	var right herumi.GT
	herumi.GTDiv(&right, &r, &left)
	bad = b.bisect(from, middle, left, bad)
	return b.bisect(middle, to, right, bad)
}

// randomScalars draws n scalars between 1 and 2⁶⁴−1 from crypto/rand. They are drawn
// after the claims are fixed and used once.
func randomScalars(n int) []herumi.Fr {
	const size = 8
	ready()
	random := make([]byte, n*size)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	scalars := make([]herumi.Fr, n)
	for i := range scalars {
		bits := random[i*size : (i+1)*size]
		for [size]byte(bits) == [size]byte{} {
			_, _ = rand.Read(bits)
		}
		if err := scalars[i].SetLittleEndian(bits); err != nil {
			panic("bls: random scalar: " + err.Error()) // 8 bytes always fit
		}
	}
	return scalars
}
