package ledgertest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
	"github.com/meshsec/meshsec/store/ledger"
)

// HomePower is the power of each validator of a manifest on its CometBFT home chain.
const HomePower = 10

// HomeValidators are the validators of a chain's home chain: those of the manifest.
func HomeValidators(spec *ledger.ChainSpec) *comet.Set {
	members := make([]comet.Validator, len(spec.Validators))
	for i, v := range spec.Validators {
		address := comet.Address(v.ConsensusKey)
		members[i] = comet.Validator{Key: comet.Key{Type: comet.Ed25519, Bytes: v.ConsensusKey}, Power: HomePower, Address: address[:]}
	}
	return comet.NewSet(members)
}

// HomeBlockID is how votes name the block with a header.
func HomeBlockID(h *comet.Header) comet.BlockID {
	hash := h.Hash()
	parts := sha256.Sum256(hash)
	return comet.BlockID{Hash: hash, PartsTotal: 1, PartsHash: parts[:]}
}

// HomeHeader is a valid header over the parent with a hash, zero at the first height.
func HomeHeader(spec *ledger.ChainSpec, height, millis uint64, parent [32]byte, transactions [][]byte) *comet.Header {
	field := func(name string) []byte {
		hash := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(spec.ID+name), height))
		return hash[:]
	}
	validators := HomeValidators(spec)
	h := &comet.Header{
		VersionBlock: 11, ChainID: spec.ID, Height: int64(height), Time: time.UnixMilli(int64(millis)).UTC(),
		LastCommit: field("commit"), Data: comet.TransactionsHash(transactions), Validators: validators.Hash(), NextValidators: validators.Hash(),
		Consensus: field("consensus"), App: field("app"), LastResults: field("results"), Evidence: comet.MerkleRoot(nil), Proposer: validators.Members[0].Address,
	}
	if parent != ([32]byte{}) {
		parts := sha256.Sum256(parent[:])
		h.LastBlock = comet.BlockID{Hash: parent[:], PartsTotal: 1, PartsHash: parts[:]}
	}
	return h
}

// HomeHeaders are those of the epoch after parent, in order, with all transactions in its
// first block.
func HomeHeaders(spec *ledger.ChainSpec, parent *attest.Checkpoint, transactions [][]byte) []*comet.Header {
	headers := make([]*comet.Header, spec.EpochBlocks)
	last := parent.BlockHash
	for i := range headers {
		height := parent.Height + 1 + uint64(i)
		headers[i] = HomeHeader(spec, height, GenesisTime+height*BlockTime, last, transactions)
		last, transactions = [32]byte(headers[i].Hash()), nil
	}
	return headers
}

// Transactions carry the operations of a block.
func Transactions(b *ledger.Block) (transactions [][]byte) {
	for _, op := range b.Operations {
		transactions = append(transactions, attest.RawTransaction(op.Data))
	}
	return transactions
}

// Headers are those of an epoch of a played chain, in order.
func (m *Mesh) Headers(chain string, epoch uint64) []*comet.Header {
	s := m.chains[chain]
	return HomeHeaders(m.Manifest.Chain(chain), s.past[epoch-1].Checkpoint, Transactions(s.past[epoch].Input.Blocks[0]))
}

// Chain are the keys of the chain with an id; it must be one of the network.
func (n *Network) Chain(id string) *Chain {
	i := slices.IndexFunc(n.Chains, func(c *Chain) bool { return c.ID == id })
	return n.Chains[i]
}

// HomeCommit has validators sign a block of their home chain in a round.
func (n *Network) HomeCommit(chain string, h *comet.Header, round int64, who ...*Validator) *comet.Commit {
	set := HomeValidators(n.Manifest.Chain(chain))
	c := &comet.Commit{Height: h.Height, Round: round, Block: HomeBlockID(h), Signatures: make([]comet.CommitSig, len(set.Members))}
	for i, member := range set.Members {
		c.Signatures[i].Flag = comet.FlagAbsent
		for _, v := range who {
			if public := v.Consensus.Public().(ed25519.PublicKey); slices.Equal(public, member.Key.Bytes) {
				c.Signatures[i] = comet.CommitSig{Flag: comet.FlagCommit, Address: member.Address, Time: h.Time.Add(time.Second)}
				c.Signatures[i].Signature = ed25519.Sign(v.Consensus, c.SignBytes(chain, i))
			}
		}
	}
	return c
}

// Attack is what a light client is shown of a chain instead of its block at a height of
// an epoch, with the signatures of some validators, as it takes a kind of proof.
func (m *Mesh) Attack(kind attest.Attack, chain string, epoch, height uint64, validators ...int) (*attest.FaultProof, error) {
	s := m.chains[chain]
	headers := m.Headers(chain, epoch)
	slices.Reverse(headers) // from the last block back
	headers = headers[:s.past[epoch].Checkpoint.Height-height+1]
	canonical := headers[len(headers)-1]
	var who []*Validator
	for _, i := range validators {
		who = append(who, s.keys.Validators[i])
	}
	forged := *canonical
	e := attest.AttackEvidence{
		Certificate: &s.certs[epoch], Headers: headers, Validators: HomeValidators(m.Manifest.Chain(chain)), Conflicting: &forged,
	}
	switch kind {
	case attest.AttackLunatic:
		forged.App = []byte("made up")
	case attest.AttackEquivocation:
		forged.Data = comet.TransactionsHash([][]byte{[]byte("another")})
		e.Commit = m.HomeCommit(chain, canonical, 1, s.keys.Validators...)
	case attest.AttackFork:
		forged.Data = comet.TransactionsHash([][]byte{[]byte("another")})
	default:
		return nil, fmt.Errorf("attack %d", kind)
	}
	e.ConflictingCommit = m.HomeCommit(chain, &forged, 1, who...)
	return attest.BuildLightClientAttack(s.sets[epoch], e)
}

// HomeBlocks are the blocks of an epoch of a played chain, from the last one back.
func (m *Mesh) HomeBlocks(chain string, epoch uint64) (blocks []attest.HomeBlock) {
	first := m.chains[chain].past[epoch].Input.Blocks[0]
	for _, h := range m.Headers(chain, epoch) {
		b := attest.HomeBlock{Header: h}
		if uint64(h.Height) == first.Height {
			b.Transactions = Transactions(first)
		}
		blocks = append(blocks, b)
	}
	slices.Reverse(blocks)
	return blocks
}

// Each brings blocks one after the other, none of them fails.
func Each(blocks []attest.HomeBlock) iter.Seq2[attest.HomeBlock, error] {
	return func(yield func(attest.HomeBlock, error) bool) {
		for _, b := range blocks {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// InvalidOperations is a proof that the set of an epoch certified another transcript than
// that of the home chain's blocks, as change made it.
func (m *Mesh) InvalidOperations(chain string, epoch uint64, change func([]*ledger.Step) []*ledger.Step) (*attest.FaultProof, error) {
	past := m.chains[chain].past[epoch]
	forged := &ledger.Transcript{Steps: change(slices.Clone(past.Transcript.Steps))}
	root, err := forged.HashTreeRoot()
	if err != nil {
		return nil, err
	}
	cp := *past.Checkpoint
	cp.OpsRoot = root
	cert, err := m.Certify(&cp)
	if err != nil {
		return nil, err
	}
	return attest.FindInvalidOperations(m.Set(chain, epoch), cert, Each(m.HomeBlocks(chain, epoch)), forged.Steps, past.Input.Operations())
}
