package bls

import "sync"

// cacheGeneration bounds the cache: at most twice as many keys, some 300 bytes
// each, are remembered. Two generations hold every validator of a large mesh.
const cacheGeneration = 8192

// parsedKeys is shared by all nodes of a process. It remembers results of a pure
// function, so sharing it is visible in nothing but time.
var parsedKeys = newKeyCache(cacheGeneration)

// keyCache remembers validated keys in two generations: when the young one is
// full it becomes the old one, and what the old one held is forgotten unless it
// was used since. That is nearly LRU, without a list to maintain.
type keyCache struct {
	limit int // of one generation

	mu         sync.Mutex
	young, old map[[PublicKeySize]byte]*publicKeyPoint
}

func newKeyCache(limit int) *keyCache {
	return &keyCache{limit: limit, young: make(map[[PublicKeySize]byte]*publicKeyPoint)}
}

// get returns the remembered key, or nil.
func (c *keyCache) get(encoded [PublicKeySize]byte) *publicKeyPoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.young[encoded]; k != nil {
		return k
	}
	k := c.old[encoded]
	if k != nil {
		c.insert(k)
	}
	return k
}

// put remembers a validated key.
func (c *keyCache) put(k *publicKeyPoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(k)
}

func (c *keyCache) insert(k *publicKeyPoint) {
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[[PublicKeySize]byte]*publicKeyPoint)
	}
	c.young[k.encoded] = k
}
