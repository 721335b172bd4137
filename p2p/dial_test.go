package p2p_test

import (
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/p2p"
)

func TestAPeerThatRestartsIsDialledAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.member(0), w.member(1)
		b.start() // b knows nobody: a must do the dialling
		a.start(b)
		a.await("connected", func() bool { return len(a.Peers()) == 1 })
		for _, away := range []time.Duration{time.Second, 20 * time.Minute} {
			must(t, b.Close())
			a.await("the loss is noticed", func() bool { return len(a.Peers()) == 0 })
			wait(t, away)
			if d := a.Dials(); len(d) != 1 || d[0].Connected {
				t.Errorf("dials: %+v", d)
			}
			b.start()
			began := time.Now()
			a.await("connected again", func() bool { return len(a.Peers()) == 1 && a.heard(1) && b.heard(1) })
			if took := time.Since(began); took > 2*time.Minute {
				t.Errorf("after %v away it took %v", away, took)
			}
			must(t, a.PublishVote(t.Context(), vote("chain-a", uint64(away), 1)))
			b.await("gossip flows again", func() bool { return b.count() > 0 })
			b.recorder.arrivals = nil
		}
		if d := a.Dials(); !d[0].Connected || d[0].LastError != "" || d[0].Attempts != 0 {
			t.Errorf("dials: %+v", d)
		}
	})
}

func TestAPeerThatIsNotThereIsDialledForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		a, late := w.member(0), w.member(1)
		a.start(late)
		wait(t, 3*time.Hour)
		d := a.Dials()
		if len(d) != 1 || d[0].Connected || d[0].LastError == "" {
			t.Fatalf("dials: %+v", d)
		}
		// The back-off has a ceiling: at least an attempt in a minute.
		if least := 3 * 60; d[0].Attempts < least || d[0].Attempts > 10*least {
			t.Errorf("%d attempts in three hours", d[0].Attempts)
		}
		late.start()
		began := time.Now()
		a.await("found at last", func() bool { return len(a.Peers()) == 1 })
		if took := time.Since(began); took > time.Minute {
			t.Errorf("found after %v", took)
		}
	})
}

func TestAnotherNetworkIsAStranger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, stranger := w.member(0), w.member(1), w.member(2)
		stranger.config.Network = [32]byte{2}
		a.start()
		b.start(a)
		stranger.start(a, b)
		b.await("the two of one network meet", func() bool { return b.heard(1) && a.heard(1) })
		stranger.await("the stranger is told", func() bool {
			d := stranger.Dials()
			return strings.Contains(d[0].LastError, "not of this network") && strings.Contains(d[1].LastError, "not of this network")
		})
		must(t, a.PublishVote(t.Context(), vote("chain-a", 1, 1)))
		must(t, stranger.PublishVote(t.Context(), vote("chain-a", 1, 2)))
		b.await("the vote", func() bool { return b.count() == 1 })
		wait(t, 10*time.Minute)
		if a.count() != 0 || b.count() != 1 || stranger.count() != 0 {
			t.Errorf("votes crossed networks: %d, %d, %d", a.count(), b.count(), stranger.count())
		}
		for _, m := range []*member{a, b, stranger} {
			for _, p := range m.Peers() {
				if (p.ID == stranger.ID()) != (m == stranger) {
					t.Errorf("%s counts %s as a peer", m.ID(), p.ID)
				}
			}
		}
		if _, err := stranger.FetchHeads(t.Context(), a.ID()); err == nil {
			t.Error("the stranger synced")
		}
	})
}

func TestReadyMeansThatSomebodyListens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.member(0), w.member(1)
		a.start()
		topic := p2p.VotesTopic(a.config.Network, "chain-a")
		wait(t, time.Minute)
		if a.HasPeers(topic) {
			t.Error("somebody listens to a lonely node")
		}
		select {
		case <-a.Ready():
			t.Error("a lonely node is ready")
		default:
		}
		b.start(a)
		<-a.Ready()
		if !a.HasPeers(topic) || a.HasPeers("/some/other/topic") {
			t.Error("HasPeers is wrong")
		}
		must(t, a.PublishVote(t.Context(), vote("chain-a", 1, 1)))
		b.await("a message published at once", func() bool { return b.count() == 1 })
		must(t, b.Close())
		a.await("nobody listens", func() bool { return !a.HasPeers(topic) })
	})
}
