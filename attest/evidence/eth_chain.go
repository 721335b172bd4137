package evidence

import (
	"crypto/sha256"

	"github.com/meshsec/meshsec/attest"
)

// EthereumChain is what slashings do not say about themselves: for which chain the
// signatures were made. The specification's get_domain takes the version of the fork
// in which the signed epoch lies.
type EthereumChain struct {
	GenesisValidatorsRoot [32]byte
	PreviousVersion       [4]byte // of epochs before ForkEpoch
	CurrentVersion        [4]byte // of ForkEpoch and later
	ForkEpoch             uint64
	SlotsPerEpoch         uint64 // 0 means 32, as on mainnet
}

// MaxEthereumChain is the longest file that [ParseEthereumChain] reads, in bytes.
const MaxEthereumChain = 4 << 10

// NewEthereumChain takes both in hexadecimal after 0x: 32 bytes and 4 bytes. The
// version is that of the epochs in which the evidence was signed, whatever is in
// force today.
func NewEthereumChain(genesisValidatorsRoot, forkVersion string) (*EthereumChain, error) {
	c := new(EthereumChain)
	for _, field := range []struct {
		name, text string
		into       []byte
	}{
		{"genesis validators root", genesisValidatorsRoot, c.GenesisValidatorsRoot[:]},
		{"fork version", forkVersion, c.CurrentVersion[:]},
	} {
		b, err := ethHex(field.text)
		if err == nil {
			err = ethFill(field.into, b)
		}
		if err != nil {
			return nil, ethShape("%s: %w", field.name, err)
		}
	}
	c.PreviousVersion = c.CurrentVersion
	return c, nil
}

// ParseEthereumChain reads a small JSON file, alone or inside of {"data": …}: the
// genesis_validators_root, and either fork_version or what the beacon API says about
// the fork of a state: previous_version, current_version and epoch. slots_per_epoch
// may be added.
func ParseEthereumChain(data []byte) (*EthereumChain, error) {
	v, err := ethDocument(data, MaxEthereumChain)
	if err != nil {
		return nil, err
	}
	var inner, root, single, previous, current, epoch ethValue
	if err := v.some(ethMembers{"data": ethRaw(&inner)}); err != nil {
		return nil, err
	}
	if inner != nil {
		v = inner
	}
	c := new(EthereumChain)
	err = v.some(ethMembers{
		"genesis_validators_root": ethRaw(&root),
		"fork_version":            ethRaw(&single),
		"previous_version":        ethRaw(&previous),
		"current_version":         ethRaw(&current),
		"epoch":                   ethRaw(&epoch),
		"slots_per_epoch":         ethInteger(&c.SlotsPerEpoch),
	})
	if err != nil {
		return nil, err
	}
	three := previous != nil && current != nil && epoch != nil
	none := previous == nil && current == nil && epoch == nil
	switch {
	case root == nil:
		return nil, ethShape("genesis_validators_root is missing")
	case single != nil && none:
		previous, current, epoch = single, single, ethValue("0")
	case single != nil || !three:
		return nil, ethShape("give either fork_version, or previous_version, current_version and epoch")
	}
	for _, read := range []error{
		ethFixed(c.GenesisValidatorsRoot[:])(root),
		ethFixed(c.PreviousVersion[:])(previous),
		ethFixed(c.CurrentVersion[:])(current),
		ethInteger(&c.ForkEpoch)(epoch),
	} {
		if read != nil {
			return nil, read
		}
	}
	return c, nil
}

// epochOf is the specification's compute_epoch_at_slot.
func (c *EthereumChain) epochOf(slot uint64) uint64 {
	if c == nil || c.SlotsPerEpoch == 0 {
		return slot / 32
	}
	return slot / c.SlotsPerEpoch
}

// ethDomainType is the first four bytes of a domain.
type ethDomainType [4]byte

// The domain types of what can be slashed.
var (
	ethDomainProposer = ethDomainType{0, 0, 0, 0}
	ethDomainAttester = ethDomainType{1, 0, 0, 0}
)

// domain is the specification's get_domain: the type and 28 bytes of the hash tree
// root of ForkData(version, genesis validators root).
func (c *EthereumChain) domain(kind ethDomainType, epoch uint64) (domain [32]byte) {
	version := c.CurrentVersion
	if epoch < c.ForkEpoch {
		version = c.PreviousVersion
	}
	var fork [64]byte
	copy(fork[:32], version[:])
	copy(fork[32:], c.GenesisValidatorsRoot[:])
	root := sha256.Sum256(fork[:])
	copy(domain[:4], kind[:])
	copy(domain[4:], root[:28])
	return domain
}

// ethSigningRoot is the specification's compute_signing_root: the hash tree root of
// SigningData(root, domain), which this protocol took over.
func ethSigningRoot(root, domain [32]byte) [32]byte { return attest.SigningRoot(root, domain) }
