package p2p_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/p2p"
)

var chains = []string{"chain-a", "chain-b"}

// bubble runs a test in virtual time. The race detector does not stand timers that
// fire on several threads at once in a bubble (golang/go#78156).
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if raceEnabled {
		before := runtime.GOMAXPROCS(1)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
	synctest.Test(t, f)
}

// world is a simulated network of nodes in virtual time.
type world struct {
	t   *testing.T
	net *simnet.Simnet

	mu   sync.Mutex
	side map[string]int // of a partition, by IP
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, side: make(map[string]int)}
	w.net = &simnet.Simnet{LatencyFunc: w.latency, Logger: slog.New(slog.DiscardHandler)}
	w.net.Start()
	t.Cleanup(w.net.Close)
	return w
}

// latency of a packet that crosses a partition is longer than any test.
func (w *world) latency(p *simnet.Packet) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.side[p.From.(*net.UDPAddr).IP.String()] != w.side[p.To.(*net.UDPAddr).IP.String()] {
		return 1000 * time.Hour
	}
	return 10 * time.Millisecond
}

// partition puts the nodes on one side, everybody else stays on the other.
func (w *world) partition(nodes ...*member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.side)
	for _, m := range nodes {
		w.side[m.ip] = 1
	}
}

// member is a node with what it received and has to offer, in a world or on loopback.
type member struct {
	*p2p.Node
	*recorder
	*library
	t        *testing.T
	world    *world
	ip       string
	key      crypto.PrivKey
	registry *prometheus.Registry
	config   p2p.Config
}

func (w *world) member(i int) *member {
	w.t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must(w.t, err)
	m := &member{recorder: newRecorder(), library: &library{}, t: w.t, world: w, ip: simnet.IntToPublicIPv4(i).String(), key: key}
	m.config = p2p.Config{
		Network: [32]byte{1}, Chains: chains, PrivateKey: key,
		Listen: []string{fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", m.ip)},
		Expect: p2p.Expect{Validators: 4, Epoch: 5 * time.Second},
	}
	return m
}

// addr is where others dial this member.
func (m *member) addr() string {
	id, err := peer.IDFromPrivateKey(m.key)
	must(m.t, err)
	return fmt.Sprintf("%s/p2p/%s", m.config.Listen[0], id)
}

// start starts, or after Close restarts, the member.
func (m *member) start(peers ...*member) *member {
	t := m.t
	t.Helper()
	for _, p := range peers {
		m.config.Peers = append(m.config.Peers, p.addr())
	}
	m.registry = prometheus.NewRegistry()
	m.config.Metrics = m.registry
	link := simnet.LinkSettings{BitsPerSecond: 50 * simlibp2p.OneMbps}
	m.config.ExtraOptions = []libp2p.Option{
		simlibp2p.QUICSimnet(m.world.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}
	n, err := p2p.New(t.Context(), m.config, m.recorder, m.library)
	must(t, err)
	m.Node = n
	must(t, n.Start())
	t.Cleanup(func() { must(t, n.Close()) })
	return m
}

// mesh starts n members that all know each other, and waits until they talk.
func (w *world) mesh(n int) []*member {
	w.t.Helper()
	members := make([]*member, n)
	for i := range members {
		members[i] = w.member(i)
	}
	for i, m := range members {
		m.start(members[:i]...)
	}
	for _, m := range members {
		m.await("all peers listen on every topic", func() bool { return len(m.Peers()) == n-1 && m.heard(n-1) })
	}
	return members
}

// heard says whether k peers listen on every topic, and as many of them are in its mesh
// as a mesh wants at least.
func (m *member) heard(k int) bool {
	for _, topic := range m.topics() {
		if m.Listeners(topic) != k {
			return false
		}
	}
	for _, label := range []string{"votes/chain-a", "votes/chain-b", "certificates", "faults"} {
		if m.counted("mesh_peers", label) < float64(min(k, 6)) {
			return false
		}
	}
	return true
}

func (m *member) topics() []string {
	out := []string{p2p.CertificatesTopic(m.config.Network), p2p.FaultsTopic(m.config.Network)}
	for _, c := range m.config.Chains {
		out = append(out, p2p.VotesTopic(m.config.Network, c))
	}
	return out
}

// await looks every 50 ms of virtual time until the condition holds.
func (m *member) await(what string, condition func() bool) {
	m.t.Helper()
	await(m.t, what, condition)
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// counted is a counter or gauge by name and label values, in the order of names.
func (m *member) counted(name string, labels ...string) float64 {
	m.t.Helper()
	families, err := m.registry.Gather()
	must(m.t, err)
	var sum float64
	for _, f := range families {
		if f.GetName() != "meshsec_p2p_"+name {
			continue
		}
		for _, metric := range f.GetMetric() {
			match := true
			for i, l := range metric.GetLabel() {
				match = match && (i >= len(labels) || labels[i] == "" || l.GetValue() == labels[i])
			}
			if match {
				sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func (m *member) judged(topic string, c p2p.Condition) float64 {
	return m.counted("messages_total", c.String(), topic) // labels are sorted by name
}

// arrival is one message as a handler saw it.
type arrival struct {
	from peer.ID
	p2p.Message
}

// recorder is a Handler that accepts what is new, unless told otherwise.
type recorder struct {
	mu       sync.Mutex
	arrivals []arrival
	seen     map[string]bool
	answer   func(context.Context, arrival) p2p.Finding // instead of accepting, when set
}

func newRecorder() *recorder { return &recorder{seen: make(map[string]bool)} }

func (r *recorder) on(answer func(context.Context, arrival) p2p.Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *recorder) take(ctx context.Context, a arrival) p2p.Finding {
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		if f := answer(ctx, a); f.Condition != p2p.Accepted {
			return f
		}
	}
	data, err := p2p.EncodeMessage(a.Message)
	if err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[string(data)] {
		return p2p.Found(p2p.Duplicate)
	}
	r.seen[string(data)] = true
	r.arrivals = append(r.arrivals, a)
	return p2p.Found(p2p.Accepted)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.arrivals)
}

func (r *recorder) Vote(ctx context.Context, from peer.ID, v *attest.Attestation) p2p.Finding {
	return r.take(ctx, arrival{from, p2p.Message{Vote: v}})
}
func (r *recorder) CrossVote(ctx context.Context, from peer.ID, v *attest.CrossAttestation) p2p.Finding {
	return r.take(ctx, arrival{from, p2p.Message{Cross: v}})
}
func (r *recorder) Certificate(ctx context.Context, from peer.ID, c *attest.Certificate) p2p.Finding {
	return r.take(ctx, arrival{from, p2p.Message{Certificate: c}})
}
func (r *recorder) Fault(ctx context.Context, from peer.ID, f *attest.FaultProof) p2p.Finding {
	return r.take(ctx, arrival{from, p2p.Message{Fault: f}})
}

// library is a Source of certificates, epochs, faults and votes in memory.
type library struct {
	mu           sync.Mutex
	certificates []*attest.Certificate // of chain-a, epochs 1, 2, …
	epochs       [][]byte              // of chain-a, epochs 1, 2, …
	faults       []*attest.FaultProof
	votes        []*attest.Attestation
	cross        []*attest.CrossAttestation
	block        chan struct{} // when set, Heads waits for it
}

func (l *library) Heads(ctx context.Context) ([]p2p.Head, error) {
	l.mu.Lock()
	block, n := l.block, len(l.certificates)
	l.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if n == 0 {
		return nil, nil
	}
	return []p2p.Head{{Chain: "chain-a", Epoch: uint64(n), Root: [32]byte{7}}}, nil
}

func (l *library) Certificates(_ context.Context, chain string, from uint64, limit int) ([]*attest.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if chain != "chain-a" {
		return nil, p2p.ErrUnavailable
	}
	return window(l.certificates, from, limit), nil
}

func (l *library) Epochs(_ context.Context, chain string, from uint64, limit, _ int) ([][]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if chain != "chain-a" {
		return nil, p2p.ErrUnavailable
	}
	return window(l.epochs, from, limit), nil
}

func (l *library) Faults(_ context.Context, after uint64, limit int) ([]p2p.FaultRecord, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []p2p.FaultRecord
	for i, f := range window(l.faults, after+1, limit) {
		out = append(out, p2p.FaultRecord{Position: after + 1 + uint64(i), Proof: f})
	}
	return out, nil
}

func (l *library) Votes(_ context.Context, chain string, epoch uint64, limit int) ([]*attest.Attestation, []*attest.CrossAttestation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var own []*attest.Attestation
	for _, v := range l.votes {
		if string(v.Checkpoint.ChainID) == chain && v.Checkpoint.Epoch == epoch && len(own) < limit {
			own = append(own, v)
		}
	}
	var cross []*attest.CrossAttestation
	for _, v := range l.cross {
		if string(v.Claim.ChainID) == chain && v.Claim.Epoch == epoch && len(own)+len(cross) < limit {
			cross = append(cross, v)
		}
	}
	return own, cross, nil
}

// window is list[from-1:] up to limit, where it exists.
func window[T any](list []T, from uint64, limit int) []T {
	if from == 0 || from > uint64(len(list)) {
		return nil
	}
	list = list[from-1:]
	return list[:min(limit, len(list))]
}

func vote(chain string, epoch uint64, signer byte) *attest.Attestation {
	return &attest.Attestation{
		Checkpoint: attest.Checkpoint{ChainID: []byte(chain), Epoch: epoch},
		Signer:     [48]byte{signer},
	}
}

func cross(chain, about string, epoch uint64, signer byte) *attest.CrossAttestation {
	return &attest.CrossAttestation{
		Claim:  attest.CrossClaim{ChainID: []byte(chain), Epoch: epoch, Peer: []byte(about), ToEpoch: epoch},
		Signer: [48]byte{signer},
	}
}

func certificate(chain string, epoch uint64) *attest.Certificate {
	return &attest.Certificate{
		Checkpoint: attest.Checkpoint{ChainID: []byte(chain), Epoch: epoch},
		Signers:    []byte{0b11111}, // four of four
	}
}

func fault(b byte) *attest.FaultProof { return faultOf("chain-a", b) }

// faultOf is a double vote, well formed, with signatures that nobody made.
func faultOf(chain string, b byte) *attest.FaultProof {
	first, second := certificate(chain, 1), certificate(chain, 1)
	first.Checkpoint.Height, second.Checkpoint.Height = uint64(b), 1000
	one, other := first.Checkpoint.Root(), second.Checkpoint.Root()
	if bytes.Compare(one[:], other[:]) > 0 {
		first, second = second, first
	}
	body, err := attest.EncodeDoubleVote(&attest.DoubleVote{First: *first, Second: *second})
	if err != nil {
		panic(err)
	}
	return &attest.FaultProof{Kind: uint8(attest.FaultDoubleVote), Body: body}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
