package ethereum

import "crypto/sha256"

// Chain is what signatures do not say about themselves: for which beacon chain they
// were made. The specification's get_domain takes the version of the fork in which the
// signed epoch lies.
type Chain struct {
	GenesisValidatorsRoot [32]byte
	Forks                 []Fork // at least one, by ascending epoch; the first counts for epochs before it too
	SlotsPerEpoch         uint64 // 0 means 32, as on mainnet
}

// Fork is a version of the protocol and its first epoch.
type Fork struct {
	Epoch   uint64
	Version [4]byte
}

// DomainType is the first four bytes of a domain: what a signature is for.
type DomainType [4]byte

// The domain types of what can be slashed.
var (
	DomainProposer = DomainType{0, 0, 0, 0}
	DomainAttester = DomainType{1, 0, 0, 0}
)

func (c *Chain) slots() uint64 {
	if c == nil || c.SlotsPerEpoch == 0 {
		return 32
	}
	return c.SlotsPerEpoch
}

// EpochOf is the specification's compute_epoch_at_slot; of no chain, that of mainnet.
func (c *Chain) EpochOf(slot uint64) uint64 { return slot / c.slots() }

// StartOf is the specification's compute_start_slot_at_epoch. It is not ok if there is
// no such slot in 64 bits.
func (c *Chain) StartOf(epoch uint64) (slot uint64, ok bool) {
	slot = epoch * c.slots()
	return slot, slot/c.slots() == epoch
}

// version is that of the fork in which an epoch lies.
func (c *Chain) version(epoch uint64) (version [4]byte) {
	for i, f := range c.Forks {
		if i == 0 || f.Epoch <= epoch {
			version = f.Version
		}
	}
	return version
}

// Domain is the specification's get_domain: the type and 28 bytes of the hash tree
// root of ForkData(version, genesis validators root).
func (c *Chain) Domain(kind DomainType, epoch uint64) (domain [32]byte) {
	version := c.version(epoch)
	var fork [64]byte
	copy(fork[:32], version[:])
	copy(fork[32:], c.GenesisValidatorsRoot[:])
	root := sha256.Sum256(fork[:])
	copy(domain[:4], kind[:])
	copy(domain[4:], root[:28])
	return domain
}

// SigningRoot is the specification's compute_signing_root, the hash tree root of
// SigningData: the SHA-256 of both.
func SigningRoot(root, domain [32]byte) [32]byte {
	var data [64]byte
	copy(data[:32], root[:])
	copy(data[32:], domain[:])
	return sha256.Sum256(data[:])
}
