package bls_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/bls"
)

// oneByOne is the dumb twin of VerifySameMessage.
func oneByOne(msg []byte, votes []bls.Vote) (invalid []int) {
	for i, v := range votes {
		if !bls.Verify(v.PublicKey, msg, v.Signature) {
			invalid = append(invalid, i)
		}
	}
	return invalid
}

// drawVotes makes valid votes and spoils some of them, in every way that could
// fool a batch.
func drawVotes(t *rapid.T) []bls.Vote {
	n := rapid.IntRange(0, 12).Draw(t, "votes")
	votes := make([]bls.Vote, n)
	for i := range votes {
		votes[i] = voters()[rapid.IntRange(0, 15).Draw(t, "voter")].vote // duplicates happen
	}
	if n == 0 {
		return votes
	}
	position := rapid.IntRange(0, n-1)
	for range rapid.IntRange(0, 3).Draw(t, "spoilings") {
		i, j := position.Draw(t, "i"), position.Draw(t, "j")
		shift := voters()[rapid.IntRange(16, 31).Draw(t, "shift")].vote.Signature
		switch how := rapid.SampledFrom([]string{"swap", "cancel", "negate", "other key", "sum", "zero"}).Draw(t, "how"); how {
		case "swap":
			votes[i].Signature, votes[j].Signature = votes[j].Signature, votes[i].Signature
		case "cancel": // the sum of the two stays what it was
			if i == j || votes[i].Signature.IsZero() || votes[j].Signature.IsZero() {
				continue
			}
			votes[i].Signature = plus(t, votes[i].Signature, shift)
			votes[j].Signature = plus(t, votes[j].Signature, negative(t, shift))
		case "negate":
			if !votes[i].Signature.IsZero() {
				votes[i].Signature = negative(t, votes[i].Signature)
			}
		case "other key":
			votes[i].PublicKey = votes[j].PublicKey
		case "sum":
			if i != j && !votes[i].Signature.IsZero() && !votes[j].Signature.IsZero() && !votes[i].Signature.Equal(negative(t, votes[j].Signature)) {
				votes[i].Signature = plus(t, votes[i].Signature, votes[j].Signature)
			}
		case "zero":
			votes[i] = bls.Vote{}
		}
	}
	return votes
}

func TestSameMessageBatchAgreesWithOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		votes := drawVotes(t)
		got, want := bls.VerifySameMessage(theMessage, votes), oneByOne(theMessage, votes)
		if !slices.Equal(got, want) {
			t.Fatalf("bad votes %v, one by one %v", got, want)
		}
		if len(want) == 0 && got != nil {
			t.Fatalf("all valid is %#v, want nil", got)
		}
	})
}

func TestBatchAgreesWithOneByOne(t *testing.T) {
	// A vote is over one of a few messages, so that equal ones occur.
	messages := [][]byte{theMessage, nil, []byte("another"), make([]byte, 500)}
	rapid.Check(t, func(t *rapid.T) {
		sets := make([]bls.SignatureSet, rapid.IntRange(1, 6).Draw(t, "sets"))
		for i := range sets {
			v := voters()[rapid.IntRange(0, 15).Draw(t, "voter")]
			msg := rapid.SampledFrom(messages).Draw(t, "message")
			sets[i] = bls.SignatureSet{PublicKey: v.vote.PublicKey, Message: msg, Signature: v.secret.Sign(msg)}
		}
		position := rapid.IntRange(0, len(sets)-1)
		i, j := position.Draw(t, "i"), position.Draw(t, "j")
		switch rapid.SampledFrom([]string{"nothing", "cancel", "swap", "message", "zero"}).Draw(t, "how") {
		case "cancel":
			if i != j {
				sets[i].Signature = plus(t, sets[i].Signature, voters()[20].vote.Signature)
				sets[j].Signature = plus(t, sets[j].Signature, negative(t, voters()[20].vote.Signature))
			}
		case "swap":
			sets[i].Signature, sets[j].Signature = sets[j].Signature, sets[i].Signature
		case "message":
			sets[i].Message = []byte("never signed")
		case "zero":
			sets[i].Signature = bls.Signature{}
		}
		want := true
		for _, s := range sets {
			want = want && bls.Verify(s.PublicKey, s.Message, s.Signature)
		}
		if got := bls.VerifyBatch(sets); got != want {
			t.Fatalf("got %v, one by one %v", got, want)
		}
	})
}

// The case that a plain sum gets wrong: the aggregate of the pair verifies.
func TestCancellingPairIsFoundThoughItsSumIsValid(t *testing.T) {
	votes := votesOf(40)
	shift := voters()[50].vote.Signature
	votes[3].Signature = plus(t, votes[3].Signature, shift)
	votes[31].Signature = plus(t, votes[31].Signature, negative(t, shift))
	var keys []bls.PublicKey
	var sigs []bls.Signature
	for _, v := range votes {
		keys, sigs = append(keys, v.PublicKey), append(sigs, v.Signature)
	}
	sum, err := bls.Aggregate(sigs)
	if err != nil {
		t.Fatal(err)
	}
	if !bls.FastAggregateVerify(keys, theMessage, sum) {
		t.Fatal("the pair does not cancel, so this test shows nothing")
	}
	if got, want := bls.VerifySameMessage(theMessage, votes), []int{3, 31}; !slices.Equal(got, want) {
		t.Fatalf("bad votes %v, want %v", got, want)
	}
}

// The sizes at which herumi's own MultiVerify skips signatures, and the last place,
// where it does so.
func TestNoPositionEscapesTheBatch(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 23, 31, 32, 33, 100, 256} {
		for _, bad := range []int{0, n / 2, n - 1} {
			votes := votesOf(n)
			votes[bad].Signature = voters()[(bad+1)%256].vote.Signature
			if got := bls.VerifySameMessage(theMessage, votes); !slices.Equal(got, []int{bad}) {
				t.Errorf("%d votes, number %d bad: got %v", n, bad, got)
			}
		}
	}
	all := votesOf(33)
	for i := range all {
		all[i].Signature = voters()[i+1].vote.Signature
	}
	if got := bls.VerifySameMessage(theMessage, all); len(got) != len(all) {
		t.Errorf("all %d bad: got %v", len(all), got)
	}
}

func TestEmptyBatches(t *testing.T) {
	if bls.VerifyBatch(nil) {
		t.Error("an empty batch is valid")
	}
	if got := bls.VerifySameMessage(theMessage, nil); got != nil {
		t.Errorf("bad votes %v among none", got)
	}
	if got := bls.VerifySameMessage(theMessage, make([]bls.Vote, 3)); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("bad votes %v among three zero values", got)
	}
}

// Run with -race: a batch must not write to the points that it shares.
func TestKeysAndSignaturesAreSharedBetweenGoroutines(t *testing.T) {
	votes := votesOf(32)
	votes[7].Signature = votes[8].Signature
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, v := range votes {
				b := v.PublicKey.Bytes()
				if k, err := bls.ParsePublicKey(b[:]); err != nil || !k.Equal(v.PublicKey) {
					t.Errorf("parse: %v", err)
				}
			}
			if got := bls.VerifySameMessage(theMessage, votes); !slices.Equal(got, []int{7}) {
				t.Errorf("bad votes %v", got)
			}
		})
	}
	wg.Wait()
}

func BenchmarkVerifyOne(b *testing.B) {
	v := voters()[0].vote
	for b.Loop() {
		if !bls.Verify(v.PublicKey, theMessage, v.Signature) {
			b.Fatal("invalid")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/vote")
}

func BenchmarkVerifySameMessage(b *testing.B) {
	for _, n := range []int{1, 16, 64, 256} {
		for _, bad := range []int{0, 1} {
			votes := votesOf(n)
			if bad == 1 {
				votes[n/3].Signature = voters()[255].vote.Signature
			}
			b.Run(fmt.Sprintf("votes=%d/bad=%d", n, bad), func(b *testing.B) {
				for b.Loop() {
					if len(bls.VerifySameMessage(theMessage, votes)) != bad {
						b.Fatal("wrong verdict")
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/vote")
			})
		}
	}
}

func BenchmarkVerifyBatch(b *testing.B) {
	const n = 64
	sets := make([]bls.SignatureSet, n)
	for i := range sets {
		msg := []byte{byte(i)}
		sets[i] = bls.SignatureSet{PublicKey: voters()[i].vote.PublicKey, Message: msg, Signature: voters()[i].secret.Sign(msg)}
	}
	for b.Loop() {
		if !bls.VerifyBatch(sets) {
			b.Fatal("invalid")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/vote")
}

func BenchmarkParseSignature(b *testing.B) {
	encoded := voters()[0].vote.Signature.Bytes()
	for b.Loop() {
		if _, err := bls.ParseSignature(encoded[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParsePublicKey compares a key seen before with one that is new.
func BenchmarkParsePublicKey(b *testing.B) {
	encoded := voters()[0].vote.PublicKey.Bytes()
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			if _, err := bls.ParsePublicKey(encoded[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			if !bls.DecodesAsPublicKey(encoded[:]) {
				b.Fatal("invalid")
			}
		}
	})
}
