package p2p_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
)

func TestSyncBringsWhatAPartitionLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		members := make([]*member, 6)
		for i := range members {
			members[i] = w.member(i)
		}
		for i, m := range members {
			m.start(members[:i]...)
		}
		left, right := members[:3], members[3:]
		for _, m := range members {
			m.await("everybody is connected", func() bool { return m.heard(5) })
		}

		w.partition(left...)
		for _, m := range members {
			m.await("the partition is noticed", func() bool { return len(m.Peers()) == 2 })
		}
		const epochs = 300 // more than a page
		for e := range uint64(epochs) {
			c := certificate("chain-a", e+1)
			left[0].library.certificates = append(left[0].library.certificates, c)
			left[0].library.epochs = append(left[0].library.epochs, bytes.Repeat([]byte{byte(e)}, 30<<10))
			must(t, left[0].PublishCertificate(t.Context(), c))
		}
		left[0].library.faults = []*attest.FaultProof{fault(1), fault(2)}
		left[0].library.votes = []*attest.Attestation{vote("chain-a", epochs+1, 1), vote("chain-a", epochs+2, 1)}
		left[0].library.cross = []*attest.CrossAttestation{cross("chain-a", "chain-b", epochs+1, 1)}
		left[1].await("gossip on this side", func() bool { return left[1].count() == epochs })
		wait(t, 10*time.Minute)

		w.partition()
		for _, m := range members {
			m.await("healed", func() bool { return m.heard(5) })
		}
		wait(t, time.Minute)
		m := right[0]
		if m.count() != 0 {
			t.Fatal("gossip brought something from before: then this test is about nothing")
		}

		from := left[0].ID()
		heads, err := m.FetchHeads(t.Context(), from)
		must(t, err)
		if len(heads) != 1 || heads[0] != (p2p.Head{Chain: "chain-a", Epoch: epochs, Root: [32]byte{7}}) {
			t.Fatalf("heads: %v", heads)
		}
		next := uint64(1)
		for next <= heads[0].Epoch {
			page, err := m.FetchCertificates(t.Context(), from, "chain-a", next, p2p.MaxPage)
			must(t, err)
			for _, c := range page {
				condition, err := m.Deliver(t.Context(), from, p2p.Message{Certificate: c})
				must(t, err)
				if condition != p2p.Accepted {
					t.Fatalf("certificate %d: %s", next, condition)
				}
				next++
			}
		}
		for e := uint64(1); e <= epochs; {
			page, err := m.FetchEpochs(t.Context(), from, "chain-a", e, p2p.MaxPage)
			must(t, err)
			size := 0
			for _, entry := range page {
				if !bytes.Equal(entry, left[0].library.epochs[e-1]) {
					t.Fatalf("epoch %d differs", e)
				}
				size += len(entry)
				e++
			}
			if len(page) == 0 || size > p2p.MaxPageBytes {
				t.Fatalf("a page of %d epochs with %d bytes", len(page), size)
			}
		}
		faults, err := m.FetchFaults(t.Context(), from, 0, 1)
		must(t, err)
		more, err := m.FetchFaults(t.Context(), from, faults[0].Position, 10)
		must(t, err)
		for _, f := range append(faults, more...) {
			_, err := m.Deliver(t.Context(), from, p2p.Message{Fault: f.Proof})
			must(t, err)
		}
		pending, err := m.FetchVotes(t.Context(), from, "chain-a", epochs+1)
		must(t, err)
		if len(pending.Attestations) != 1 || len(pending.CrossAttestations) != 1 {
			t.Fatalf("votes: %v", pending)
		}
		_, err = m.Deliver(t.Context(), from, p2p.Message{Vote: pending.Attestations[0]})
		must(t, err)
		again, err := m.Deliver(t.Context(), from, p2p.Message{Vote: pending.Attestations[0]})
		must(t, err)
		if again != p2p.Duplicate {
			t.Errorf("delivered twice: %s, want duplicate", again)
		}
		const want = epochs + 2 + 1
		if m.count() != want {
			t.Errorf("%d objects went through the handler, want %d", m.count(), want)
		}
		// What was new there goes on: the others on that side need no sync.
		for _, other := range right[1:] {
			other.await("what a neighbour synced", func() bool { return other.count() == want })
		}
		if m.counted("sync_bytes_total", "epochs", "client") < epochs*30<<10 {
			t.Error("sync bytes are not counted")
		}
		if left[0].counted("sync_requests_total", "certificates", "ok", "server") < 2 {
			t.Error("sync requests are not counted")
		}
	})
}

func TestAnEpochLargerThanAPageTravelsInPieces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		large := make([]byte, 2*p2p.MaxPageBytes+12345)
		for i := range large {
			large[i] = byte(i % 251)
		}
		members[0].library.epochs = [][]byte{[]byte("small"), large, []byte("after")}
		got, err := members[1].FetchEpochs(t.Context(), members[0].ID(), "chain-a", 1, 10)
		must(t, err)
		if len(got) != 1 {
			t.Fatalf("%d entries, want the small one alone", len(got))
		}
		got, err = members[1].FetchEpochs(t.Context(), members[0].ID(), "chain-a", 2, 10)
		must(t, err)
		if len(got) != 1 || !bytes.Equal(got[0], large) {
			t.Fatal("the large epoch did not arrive whole")
		}
	})
}

// A large entry is more than a peer gives at once. Whoever fetches it waits for the rest, but
// not for one who never goes on.
func TestAnEpochBeyondTheAllowanceArrives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		large := bytes.Repeat([]byte("entry"), p2p.MaxPageBytes/2)
		busy := []byte{1, 4, 0, 0, 0, 0xf4, 1, 0, 0} // for half a second
		piece := func(from int) []byte {
			head := binary.LittleEndian.AppendUint64(nil, 1)
			head = binary.LittleEndian.AppendUint32(head, uint32(len(large)))
			return ok(append(head, large[from:min(from+p2p.MaxPageBytes, len(large))]...))
		}
		var answers [][]byte // the last one again and again
		impostor(members[0], func(s network.Stream) {
			_, _ = s.Write(answers[0])
			answers = answers[min(1, len(answers)-1):]
		})
		answers = [][]byte{piece(0), busy, piece(p2p.MaxPageBytes), busy, busy, piece(2 * p2p.MaxPageBytes)}
		got, err := members[1].FetchEpochs(t.Context(), members[0].ID(), "chain-a", 1, 1)
		must(t, err)
		if len(got) != 1 || !bytes.Equal(got[0], large) {
			t.Fatal("the epoch did not arrive whole")
		}
		for _, wait := range []byte{0xf4, 0} {
			busy[5], busy[6] = wait, 0
			begin := time.Now()
			answers = [][]byte{piece(0), busy}
			_, err = members[1].FetchEpochs(t.Context(), members[0].ID(), "chain-a", 1, 1)
			if took := time.Since(begin); !errors.Is(err, p2p.ErrBusy) || took > 3*time.Minute {
				t.Errorf("%v after %v", err, took)
			}
		}
	})
}

// An honest server fills a piece. Who brings an entry in crumbs would hold the one who
// fetches it for ever.
func TestAnEpochInCrumbsIsABadResponse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		crumb := binary.LittleEndian.AppendUint64(nil, 1)
		crumb = append(binary.LittleEndian.AppendUint32(crumb, p2p.MaxPageBytes), 'x')
		impostor(members[0], func(s network.Stream) { _, _ = s.Write(ok(crumb)) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := members[1].FetchEpochs(ctx, members[0].ID(), "chain-a", 1, 1)
		if !errors.Is(err, p2p.ErrBadResponse) || ctx.Err() != nil {
			t.Errorf("got %v, want a bad response", err)
		}
	})
}

func TestSyncSaysWhatIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		_, err := members[1].FetchCertificates(t.Context(), members[0].ID(), "chain-b", 1, 1)
		if !errors.Is(err, p2p.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		none, err := members[1].FetchCertificates(t.Context(), members[0].ID(), "chain-a", 7, 1)
		if err != nil || len(none) != 0 {
			t.Errorf("nothing yet is an empty answer: %v, %v", none, err)
		}
		must(t, members[0].Close())
		_, err = members[1].FetchHeads(t.Context(), members[0].ID())
		var failed *p2p.SyncError
		if !errors.As(err, &failed) || failed.Peer != members[0].ID() {
			t.Errorf("got %v, want an error that names the peer", err)
		}
	})
}

// impostor answers every sync request of a member with the given bytes.
func impostor(m *member, respond func(network.Stream)) {
	m.Host().SetStreamHandler(p2p.SyncProtocol(m.config.Network), func(s network.Stream) {
		_, _ = io.ReadAll(s)
		respond(s)
		_ = s.Close()
	})
}

func TestGarbageFromAPeerIsABadResponse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(3)
		bad, good, m := members[0], members[1], members[2]
		good.library.certificates = []*attest.Certificate{certificate("chain-a", 1)}
		wrong, err := p2p.EncodeMessage(p2p.Message{Certificate: certificate("chain-a", 5)})
		must(t, err)
		for name, response := range map[string][]byte{
			"a status of its own":      {77, 0, 0, 0, 0},
			"4 GiB are announced":      {0, 255, 255, 255, 255, 1, 2, 3},
			"an item of 4 GiB":         {0, 8, 0, 0, 0, 1, 0, 255, 255, 255, 255, 1, 2},
			"65535 items":              {0, 2, 0, 0, 0, 255, 255},
			"more items than asked":    {0, 10, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0},
			"bytes after the end":      {0, 3, 0, 0, 0, 0, 0, 1},
			"not a certificate":        {0, 9, 0, 0, 0, 1, 0, 3, 0, 0, 0, 1, 2, 3},
			"the wrong epoch":          ok(wrong),
			"busy without a time":      {1, 0, 0, 0, 0},
			"an error with an opinion": {2, 1, 0, 0, 0, 1},
		} {
			impostor(bad, func(s network.Stream) { _, _ = s.Write(response) })
			_, err := m.FetchCertificates(t.Context(), bad.ID(), "chain-a", 1, 1)
			var failed *p2p.SyncError
			if !errors.Is(err, p2p.ErrBadResponse) || !errors.As(err, &failed) || failed.Peer != bad.ID() {
				t.Errorf("%s: got %v, want a bad response", name, err)
			}
		}
		if candidates := m.SyncPeers(); len(candidates) != 2 || candidates[0] != good.ID() {
			t.Errorf("candidates %v, want %s first", candidates, good.ID())
		}
		m.await("it costs the peer its score", func() bool { return peerOf(m, bad).Score < -500 })
		_, err = m.FetchCertificates(t.Context(), good.ID(), "chain-a", 1, 1)
		must(t, err)

		impostor(bad, func(s network.Stream) { _, _ = s.Write([]byte{0, 9, 0}) }) // and then silence
		_, err = m.FetchCertificates(t.Context(), bad.ID(), "chain-a", 1, 1)
		if err == nil || errors.Is(err, p2p.ErrBadResponse) {
			t.Errorf("a broken stream proves nothing: %v", err)
		}
	})
}

// ok is a response with one item.
func ok(item []byte) []byte {
	payload := append([]byte{1, 0}, binary.LittleEndian.AppendUint32(nil, uint32(len(item)))...)
	payload = append(payload, item...)
	return append(binary.LittleEndian.AppendUint32([]byte{0}, uint32(len(payload))), payload...)
}

func TestAnUnresponsivePeerCostsLimitedTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		silence, end := context.WithCancel(t.Context())
		defer end()
		impostor(members[0], func(network.Stream) { <-silence.Done() })
		begin := time.Now()
		_, err := members[1].FetchHeads(t.Context(), members[0].ID())
		if err == nil || time.Since(begin) > time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		_, err = members[1].FetchHeads(ctx, members[0].ID())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 2*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// dialSync opens a raw stream to the server of a member.
func dialSync(t *testing.T, from, to *member) network.Stream {
	t.Helper()
	s, err := from.Host().NewStream(t.Context(), to.ID(), p2p.SyncProtocol(to.config.Network))
	must(t, err)
	return s
}

func TestBadRequestsAreRefusedBeforeTheyAreRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		client, server := members[0], members[1]
		for name, request := range map[string][]byte{
			"oversized":      {255, 255, 1, 2, 3},
			"unknown method": {16, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0},
			"limit 257":      append(append([]byte{23, 0, 2, 7}, "chain-a"...), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1),
			"limit 0":        append(append([]byte{23, 0, 2, 7}, "chain-a"...), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		} {
			s := dialSync(t, client, server)
			_, err := s.Write(request)
			must(t, err)
			answer, err := io.ReadAll(s)
			must(t, err)
			if !bytes.Equal(answer, []byte{3, 0, 0, 0, 0}) {
				t.Errorf("%s: answered % x, want bad request", name, answer)
			}
		}
		server.await("it costs the peer its score", func() bool { return peerOf(server, client).Score < 0 })

		s := dialSync(t, client, server) // says nothing at all
		begin := time.Now()
		_, err := s.Write([]byte{16})
		must(t, err)
		if _, err := io.ReadAll(s); err == nil {
			t.Error("a request that never ends was answered")
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the server waited %v for a request", took)
		}
	})
}

func TestASlowReaderDoesNotHoldTheServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		client, server := members[0], members[1]
		server.library.epochs = [][]byte{make([]byte, p2p.MaxPageBytes)}
		request := append(append([]byte{23, 0, 3, 7}, "chain-a"...), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
		var streams []network.Stream
		for range 4 {
			s := dialSync(t, client, server)
			_, err := s.Write(request)
			must(t, err)
			streams = append(streams, s)
			// One byte shows that the server has begun to answer; no more are read.
			_, err = io.ReadFull(s, make([]byte, 1))
			must(t, err)
		}
		_, err := client.FetchHeads(t.Context(), server.ID())
		var failed *p2p.SyncError
		if !errors.Is(err, p2p.ErrBusy) || !errors.As(err, &failed) || failed.Wait <= 0 {
			t.Errorf("a fifth stream: %v, want busy", err)
		}
		server.await("the server gives up", func() bool {
			return server.counted("sync_requests_total", "epochs", "broken", "server") == 4
		})
		_, err = client.FetchHeads(t.Context(), server.ID())
		must(t, err)
		for _, s := range streams {
			_ = s.Reset()
		}
	})
}

func TestTooManyRequestsAreBusyAndRecover(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(3)
		client, server, other := members[0], members[1], members[2]
		var failed *p2p.SyncError
		requests := 0
		for ; requests < 10000; requests++ {
			if _, err := client.FetchHeads(t.Context(), server.ID()); errors.As(err, &failed) {
				break
			}
		}
		if !errors.Is(failed, p2p.ErrBusy) || failed.Wait <= 0 || failed.Wait > time.Minute {
			t.Fatalf("after %d requests: %v", requests, failed)
		}
		if candidates := client.SyncPeers(); candidates[0] != other.ID() {
			t.Errorf("the busy peer is still the first candidate")
		}
		_, err := other.FetchHeads(t.Context(), server.ID()) // one peer's limit is its own
		must(t, err)
		wait(t, failed.Wait)
		_, err = client.FetchHeads(t.Context(), server.ID())
		must(t, err)
	})
}

func TestASourceThatPanicsOrFailsIsToldAsSuch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		members[0].library.epochs = [][]byte{nil} // an entry that cannot be
		_, err := members[1].FetchEpochs(t.Context(), members[0].ID(), "chain-a", 1, 1)
		if !errors.Is(err, p2p.ErrPeerFailed) {
			t.Errorf("got %v, want ErrPeerFailed", err)
		}
		members[0].library.faults = []*attest.FaultProof{nil}
		_, err = members[1].FetchFaults(t.Context(), members[0].ID(), 0, 1)
		if !errors.Is(err, p2p.ErrPeerFailed) {
			t.Errorf("got %v, want ErrPeerFailed", err)
		}
	})
}

func TestDeliverBlamesThePeerForWhatIsRejected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		m, bad := members[0], members[1]
		m.on(func(context.Context, arrival) p2p.Finding { return p2p.Found(p2p.BadSignature) })
		condition, err := m.Deliver(t.Context(), bad.ID(), p2p.Message{Certificate: certificate("chain-a", 1)})
		must(t, err)
		if condition != p2p.BadSignature {
			t.Errorf("condition %s", condition)
		}
		m.await("the score falls", func() bool { p := peerOf(m, bad); return p.Score < 0 && p.Rejected == 1 })
		if bad.count() != 0 {
			t.Error("it was forwarded")
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		members := newWorld(t).mesh(2)
		server, client := members[0], members[1]
		server.library.block = make(chan struct{}) // never opened
		client.on(func(ctx context.Context, _ arrival) p2p.Finding { <-ctx.Done(); return p2p.Found(p2p.Timeout) })
		must(t, server.PublishVote(t.Context(), vote("chain-a", 1, 1)))
		done := make(chan error, 1)
		go func() {
			_, err := client.FetchHeads(context.Background(), server.ID())
			done <- err
		}()
		wait(t, time.Second)
		begin := time.Now()
		must(t, client.Close())
		must(t, server.Close())
		if err := <-done; err == nil {
			t.Error("the fetch succeeded")
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("closing took %v", took)
		}
		if _, err := client.Deliver(t.Context(), peer.ID("x"), p2p.Message{Fault: fault(1)}); !errors.Is(err, p2p.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
		if err := client.PublishFault(t.Context(), fault(1)); !errors.Is(err, p2p.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}
