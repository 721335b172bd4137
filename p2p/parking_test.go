package p2p

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"
)

// TestParkingIsBounded drives the queue with anything and compares it with a
// plain list of what was parked.
func TestParkingIsBounded(t *testing.T) {
	limits := parkingLimits{perPeer: 6, perPeerBytes: 60, perEpoch: 8, total: 12, totalBytes: 100}
	rapid.Check(t, func(t *rapid.T) {
		p := newParking(limits)
		var waiting []*parkedMessage // the twin, in the order of arrival
		released := map[string]uint64{}
		serial := 0
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				serial++
				m := &parkedMessage{
					id:      fmt.Sprint(rapid.IntRange(max(0, serial-3), serial).Draw(t, "id")),
					data:    make([]byte, rapid.IntRange(1, 25).Draw(t, "size")),
					from:    peer.ID(rapid.SampledFrom([]string{"p", "q", "r", "s"}).Draw(t, "from")),
					key:     parkKey{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "chain"), rapid.Uint64Range(1, 5).Draw(t, "epoch")},
					retried: rapid.Bool().Draw(t, "retried"),
				}
				known := slices.ContainsFunc(waiting, func(w *parkedMessage) bool { return w.id == m.id })
				outcome, evicted := p.add(m)
				last, was := released[m.key.chain]
				switch {
				case known:
					if outcome != parkedBefore {
						t.Fatalf("the same bytes again: %d", outcome)
					}
					return
				case was && m.key.epoch <= last && !m.retried:
					if outcome != parkReleased {
						t.Fatalf("released meanwhile: %d", outcome)
					}
					return
				case outcome != parked:
					t.Fatalf("outcome %d", outcome)
				}
				all := append(waiting, m)
				waiting = nil
				for _, w := range all {
					if p.byID[w.id] == w {
						waiting = append(waiting, w)
					}
				}
				if len(all)-len(waiting) != evicted {
					t.Fatalf("%d gone, %d told", len(all)-len(waiting), evicted)
				}
			},
			"release": func(t *rapid.T) {
				chain := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "chain")
				epoch := rapid.Uint64Range(0, 5).Draw(t, "epoch")
				released[chain] = max(released[chain], epoch)
				var want, rest []*parkedMessage
				for _, w := range waiting {
					if w.key.chain == chain && w.key.epoch <= epoch {
						want = append(want, w)
					} else {
						rest = append(rest, w)
					}
				}
				waiting = rest
				got := p.release(chain, epoch)
				if !slices.Equal(got, want) {
					t.Fatalf("released %v, want %v", got, want)
				}
			},
			"": func(t *rapid.T) {
				size, perPeer, perPeerBytes, perEpoch := 0, map[peer.ID]int{}, map[peer.ID]int{}, map[parkKey]int{}
				for _, w := range waiting {
					size += len(w.data)
					perPeer[w.from]++
					perPeerBytes[w.from] += len(w.data)
					perEpoch[w.key]++
				}
				if p.len() != len(waiting) || p.size != size || p.len() > limits.total || size > limits.totalBytes {
					t.Fatalf("%d messages with %d bytes, want %d with %d", p.len(), p.size, len(waiting), size)
				}
				for id, n := range perPeer {
					if n > limits.perPeer || perPeerBytes[id] > limits.perPeerBytes || p.peerSize[id] != perPeerBytes[id] {
						t.Fatalf("%s has %d messages with %d bytes", id, n, perPeerBytes[id])
					}
				}
				for key, n := range perEpoch {
					if n > limits.perEpoch {
						t.Fatalf("%d wait for %v", n, key)
					}
				}
			},
		})
	})
}

// A peer that stays within an even share of every limit loses nothing, whatever the
// others send.
func TestParkingIsFair(t *testing.T) {
	const peers = 4
	limits := parkingLimits{perPeer: 20, perPeerBytes: 200, perEpoch: 16, total: 40, totalBytes: 400}
	rapid.Check(t, func(t *rapid.T) {
		p := newParking(limits)
		modest := make(map[*parkedMessage]bool)
		size, inEpoch := 0, map[parkKey]int{}
		for i := range rapid.IntRange(1, 300).Draw(t, "messages") {
			m := &parkedMessage{
				id:   fmt.Sprint(i),
				data: make([]byte, rapid.IntRange(1, 25).Draw(t, "size")),
				from: peer.ID(fmt.Sprint(rapid.IntRange(1, peers).Draw(t, "from"))),
				key:  parkKey{"a", rapid.Uint64Range(1, 3).Draw(t, "epoch")},
			}
			if m.from == "1" {
				if len(modest) == limits.total/peers || inEpoch[m.key] == limits.perEpoch/peers || size+len(m.data) > limits.totalBytes/peers {
					continue
				}
				size += len(m.data)
				inEpoch[m.key]++
				modest[m] = true
			}
			p.add(m)
			for m := range modest {
				if p.byID[m.id] != m {
					t.Fatalf("message %s of the modest peer gave way", m.id)
				}
			}
		}
	})
}

func TestParkingRefusesWhatCanNeverFit(t *testing.T) {
	p := newParking(parkingLimits{perPeer: 1, perPeerBytes: 10, perEpoch: 1, total: 1, totalBytes: 10})
	if outcome, _ := p.add(&parkedMessage{id: "x", data: make([]byte, 11), from: "p"}); outcome != parkRefused {
		t.Errorf("outcome %d", outcome)
	}
	p.close()
	if outcome, _ := p.add(&parkedMessage{id: "y", data: make([]byte, 1), from: "p"}); outcome != parkRefused {
		t.Errorf("after close: outcome %d", outcome)
	}
}
