package p2p

import "time"

// bucket is a token bucket that takes the time as a value.
type bucket struct {
	rate, burst float64 // tokens a second, and at most
	tokens      float64 // may be negative
	at          time.Time
}

func newBucket(now time.Time, rate, burst float64) bucket {
	return bucket{rate: rate, burst: burst, tokens: burst, at: now}
}

func (b *bucket) level(now time.Time) float64 {
	return min(b.burst, b.tokens+b.rate*max(0, now.Sub(b.at).Seconds()))
}

// wait is how long it takes until n tokens are there, zero if they are. It is longer
// by a microsecond, so that rounding never makes it too short.
func (b *bucket) wait(now time.Time, n float64) time.Duration {
	missing := n - b.level(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing/b.rate*float64(time.Second)) + time.Microsecond
}

// take takes n tokens, whether they are there or not.
func (b *bucket) take(now time.Time, n float64) {
	b.tokens, b.at = b.level(now)-n, now
}

func (b *bucket) full(now time.Time) bool { return b.level(now) >= b.burst }
