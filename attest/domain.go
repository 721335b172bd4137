package attest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	ssz "github.com/ferranbt/fastssz"
)

// Network is the hash of the manifest that the peer chains agreed on. Every
// signature is bound to it.
type Network [32]byte

// String is the network in hexadecimal.
func (n Network) String() string { return hex.EncodeToString(n[:]) }

// DomainKind says what a signature is for; one for another kind is void.
type DomainKind string

// The kinds of domain. What validators sign each epoch, what binds them, and what
// accounts sign.
const (
	DomainCheckpoint   DomainKind = "checkpoint"
	DomainCross        DomainKind = "cross"
	DomainRegistration DomainKind = "registration"
	DomainOperation    DomainKind = "operation"
)

// tagPrefix begins every byte string that this protocol hashes for a purpose.
const tagPrefix = "meshsec/v1/"

// Domain separates signatures by purpose, network and chain (DESIGN §2). It is the
// SHA-256 of
//
//	uint64 little-endian   length of the tag
//	tag                    "meshsec/v1/" followed by kind
//	32 bytes               network
//	uint64 little-endian   length of the chain id
//	chain id               of the chain whose validators or accounts sign
//
// The lengths make the input unambiguous.
func Domain(kind DomainKind, network Network, chainID string) [32]byte {
	tag := tagPrefix + string(kind)
	b := make([]byte, 0, 8+len(tag)+len(network)+8+len(chainID))
	b = appendSized(b, tag)
	b = append(b, network[:]...)
	b = appendSized(b, chainID)
	return sha256.Sum256(b)
}

// SigningRoot is the message that is signed: SHA-256(root ‖ domain), where root is
// the hash tree root of the object.
func SigningRoot(root, domain [32]byte) [32]byte {
	var b [64]byte
	copy(b[:32], root[:])
	copy(b[32:], domain[:])
	return sha256.Sum256(b[:])
}

func appendSized(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}

// Root is the hash tree root, which names the checkpoint and its certificate. It
// panics if the chain id is longer than [MaxChainID], so that the object has no
// encoding; decoded objects never are.
func (c *Checkpoint) Root() [32]byte { return mustRoot(c) }

// SigningRoot is what the validators of c's chain sign.
func (c *Checkpoint) SigningRoot(net Network) [32]byte {
	return SigningRoot(c.Root(), Domain(DomainCheckpoint, net, string(c.ChainID)))
}

// Root is the hash tree root. It panics like [Checkpoint.Root].
func (c *CrossClaim) Root() [32]byte { return mustRoot(c) }

// SigningRoot is what the validators of the claiming chain, c.ChainID, sign.
func (c *CrossClaim) SigningRoot(net Network) [32]byte {
	return SigningRoot(c.Root(), Domain(DomainCross, net, string(c.ChainID)))
}

// Root is the hash tree root. It panics if an element is nil or the set is beyond a
// limit; see [NewSet], which checks.
func (v *ValidatorSet) Root() [32]byte { return mustRoot(v) }

// Root is the hash tree root. It panics like [Checkpoint.Root].
func (r *Registration) Root() [32]byte { return mustRoot(r) }

// SigningRoot is what both keys of a registration sign: the consensus key directly,
// the BLS key as the context of its proof of possession.
func (r *Registration) SigningRoot(net Network) [32]byte {
	return SigningRoot(r.Root(), Domain(DomainRegistration, net, string(r.ChainID)))
}

func mustRoot(o ssz.HashRoot) [32]byte {
	root, err := o.HashTreeRoot()
	if err != nil {
		panic("attest: root of an object beyond its limits, which has no encoding: " + err.Error())
	}
	return root
}
