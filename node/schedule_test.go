package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/guard"
	"github.com/meshsec/meshsec/store/ledger"
)

// No honest validator is ever slashable, whatever happens to its node.
//
// A seed makes a schedule: nodes are killed, also between the record of a signature and
// its release, start over from what was on disk, from an older copy of the store or from
// none, see blocks late, in bursts or not at all, are cut off in groups, and are shown
// another branch of their home chain, which they sign; dishonest validators, fewer than
// a third, vote twice, claim wrong roots and equivocate in their own consensus. In one
// schedule of three a peer is forked by more than two thirds of it.
//
// A home chain here only takes blocks back that it has shown to a node as final: what is
// not final, no adapter shows (see chain.Chain).
//
// The seed fixes the schedule and all keys, and time is virtual; what it does not fix is
// the order of what happens in one instant.
//
// With MESHSEC_SCHEDULES=n there are n of them; with MESHSEC_SCHEDULE=seed that one
// alone.
func TestNoHonestValidatorIsEverSlashable(t *testing.T) {
	first, n := uint64(1), uint64(3)
	if raceEnabled {
		n = 1
	}
	if text := os.Getenv("MESHSEC_SCHEDULES"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 32)
		must(t, err)
	}
	if text := os.Getenv("MESHSEC_SCHEDULE"); text != "" {
		var err error
		first, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
		n = 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSchedule(seed)
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("replay with MESHSEC_SCHEDULE=%d go test -run TestNoHonestValidatorIsEverSlashable ./node\n%v", seed, s)
					}
				})
				p := newPlay(t, s)
				for _, a := range s.acts {
					time.Sleep(a.after) // in virtual time
					p.do(a)
				}
				p.heal()
				p.convicted()
				p.judge()
			})
		})
	}
}

// act is one line of a schedule. What does not apply when its turn comes does nothing.
type act struct {
	after time.Duration
	what  string
	who   int // a node, or a group of them as bits
	much  int
}

type schedule struct {
	seed uint64
	fork bool // of beta, by three of its four validators
	acts []act
}

func (s *schedule) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "fork of beta: %v\n", s.fork)
	for _, a := range s.acts {
		fmt.Fprintf(&out, "%6v  %-10s who %d much %d\n", a.after, a.what, a.who, a.much)
	}
	return out.String()
}

const perChain = 4

// whats is what can happen, as often as it stands here.
var whats = []string{
	"kill", "kill", "die", "launch", "launch", "backup", "restore", "restore", "lag", "catch up", "cut", "mend",
	"branch", "branch", "rejoin", "split", "join", "vote", "vote", "claim", "consensus",
}

func newSchedule(seed uint64) *schedule {
	r := rand.New(rand.NewPCG(seed, 0))
	s := &schedule{seed: seed, fork: seed%3 == 0, acts: []act{{after: 8 * time.Second, what: "backup", who: r.IntN(2 * perChain)}}}
	for range 24 {
		s.acts = append(s.acts, act{
			time.Duration(r.IntN(2500)) * time.Millisecond, whats[r.IntN(len(whats))], r.IntN(1 << (2 * perChain)), r.IntN(16),
		})
	}
	if s.fork {
		s.acts = append(s.acts, act{time.Second, "fork", 0, r.IntN(16)})
	}
	return s
}

// play is a schedule that is being played.
type play struct {
	*world
	schedule *schedule
	actors   []*actor
	said     *utterances
	wire     *wire
	ears     []*ear
	mouth    *ear
	guilty   map[ledger.AccountID]map[uint64]bool // epochs of double votes
}

func newPlay(t *testing.T, s *schedule) *play {
	w := newWorld(t, 2, perChain, func(m *ledger.Manifest) {
		for _, c := range m.Chains { // nothing expires while a schedule lasts
			c.Params.StatementExpiry, c.Params.EvidenceAge.Time = 600_000, 1_200_000
			c.Params.Unbonding.Time = 3_600_000
		}
	})
	p := &play{
		world: w, schedule: s, wire: newWire(),
		said:   &utterances{roots: make(map[[48]byte]map[guard.Slot][][32]byte)},
		guilty: make(map[ledger.AccountID]map[uint64]bool),
	}
	for i, m := range w.members {
		m.folder = t.TempDir()
		a := &actor{member: m, said: p.said, lens: &lens{simClient: w.chains[m.chain].client(m.name)}}
		a.honest = i%perChain != 1
		if s.fork && m.chain == "beta" {
			a.honest = i%perChain == 0
		}
		p.actors = append(p.actors, a)
		a.launch()
		t.Cleanup(func() { _ = a.end() }) // what it stopped for was looked at, or the test has failed
	}
	p.ears = []*ear{w.ear(0, p.wire), w.ear(1, p.wire)}
	p.mouth = w.ear(2, newWire())
	return p
}

func (p *play) do(a act) {
	who := p.actors[a.who%len(p.actors)]
	switch a.what {
	case "kill":
		who.kill()
	case "die":
		if who.node != nil {
			who.pen.killAfterRecord()
		}
	case "launch":
		if who.node == nil {
			who.launch()
		}
	case "backup":
		who.backup()
	case "restore":
		who.kill()
		who.restore(a.much%4 - 1)
		who.launch()
	case "lag":
		who.lens.lag(uint64(a.much))
	case "catch up":
		who.lens.lag(0)
	case "cut":
		p.chains[who.chain].cut(who.name, true)
	case "mend":
		p.chains[who.chain].cut(who.name, false)
	case "branch":
		if who.honest { // the dishonest have other ways
			who.lens.branch()
		}
	case "rejoin":
		for _, x := range p.actors {
			x.lens.rejoin()
		}
	case "split":
		p.split(a.who, a.much)
	case "join":
		p.world.heal()
	case "vote":
		if d := p.dishonest(a.much); d != nil {
			p.doubleVote(d, a.who)
		}
	case "claim":
		if d := p.dishonest(a.much); d != nil {
			p.wrongClaim(d)
		}
	case "consensus":
		if d := p.dishonest(a.much); d != nil {
			p.equivocate(d)
		}
	case "fork":
		p.fork()
	default:
		p.t.Fatalf("what is %q?", a.what)
	}
}

// split cuts a group off from the others. Somebody listens on either side; the liar is
// on one of them.
func (p *play) split(group, much int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, a := range p.actors {
		p.side[a.ip()] = group >> i & 1
	}
	p.side[p.ears[1].ip], p.side[p.mouth.ip] = 1, much&1
}

// dishonest picks one who has a node to look through and is not convicted anywhere.
func (p *play) dishonest(n int) *actor {
	var out []*actor
	for _, a := range p.actors {
		if !a.honest && a.node != nil && (!p.schedule.fork || a.chain == "alpha") && !p.known(a) {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out[n%len(out)]
}

// known says whether anybody has a proof against a.
func (p *play) known(a *actor) bool {
	for _, x := range p.actors {
		if x.node == nil {
			continue
		}
		for _, f := range x.ledger(a.chain).Faults {
			for _, o := range f.Offenders {
				if o == a.validator.ID {
					return true
				}
			}
		}
	}
	return false
}

// doubleVote has a dishonest validator contradict what it signed, once or twice, in an
// epoch that its node has a certificate of.
func (p *play) doubleVote(d *actor, n int) {
	last := d.status().Ledgers[d.chain].Epoch
	if last == 0 {
		return
	}
	epoch := 1 + uint64(n)%last
	if p.guilty[d.validator.ID] == nil {
		p.guilty[d.validator.ID] = make(map[uint64]bool)
	}
	p.guilty[d.validator.ID][epoch] = true
	p.vote(d, epoch, 1)
	if n&1 == 0 {
		p.vote(d, epoch, 2)
	}
}

// vote signs one of many checkpoints that the chain never had.
func (p *play) vote(d *actor, epoch uint64, variant byte) {
	cp := &attest.Checkpoint{ChainID: []byte(d.chain), Epoch: epoch, Height: 5 * epoch, OpsRoot: [32]byte{variant}}
	vote, err := attest.SignAttestation(d.validator.Key, p.network.ID, cp)
	must(p.t, err)
	p.say(p.mouth.mesh.PublishVote(context.Background(), vote))
}

// say ignores that nobody is in reach.
func (p *play) say(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Logf("the liar speaks to nobody: %v", err)
	}
}

// wrongClaim has a dishonest validator claim roots that the peer never had.
func (p *play) wrongClaim(d *actor) {
	peer := map[string]string{"alpha": "beta", "beta": "alpha"}[d.chain]
	claim := &attest.CrossClaim{
		ChainID: []byte(d.chain), Epoch: d.status().Ledgers[d.chain].Executed + 1, Peer: []byte(peer),
		FromEpoch: 0, ToEpoch: d.status().Ledgers[peer].Executed + 1, ToRoot: [32]byte{0xbb},
	}
	cross, err := attest.SignCrossAttestation(d.validator.Key, p.network.ID, claim)
	must(p.t, err)
	p.say(p.mouth.mesh.PublishCross(context.Background(), cross))
}

// equivocate has the home chain find a dishonest validator out.
func (p *play) equivocate(d *actor) {
	height := d.status().Home.Height
	if height == 0 || p.guilty[d.validator.ID] != nil {
		return
	}
	p.chains[d.chain].equivocate(p.t, d.validator, height)
}

// fork certifies another checkpoint of an epoch of beta, by its three dishonest ones.
func (p *play) fork() {
	p.join()
	witness := p.actors[0]
	p.await("an epoch of beta is certified", func() bool { return witness.status().Ledgers["beta"].Epoch > 0 })
	epoch := witness.status().Ledgers["beta"].Epoch
	cp := &attest.Checkpoint{ChainID: []byte("beta"), Epoch: epoch, Height: 5 * epoch, OpsRoot: [32]byte{0xff}}
	set := p.set("beta", epoch)
	bits := attest.NewBits(set.Len())
	var signatures []bls.Signature
	message := cp.SigningRoot(p.network.ID)
	for _, a := range p.actors {
		if i, ok := set.Index(a.validator.Key.PublicKey().Bytes()); ok && !a.honest && a.chain == "beta" {
			bits.Set(i)
			signatures = append(signatures, a.validator.Key.Sign(message[:]))
			p.guilty[a.validator.ID] = map[uint64]bool{epoch: true}
		}
	}
	sum, err := bls.Aggregate(signatures)
	must(p.t, err)
	for _, a := range p.actors {
		if !a.honest && a.chain == "beta" {
			p.vote(a, epoch, 1) // in case that it did not sign the epoch while its node was away
		}
	}
	p.say(p.mouth.mesh.PublishCertificate(context.Background(), &attest.Certificate{Checkpoint: *cp, Signers: bits, Signature: sum.Bytes()}))
}

// join ends all that keeps nodes apart from each other and from their chains, and starts
// them all. Those that are on another branch start from nothing but their guards.
func (p *play) join() {
	p.world.heal()
	for _, a := range p.actors {
		p.chains[a.chain].cut(a.name, false)
		a.lens.lag(0)
		a.lens.rejoin()
	}
	tips := make(map[string]uint64)
	for id, c := range p.chains {
		tips[id] = c.tip()
	}
	for _, a := range p.actors {
		if a.node != nil && (a.stopped() || a.pen.broken()) {
			a.kill()
		}
		if a.node != nil && a.status().Diverged != "" {
			a.kill()
			a.restore(-1)
		}
		if a.node == nil {
			a.launch()
		}
	}
	// On another branch a node stops when it sees the next block, or when it starts.
	p.await("everybody has new blocks, or stops", func() bool {
		for _, a := range p.actors {
			if !a.stopped() && a.status().Home.Height < tips[a.chain]+2 {
				return false
			}
		}
		return true
	})
	for _, a := range p.actors {
		if a.stopped() {
			a.kill()
			a.restore(-1)
			a.launch()
		}
	}
}

// heal is join, and then those who lied say it once more: who was down or cut off did not
// hear it.
func (p *play) heal() {
	p.join()
	p.await("the liar hears everybody", func() bool {
		select {
		case <-p.mouth.mesh.Ready():
			return true
		default:
			return false
		}
	})
	for _, a := range p.actors {
		for epoch := range p.guilty[a.validator.ID] {
			p.vote(a, epoch, 1)
			p.vote(a, epoch, 2)
		}
	}
}

// convicted waits until every ledger has everybody who signed twice.
func (p *play) convicted() {
	for _, a := range p.actors {
		if len(p.guilty[a.validator.ID]) == 0 {
			continue
		}
		for _, x := range p.actors {
			p.await(fmt.Sprintf("%s is convicted on the ledger of %s", a.name, x.name), func() bool {
				for _, f := range x.ledger(x.chain).Faults {
					for _, o := range f.Offenders {
						if o == a.validator.ID {
							return true
						}
					}
				}
				return false
			})
		}
	}
}

// judge looks for anything that could be held against an honest validator.
func (p *play) judge() {
	honest := make(map[[48]byte]*actor)
	accounts := make(map[ledger.AccountID]*actor)
	for _, a := range p.actors {
		if a.honest {
			honest[a.validator.Key.PublicKey().Bytes()] = a
			accounts[a.validator.ID] = a
		}
	}
	for key, slots := range p.said.roots {
		for slot, roots := range slots {
			if a := honest[key]; a != nil && len(roots) > 1 {
				p.t.Errorf("%s signed %d times for %v", a.name, len(roots), slot)
			}
		}
	}
	if p.said.count == 0 || len(p.wire.votes) == 0 {
		p.t.Error("nobody has signed anything")
	}
	for _, x := range p.actors {
		for id := range x.status().Ledgers {
			for _, f := range x.ledger(id).Faults {
				for _, o := range f.Offenders {
					if a := accounts[o]; a != nil {
						p.t.Errorf("%s is convicted on the ledger of %s that %s has, of %s in epoch %d", a.name, id, x.name, f.Kind, f.Epoch)
					}
				}
			}
		}
	}
	guilty := p.prosecute(accounts)
	for id, epochs := range p.guilty {
		if len(epochs) > 0 && !guilty[id] {
			p.t.Errorf("what was heard does not convict %v, who signed twice", id)
		}
	}
}

// builders make proofs out of two aggregates of a set, where they can.
var builders = map[string]func(*attest.Set, *attest.Certificate, *attest.Certificate) (*attest.FaultProof, error){
	"double vote": attest.BuildDoubleVote,
}

// prosecute puts everything that was heard in pairs to every builder of proofs, and
// tells who is convicted by it.
func (p *play) prosecute(honest map[ledger.AccountID]*actor) map[ledger.AccountID]bool {
	type slot struct {
		chain string
		epoch uint64
	}
	guilty := make(map[ledger.AccountID]bool)
	sides := make(map[slot][]*attest.Certificate)
	sets := make(map[slot]*attest.Set)
	of := func(cp *attest.Checkpoint) (slot, *attest.Set) {
		s := slot{string(cp.ChainID), cp.Epoch}
		if sets[s] == nil {
			sets[s] = p.set(s.chain, s.epoch)
		}
		return s, sets[s]
	}
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	for _, v := range p.wire.votes {
		s, set := of(&v.Checkpoint)
		if set == nil {
			continue
		}
		if single, err := v.Single(set); err == nil {
			sides[s] = append(sides[s], single)
		}
	}
	for _, c := range p.wire.certificates {
		s, _ := of(&c.Checkpoint)
		sides[s] = append(sides[s], c)
	}
	try := func(what string, set *attest.Set, proof *attest.FaultProof) {
		verified, err := attest.VerifyFault(p.network.ID, set, proof)
		if err != nil {
			return
		}
		for _, o := range verified.Offenders() {
			guilty[o.Account] = true
			if a := honest[o.Account]; a != nil {
				p.t.Errorf("%s convicts %s in epoch %d of %s", what, a.name, verified.Epoch(), verified.ChainID())
			}
		}
	}
	for s, list := range sides {
		if sets[s] == nil {
			continue
		}
		for i, first := range list {
			for _, second := range list[i+1:] {
				for name, build := range builders {
					if proof, err := build(sets[s], first, second); err == nil {
						try(name, sets[s], proof)
					}
				}
			}
		}
	}
	for _, proof := range p.wire.faults {
		accusation, err := attest.Peek(proof)
		must(p.t, err)
		if set := p.set(accusation.ChainID, accusation.Epoch); set != nil {
			try("a proof that was sent", set, proof)
		}
	}
	return guilty
}

// set is who signs an epoch; nil if nobody has a certificate that says so.
func (p *play) set(id string, epoch uint64) *attest.Set {
	if epoch <= 1 {
		genesis, err := ledger.Genesis(p.network.Manifest, id)
		must(p.t, err)
		set, err := attest.NewSet(genesis.Set)
		must(p.t, err)
		return set
	}
	for _, a := range p.actors {
		if a.node == nil {
			continue
		}
		answer, err := a.api().Certificate(p.t.Context(), id, epoch-1)
		if err != nil {
			continue
		}
		_, next, err := answer.Open(p.network.ID)
		must(p.t, err)
		set, err := attest.NewSet(next)
		must(p.t, err)
		return set
	}
	return nil
}
