package p2p_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
)

func TestEverythingPublishedArrivesEverywhereOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 12
		members := newWorld(t).mesh(n)
		ctx := t.Context()
		for i, m := range members {
			b := byte(i)
			must(t, m.PublishVote(ctx, vote("chain-a", 1, b)))
			must(t, m.PublishCross(ctx, cross("chain-b", "chain-a", 1, b)))
			must(t, m.PublishCertificate(ctx, certificate("chain-a", uint64(i+1))))
			must(t, m.PublishFault(ctx, fault(b)))
		}
		for _, m := range members {
			m.await("the messages of all others", func() bool { return m.count() == 4*(n-1) })
		}
		for _, m := range members {
			for _, topic := range []string{"votes/chain-a", "votes/chain-b", "certificates", "faults"} {
				if got := m.judged(topic, p2p.Accepted); got != n-1 {
					t.Errorf("%s: %v accepted on %s, want %d", m.ID(), got, topic, n-1)
				}
			}
			if got := m.counted("messages_total"); got != 4*(n-1) {
				t.Errorf("%s: %v judged, want %d: each message once", m.ID(), got, 4*(n-1))
			}
			for _, p := range m.Peers() {
				if p.Score < 0 || p.Rejected > 0 {
					t.Errorf("%s: honest peer %s has score %v and %d rejected", m.ID(), p.ID, p.Score, p.Rejected)
				}
			}
		}
	})
}

func TestSilenceAndRestartsCostNoScore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(4)
		for epoch, silence := range []time.Duration{time.Hour, 10 * time.Second, 3 * time.Second, 20 * time.Minute} {
			wait(t, silence)
			for i, m := range members {
				must(t, m.PublishVote(t.Context(), vote("chain-a", uint64(epoch+1), byte(i))))
			}
			must(t, members[3].Close())
			members[3].start()
			members[3].await("the restarted node is heard again", func() bool { return members[3].heard(3) })
			wait(t, 2*time.Second) // scores are sampled each second
			for _, m := range members {
				for _, p := range m.Peers() {
					if p.Score < 0 {
						t.Errorf("after %v: honest peer %s has score %v", silence, p.ID, p.Score)
					}
				}
			}
		}
	})
}

func TestMalformedMessagesAreRejectedAndCostTheSender(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(3)
		bad, good, other := members[0], members[1], members[2]
		topic := p2p.VotesTopic([32]byte{1}, "chain-a")

		wellFormed, err := p2p.EncodeMessage(p2p.Message{Vote: vote("chain-a", 1, 1)})
		must(t, err)
		elsewhere, err := p2p.EncodeMessage(p2p.Message{Vote: vote("chain-b", 1, 1)})
		must(t, err)
		unknown, err := p2p.EncodeMessage(p2p.Message{Vote: vote("chain-c", 1, 1)})
		must(t, err)
		kind := append([]byte{9}, wellFormed[1:]...)
		longer := append(append([]byte(nil), wellFormed...), 0)
		for i, c := range []struct {
			data []byte
			want p2p.Condition
		}{
			{[]byte("hello"), p2p.WrongSize},
			{make([]byte, 4096), p2p.WrongSize},
			{longer, p2p.NotCanonical}, // one more byte of the chain id, which none has
			{kind, p2p.NotCanonical},
			{make([]byte, len(wellFormed)), p2p.NotCanonical},
			{elsewhere, p2p.WrongNetwork},
			{unknown, p2p.WrongNetwork},
		} {
			before := good.judged("votes/chain-a", c.want)
			must(t, bad.PublishRaw(t.Context(), topic, c.data))
			good.await(c.want.String(), func() bool { return good.judged("votes/chain-a", c.want) == before+1 })
			if got := peerOf(good, bad).Rejected; got != uint64(i+1) {
				t.Errorf("message %d: %d rejected, want %d", i, got, i+1)
			}
		}
		good.await("the score falls", func() bool { return peerOf(good, bad).Score < -400 })
		if score := peerOf(good, other).Score; score < 0 {
			t.Errorf("a bystander has score %v", score)
		}
		if got := good.count(); got != 0 {
			t.Errorf("the handler saw %d malformed messages", got)
		}
		// So do fault proofs that prove nothing.
		nothing, err := p2p.EncodeMessage(p2p.Message{Fault: &attest.FaultProof{Kind: uint8(attest.FaultDoubleVote), Body: []byte("?")}})
		must(t, err)
		must(t, bad.PublishRaw(t.Context(), p2p.FaultsTopic([32]byte{1}), nothing))
		good.await("the fault is refused", func() bool { return good.judged("faults", p2p.NotCanonical) == 1 })

		// Two more, and the peer is not listened to any more: not even when it is right.
		must(t, bad.PublishRaw(t.Context(), topic, []byte("once more")))
		must(t, bad.PublishRaw(t.Context(), topic, []byte("and again")))
		good.await("graylisted", func() bool { return peerOf(good, bad).Score < -570 })
		other.await("graylisted", func() bool { return peerOf(other, bad).Score < -570 })
		must(t, bad.PublishVote(t.Context(), vote("chain-a", 1, 1)))
		must(t, other.PublishVote(t.Context(), vote("chain-a", 1, 2)))
		good.await("the honest vote", func() bool { return good.count() == 1 })
		wait(t, time.Minute)
		if got := good.count(); got != 1 {
			t.Errorf("%d votes arrived, want only the honest one", got)
		}
	})
}

func peerOf(m, of *member) p2p.Peer {
	for _, p := range m.Peers() {
		if p.ID == of.ID() {
			return p
		}
	}
	return p2p.Peer{}
}

// wait lets virtual time pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
}

// line starts members that only know their neighbours.
func line(t *testing.T, n int) []*member {
	t.Helper()
	w := newWorld(t)
	members := make([]*member, n)
	for i := range members {
		members[i] = w.member(i)
		if i == 0 {
			members[i].start()
		} else {
			members[i].start(members[i-1])
		}
	}
	for i, m := range members {
		neighbours := 2
		if i == 0 || i == n-1 {
			neighbours = 1
		}
		m.await("neighbours", func() bool { return m.heard(neighbours) })
	}
	return members
}

func TestParkedMessagesGoOnWhenReleased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := line(t, 3)
		first, middle, last := members[0], members[1], members[2]
		var known atomic.Bool // set before Release, as the contract wants
		middle.on(func(_ context.Context, a arrival) p2p.Finding {
			switch {
			case known.Load():
				return p2p.Found(p2p.Accepted)
			case a.Fault != nil:
				return p2p.Wait(p2p.UnknownSet, "chain-b", 4)
			default:
				return p2p.Found(p2p.UnknownSet) // its own chain and epoch
			}
		})
		must(t, first.PublishVote(t.Context(), vote("chain-b", 5, 1)))
		must(t, first.PublishCross(t.Context(), cross("chain-b", "chain-a", 3, 1)))
		must(t, first.PublishFault(t.Context(), fault(1)))
		must(t, first.PublishVote(t.Context(), vote("chain-b", 6, 1)))
		middle.await("four parked", func() bool { return middle.counted("parked") == 4 })
		wait(t, 10*time.Minute) // longer than gossip remembers
		if last.count() != 0 {
			t.Fatal("a parked message was forwarded")
		}
		known.Store(true)
		if n := middle.Release("chain-a", 100); n != 0 {
			t.Errorf("released %d of another chain", n)
		}
		if n := middle.Release("chain-b", 5); n != 3 {
			t.Errorf("released %d, want those of epochs 3, 4 and 5", n)
		}
		last.await("the three arrive at the other end", func() bool { return last.count() == 3 })
		for _, a := range middle.arrivals {
			if a.from != first.ID() {
				t.Errorf("released message came from %s, want the peer that delivered it", a.from)
			}
		}
		if got := middle.counted("parked"); got != 1 {
			t.Errorf("%v still parked, want the vote of epoch 6", got)
		}
		if got := middle.judged("votes/chain-b", p2p.UnknownSet); got != 3 {
			t.Errorf("%v counted as unknown_set, want 3", got)
		}
		if score := peerOf(middle, first).Score; score < 0 {
			t.Errorf("being ahead cost %v", score)
		}
	})
}

func TestReleaseBeforeParkingLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := line(t, 3)
		first, middle, last := members[0], members[1], members[2]
		var asked atomic.Int32
		middle.on(func(context.Context, arrival) p2p.Finding {
			if asked.Add(1) > 1 {
				return p2p.Found(p2p.Accepted)
			}
			middle.Release("chain-a", 9) // it becomes known between the answer and the parking
			return p2p.Wait(p2p.Ahead, "chain-a", 9)
		})
		must(t, first.PublishVote(t.Context(), vote("chain-a", 9, 1)))
		last.await("it is judged again and forwarded", func() bool { return last.count() == 1 })
	})
}

func TestRejectedAfterReleaseBlamesWhoDeliveredIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := line(t, 3)
		bad, middle, last := members[0], members[1], members[2]
		var known atomic.Bool
		middle.on(func(context.Context, arrival) p2p.Finding {
			if known.Load() {
				return p2p.Found(p2p.BadSignature)
			}
			return p2p.Found(p2p.UnknownSet)
		})
		must(t, bad.PublishVote(t.Context(), vote("chain-a", 9, 1)))
		middle.await("parked", func() bool { return middle.counted("parked") == 1 })
		known.Store(true)
		middle.Release("chain-a", 9)
		middle.await("the score falls", func() bool { return peerOf(middle, bad).Score < 0 })
		if got := peerOf(middle, bad).Rejected; got != 1 {
			t.Errorf("%d rejected, want 1", got)
		}
		if last.count() != 0 {
			t.Error("a rejected message was forwarded")
		}
	})
}

func TestPanicTimeoutAndNonsenseOfTheHandlerAreNobodysFault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		sender, m := members[0], members[1]
		epoch := uint64(0)
		for _, c := range []struct {
			answer func(context.Context, arrival) p2p.Finding
			want   p2p.Condition
		}{
			{func(context.Context, arrival) p2p.Finding { panic("oh") }, p2p.Panic},
			{func(ctx context.Context, _ arrival) p2p.Finding { <-ctx.Done(); return p2p.Found(p2p.Duplicate) }, p2p.Timeout},
			{func(context.Context, arrival) p2p.Finding { return p2p.Finding{} }, p2p.InternalError},
			{func(context.Context, arrival) p2p.Finding { return p2p.Found(200) }, p2p.InternalError},
			{func(context.Context, arrival) p2p.Finding { return p2p.Wait(p2p.Ahead, "chain-z", 1) }, p2p.InternalError},
			{func(context.Context, arrival) p2p.Finding { return p2p.Found(p2p.SecondVote) }, p2p.SecondVote},
			{func(context.Context, arrival) p2p.Finding { return p2p.Found(p2p.Backfill) }, p2p.Backfill},
		} {
			epoch++
			m.on(c.answer)
			before := m.judged("votes/chain-a", c.want)
			must(t, sender.PublishVote(t.Context(), vote("chain-a", epoch, 1)))
			m.await(c.want.String(), func() bool { return m.judged("votes/chain-a", c.want) == before+1 })
		}
		wait(t, 2*time.Second)
		if p := peerOf(m, sender); p.Score < 0 || p.Rejected > 0 {
			t.Errorf("the sender has score %v and %d rejected", p.Score, p.Rejected)
		}
	})
}

func TestPublishRefusesWhatNobodyWouldAccept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newWorld(t).member(0).start()
		if err := m.PublishVote(t.Context(), vote("chain-z", 1, 1)); err == nil {
			t.Error("a vote of an unknown chain was published")
		}
		if err := m.PublishVote(t.Context(), vote("", 1, 1)); err == nil {
			t.Error("a vote without a chain was published")
		}
		if err := m.PublishCertificate(t.Context(), certificate("chain-a", 0)); err == nil {
			t.Error("a certificate of epoch 0 was published")
		}
		if err := m.PublishFault(t.Context(), faultOf("chain-z", 1)); err == nil {
			t.Error("a fault of an unknown chain was published")
		}
		if _, err := m.Deliver(t.Context(), m.ID(), p2p.Message{}); err == nil {
			t.Error("an empty message was delivered")
		}
		must(t, m.PublishVote(t.Context(), vote("chain-a", 1, 1))) // alone, and not an error
	})
}
