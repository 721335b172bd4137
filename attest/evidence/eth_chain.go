package evidence

import "github.com/meshsec/meshsec/attest/ethereum"

// MaxEthereumChain is the longest file that [ParseEthereumChain] reads, in bytes.
const MaxEthereumChain = 4 << 10

// NewEthereumChain takes both in hexadecimal after 0x: 32 bytes and 4 bytes. The
// version is that of the epochs in which the evidence was signed, whatever is in
// force today.
func NewEthereumChain(genesisValidatorsRoot, forkVersion string) (*ethereum.Chain, error) {
	c := new(ethereum.Chain)
	var version [4]byte
	for _, field := range []struct {
		name, text string
		into       []byte
	}{
		{"genesis validators root", genesisValidatorsRoot, c.GenesisValidatorsRoot[:]},
		{"fork version", forkVersion, version[:]},
	} {
		b, err := ethHex(field.text)
		if err == nil {
			err = ethFill(field.into, b)
		}
		if err != nil {
			return nil, ethShape("%s: %w", field.name, err)
		}
	}
	c.Forks = []ethereum.Fork{{Version: version}}
	return c, nil
}

// ParseEthereumChain reads a small JSON file, alone or inside of {"data": …}: the
// genesis_validators_root, and either fork_version or what the beacon API says about
// the fork of a state: previous_version, current_version and epoch. slots_per_epoch
// may be added.
func ParseEthereumChain(data []byte) (*ethereum.Chain, error) {
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
	c := new(ethereum.Chain)
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
	if err := readFork(c, root, previous, current, epoch); err != nil {
		return nil, err
	}
	return c, nil
}

// readFork reads the chain's root and two versions, the second from epoch on.
func readFork(c *ethereum.Chain, root, previous, current, epoch ethValue) error {
	c.Forks = make([]ethereum.Fork, 2)
	for _, read := range []error{
		ethFixed(c.GenesisValidatorsRoot[:])(root),
		ethFixed(c.Forks[0].Version[:])(previous),
		ethFixed(c.Forks[1].Version[:])(current),
		ethInteger(&c.Forks[1].Epoch)(epoch),
	} {
		if read != nil {
			return read
		}
	}
	if c.Forks[1].Epoch == 0 {
		c.Forks = c.Forks[1:]
	}
	return nil
}
