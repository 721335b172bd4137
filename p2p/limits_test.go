package p2p

import (
	"math"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"
)

// TestBucketNeverGivesMoreThanItsRate compares with a sum over all requests.
func TestBucketNeverGivesMoreThanItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate, burst := rapid.Float64Range(0.1, 100).Draw(t, "rate"), rapid.Float64Range(1, 100).Draw(t, "burst")
		begin := time.Unix(1e9, 0)
		now := begin
		b := newBucket(now, rate, burst)
		taken := 0.0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "pause")))
			if wait := b.wait(now, 1); wait > 0 {
				if b.wait(now.Add(wait), 1) != 0 {
					t.Fatal("what it says to wait is not enough")
				}
				continue
			}
			b.take(now, 1)
			taken++
			if most := burst + rate*now.Sub(begin).Seconds(); taken > most+1e-6 {
				t.Fatalf("%v tokens taken, at most %v", taken, most)
			}
		}
	})
}

func TestOffencesFade(t *testing.T) {
	s := newStandings()
	now := time.Unix(1e9, 0)
	s.reject("p", now, false)
	s.reject("p", now, true) // gossip's own score counts that one
	if got := s.offence("p", now); got != 1 {
		t.Errorf("offence %v, want 1", got)
	}
	if got := s.offence("p", now.Add(offenceHalfLife)); math.Abs(got-0.5) > 1e-9 {
		t.Errorf("a half-life later %v, want 0.5", got)
	}
	if got := s.get("p").rejected; got != 2 {
		t.Errorf("%d rejected, want 2", got)
	}
}

func TestStandingsAreBoundedAndRememberTheWorst(t *testing.T) {
	s := newStandings()
	now := time.Unix(1e9, 0)
	s.reject("worst", now, false)
	for i := range 3 * maxStandings {
		s.answered(peer.ID(string(rune(i))), now, time.Millisecond)
	}
	if len(s.byID) > maxStandings {
		t.Errorf("%d peers remembered", len(s.byID))
	}
	if s.offence("worst", now) != 1 {
		t.Error("the offender was forgotten")
	}
}

func TestSyncCandidatesAreOrdered(t *testing.T) {
	s := newStandings()
	now := time.Unix(1e9, 0)
	s.answered("near", now, time.Millisecond)
	s.answered("far", now, time.Second)
	s.answered("failing", now, time.Microsecond)
	s.update("failing", now, func(st *standing) { st.failures.add(now, failureHalfLife, 1) })
	s.answered("busy", now, time.Microsecond)
	s.update("busy", now, func(st *standing) { st.busyUntil = now.Add(time.Second) })
	s.answered("chosen", now, time.Minute)
	configured := func(id peer.ID) bool { return id == "chosen" || id == "failing" || id == "busy" }
	got := s.best([]peer.ID{"busy", "failing", "far", "near", "chosen"}, configured, now)
	for i, want := range []peer.ID{"chosen", "near", "far", "failing", "busy"} {
		if got[i] != want {
			t.Fatalf("order %v", got)
		}
	}
	if later := s.best([]peer.ID{"failing", "busy", "near"}, configured, now.Add(time.Hour)); later[2] != "near" {
		t.Errorf("an hour later %v: all is forgiven", later)
	}
}

// The parameters are what the comment on them says.
func TestScoresFollowTheirDerivation(t *testing.T) {
	for _, chains := range [][]string{{"a"}, {"a", "b", "c"}, {"a", "b", "c", "d", "e", "f", "g", "h"}} {
		channels := channelsOf([32]byte{1}, chains)
		for _, expect := range []Expect{{}, {Validators: 1, Epoch: time.Second}, {Validators: 512, Epoch: time.Hour}} {
			params, thresholds := scoreParams(expect, channels, func(peer.ID) float64 { return 0 })
			most, invalid := 0.0, 0.0
			for _, c := range channels {
				p := params.Topics[c.name]
				most += p.TopicWeight * (p.TimeInMeshCap*p.TimeInMeshWeight + p.FirstMessageDeliveriesCap*p.FirstMessageDeliveriesWeight)
				invalid = p.TopicWeight * p.InvalidMessageDeliveriesWeight
				if p.MeshMessageDeliveriesWeight != 0 || p.MeshFailurePenaltyWeight != 0 {
					t.Error("silence is punished")
				}
			}
			if math.Abs(most-50) > 1e-6 || math.Abs(invalid+invalidCost) > 1e-9 {
				t.Errorf("%d chains: at most %v, an invalid message costs %v", len(chains), most, invalid)
			}
			after := func(start, threshold float64) int {
				for k := 1; ; k++ {
					if start+invalid*float64(k*k) < threshold {
						return k
					}
				}
			}
			got := [6]int{
				after(0, thresholds.GossipThreshold), after(0, thresholds.PublishThreshold), after(0, thresholds.GraylistThreshold),
				after(most, thresholds.GossipThreshold), after(most, thresholds.PublishThreshold), after(most, thresholds.GraylistThreshold),
			}
			if got != [6]int{4, 5, 8, 5, 6, 8} {
				t.Errorf("thresholds are passed after %v invalid messages", got)
			}
			if params.IPColocationFactorWeight != 0 {
				t.Error("sharing an address is punished")
			}
		}
	}
}
