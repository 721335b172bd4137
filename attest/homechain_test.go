package attest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/attest/comet"
)

const testEpochBlocks = 10

// homeChain is the CometBFT chain of a cast: each of its validators signs with its
// consensus key, and has as much power there as its position says.
type homeChain struct {
	*cast
	validators *comet.Set
	headers    []*comet.Header // headers[h-1] is that of height h
}

// newHomeChain has one epoch of blocks.
func newHomeChain(t tb, n int) *homeChain {
	c := &homeChain{cast: equalCast(t, n)}
	var members []comet.Validator
	for i := range n {
		key := c.set.At(i).ConsensusKey.Bytes
		address := comet.Address(key)
		members = append(members, comet.Validator{Key: comet.Key{Type: comet.Ed25519, Bytes: key}, Power: 10, Address: address[:]})
	}
	c.validators = comet.NewSet(members)
	for h := int64(1); h <= testEpochBlocks; h++ {
		c.headers = append(c.headers, c.next(h))
	}
	return c
}

func hashOf(format string, args ...any) []byte {
	hash := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return hash[:]
}

// blockID is how votes name the block with a header.
func blockID(h *comet.Header) comet.BlockID {
	return comet.BlockID{Hash: h.Hash(), PartsTotal: 1, PartsHash: hashOf("parts of %x", h.Hash())}
}

// next is a valid block of a height over the chain as it is.
func (c *homeChain) next(height int64) *comet.Header {
	h := &comet.Header{
		VersionBlock: 11, VersionApp: 1, ChainID: testChain, Height: height, Time: time.Unix(1_700_000_000+height, 250_000_000).UTC(),
		LastCommit: hashOf("commit of %d", height), Data: comet.TransactionsHash(nil), Validators: c.validators.Hash(), NextValidators: c.validators.Hash(),
		Consensus: hashOf("params"), App: hashOf("app %d", height), LastResults: hashOf("results %d", height), Evidence: comet.MerkleRoot(nil),
		Proposer: c.validators.Members[0].Address,
	}
	if height > 1 {
		h.LastBlock = blockID(c.headers[height-2])
	}
	return h
}

// certificate is that of the epoch, signed by everybody.
func (c *homeChain) epoch(t tb, change func(*attest.Checkpoint)) *attest.Certificate {
	t.Helper()
	last := c.headers[len(c.headers)-1]
	cp := checkpoint(1, "a")
	cp.Height, cp.BlockHash, cp.Time = uint64(last.Height), [32]byte(last.Hash()), uint64(last.Time.UnixMilli())
	if change != nil {
		change(cp)
	}
	return c.certificate(t, cp, everybody(c.set.Len())...)
}

// back are the headers from the epoch's last block back to a height.
func (c *homeChain) back(height int64) []*comet.Header {
	out := slices.Clone(c.headers[height-1:])
	slices.Reverse(out)
	return out
}

// commit is signed by those in who for a block, and has nothing of the others.
func (c *homeChain) commit(h *comet.Header, round int64, who ...int) *comet.Commit {
	out := &comet.Commit{Height: h.Height, Round: round, Block: blockID(h)}
	for i, v := range c.validators.Members {
		s := comet.CommitSig{Flag: comet.FlagAbsent}
		if slices.Contains(who, i) {
			s = comet.CommitSig{Flag: comet.FlagCommit, Address: v.Address, Time: h.Time.Add(time.Duration(i) * time.Millisecond)}
		}
		out.Signatures = append(out.Signatures, s)
		if s.Flag == comet.FlagCommit {
			out.Signatures[i].Signature = ed25519.Sign(consensusKey(i), out.SignBytes(testChain, i))
		}
	}
	return out
}

// other is a header of a height with something changed.
func (c *homeChain) other(height int64, change func(*comet.Header)) *comet.Header {
	h := *c.headers[height-1]
	change(&h)
	return &h
}

func offendersOf(v attest.VerifiedFault, set *attest.Set) (who []int) {
	for _, o := range v.Offenders() {
		i, _ := set.Index(o.Key)
		who = append(who, i)
	}
	return who
}

func TestAHeaderComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hash := func(label string) []byte {
			if rapid.Bool().Draw(t, label+" is empty") {
				return nil
			}
			return rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label)
		}
		h := &comet.Header{
			VersionBlock: rapid.Uint64().Draw(t, "block"), VersionApp: rapid.Uint64().Draw(t, "app version"), ChainID: testChain,
			Height:     rapid.Int64Min(1).Draw(t, "height"),
			Time:       time.Unix(rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(t, "time"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC(),
			LastCommit: hash("commit"), Data: hash("data"), Validators: rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "validators"),
			NextValidators: hash("next"), Consensus: hash("consensus"), App: rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "app"),
			LastResults: hash("results"), Evidence: hash("evidence"), Proposer: rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "proposer"),
		}
		if rapid.Bool().Draw(t, "parent") {
			h.LastBlock = comet.BlockID{Hash: hashOf("parent"), PartsTotal: int64(rapid.Uint32Min(1).Draw(t, "parts")), PartsHash: hashOf("parts")}
		}
		home := must[*attest.HomeHeader](t)(attest.NewHomeHeader(h))
		if got := attest.HomeHash(home, testChain); !bytes.Equal(got[:], h.Hash()) {
			t.Fatalf("block %X became %x", h.Hash(), got)
		}
		branch := h.ParentBranch()
		if got := comet.HashOver(&h.LastBlock, &branch); !bytes.Equal(got[:], h.Hash()) {
			t.Fatalf("the branch leads to %x, not to %X", got, h.Hash())
		}
		other := h.LastBlock
		other.Hash = hashOf("another")
		if comet.HashOver(&other, &branch) == [32]byte(h.Hash()) {
			t.Fatal("another parent has the same branch")
		}
	})
}
