package attest_test

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"github.com/meshsec/meshsec/attest"
)

// merkle is the dumb twin of the SSZ library: it pads the leaves with zeros to a
// power of two, at least to width, and hashes them pairwise.
func merkle(width int, leaves ...[32]byte) [32]byte {
	n := 1
	for n < width || n < len(leaves) {
		n *= 2
	}
	layer := make([][32]byte, n)
	copy(layer, leaves)
	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			layer[i] = sha256.Sum256(append(layer[2*i][:], layer[2*i+1][:]...))
		}
	}
	return layer[0]
}

func number(n uint64) (leaf [32]byte) {
	binary.LittleEndian.PutUint64(leaf[:], n)
	return leaf
}

// bytesRoot is the root of a byte list with room for limit bytes.
func bytesRoot(b []byte, limit int) [32]byte {
	width := (limit + 31) / 32
	leaves := make([][32]byte, width)
	for i, v := range b {
		leaves[i/32][i%32] = v
	}
	return merkle(2, merkle(width, leaves...), number(uint64(len(b))))
}

func TestCheckpointRootAgreesWithTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCheckpoint(t)
		want := merkle(0,
			bytesRoot(c.ChainID, attest.MaxChainID), number(c.Epoch), c.Parent, number(c.Height), c.BlockHash,
			number(c.Time), c.OpsRoot, c.LedgerRoot, c.ValidatorsRoot)
		if c.Root() != want {
			t.Fatalf("root %x, want %x", c.Root(), want)
		}
	})
}

func TestClaimRootAgreesWithTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawClaim(t)
		want := merkle(0,
			bytesRoot(c.ChainID, attest.MaxChainID), number(c.Epoch), bytesRoot(c.Peer, attest.MaxChainID),
			number(c.FromEpoch), c.FromRoot, number(c.ToEpoch), c.ToRoot)
		if c.Root() != want {
			t.Fatalf("root %x, want %x", c.Root(), want)
		}
	})
}

func TestDomainIsTheHashOfItsDocumentedLayout(t *testing.T) {
	b := []byte{21, 0, 0, 0, 0, 0, 0, 0}
	b = append(b, "meshsec/v1/checkpoint"...)
	b = append(b, testNet[:]...)
	b = append(b, 7, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, "alpha-1"...)
	domain := attest.Domain(attest.DomainCheckpoint, testNet, "alpha-1")
	if domain != sha256.Sum256(b) {
		t.Error("the layout is another")
	}
	root := checkpoint(1, "").Root()
	if got := attest.SigningRoot(root, domain); got != sha256.Sum256(append(root[:], domain[:]...)) {
		t.Error("the signing root is not SHA-256(root ‖ domain)")
	}
}

func TestDomainsDifferInEveryPart(t *testing.T) {
	kinds := []attest.DomainKind{attest.DomainCheckpoint, attest.DomainCross, attest.DomainRegistration, attest.DomainOperation}
	seen := make(map[[32]byte]bool)
	n := 0
	for _, kind := range kinds {
		for _, net := range []attest.Network{testNet, {}} {
			for _, chain := range []string{"a", "b", "a-b"} {
				seen[attest.Domain(kind, net, chain)] = true
				n++
			}
		}
	}
	if len(seen) != n {
		t.Errorf("%d domains, want %d", len(seen), n)
	}
}
