package ledgertest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/bls"
	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/store/trie"
)

// Mesh is a network being played.
type Mesh struct {
	*Network
	chains map[string]*state
}

type state struct {
	keys  *Chain
	nodes *trie.Store
	head  *ledger.Result
	past  []*ledger.Result     // by epoch
	sets  []*attest.Set        // by the epoch that they sign; 0 is nil
	certs []attest.Certificate // by epoch; 0 is empty
}

// BlockTime is the time between two blocks of a played chain, in milliseconds.
const BlockTime = 1000

// Play starts a mesh at its genesis.
func Play(n *Network) (*Mesh, error) {
	m := &Mesh{Network: n, chains: map[string]*state{}}
	for _, c := range n.Chains {
		genesis, err := ledger.Genesis(n.Manifest, c.ID)
		if err != nil {
			return nil, err
		}
		set, err := attest.NewSet(genesis.Set)
		if err != nil {
			return nil, err
		}
		s := &state{keys: c, nodes: trie.NewStore(), head: genesis, sets: []*attest.Set{nil, set}, certs: make([]attest.Certificate, 1)}
		s.past = []*ledger.Result{genesis}
		s.nodes.Apply(genesis.Changes)
		m.chains[c.ID] = s
	}
	return m, nil
}

// Epoch runs the next epoch of a chain with these operations, all in its first
// block, and has every validator of its set sign the outcome.
func (m *Mesh) Epoch(chain string, ops ...*ledger.Operation) (*ledger.Result, error) {
	s := m.chains[chain]
	in, err := m.Input(chain, ops...)
	if err != nil {
		return nil, err
	}
	r, err := ledger.Execute(m.Manifest, s.head.Checkpoint, m.Tree(chain), in)
	if err != nil {
		return nil, err
	}
	s.nodes.Apply(r.Changes)
	cert, err := m.Certify(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	set, err := attest.NewSet(r.Set)
	if err != nil {
		return nil, err
	}
	s.head, s.past, s.sets, s.certs = r, append(s.past, r), append(s.sets, set), append(s.certs, *cert)
	return r, nil
}

// Input is what the next epoch of a chain would execute.
func (m *Mesh) Input(chain string, ops ...*ledger.Operation) (*ledger.EpochInput, error) {
	return Input(m.Manifest.Chain(chain), m.chains[chain].head.Checkpoint, ops...)
}

// Input is the epoch after parent with these operations, all in its first block, or, as far
// as the epoch has no room for them there, in the next ones.
func Input(spec *ledger.ChainSpec, parent *attest.Checkpoint, ops ...*ledger.Operation) (*ledger.EpochInput, error) {
	first := parent.Height + 1
	in := &ledger.EpochInput{ChainID: []byte(spec.ID), Epoch: parent.Epoch + 1}
	left := make([]*ledger.Bytes, len(ops))
	for i, op := range ops {
		enc, err := ledger.EncodeOperation(op)
		if err != nil {
			return nil, err
		}
		left[i] = &ledger.Bytes{Data: enc}
	}
	for height := first; height < first+spec.EpochBlocks; height++ {
		n := len(in.Blocks)
		in.Append(spec, ledger.Block{Height: height, Operations: left})
		if len(in.Blocks) > n {
			left = left[len(in.Blocks[n].Operations):]
		}
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("the epoch has no room for the last %d operations", len(left))
	}
	headers := HomeHeaders(spec, parent, Transactions(in.Blocks[0]))
	for _, b := range in.Blocks {
		h := headers[b.Height-first]
		b.Hash, b.Time = [32]byte(h.Hash()), uint64(h.Time.UnixMilli())
	}
	return in, nil
}

// Certify has every validator of the set that signs cp's epoch sign it, whatever it
// says.
func (m *Mesh) Certify(cp *attest.Checkpoint) (*attest.Certificate, error) {
	return m.CertifyWithout(cp)
}

// CertifyWithout is Certify while the validators with these accounts are away.
func (m *Mesh) CertifyWithout(cp *attest.Checkpoint, away ...ledger.AccountID) (*attest.Certificate, error) {
	bits, sum, err := m.chains[string(cp.ChainID)].together(cp.Epoch, away, func(key bls.SecretKey) ([96]byte, error) {
		a, err := attest.SignAttestation(key, m.ID, cp)
		if err != nil {
			return [96]byte{}, err
		}
		return a.Signature, nil
	})
	return &attest.Certificate{Checkpoint: *cp, Signers: bits, Signature: sum}, err
}

// together has every validator of an epoch's set sign, but for those who are away, and
// adds it up.
func (s *state) together(epoch uint64, away []ledger.AccountID, sign func(bls.SecretKey) ([96]byte, error)) (attest.Bits, [96]byte, error) {
	set := s.sets[epoch]
	bits := attest.NewBits(set.Len())
	var signatures []bls.Signature
	for i := range set.Len() {
		if slices.Contains(away, set.At(i).Account) {
			continue
		}
		encoded, err := sign(s.keys.validator(set.At(i).Account).Key)
		if err != nil {
			return nil, [96]byte{}, err
		}
		signature, err := bls.ParseSignature(encoded[:])
		if err != nil {
			return nil, [96]byte{}, err
		}
		bits.Set(i)
		signatures = append(signatures, signature)
	}
	sum, err := bls.Aggregate(signatures)
	return bits, sum.Bytes(), err
}

// Tree is a chain's state at its head.
func (m *Mesh) Tree(chain string) *trie.Tree {
	return trie.New(m.chains[chain].nodes, m.chains[chain].head.Ref)
}

// Reader reads a chain's state at its head.
func (m *Mesh) Reader(chain string) *ledger.Reader {
	return m.ReaderAt(chain, m.chains[chain].head.Checkpoint.Epoch)
}

// ReaderAt reads a chain's state after an epoch.
func (m *Mesh) ReaderAt(chain string, epoch uint64) *ledger.Reader {
	s := m.chains[chain]
	r, err := ledger.NewReader(m.Manifest, chain, trie.New(s.nodes, s.past[epoch].Ref))
	if err != nil {
		panic(err) // Play made a state for each chain
	}
	return r
}

// Head is a chain's newest epoch.
func (m *Mesh) Head(chain string) *ledger.Result { return m.chains[chain].head }

// Reading reads the outcome of an epoch that was executed on a chain's head and is
// not part of the mesh.
func (m *Mesh) Reading(r *ledger.Result) *ledger.Reader {
	chain := string(r.Checkpoint.ChainID)
	fresh := trie.NewStore()
	fresh.Apply(r.Changes)
	reader, err := ledger.NewReader(m.Manifest, chain, trie.New(over{fresh, m.chains[chain].nodes}, r.Ref))
	if err != nil {
		panic(err) // Play made a state for each chain
	}
	return reader
}

// over is nodes that were added to others.
type over struct{ fresh, old *trie.Store }

// Node implements [trie.Reader].
func (o over) Node(k trie.NodeKey) ([]byte, error) {
	if b, err := o.fresh.Node(k); err == nil {
		return b, nil
	}
	return o.old.Node(k)
}

// Past is an epoch of a chain; 0 is its genesis.
func (m *Mesh) Past(chain string, epoch uint64) *ledger.Result { return m.chains[chain].past[epoch] }

// Set is the set that signs an epoch of a chain.
func (m *Mesh) Set(chain string, epoch uint64) *attest.Set { return m.chains[chain].sets[epoch] }

// Certificate is that of an epoch of a chain, signed by its whole set.
func (m *Mesh) Certificate(chain string, epoch uint64) *attest.Certificate {
	return &m.chains[chain].certs[epoch]
}

// Relay is what the nodes of chain would submit next: for each peer the
// certificates it has not seen, the confirmation of those that it has, and the
// statement of the newest final epoch.
func (m *Mesh) Relay(chain string) ([]*ledger.Operation, error) {
	var ops []*ledger.Operation
	add := func(op *ledger.Operation, err error) error {
		ops = append(ops, op)
		return err
	}
	r := m.Reader(chain)
	claims, err := r.Claims()
	if err != nil {
		return nil, err
	}
	for _, claim := range claims {
		if err := add(m.confirm(chain, claim)); err != nil {
			return nil, err
		}
	}
	for _, other := range m.Network.Chains {
		if other.ID == chain {
			continue
		}
		peer, err := r.Peer(other.ID)
		if err != nil || peer == nil {
			return nil, errors.Join(err, fmt.Errorf("%s does not know %s", chain, other.ID))
		}
		if peer.Halted != 0 {
			continue
		}
		s := m.chains[other.ID]
		for e := peer.Accepted + 1; e < uint64(len(s.certs)); e++ {
			if err := add(ledger.NewUpdatePeer(&s.certs[e], s.sets[e].ValidatorSet())); err != nil {
				return nil, err
			}
		}
		in, err := r.Import(other.ID)
		if err != nil {
			return nil, err
		}
		if peer.Final == 0 || in != nil && in.Epoch >= peer.Final {
			continue
		}
		proof, err := m.Prove(other.ID, peer.Final, ledger.StatementKey(chain))
		if err != nil {
			return nil, err
		}
		if err := add(ledger.NewImportStatement(other.ID, peer.Final, proof)); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// confirm has all validators of chain's set sign a claim.
func (m *Mesh) confirm(chain string, claim *attest.CrossClaim) (*ledger.Operation, error) {
	s := m.chains[chain]
	bits, sum, err := s.together(claim.Epoch, nil, func(key bls.SecretKey) ([96]byte, error) {
		a, err := attest.SignCrossAttestation(key, m.ID, claim)
		if err != nil {
			return [96]byte{}, err
		}
		return a.Signature, nil
	})
	if err != nil {
		return nil, err
	}
	proof, err := m.Prove(string(claim.Peer), claim.ToEpoch, ledger.ImportKey(chain))
	if err != nil {
		return nil, err
	}
	cert := &attest.CrossCertificate{Claim: *claim, Signers: bits, Signature: sum}
	return ledger.NewConfirmPeer(cert, s.sets[claim.Epoch].ValidatorSet(), proof)
}

// Prove is an encoded trie proof of a record in a chain's state after an epoch.
func (m *Mesh) Prove(chain string, epoch uint64, key []byte) ([]byte, error) {
	s := m.chains[chain]
	p, err := trie.New(s.nodes, s.past[epoch].Ref).Prove(key)
	if err != nil {
		return nil, err
	}
	return p.MarshalBinary()
}

// DoubleVote is a proof that a validator signed the certified checkpoint of an
// epoch and another one.
func (m *Mesh) DoubleVote(chain string, epoch uint64, validator int) (*attest.FaultProof, error) {
	s := m.chains[chain]
	return m.Network.DoubleVote(s.sets[epoch], s.past[epoch].Checkpoint, s.keys.Validators[validator])
}

// Equivocation is a proof that a validator signed precommits for two blocks at the
// last height of an epoch.
func (m *Mesh) Equivocation(chain string, epoch uint64, validator int) (*attest.FaultProof, error) {
	s := m.chains[chain]
	height := epoch * m.Manifest.Chain(chain).EpochBlocks
	return m.Network.Equivocation(s.sets[epoch], chain, epoch, height, s.keys.Validators[validator])
}

// SubmitFault is the operation that a node of chain submits for a proof.
func (m *Mesh) SubmitFault(chain string, proof *attest.FaultProof, reporter ledger.AccountID) (*ledger.Operation, error) {
	accused, err := attest.Peek(proof)
	if err != nil {
		return nil, err
	}
	body := &ledger.SubmitFault{Reporter: reporter, Proof: *proof, Set: *m.Set(accused.ChainID, accused.Epoch).ValidatorSet()}
	return ledger.NewSubmitFault(body)
}
