package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/p2p"
	"github.com/meshsec/meshsec/store/guard"
	"github.com/meshsec/meshsec/store/ledger"
)

const manifestName = "manifest.toml"

// plan is what init is asked to make.
type plan struct {
	place
	manifest string
	config   node.Config
	newGuard bool
}

func newInit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Make the home of a node", Args: words(),
		Long: `Makes the home of a node: config.toml with every key explained, a copy of the
manifest, and the key behind its peer id. It asks nothing, and overwrites nothing.

With --keystore the node is a validator. Its guard, which remembers what the key has
signed, is made with --new-guard: only for a key that has never signed anything.
That of any other key must be moved here together with it.`,
		Example: `meshsec init --home /srv/mesh --manifest manifest.toml --chain alpha
meshsec init --home /srv/mesh --manifest manifest.toml --chain alpha \
  --keystore keys/validator.json --password-file password --new-guard`,
	}
	p := plan{config: node.DefaultConfig()}
	c := &p.config
	cmd.Flags().StringVar(&p.home, "home", "", "folder to make (default $MESHSEC_HOME, or .meshsec in your home folder)")
	cmd.Flags().StringVar(&p.manifest, "manifest", "", "the network's manifest (required)")
	cmd.Flags().StringVar(&c.Chain, "chain", "", "home chain (default the only one of the manifest, or that of the keystore's key)")
	cmd.Flags().StringVar(&c.Name, "name", c.Name, "what the node calls itself")
	cmd.Flags().StringVar(&c.HomeChain.RPC, "rpc", "http://127.0.0.1:26657", "RPC of a node of the home chain that you trust")
	cmd.Flags().StringVar(&c.HomeChain.Encoding, "encoding", c.HomeChain.Encoding, "how operations travel in the home chain's transactions: raw or kvstore")
	cmd.Flags().StringVar(&c.API.Listen, "api", c.API.Listen, "host:port of the API; empty for none")
	cmd.Flags().StringArrayVar(&c.P2P.Listen, "listen", c.P2P.Listen, "multiaddress to listen on; repeat it for each")
	cmd.Flags().StringArrayVar(&c.P2P.Peers, "peer", c.P2P.Peers, "multiaddress of a node to stay connected with, ending in /p2p/<id>; repeat it for each")
	cmd.Flags().StringVar(&c.Validator.Keystore, "keystore", "", "EIP-2335 keystore of the validator's BLS key")
	cmd.Flags().StringVar(&c.Validator.PasswordFile, "password-file", "", "file with the keystore's password")
	cmd.Flags().StringVar(&c.Validator.AccountKey, "account-key", "", "file with the key of the account that reports faults and sends operations")
	cmd.Flags().BoolVar(&p.newGuard, "new-guard", false, "make an empty guard: only for a key that has never signed")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := need(cmd, "manifest"); err != nil {
			return err
		}
		if p.newGuard && c.Validator.Keystore == "" {
			return misuse(cmd, "--new-guard needs the --keystore whose signatures it is to remember")
		}
		made, err := p.make()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), made)
		}
		return made.print(cmd)
	}
	return cmd
}

// made is what init made.
type made struct {
	Home    string          `json:"home"`
	Config  string          `json:"config"`
	Network string          `json:"network"`
	Chain   string          `json:"chain"`
	Peer    string          `json:"peer"` // id of the node in the mesh
	Key     ledger.HexBytes `json:"key"`  // of the validator; empty if the node only follows
	Guard   bool            `json:"guard"`
}

func (m *made) print(cmd *cobra.Command) error {
	t := newTable(cmd.OutOrStdout())
	t.row("home", m.Home)
	t.row("network", m.Network)
	t.row("chain", m.Chain)
	t.row("peer id", m.Peer)
	switch {
	case m.Key == nil:
		t.row("validator", "none, this node only follows")
	case m.Guard:
		t.row("validator", naming{full: true}.id(m.Key)+", with its guard")
	default:
		t.row("validator", naming{full: true}.id(m.Key)+", without a guard")
	}
	if err := t.print(); err != nil {
		return err
	}
	if m.Key != nil && !m.Guard {
		fmt.Fprintf(cmd.ErrOrStderr(), "Before the first start: move the key's guard to %s, or, if it has never signed, start once with --new-guard.\n", filepath.Join(m.Home, node.DefaultConfig().Validator.Guard))
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nLook through %s, then: meshsec start --home %s\n", m.Config, m.Home)
	return err
}

// make checks everything before it writes anything, and writes the configuration
// last: with it the home exists.
func (p *plan) make() (*made, error) {
	home, err := p.folder()
	if err != nil {
		return nil, err
	}
	if home, err = filepath.Abs(home); err != nil {
		return nil, err
	}
	if err := checkHome(home); err != nil {
		return nil, err
	}
	m := &made{Home: home, Config: filepath.Join(home, configName)}
	switch _, err := os.Lstat(m.Config); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: choose another --home", err)
	case err == nil:
		return nil, fmt.Errorf("%s is a node's home already and is left as it is: edit its %s, or choose another --home", home, configName)
	}
	manifest, err := node.LoadManifest(p.manifest)
	if err != nil {
		return nil, err
	}
	network := attest.Network(manifest.ID())
	m.Network = network.String()
	c := &p.config
	if err := absolute(&c.Validator.Keystore, &c.Validator.PasswordFile, &c.Validator.AccountKey); err != nil {
		return nil, err
	}
	if c.Validator.Keystore != "" {
		key, err := keystoreKey(c.Validator.Keystore)
		if err != nil {
			return nil, err
		}
		b := key.Bytes()
		m.Key = b[:]
	}
	if c.Chain, err = homeChain(manifest, c.Chain, m.Key); err != nil {
		return nil, err
	}
	m.Chain = c.Chain
	if err := c.Validate(); err != nil {
		return nil, &usageError{err.Error()}
	}
	return m, p.write(m, network)
}

func (p *plan) write(m *made, network attest.Network) error {
	if err := keepCopy(p.manifest, filepath.Join(m.Home, manifestName)); err != nil {
		return err
	}
	identity, err := p2p.LoadOrCreateIdentity(filepath.Join(m.Home, p.config.P2P.Key))
	if err != nil {
		return err
	}
	id, err := peer.IDFromPrivateKey(identity)
	if err != nil {
		return err
	}
	m.Peer = id.String()
	if m.Key != nil {
		if m.Guard, err = prepareGuard(filepath.Join(m.Home, p.config.Validator.Guard), [48]byte(m.Key), network, p.newGuard); err != nil {
			return err
		}
	}
	text, err := p.config.Encode()
	if err != nil {
		return err
	}
	return createFile(m.Config, text)
}

// prepareGuard makes a guard if asked to. Otherwise it says whether there is one,
// which must then be that of the key.
func prepareGuard(dir string, key [48]byte, network attest.Network, create bool) (bool, error) {
	if create {
		err := guard.Create(dir, key, network.String())
		if errors.Is(err, guard.ErrExists) {
			return false, fmt.Errorf("%s holds a guard already, which is left as it is: leave --new-guard out to go on with it", dir)
		}
		return err == nil, err
	}
	g, err := guard.Open(dir, key, network.String())
	if errors.Is(err, guard.ErrMissing) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, g.Close()
}

// keepCopy copies a manifest, unless the same is there already.
func keepCopy(from, to string) error {
	content, err := readBounded(from, ledger.MaxManifest)
	if err != nil {
		return err
	}
	if there, err := readBounded(to, ledger.MaxManifest); err == nil && bytes.Equal(there, content) {
		return nil
	}
	return createFile(to, content)
}

// absolute makes paths independent of where the configuration lies; empty ones stay.
func absolute(paths ...*string) error {
	for _, p := range paths {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	return nil
}

// homeChain is the chain that was asked for, or the only one that can be meant: the
// manifest has no other, or only that one has the validator's key.
func homeChain(m *ledger.Manifest, asked string, key ledger.HexBytes) (string, error) {
	ids := m.ChainIDs()
	if asked != "" {
		if m.Chain(asked) == nil {
			return "", &usageError{fmt.Sprintf("chain %q is not in the manifest: give --chain as one of %s", asked, strings.Join(ids, ", "))}
		}
		return asked, nil
	}
	if len(ids) == 1 {
		return ids[0], nil
	}
	for _, c := range m.Chains {
		for _, v := range c.Validators {
			if key != nil && bytes.Equal(v.Key, key) {
				return c.ID, nil
			}
		}
	}
	return "", &usageError{"give the home chain with --chain: one of " + strings.Join(ids, ", ")}
}
