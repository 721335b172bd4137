package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
)

// hall is a council of chain "a" with validators to vote in it.
type hall struct {
	*council
	t    *testing.T
	keys map[[48]byte]bls.SecretKey
	set  *attest.Set
	done map[string]attest.VerifiedVote // signatures are dear
}

var testNet = attest.Network{7}

func newHall(t *testing.T, powers []uint64, self int) *hall {
	t.Helper()
	h := &hall{t: t, keys: make(map[[48]byte]bls.SecretKey), done: make(map[string]attest.VerifiedVote)}
	v := new(attest.ValidatorSet)
	for i, power := range powers {
		key, err := bls.DeriveMaster([]byte(fmt.Sprintf("council test validator %12d", i)))
		if err != nil {
			t.Fatal(err)
		}
		public := key.PublicKey().Bytes()
		h.keys[public] = key
		v.Validators = append(v.Validators, &attest.Validator{
			Key: public, Account: [32]byte{byte(i + 1)},
			ConsensusKey: attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: make([]byte, 32)},
			Power:        attest.EncodePower(uint256.NewInt(power)),
		})
	}
	sortByKey(v.Validators)
	set, err := attest.NewSet(v)
	if err != nil {
		t.Fatal(err)
	}
	h.set = set
	h.open(self)
	return h
}

// open starts with an empty council, of the validator at self; -1 is nobody.
func (h *hall) open(self int) {
	set := h.set
	var key *[48]byte
	if self >= 0 {
		k := set.At(self).Key
		key = &k
	}
	genesis := &attest.Checkpoint{ChainID: []byte("a"), ValidatorsRoot: set.Root()}
	other := &attest.Checkpoint{ChainID: []byte("b"), ValidatorsRoot: set.Root()}
	h.council = newCouncil(testNet, "a", key, []standing{
		{chain: "a", set: set, recent: []*attest.Checkpoint{genesis}},
		{chain: "b", set: set, recent: []*attest.Checkpoint{other}},
	})
}

func sortByKey(v []*attest.Validator) {
	for i := range v {
		for j := i; j > 0 && string(v[j].Key[:]) < string(v[j-1].Key[:]); j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
}

// checkpoint is that of an epoch of a chain; variants contradict each other.
func (h *hall) checkpoint(chain string, epoch uint64, variant byte) *attest.Checkpoint {
	return &attest.Checkpoint{ChainID: []byte(chain), Epoch: epoch, Height: epoch, OpsRoot: [32]byte{variant}, ValidatorsRoot: h.set.Root()}
}

func (h *hall) sign(i int, cp *attest.Checkpoint) attest.VerifiedVote {
	h.t.Helper()
	name := fmt.Sprintf("%d %x", i, cp.Root())
	if v, ok := h.done[name]; ok {
		return v
	}
	a, err := attest.SignAttestation(h.keys[h.set.At(i).Key], testNet, cp)
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := attest.VerifyAttestation(testNet, h.set, a)
	if err != nil {
		h.t.Fatal(err)
	}
	h.done[name] = v
	return v
}

func (h *hall) cast(i int, cp *attest.Checkpoint, now time.Time) finding {
	return h.council.vote(h.sign(i, cp), h.set, nil, now)
}

// of are the effects of one type.
func of[T effect](effects []effect) (out []T) {
	for _, e := range effects {
		if x, ok := e.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

func equalPowers(n int) []uint64 {
	powers := make([]uint64, n)
	for i := range powers {
		powers[i] = 10
	}
	return powers
}

func TestQuorumCertifiesAndOneTurnPublishes(t *testing.T) {
	now := time.Unix(0, 0)
	published := 0
	for self := range 4 {
		h := newHall(t, equalPowers(4), self)
		cp := h.checkpoint("a", 1, 1)
		h.executed(cp, h.set, nil, nil)
		if signs := of[signCheckpoint](h.take()); len(signs) != 1 || signs[0].epoch != 1 {
			t.Fatalf("executing an epoch asks for %v", signs)
		}
		for i := range 3 {
			if f := h.cast(i, cp, now); f != taken {
				t.Fatalf("vote %d: %v", i, f)
			}
		}
		if kept := of[keepCertificate](h.take()); len(kept) != 1 || kept[0].certificate.Root() != cp.Root() {
			t.Fatalf("a quorum keeps %v", kept)
		}
		due := h.tick(now)
		if wait := due.Sub(now); wait < certificateWait || wait > certificateWait+3*certificateSlot {
			t.Fatalf("it wants to publish after %v", wait)
		}
		if due.Sub(now) == certificateWait {
			published++
		}
		if f := h.cast(3, cp, now); f != taken {
			t.Fatalf("the late vote: %v", f)
		}
		h.take()
		if next := h.tick(due); !next.IsZero() {
			t.Errorf("it comes back at %v after publishing", next)
		}
		out := of[publishCertificate](h.take())
		if len(out) != 1 || attest.Bits(out[0].certificate.Signers).Count() != 4 {
			t.Errorf("it publishes %v, want one with the late vote", out)
		}
	}
	if published != 1 {
		t.Errorf("%d validators have the first turn", published)
	}
}

func TestCertificateOfOthersSparesOurs(t *testing.T) {
	now := time.Unix(0, 0)
	h := newHall(t, equalPowers(4), 0)
	cp := h.checkpoint("a", 1, 1)
	h.executed(cp, h.set, nil, nil)
	for i := range 3 {
		h.cast(i, cp, now)
	}
	theirs := h.certificateOf(cp, 0, 1, 2)
	if f := h.certificate(theirs, h.set, nil, now); f != taken {
		t.Fatalf("certificate: %v", f)
	}
	if next := h.tick(now.Add(time.Hour)); !next.IsZero() || len(of[publishCertificate](h.take())) != 0 {
		t.Error("it publishes what the network has")
	}
	h.cast(3, cp, now)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {time.Hour, 1}, {2 * time.Hour, 0}} {
		if h.tick(now.Add(step.after)); len(of[publishCertificate](h.take())) != step.want {
			t.Errorf("with a further vote it does not publish %d certificates after %v", step.want, step.after)
		}
	}
}

func (h *hall) certificateOf(cp *attest.Checkpoint, signers ...int) attest.VerifiedCertificate {
	h.t.Helper()
	tally := attest.NewTally(testNet, h.set, string(cp.ChainID), cp.Epoch)
	for _, i := range signers {
		tally.Add(h.sign(i, cp))
	}
	c, ok := tally.Certificate()
	if !ok {
		h.t.Fatal("no quorum")
	}
	v, err := attest.VerifyCertificate(testNet, h.set, c)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

func TestDoubleVotesAreProvenInAnyOrder(t *testing.T) {
	halls := make(map[int]*hall)
	for n := 1; n <= 5; n++ {
		halls[n] = newHall(t, equalPowers(n), -1)
	}
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(r, "validators")
		h := halls[n]
		h.open(-1)
		chain := rapid.SampledFrom([]string{"a", "b"}).Draw(r, "chain")
		honest, forged := h.checkpoint(chain, 1, 1), h.checkpoint(chain, 1, 2)
		culprits := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, n, rapid.ID).Draw(r, "culprits")
		type ballot struct {
			i  int
			cp *attest.Checkpoint
		}
		var votes []ballot
		for i := range n {
			votes = append(votes, ballot{i, honest})
		}
		for _, i := range culprits {
			votes = append(votes, ballot{i, forged})
		}
		convicted := make(map[[32]byte]bool)
		for _, v := range rapid.Permutation(votes).Draw(r, "order") {
			h.cast(v.i, v.cp, time.Unix(0, 0))
			if h.cast(v.i, v.cp, time.Unix(0, 0)) == taken {
				r.Fatal("the same vote counts twice")
			}
			for _, f := range of[keepFault](h.take()) {
				if !f.made {
					r.Error("our own proof is not published")
				}
				for _, o := range f.fault.Offenders() {
					convicted[o.Account] = true
				}
			}
		}
		if len(convicted) != len(culprits) {
			r.Errorf("%d convicted of %d", len(convicted), len(culprits))
		}
		for _, i := range culprits {
			if !convicted[h.set.At(i).Account] {
				r.Errorf("validator %d got away", i)
			}
		}
	})
}

func TestVoteAgainstAnOldCertificateIsProven(t *testing.T) {
	h := newHall(t, equalPowers(4), -1)
	cp := h.checkpoint("b", 1, 1)
	cert := h.certificateOf(cp, 0, 1, 2)
	h.executed(cp, h.set, nil, &cert)
	h.take()
	forged := h.sign(1, h.checkpoint("b", 1, 2))
	if f := h.lookVote("b", 1, h.set.At(1).Key, forged.Root()); f != needSeed {
		t.Fatalf("look = %v, want the certificate brought along", f)
	}
	if f := h.council.vote(forged, h.set, &cert, time.Unix(0, 0)); f != secondVote {
		t.Errorf("a vote against a certificate: %v", f)
	}
	if proofs := of[keepFault](h.take()); len(proofs) != 1 {
		t.Errorf("proofs = %v", proofs)
	}
}

func TestOtherResultThanTheCertifiedOneStopsAttesting(t *testing.T) {
	for _, certificateFirst := range []bool{false, true} {
		h := newHall(t, equalPowers(4), 0)
		ours, theirs := h.checkpoint("a", 1, 1), h.checkpoint("a", 1, 2)
		cert := h.certificateOf(theirs, 1, 2, 3)
		if certificateFirst {
			h.certificate(cert, h.set, nil, time.Unix(0, 0))
		}
		h.executed(ours, h.set, nil, nil)
		if !certificateFirst {
			h.certificate(cert, h.set, nil, time.Unix(0, 0))
		}
		effects := h.take()
		if len(of[investigate](effects)) != 1 || len(of[keepCertificate](effects)) != 0 || h.diverged == "" {
			t.Errorf("certificate first %v: effects %v, diverged %q", certificateFirst, effects, h.diverged)
		}
		h.executed(h.checkpoint("a", 2, 1), h.set, nil, nil)
		h.again()
		effects = h.take()
		if len(of[signCheckpoint](effects)) != 0 {
			t.Error("it goes on signing")
		}
	}
}

func TestEpochsAheadWait(t *testing.T) {
	h := newHall(t, equalPowers(1), -1)
	for epoch, want := range map[uint64]finding{1: goOn, 2: ahead, 1 << 40: ahead} {
		if f := h.lookVote("b", epoch, [48]byte{}, [32]byte{}); f != want {
			t.Errorf("vote of epoch %d: %v, want %v", epoch, f, want)
		}
	}
	if f := h.lookVote("c", 1, [48]byte{}, [32]byte{}); f != foreign {
		t.Errorf("a chain that is not ours: %v", f)
	}
	cp := h.checkpoint("b", 1, 1)
	cert := h.certificateOf(cp, 0)
	h.certificate(cert, h.set, nil, time.Unix(0, 0))
	if f := of[follow](h.take()); len(f) != 1 || f[0].certificate.Root() != cp.Root() {
		t.Errorf("the follower is told %v", f)
	}
	h.executed(cp, h.set, nil, &cert)
	if r := of[release](h.take()); len(r) != 1 || r[0] != (release{"b", 2}) {
		t.Errorf("released %v", r)
	}
}

func TestBallotsInMemoryAreBounded(t *testing.T) {
	h := newHall(t, equalPowers(1), 0)
	for epoch := uint64(1); epoch <= 4*maxBallots; epoch++ {
		cp := h.checkpoint("a", epoch, 1)
		h.executed(cp, h.set, nil, nil)
		h.cast(0, cp, time.Unix(0, 0))
	}
	ch := h.chambers["a"]
	if len(ch.ballots) > maxBallots || len(ch.recent) > recentEpochs+2 || len(ch.roots) > recentEpochs+2 {
		t.Errorf("%d ballots, %d checkpoints, %d roots in memory", len(ch.ballots), len(ch.recent), len(ch.roots))
	}
	if ch.certified != 4*maxBallots {
		t.Errorf("certified up to %d", ch.certified)
	}
}

// After a long time without a quorum, a validator that votes for all the epochs which were
// executed meanwhile does not keep the first of them from being certified.
func TestVotesFarAheadDoNotPushOutTheNextEpoch(t *testing.T) {
	h := newHall(t, equalPowers(4), 0)
	const executed = 2 * maxBallots
	for epoch := uint64(1); epoch <= executed; epoch++ {
		h.executed(h.checkpoint("a", epoch, 1), h.set, nil, nil)
	}
	for epoch := uint64(catchUpVotes + 1); epoch <= executed; epoch++ {
		h.cast(3, h.checkpoint("a", epoch, 1), time.Unix(0, 0))
	}
	for i := range 3 {
		h.cast(i, h.checkpoint("a", 1, 1), time.Unix(0, 0))
	}
	if ch := h.chambers["a"]; ch.certified != 1 || len(ch.ballots) > maxBallots {
		t.Errorf("certified up to %d, %d ballots", ch.certified, len(ch.ballots))
	}
}

func TestRankIsAPermutation(t *testing.T) {
	halls := make(map[int]*hall)
	for n := 1; n <= 9; n++ {
		halls[n] = newHall(t, equalPowers(n), -1)
	}
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(r, "validators")
		h := halls[n]
		seed := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "seed"))
		taken := make(map[int]bool)
		for i := range n {
			taken[rank(seed, h.set, h.set.At(i).Key)] = true
		}
		for i := range n {
			if !taken[i] {
				r.Errorf("nobody has turn %d of %d", i, n)
			}
		}
		if got := rank(seed, h.set, [48]byte{1}); got != n {
			r.Errorf("a stranger has turn %d, want the last", got)
		}
	})
}
