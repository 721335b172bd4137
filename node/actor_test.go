package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing/synctest"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/chain"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/guard"
)

// actor is a member that is killed, restored and lied to. Its store and its guard are on
// disk; the guard is never set back, as the operation manual says.
type actor struct {
	*member
	honest bool
	said   *utterances
	lens   *lens

	pen     *pen       // of the running process
	done    chan error // of the running process, holds what Run returned
	cancel  context.CancelFunc
	backups []string // copies of the store, oldest first
}

// errKilled is what a process that is being killed gets to see, if anything.
var errKilled = errors.New("the process is being killed")

// pen is the signer of one process. It writes down every signature that left it.
type pen struct {
	node.Signer
	said *utterances

	mu   sync.Mutex
	dead bool
	last bool // the next signature is recorded in the guard and never leaves
}

func (p *pen) Sign(ctx context.Context, slot guard.Slot, root [32]byte) ([96]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return [96]byte{}, errKilled
	}
	signature, err := p.Signer.Sign(ctx, slot, root)
	if p.last {
		p.dead = true
		return [96]byte{}, errKilled
	}
	if err == nil {
		p.said.add(p.Key(), slot, root)
	}
	return signature, err
}

func (p *pen) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *pen) killAfterRecord() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = true
}

// broken says whether the process can't sign any more.
func (p *pen) broken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead || p.last
}

// utterances are all roots that each key signed, by slot, over all processes.
type utterances struct {
	mu    sync.Mutex
	roots map[[48]byte]map[guard.Slot][][32]byte
	count int
}

func (u *utterances) add(key [48]byte, slot guard.Slot, root [32]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
	slots := u.roots[key]
	if slots == nil {
		slots = make(map[guard.Slot][][32]byte)
		u.roots[key] = slots
	}
	for _, have := range slots[slot] {
		if have == root {
			return
		}
	}
	slots[slot] = append(slots[slot], root)
}

// lens is how one node sees its home chain: late, or on another branch.
type lens struct {
	*simClient
	mu     sync.Mutex
	behind uint64 // so many of the newest blocks are not shown
	fork   uint64 // blocks above it are those of another branch; 0: none
}

func (l *lens) look() (behind, fork uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.behind, l.fork
}

func (l *lens) lag(blocks uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind = blocks
}

// branch shows another branch from here on: other blocks, without operations.
func (l *lens) branch() {
	tip := l.tip()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fork = max(tip, 1)
}

func (l *lens) rejoin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fork = 0
}

func (c *simChain) tip() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(len(c.blocks))
}

func (l *lens) Status(ctx context.Context) (chain.Status, error) {
	s, err := l.simClient.Status(ctx)
	if behind, _ := l.look(); err == nil {
		s.Height -= min(behind, s.Height)
	}
	return s, err
}

func (l *lens) Block(ctx context.Context, height uint64) (chain.Block, error) {
	behind, fork := l.look()
	if height+behind > l.tip() {
		return chain.Block{}, chain.ErrNotYet
	}
	b, err := l.simClient.Block(ctx, height)
	if err != nil || fork == 0 || height <= fork {
		return b, err
	}
	b.Operations, b.Evidence, b.Hash = nil, nil, otherBranch(b.Hash)
	if height > fork+1 {
		b.Parent = otherBranch(b.Parent)
	}
	return b, nil
}

func otherBranch(hash [32]byte) [32]byte { return sha256.Sum256(hash[:]) }

// launch starts a process over what is on disk.
func (a *actor) launch() {
	t := a.world.t
	t.Helper()
	o := a.options() // opens the guard, which must be sound after whatever happened
	a.pen = &pen{Signer: o.Signer, said: a.said}
	o.Signer = a.pen
	o.Chain = func(context.Context) (chain.Chain, error) { return a.lens, nil }
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("MESHSEC_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", a.name)
	}
	n, err := node.New(context.Background(), a.config(), log, o)
	if err != nil {
		t.Fatalf("%s does not start: %v", a.name, err)
	}
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	a.node, a.done = n, done
}

// end ends the process, and says what it stopped for by itself.
func (a *actor) end() error {
	if a.node == nil {
		return nil
	}
	a.cancel()
	err := <-a.done
	must(a.world.t, a.node.Close())
	a.node = nil
	return err
}

// stopped says whether the process has ended by itself, which it does when its home chain
// is another one than it was.
func (a *actor) stopped() bool {
	if a.node == nil {
		return false
	}
	select {
	case err := <-a.done:
		a.done <- err
		return true
	default:
		return false
	}
}

// kill ends the process as kill -9 does: what is on disk at this moment is what the next
// one finds.
func (a *actor) kill() {
	if a.node == nil {
		return
	}
	synctest.Wait() // nobody is writing
	a.pen.kill()
	store, signatures := a.copy(a.folder), a.copy(a.guard)
	if err := a.end(); err != nil && !errors.Is(err, chain.ErrForked) {
		a.world.t.Errorf("%s: %v", a.name, err)
	}
	a.folder, a.guard = store, signatures
}

// backup copies the store while it runs, as an operator may.
func (a *actor) backup() {
	if a.node != nil {
		synctest.Wait()
		a.backups = append(a.backups, a.copy(a.folder))
	}
}

// restore puts an older copy of the store, or none at all, in place of that of a dead
// process. The guard stays.
func (a *actor) restore(backup int) {
	if backup < 0 || backup >= len(a.backups) {
		a.folder = a.world.t.TempDir()
		return
	}
	a.folder = a.copy(a.backups[backup])
}

// copy copies a folder, and leaves holes where there are zeros: tables in memory are
// files of many megabytes.
func (a *actor) copy(folder string) string {
	t, to := a.world.t, a.world.t.TempDir()
	must(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		return copySparse(path, filepath.Join(to, name))
	}))
	return to
}

func copySparse(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	used := len(bytes.TrimRight(data, "\x00"))
	if _, err := f.Write(data[:used]); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Truncate(int64(len(data))), f.Close())
}

// ear is a host that writes down what goes over the wire, and speaks for the dishonest.
type ear struct {
	mesh *p2p.Node
	ip   string
	said *wire
}

// wire is everything that validators sent, each once.
type wire struct {
	deaf
	mu           sync.Mutex
	votes        map[string]*attest.Attestation
	crosses      map[string]*attest.CrossAttestation
	certificates map[string]*attest.Certificate
	faults       map[[32]byte]*attest.FaultProof
}

func newWire() *wire {
	return &wire{
		votes: make(map[string]*attest.Attestation), crosses: make(map[string]*attest.CrossAttestation),
		certificates: make(map[string]*attest.Certificate), faults: make(map[[32]byte]*attest.FaultProof),
	}
}

func (w *wire) Vote(_ context.Context, _ peer.ID, a *attest.Attestation) p2p.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.votes[fmt.Sprintf("%x %x", a.Signer, a.Checkpoint.Root())] = a
	return p2p.Found(p2p.NothingNew)
}

func (w *wire) CrossVote(_ context.Context, _ peer.ID, a *attest.CrossAttestation) p2p.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crosses[fmt.Sprintf("%x %x", a.Signer, a.Claim.Root())] = a
	return p2p.Found(p2p.NothingNew)
}

func (w *wire) Certificate(_ context.Context, _ peer.ID, c *attest.Certificate) p2p.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.certificates[fmt.Sprintf("%x %x", c.Signers, c.Checkpoint.Root())] = c
	return p2p.Found(p2p.NothingNew)
}

func (w *wire) Fault(_ context.Context, _ peer.ID, f *attest.FaultProof) p2p.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[f.ID()] = f
	return p2p.Found(p2p.NothingNew)
}

// ear starts a listening host; each needs a number of its own.
func (w *world) ear(number int, said *wire) *ear {
	w.t.Helper()
	seed := sha256.Sum256(fmt.Appendf(nil, "ear %d", number))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	must(w.t, err)
	ip := simnet.IntToPublicIPv4(200 + number).String()
	link := simnet.LinkSettings{BitsPerSecond: 50 * simlibp2p.OneMbps}
	cfg := p2p.Config{
		Network: w.network.ID, Chains: w.network.Manifest.ChainIDs(), PrivateKey: key,
		Listen: []string{fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", ip)},
		ExtraOptions: []libp2p.Option{
			simlibp2p.QUICSimnet(w.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
			libp2p.ResourceManager(&network.NullResourceManager{}),
		},
	}
	for _, m := range w.members {
		cfg.Peers = append(cfg.Peers, m.addr())
	}
	mesh, err := p2p.New(context.Background(), cfg, said, deaf{})
	must(w.t, err)
	must(w.t, mesh.Start())
	w.t.Cleanup(func() { must(w.t, mesh.Close()) })
	return &ear{mesh, ip, said}
}
