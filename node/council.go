package node

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// How far back votes are looked at. Proofs of faults are taken at any age.
const (
	window       = 1 << 14 // epochs behind the certified one
	maxBallots   = 128     // tallies of one chain in memory
	recentEpochs = 64      // certified checkpoints of one chain in memory
	catchUpVotes = 16      // uncertified epochs that are signed at a time
)

// When a validator publishes the certificate that it could make: after a wait, so
// that late votes join, and a slot for each validator before it.
const (
	certificateWait = 300 * time.Millisecond
	certificateSlot = 400 * time.Millisecond
)

// council is what this node knows of the votes of all chains, and decides what
// follows from them. It is a value machine: methods change it and add to its
// effects; it does no I/O, has no clock and is owned by one goroutine. What it
// takes is verified, but for the certificates and proofs that it makes itself,
// which it verifies here.
type council struct {
	law      attest.Law
	self     string    // the home chain
	key      *[48]byte // of our validator; nil: we only follow
	chambers map[string]*chamber
	effects  []effect
	diverged string                  // why we no longer attest; empty while all is well
	faults   map[[32]byte]bool       // proofs that are kept, by id
	proven   map[offence]int         // what they prove, with the size in bytes of the smallest
	refuted  map[attest.Refuted]bool // checkpoints that kept proofs refute
	suspects map[string]bool         // chains of which an epoch is proven to be wrong
}

// chamber is one chain in the council.
type chamber struct {
	id        string
	head      uint64                       // last executed epoch
	recent    map[uint64]attest.Checkpoint // as executed here
	certified uint64                       // all epochs up to it have certificates
	roots     map[uint64][32]byte          // certified, beyond certified or recent
	disputed  map[uint64][32]byte          // certified, and not what was executed here; the first of each epoch
	set       *attest.Set                  // signs head+1
	ballots   map[uint64]*ballot
	cross     map[crossSlot]*crossBallot
	claims    []*attest.CrossClaim        // home chain only: not signed yet
	pending   *attest.VerifiedCertificate // of head+1, which is not executed yet
	forked    bool
}

// ballot is one epoch of one chain.
type ballot struct {
	set   *attest.Set
	tally *attest.Tally
	voted map[[48]byte][][32]byte // checkpoint roots by signer, at most two
	votes []*attest.Attestation   // that counted, for those who ask
	known int                     // signers of the largest certificate that the network has
	ours  int                     // of the largest one made here
	due   time.Time               // when to publish a larger one; zero: nothing to publish
}

// standing is where a chain stands when the node starts.
type standing struct {
	chain     string
	head      uint64
	certified uint64
	set       *attest.Set // signs head+1
	recent    []*attest.Checkpoint
}

func newCouncil(law attest.Law, self string, key *[48]byte, chains []standing) *council {
	c := &council{
		law: law, self: self, key: key, chambers: make(map[string]*chamber),
		faults: make(map[[32]byte]bool), proven: make(map[offence]int),
		refuted: make(map[attest.Refuted]bool), suspects: make(map[string]bool),
	}
	for _, s := range chains {
		ch := &chamber{
			id: s.chain, head: s.head, certified: s.certified, set: s.set,
			recent: make(map[uint64]attest.Checkpoint),
			roots:  make(map[uint64][32]byte), disputed: make(map[uint64][32]byte),
			ballots: make(map[uint64]*ballot),
			cross:   make(map[crossSlot]*crossBallot),
		}
		for _, cp := range s.recent {
			ch.recent[cp.Epoch] = *cp
			if cp.Epoch <= s.certified {
				ch.roots[cp.Epoch] = cp.Root()
			}
		}
		c.chambers[s.chain] = ch
	}
	return c
}

// take hands over the effects since the last call.
func (c *council) take() []effect {
	out := c.effects
	c.effects = nil
	return out
}

func (c *council) do(e ...effect) { c.effects = append(c.effects, e...) }

// finding is what the council says about a message, before or after its signature
// was verified.
type finding uint8

const (
	goOn         finding = iota // before: verify the signature. Never after
	needSeed                    // before: go on, and bring the epoch's certificate along
	taken                       // after: new
	known                       // the same is known
	useless                     // adds nothing
	ahead                       // its epoch is ahead of us
	tooOld                      // its epoch is behind the window
	secondVote                  // after: a double vote; the proof is under way
	foreign                     // not of the set it should be of
	chainStopped                // we no longer follow that chain
)

// lookVote judges a vote by its name alone.
func (c *council) lookVote(chain string, epoch uint64, signer [48]byte, root [32]byte) finding {
	f, b := c.look(chain, epoch)
	if b == nil {
		return f
	}
	switch votes := b.voted[signer]; {
	case slices.Contains(votes, root):
		return known
	case len(votes) > 1:
		return useless
	}
	return f
}

// lookCertificate judges a certificate by its name and the number of its signers.
func (c *council) lookCertificate(chain string, epoch uint64, root [32]byte, signers int) finding {
	f, b := c.look(chain, epoch)
	if b == nil {
		return f
	}
	if have, ok := c.chambers[chain].roots[epoch]; ok && have == root && signers <= b.known {
		return known
	}
	return f
}

func (c *council) look(chain string, epoch uint64) (finding, *ballot) {
	ch := c.chambers[chain]
	switch {
	case ch == nil:
		return foreign, nil
	case epoch > ch.head+1:
		return ahead, nil
	case epoch+window < ch.certified:
		return tooOld, nil
	}
	b := ch.ballots[epoch]
	if b == nil && epoch <= ch.certified {
		return needSeed, nil
	}
	return goOn, b
}

// parent is our own checkpoint before an epoch, as far as it is remembered.
func (c *council) parent(chain string, epoch uint64) (root [32]byte, ok bool) {
	cp, ok := c.chambers[chain].recent[epoch-1]
	if !ok {
		return root, false
	}
	return cp.Root(), true
}

// open finds or makes the ballot of an epoch. seed is the epoch's certificate where
// there is one, so that votes can contradict it.
func (ch *chamber) open(net attest.Network, set *attest.Set, epoch uint64, seed *attest.VerifiedCertificate) *ballot {
	if b := ch.ballots[epoch]; b != nil {
		return b
	}
	b := &ballot{set: set, tally: attest.NewTally(net, set, ch.id, epoch), voted: make(map[[48]byte][][32]byte)}
	if seed != nil {
		b.tally.AddCertificate(*seed)
		b.known = seed.Signers().Count()
		b.ours = b.known
	}
	ch.ballots[epoch] = b
	if len(ch.ballots) > maxBallots {
		delete(ch.ballots, ch.leastUseful())
	}
	return b
}

// leastUseful is the oldest epoch with a ballot, or, where none of them is certified, the
// newest: the next one to be certified must not give way to votes that are ahead of it.
func (ch *chamber) leastUseful() uint64 {
	epochs := slices.Collect(maps.Keys(ch.ballots))
	if oldest := slices.Min(epochs); oldest <= ch.certified {
		return oldest
	}
	return slices.Max(epochs)
}

// vote takes a verified attestation, verified against set, which signs its epoch.
func (c *council) vote(v attest.VerifiedVote, set *attest.Set, seed *attest.VerifiedCertificate, now time.Time) finding {
	root := v.Root()
	if f := c.lookVote(v.ChainID(), v.Epoch(), v.Signer(), root); f != goOn && f != needSeed {
		return f
	}
	ch := c.chambers[v.ChainID()]
	b := ch.open(c.law.Network(), set, v.Epoch(), seed)
	outcome, proof := b.tally.Add(v)
	if outcome != attest.OutcomeForeign {
		b.voted[v.Signer()] = append(b.voted[v.Signer()], root)
	}
	switch outcome {
	case attest.OutcomeNew:
		b.votes = append(b.votes, v.Attestation())
		c.counted(ch, b, v.Epoch(), now)
		return taken
	case attest.OutcomeDoubleVote:
		c.proofs(set, proof)
		c.counted(ch, b, v.Epoch(), now)
		return secondVote
	case attest.OutcomeDuplicate:
		return known
	case attest.OutcomeForeign:
		return foreign
	}
	return useless
}

// certificate takes a verified certificate from the network.
func (c *council) certificate(cert attest.VerifiedCertificate, set *attest.Set, seed *attest.VerifiedCertificate, now time.Time) finding {
	f, _ := c.look(cert.ChainID(), cert.Epoch())
	if f != goOn && f != needSeed {
		return f
	}
	ch := c.chambers[cert.ChainID()]
	b := ch.open(c.law.Network(), set, cert.Epoch(), seed)
	before := b.known
	outcome, proofs := b.tally.AddCertificate(cert)
	c.proofs(set, proofs...)
	if outcome == attest.OutcomeForeign {
		return foreign
	}
	if n := cert.Signers().Count(); n > b.known && !b.tally.Forked() {
		b.known = n
	}
	c.counted(ch, b, cert.Epoch(), now)
	if b.known > before {
		// Keep the bytes that came, which can have more signers than what can be
		// made of them and the single votes here.
		c.certify(ch, cert)
		return taken
	}
	return useless
}

// counted acts on what a tally came to.
func (c *council) counted(ch *chamber, b *ballot, epoch uint64, now time.Time) {
	if b.tally.Forked() {
		if !ch.forked {
			ch.forked = true
			c.do(leave{ch.id, fmt.Sprintf("two checkpoints of epoch %d have a quorum each: the chain has forked", epoch)})
		}
		return
	}
	best, ok := b.tally.Certificate()
	if !ok {
		return
	}
	n := attest.Bits(best.Signers).Count()
	if n > b.ours {
		verified, err := attest.VerifyCertificate(c.law.Network(), b.set, best)
		if err != nil {
			return // accomplices can choose keys that cancel out: there is no certificate of theirs
		}
		b.ours = n
		c.certify(ch, verified)
	}
	c.schedule(ch, b, epoch, now)
}

// schedule sets when this validator publishes what it made, if that is more than
// the network has.
func (c *council) schedule(ch *chamber, b *ballot, epoch uint64, now time.Time) {
	switch {
	case ch.id != c.self || c.key == nil || b.ours <= b.known:
		b.due = time.Time{}
	case b.due.IsZero():
		if _, member := b.set.Index(*c.key); member {
			seed := seedOf("certificate", 0, ch.id, epoch)
			b.due = now.Add(certificateWait + time.Duration(rank(seed, b.set, *c.key))*certificateSlot)
		}
	}
}

// tick publishes what is due, and says when to come back; zero: not before
// something happens.
func (c *council) tick(now time.Time) (next time.Time) {
	for _, b := range c.chambers[c.self].ballots {
		if b.due.IsZero() {
			continue
		}
		if !b.due.After(now) {
			b.due = time.Time{}
			if best, ok := b.tally.Certificate(); ok && b.ours > b.known {
				b.known = b.ours
				c.do(publishCertificate{best})
			}
			continue
		}
		if next.IsZero() || b.due.Before(next) {
			next = b.due
		}
	}
	return next
}

// certify compares a certificate with what was executed here, and keeps it.
func (c *council) certify(ch *chamber, cert attest.VerifiedCertificate) {
	epoch := cert.Epoch()
	if ch.forked {
		return // neither branch is followed; votes still convict
	}
	if epoch > ch.head {
		if ch.pending == nil || ch.pending.Signers().Count() < cert.Signers().Count() {
			ch.pending = &cert
			if ch.id != c.self {
				c.do(follow{cert})
			}
		}
		return
	}
	if ours, ok := ch.recent[epoch]; ok && ours.Root() != cert.Root() {
		if _, ok := ch.disputed[epoch]; !ok {
			ch.disputed[epoch] = cert.Root()
		}
		c.differ(ch, &ours, cert)
		return
	}
	c.do(keepCertificate{cert})
	if _, ok := ch.roots[epoch]; !ok && epoch > ch.certified {
		ch.roots[epoch] = cert.Root()
		ch.advance()
		c.do(wake{})
	}
}

// advance moves certified over the epochs that have certificates, and forgets what
// lies far behind it.
func (ch *chamber) advance() {
	for {
		if _, ok := ch.roots[ch.certified+1]; !ok {
			return
		}
		ch.certified++
		if ch.certified > recentEpochs {
			delete(ch.roots, ch.certified-recentEpochs)
			delete(ch.recent, ch.certified-recentEpochs)
		}
	}
}

// differ stops the attesting: our result is not the certified one.
func (c *council) differ(ch *chamber, ours *attest.Checkpoint, cert attest.VerifiedCertificate) {
	if c.diverged != "" {
		return
	}
	c.diverged = fmt.Sprintf("%s epoch %d: our %s is not the certified one", ch.id, ours.Epoch, differingField(ours, cert.Checkpoint()))
	c.do(investigate{ours, cert})
}

// stop says why this node must not attest any more, when others find out.
func (c *council) stop(why string) { c.diverged = why }

// executed takes note of an epoch that was executed and stored. set signs the next
// epoch; claims are what our validators sign in it; cert is given where the
// certificate came first, and is stored already.
func (c *council) executed(checkpoint *attest.Checkpoint, set *attest.Set, claims []*attest.CrossClaim, cert *attest.VerifiedCertificate) {
	ch := c.chambers[string(checkpoint.ChainID)]
	ch.head, ch.set = checkpoint.Epoch, set
	ch.recent[ch.head] = *checkpoint
	if cert != nil {
		ch.roots[ch.head] = cert.Root()
		ch.advance()
	}
	if p := ch.pending; p != nil && p.Epoch() <= ch.head {
		ch.pending = nil
		c.certify(ch, *p)
	}
	maps.DeleteFunc(ch.cross, func(s crossSlot, _ *crossBallot) bool { return s.epoch < ch.head })
	if ch.id == c.self {
		ch.claims = claims
		if ch.head-ch.certified <= catchUpVotes {
			c.attest(ch.head)
		}
	}
	c.cross()
	c.do(release{ch.id, ch.head + 1}, wake{})
}

// attest signs our own checkpoint of an epoch.
func (c *council) attest(epoch uint64) {
	if c.key != nil && c.diverged == "" {
		c.do(signCheckpoint{epoch})
	}
}

// attested takes our own signed vote: it counts here and goes out.
func (c *council) attested(a *attest.Attestation, set *attest.Set, now time.Time) error {
	v, err := attest.VerifyAttestation(c.law.Network(), set, a)
	if err != nil {
		return err
	}
	c.vote(v, set, nil, now)
	c.do(publishVote{a})
	return nil
}

// fault takes a verified proof from the network.
func (c *council) fault(f attest.VerifiedFault) finding {
	switch {
	case c.faults[f.ID()]:
		return known
	case !c.adds(f):
		return useless
	}
	c.know(f)
	c.do(keepFault{fault: f}, wake{})
	return taken
}

// report takes a verified proof that somebody brought to this node. One that adds nothing
// is kept if the home ledger has been handed it, and not published.
func (c *council) report(f attest.VerifiedFault, reporter ledger.AccountID, handed bool) {
	adds := c.adds(f)
	if c.faults[f.ID()] || !adds && !handed {
		return
	}
	c.know(f)
	c.do(keepFault{f, adds, reporter}, wake{})
}

// proofs keeps and publishes what our own tallies found.
func (c *council) proofs(set *attest.Set, proofs ...*attest.FaultProof) {
	for _, p := range proofs {
		f, err := attest.VerifyFault(c.law, set, p)
		if err != nil || c.faults[f.ID()] || !c.adds(f) {
			continue // a proof of two verified votes verifies; one that doesn't convicts nobody
		}
		c.know(f)
		c.do(keepFault{fault: f, made: true}, wake{})
	}
}

// votesOf are the votes of an epoch that is not certified, and the claims made in it.
func (c *council) votesOf(chain string, epoch uint64) (own []*attest.Attestation, cross []*attest.CrossAttestation) {
	ch := c.chambers[chain]
	if ch == nil {
		return nil, nil
	}
	if b := ch.ballots[epoch]; b != nil && epoch > ch.certified {
		own = slices.Clone(b.votes)
	}
	for slot, b := range ch.cross {
		if slot.epoch == epoch {
			cross = append(cross, b.votes...)
		}
	}
	return own, cross
}

// again signs and publishes our votes of the first epochs that are not certified:
// who was cut off when they went out has not seen them, and a node that comes back
// late signs what nobody certified meanwhile.
func (c *council) again() {
	home := c.chambers[c.self]
	for epoch := home.certified + 1; epoch <= min(home.head, home.certified+catchUpVotes); epoch++ {
		c.attest(epoch)
	}
}

// differingField names the first field in which two checkpoints differ, causes
// before consequences.
func differingField(a, b *attest.Checkpoint) string {
	switch {
	case a.Parent != b.Parent:
		return "parent"
	case a.Height != b.Height:
		return "height"
	case a.BlockHash != b.BlockHash:
		return "block_hash"
	case a.Time != b.Time:
		return "time"
	case a.OpsRoot != b.OpsRoot:
		return "ops_root"
	case a.LedgerRoot != b.LedgerRoot:
		return "ledger_root"
	case a.ValidatorsRoot != b.ValidatorsRoot:
		return "validators_root"
	}
	return "checkpoint"
}
