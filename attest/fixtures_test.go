package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
)

// tb is what fixtures need of a test; *testing.T and *rapid.T have it.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// testNet is the network that all fixtures sign for.
var testNet = attest.Network(sha256.Sum256([]byte("a network for tests")))

const (
	testChain = "alpha-1"
	testPeer  = "beta_2.test"
)

// cast is a validator set with its secret keys, in the order of the set.
type cast struct {
	keys []bls.SecretKey
	set  *attest.Set

	mu    sync.Mutex
	votes map[voteID]attest.VerifiedVote // signing and verifying is slow: once is enough
	sums  map[sumID]attest.VerifiedAggregate
}

type voteID struct {
	who  int
	what [32]byte
}

type sumID struct {
	who  string
	what [32]byte
}

// newCast has one validator per power, with keys that are the same in every run.
func newCast(t tb, powers ...uint64) *cast {
	t.Helper()
	keys := make([]bls.SecretKey, len(powers))
	for i := range keys {
		seed := sha256.Sum256(fmt.Appendf(nil, "validator %d", i))
		key, err := bls.GenerateKey(bytes.NewReader(seed[:]))
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	return castOf(t, keys, powers)
}

func equalCast(t tb, n int) *cast {
	t.Helper()
	return newCast(t, slices.Repeat([]uint64{100}, n)...)
}

func castOf(t tb, keys []bls.SecretKey, powers []uint64) *cast {
	t.Helper()
	slices.SortFunc(keys, func(a, b bls.SecretKey) int {
		x, y := a.PublicKey().Bytes(), b.PublicKey().Bytes()
		return bytes.Compare(x[:], y[:])
	})
	v := &attest.ValidatorSet{}
	for i, key := range keys {
		v.Validators = append(v.Validators, &attest.Validator{
			Key:          key.PublicKey().Bytes(),
			Account:      sha256.Sum256(fmt.Appendf(nil, "account %d", i)),
			ConsensusKey: attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: consensusKey(i).Public().(ed25519.PublicKey)},
			Power:        attest.EncodePower(uint256.NewInt(powers[i])),
		})
	}
	set, err := attest.NewSet(v)
	if err != nil {
		t.Fatal(err)
	}
	return &cast{
		keys:  keys,
		set:   set,
		votes: make(map[voteID]attest.VerifiedVote),
		sums:  make(map[sumID]attest.VerifiedAggregate),
	}
}

func consensusKey(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "consensus key %d", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

// checkpoint is one of many that could be signed for an epoch.
func checkpoint(epoch uint64, variant string) *attest.Checkpoint {
	hash := func(what string) [32]byte { return sha256.Sum256([]byte(what + variant)) }
	return &attest.Checkpoint{
		ChainID:        []byte(testChain),
		Epoch:          epoch,
		Parent:         sha256.Sum256(fmt.Appendf(nil, "parent of %d", epoch)),
		Height:         epoch * 10,
		BlockHash:      hash("block"),
		Time:           1_700_000_000_000 + epoch*10_000,
		OpsRoot:        hash("ops"),
		LedgerRoot:     hash("ledger"),
		ValidatorsRoot: hash("validators"),
	}
}

func claim(epoch uint64, variant string) *attest.CrossClaim {
	return &attest.CrossClaim{
		ChainID:   []byte(testChain),
		Epoch:     epoch,
		Peer:      []byte(testPeer),
		FromEpoch: 3,
		FromRoot:  sha256.Sum256([]byte("from")),
		ToEpoch:   5,
		ToRoot:    sha256.Sum256([]byte("to" + variant)),
	}
}

func (c *cast) attestation(t tb, who int, cp *attest.Checkpoint) *attest.Attestation {
	t.Helper()
	a, err := attest.SignAttestation(c.keys[who], testNet, cp)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (c *cast) vote(t tb, who int, cp *attest.Checkpoint) attest.VerifiedVote {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	id := voteID{who, cp.Root()}
	if v, ok := c.votes[id]; ok {
		return v
	}
	v, err := attest.VerifyAttestation(testNet, c.set, c.attestation(t, who, cp))
	if err != nil {
		t.Fatal(err)
	}
	c.votes[id] = v
	return v
}

// certificate is signed by those in who, whether they are enough or not.
func (c *cast) certificate(t tb, cp *attest.Checkpoint, who ...int) *attest.Certificate {
	t.Helper()
	signers := attest.NewBits(c.set.Len())
	signatures := make([]bls.Signature, 0, len(who))
	for _, i := range who {
		signers.Set(i)
		encoded := c.vote(t, i, cp).Attestation().Signature
		signature, err := bls.ParseSignature(encoded[:])
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	sum, err := bls.Aggregate(signatures)
	if err != nil {
		t.Fatal(err)
	}
	return &attest.Certificate{Checkpoint: *cp, Signers: signers, Signature: sum.Bytes()}
}

func (c *cast) aggregate(t tb, cp *attest.Checkpoint, who ...int) attest.VerifiedAggregate {
	t.Helper()
	id := sumID{fmt.Sprint(who), cp.Root()}
	c.mu.Lock()
	a, ok := c.sums[id]
	c.mu.Unlock()
	if ok {
		return a
	}
	a, err := attest.VerifyAggregate(testNet, c.set, c.certificate(t, cp, who...))
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.sums[id] = a
	c.mu.Unlock()
	return a
}

func (c *cast) certified(t tb, cp *attest.Checkpoint, who ...int) attest.VerifiedCertificate {
	t.Helper()
	v, err := attest.VerifyCertificate(testNet, c.set, c.certificate(t, cp, who...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (c *cast) crossAttestation(t tb, who int, cl *attest.CrossClaim) *attest.CrossAttestation {
	t.Helper()
	a, err := attest.SignCrossAttestation(c.keys[who], testNet, cl)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (c *cast) crossVote(t tb, who int, cl *attest.CrossClaim) attest.VerifiedCrossVote {
	t.Helper()
	v, err := attest.VerifyCrossAttestation(testNet, c.set, c.crossAttestation(t, who, cl))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (c *cast) crossCertificate(t tb, cl *attest.CrossClaim, who ...int) *attest.CrossCertificate {
	t.Helper()
	signers := attest.NewBits(c.set.Len())
	message := cl.SigningRoot(testNet)
	signatures := make([]bls.Signature, 0, len(who))
	for _, i := range who {
		signers.Set(i)
		signatures = append(signatures, c.keys[i].Sign(message[:]))
	}
	sum, err := bls.Aggregate(signatures)
	if err != nil {
		t.Fatal(err)
	}
	return &attest.CrossCertificate{Claim: *cl, Signers: signers, Signature: sum.Bytes()}
}

func (c *cast) doubleVote(t tb, a, b *attest.Certificate) *attest.FaultProof {
	t.Helper()
	proof, err := attest.BuildDoubleVote(c.set, a, b)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func (c *cast) registration(i int) *attest.Registration {
	v := c.set.At(i)
	return &attest.Registration{ChainID: []byte(testChain), Account: v.Account, Key: v.Key, ConsensusKey: v.ConsensusKey}
}

func (c *cast) index(t tb, key [48]byte) int {
	t.Helper()
	i, ok := c.set.Index(key)
	if !ok {
		t.Fatalf("key %x is not in the set", key)
	}
	return i
}

// wantRule fails unless err is an *attest.Error about the rule.
func wantRule(t tb, err error, rule attest.Rule) {
	t.Helper()
	var e *attest.Error
	if !errors.As(err, &e) || !errors.Is(err, rule) {
		t.Fatalf("got error %v, want %s", err, rule)
	}
}

func must[T any](t tb) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ethereumKey is a beacon chain validator's.
func ethereumKey(t tb, i int) bls.SecretKey {
	t.Helper()
	seed := sha256.Sum256(fmt.Appendf(nil, "ethereum key %d", i))
	key, err := bls.GenerateKey(bytes.NewReader(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rogueKey is own − victim: together with the victim's key it adds up to own, so that
// who holds own alone could sign for both. Nobody holds it.
func rogueKey(t tb, own, victim bls.PublicKey) bls.PublicKey {
	t.Helper()
	negative := victim.Bytes()
	negative[0] ^= 0x20 // the sign of a compressed point
	minus, err := bls.ParsePublicKey(negative[:])
	if err != nil {
		t.Fatal(err)
	}
	rogue, err := bls.AggregatePublicKeys([]bls.PublicKey{own, minus})
	if err != nil {
		t.Fatal(err)
	}
	return rogue
}
