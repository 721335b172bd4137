package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/holiman/uint256"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// A world is a network whose ledgers contain noise: what an epoch brings follows from
// the chain, the epoch and the size alone, so that a test, a child process of it and a
// store that was damaged can be compared. The real ledger is in replay_test.go.
type world struct {
	manifest *ledger.Manifest
	size     func(chain string, epoch uint64) int // records written in an epoch
}

var chains = []string{"alpha", "beta"}

func newWorld() *world {
	m := &ledger.Manifest{Name: "noise"}
	for _, id := range chains {
		m.Chains = append(m.Chains, &ledger.ChainSpec{ID: id})
	}
	return &world{m, func(string, uint64) int { return 20 }}
}

func (w *world) network() attest.Network { return w.manifest.ID() }

// open opens a store of the world.
func (w *world) open(dir string, opts store.Options) (*store.Store, error) {
	return store.OpenWith(dir, w.manifest, opts, w.genesis)
}

// validators are the keys of every chain's validators, sorted.
var validators = sync.OnceValue(func() []bls.SecretKey {
	var keys []bls.SecretKey
	for i := range 5 {
		seed := sha256.Sum256([]byte{byte(i)})
		key, err := bls.DeriveMaster(seed[:])
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b bls.SecretKey) int {
		x, y := a.PublicKey().Bytes(), b.PublicKey().Bytes()
		return bytes.Compare(x[:], y[:])
	})
	return keys
})

// publicKeys are those of the validators.
var publicKeys = sync.OnceValue(func() (keys [][48]byte) {
	for _, key := range validators() {
		keys = append(keys, key.PublicKey().Bytes())
	}
	return keys
})

// set is the set that signs the epoch after this one. It changes every fifth epoch.
func (w *world) set(chain string, epoch uint64) *attest.ValidatorSet {
	s := new(attest.ValidatorSet)
	for i, key := range publicKeys() {
		s.Validators = append(s.Validators, &attest.Validator{
			Key:          key,
			Account:      sha256.Sum256(fmt.Appendf(nil, "%s/%d", chain, i)),
			ConsensusKey: attest.ConsensusKey{Type: attest.KeyEd25519, Bytes: make([]byte, 32)},
			Power:        attest.EncodePower(uint256.NewInt(1000 + uint64(i) + epoch/5)),
		})
	}
	return s
}

func (w *world) random(chain string, epoch uint64) *rand.Rand {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s/%d", chain, epoch))
	return rand.New(rand.NewChaCha8(seed))
}

func (w *world) genesis(chain string) (*ledger.Result, error) {
	set := w.set(chain, 0)
	r := &ledger.Result{
		Checkpoint: &attest.Checkpoint{ChainID: []byte(chain), Parent: w.manifest.ID(), ValidatorsRoot: set.Root()},
		Set:        set,
	}
	tree := trie.New(trie.NewStore(), trie.Ref{})
	if err := w.change(tree, w.random(chain, 0), w.size(chain, 0)); err != nil {
		return nil, err
	}
	var err error
	r.Ref, r.Changes, err = tree.Commit(0)
	return r, err
}

// change writes n records, and deletes some, among a thousand.
func (w *world) change(tree *trie.Tree, rng *rand.Rand, n int) error {
	for range n {
		key := binary.BigEndian.AppendUint32(nil, uint32(rng.IntN(max(1000, n))))
		if rng.IntN(4) == 0 {
			if err := tree.Delete(key); err != nil {
				return err
			}
			continue
		}
		value := make([]byte, 150)
		for i := range value {
			value[i] = byte(rng.Uint32())
		}
		if err := tree.Set(key, value); err != nil {
			return err
		}
	}
	return nil
}

// next is the epoch after a head, on its tree.
func (w *world) next(chain string, head store.Head, tree *trie.Tree) (*ledger.Result, error) {
	epoch := head.Epoch + 1
	rng := w.random(chain, epoch)
	r := &ledger.Result{
		Input:      &ledger.EpochInput{ChainID: []byte(chain), Epoch: epoch},
		Transcript: new(ledger.Transcript),
		Set:        w.set(chain, epoch),
	}
	n := w.size(chain, epoch)
	if err := w.change(tree, rng, n); err != nil {
		return nil, err
	}
	block := &ledger.Block{Height: epoch * 10, Time: epoch * 1000}
	for i := range rng.IntN(4) {
		data := fmt.Appendf(nil, "%s/%d", chain, rng.IntN(40)) // some come again
		receipt := &ledger.Receipt{Operation: sha256.Sum256(data), Code: uint8(rng.IntN(2)), Reason: fmt.Appendf(nil, "reason %d", i)}
		root, err := receipt.HashTreeRoot()
		if err != nil {
			return nil, err
		}
		block.Operations = append(block.Operations, &ledger.Bytes{Data: data})
		r.Receipts = append(r.Receipts, receipt)
		r.Transcript.Steps = append(r.Transcript.Steps, &ledger.Step{Height: block.Height, Operation: receipt.Operation, Receipt: root})
	}
	r.Input.Blocks = []*ledger.Block{block}
	r.Transcript.Steps = append(r.Transcript.Steps, &ledger.Step{Kind: ledger.StepEnd, Height: block.Height, Root: tree.Root()})
	ops, err := r.Transcript.HashTreeRoot()
	if err != nil {
		return nil, err
	}
	r.Checkpoint = &attest.Checkpoint{
		ChainID: []byte(chain), Epoch: epoch, Parent: head.Root, Height: block.Height, Time: block.Time,
		OpsRoot: ops, LedgerRoot: tree.Root(), ValidatorsRoot: r.Set.Root(),
	}
	r.Ref, r.Changes, err = tree.Commit(epoch)
	return r, err
}

// nextOf is the epoch after a store's head.
func (w *world) nextOf(s *store.Store, chain string) (*ledger.Result, error) {
	tree, err := s.Tree(chain)
	if err != nil {
		return nil, err
	}
	return w.next(chain, s.Head(chain), tree)
}

// commit commits n epochs of each chain.
func (w *world) commit(t testing.TB, s *store.Store, n int) {
	t.Helper()
	for range n {
		for _, chain := range chains {
			r, err := w.nextOf(s, chain)
			must(t, err)
			must(t, s.Commit(chain, r))
		}
	}
}

// certificate has validators, by their places in the set, sign the checkpoint of an epoch.
func (w *world) certificate(t testing.TB, s *store.Store, checkpoint *attest.Checkpoint, signers ...int) attest.VerifiedCertificate {
	t.Helper()
	set, err := s.Set(string(checkpoint.ChainID), checkpoint.Epoch)
	must(t, err)
	bits := attest.NewBits(set.Len())
	var signatures []bls.Signature
	message := checkpoint.SigningRoot(w.network())
	for _, i := range signers {
		bits.Set(i)
		signatures = append(signatures, validators()[i].Sign(message[:]))
	}
	sum, err := bls.Aggregate(signatures)
	must(t, err)
	v, err := attest.VerifyCertificate(w.network(), set, &attest.Certificate{Checkpoint: *checkpoint, Signers: bits, Signature: sum.Bytes()})
	must(t, err)
	return v
}

// fault is a proof that a validator signed two checkpoints of an epoch.
func (w *world) fault(t testing.TB, s *store.Store, chain string, epoch uint64, validator int) attest.VerifiedFault {
	t.Helper()
	set, err := s.Set(chain, epoch)
	must(t, err)
	sides := make([]*attest.Certificate, 2)
	for i := range sides {
		c := attest.Checkpoint{ChainID: []byte(chain), Epoch: epoch, Height: uint64(i)}
		a, err := attest.SignAttestation(validators()[validator], w.network(), &c)
		must(t, err)
		bits := attest.NewBits(set.Len())
		bits.Set(validator)
		sides[i] = &attest.Certificate{Checkpoint: c, Signers: bits, Signature: a.Signature}
	}
	proof, err := attest.BuildDoubleVote(set, sides[0], sides[1])
	must(t, err)
	v, err := attest.VerifyFault(w.network(), set, proof)
	must(t, err)
	return v
}

// fill makes a store with something of everything: epochs, certificates and faults.
func (w *world) fill(t testing.TB, s *store.Store, epochs int) {
	t.Helper()
	for range epochs {
		w.commit(t, s, 1)
		h := s.Head("alpha")
		_, err := s.PutCertificate(w.certificate(t, s, h.Checkpoint, 0, 1, 2, 3))
		must(t, err)
		if h.Epoch%3 == 0 {
			_, err := s.PutFault(w.fault(t, s, "alpha", h.Epoch, int(h.Epoch)%5))
			must(t, err)
			_, err = s.PutCertificate(w.certificate(t, s, h.Checkpoint, 0, 1, 2, 3, 4))
			must(t, err)
		}
	}
}

// fingerprint reads all that a store can be asked for, and hashes it.
func fingerprint(s *store.Store) (string, error) {
	h := sha256.New()
	for _, chain := range chains {
		head := s.Head(chain)
		fmt.Fprintf(h, "%s %d %x %v %x %d %d\n", chain, head.Epoch, head.Root, head.Ref, head.Journal, head.Oldest, s.Certified(chain))
		for epoch := uint64(0); epoch <= head.Epoch; epoch++ {
			b, err := s.JournalBytes(chain, epoch)
			if err != nil {
				return "", err
			}
			h.Write(b)
			e, err := s.Journal(chain, epoch)
			if err != nil {
				return "", err
			}
			for _, r := range e.Receipts {
				o, ok, err := s.Receipt(chain, r.Operation)
				if err != nil {
					return "", err
				}
				fmt.Fprintln(h, ok, o.Epoch, o.Height, o.Receipt)
			}
			set, err := s.Set(chain, epoch+1)
			if err != nil {
				return "", err
			}
			c, ok, err := s.Certificate(chain, epoch)
			if err != nil {
				return "", err
			}
			fmt.Fprintln(h, set.Root(), ok, c)
			if epoch < head.Oldest {
				continue
			}
			tree, err := s.TreeAt(chain, epoch)
			if err != nil {
				return "", err
			}
			if err := tree.Walk(func(key, value []byte) error {
				h.Write(key)
				h.Write(value)
				return nil
			}); err != nil {
				return "", err
			}
		}
		if err := s.Verify(context.Background(), chain); err != nil {
			return "", err
		}
	}
	faults, err := s.Faults(0, 1<<20)
	if err != nil {
		return "", err
	}
	for _, f := range faults {
		g, ok, err := s.Fault(f.ID)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, f.Cursor, f.ID, f.Proof, ok, g)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opened opens a store of the world that the test's end closes, if nobody did before.
func (w *world) opened(t testing.TB, dir string, opts store.Options) *store.Store {
	t.Helper()
	s, err := w.open(dir, opts)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}
