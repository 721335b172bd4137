package bls

import herumi "github.com/herumi/bls-eth-go-binary/bls"

// Verify says whether sig is key's signature over msg.
func Verify(key PublicKey, msg []byte, sig Signature) bool {
	if key.IsZero() || sig.IsZero() {
		return false
	}
	return sig.point.point.VerifyByte(&key.point.point, forC(msg))
}

// FastAggregateVerify says whether sig is the sum of the signatures of all keys over
// one message. Possession of every key must be proven. No keys means no, also where
// the Ethereum specification has eth_fast_aggregate_verify say yes. A key that
// occurs twice counts twice: that bitfields name each signer once is the caller's.
func FastAggregateVerify(keys []PublicKey, msg []byte, sig Signature) bool {
	if len(keys) == 0 || sig.IsZero() {
		return false
	}
	points := make([]herumi.PublicKey, len(keys))
	for i, k := range keys {
		if k.IsZero() {
			return false
		}
		points[i] = k.point.point
	}
	return sig.point.point.FastAggregateVerify(points, forC(msg))
}

// AggregateVerify says whether sig is the sum of the signatures of keys[i] over
// msgs[i] (AggregateVerify of draft-irtf-cfrg-bls-signature-05 §3.3.4; messages may
// be equal, since possession is proven). No keys, or another number of messages than
// of keys, means no.
func AggregateVerify(keys []PublicKey, msgs [][]byte, sig Signature) bool {
	if len(keys) == 0 || len(keys) != len(msgs) || sig.IsZero() {
		return false
	}
	points := make([]herumi.G1, len(keys))
	hashes := make([]herumi.G2, len(keys))
	for i, k := range keys {
		if k.IsZero() {
			return false
		}
		points[i] = *herumi.CastFromPublicKey(&k.point.point)
		hashes[i] = hashToCurve(msgs[i])
	}
	r := residue(points, hashes, *herumi.CastFromSign(&sig.point.point))
	return r.IsOne()
}
