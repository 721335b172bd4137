package bls

import herumi "github.com/herumi/bls-eth-go-binary/bls"

// What the specification's vectors ask for and the public surface refuses: points
// at infinity.

// DecodesAsPublicKey says whether b encodes a point of G1, infinity included.
func DecodesAsPublicKey(b []byte) bool {
	_, err := decodePublicKey(b)
	return err == nil
}

// DecodesAsSignature says whether b encodes a point of G2, infinity included.
func DecodesAsSignature(b []byte) bool {
	_, err := decodeSignature(b)
	return err == nil
}

// AggregateEncoded is the specification's Aggregate, infinity included.
func AggregateEncoded(encoded [][]byte) ([]byte, error) {
	points := make([]herumi.Sign, len(encoded))
	for i, b := range encoded {
		p, err := decodeSignature(b)
		if err != nil {
			return nil, err
		}
		points[i] = p
	}
	sum, err := sumSignatures(points)
	if err != nil {
		return nil, err
	}
	return sum.Serialize(), nil
}

// Ready initialises the library for tests that call it directly.
func Ready() { ready() }

// KeyCache is a cache with the given number of keys in a generation.
type KeyCache struct{ cache *keyCache }

func NewKeyCache(limit int) KeyCache    { return KeyCache{newKeyCache(limit)} }
func (c KeyCache) Put(k PublicKey)      { c.cache.put(k.point) }
func (c KeyCache) Has(k PublicKey) bool { return c.cache.get(k.Bytes()) == k.point }
func (c KeyCache) Size() int            { return len(c.cache.young) + len(c.cache.old) }

// SamePoint says whether two keys share one parsed point.
func SamePoint(a, b PublicKey) bool { return a.point == b.point }

// HashToCurve is the compressed point that msg is hashed to.
func HashToCurve(msg []byte) []byte {
	h := hashToCurve(msg)
	return h.Serialize()
}

// HashToCurveTagged is the point that msg is hashed to under a tag.
func HashToCurveTagged(t interface{ Fatal(args ...any) }, msg []byte, tag string) herumi.G2 {
	h, err := hashToCurveTagged(msg, tag)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Uncompressed is a public key with both of its coordinates.
func Uncompressed(k PublicKey) []byte { return k.point.point.SerializeUncompressed() }
